"""The gates of ``nbprod.toml``: which policy holds for a model, and the parameters an evaluation gets from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from nbprod.domain.gate import GatePolicy
from nbprod.domain.names import check_name
from nbprod.errors import SettingsError

__all__ = ["DEFAULT", "Gates", "policy_parameters"]

DEFAULT = "default"


class Gates:
    """The policies by registered model, from the tables ``[gates.<model>]`` and ``[gates.default]``.

    A model's table is laid over the default one, key by key.

    Parameters
    ----------
    tables
        The ``[gates]`` table of ``nbprod.toml``, empty when it has none.

    Raises
    ------
    SettingsError
        A table or a value cannot be used; it says which.
    """

    def __init__(self, tables: Mapping[str, Any] | None = None) -> None:
        tables = tables or {}
        for name, table in tables.items():
            check_name(name, "model in [gates]")
            if not isinstance(table, Mapping):
                raise SettingsError(
                    f"[gates] has a key {name!r} outside a model's table",
                    hint="Write [gates.default], and the keys below it.",
                )
        default = dict(tables.get(DEFAULT, {}))
        self._policies = {
            name: GatePolicy.from_mapping(_over(default, table), where=f"[gates.{name}]")
            for name, table in {DEFAULT: default, **tables}.items()
        }

    def policy(self, model: str) -> GatePolicy:
        """The policy a candidate for this registered model is held against."""
        return self._policies.get(model, self._policies[DEFAULT])

    def __repr__(self) -> str:
        return f"<Gates of {', '.join(sorted(self._policies))}>"


def policy_parameters(policy: GatePolicy, parameters: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The policy as plain parameters of the ``evaluate`` notebook.

    Parameters
    ----------
    policy
        Of the model that is evaluated.
    parameters
        Further ones, which may not contradict the policy.

    Raises
    ------
    SettingsError
        A further parameter is one of the policy's, with another value.

    Examples
    --------
    >>> policy_parameters(GatePolicy(metric="roc_auc", min=0.7))["min"]
    0.7
    """
    plain = asdict(policy)
    further = dict(parameters or {})
    for name, value in further.items():
        if name in plain and value != plain[name]:
            raise SettingsError(
                f"{name}={value!r} contradicts the gate, which has {plain[name]!r}",
                hint="Change [gates] in nbprod.toml; an evaluation that decides is held against the policy alone.",
            )
    return {**further, **plain}


def _over(default: Mapping[str, Any], table: Mapping[str, Any]) -> dict[str, Any]:
    merged = {**default, **table}
    # a model judged by an error must not inherit the default's floor, nor the other way round
    for own, other in (("min", "max"), ("max", "min")):
        if own in table and other not in table:
            merged.pop(other, None)
    return merged
