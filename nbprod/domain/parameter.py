"""A parameter of a notebook, and how given values are held against the declared ones."""

from __future__ import annotations

import keyword
import math
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import PurePath
from typing import Any

from nbprod.domain.coercion import coerce
from nbprod.domain.markers import Secret
from nbprod.domain.names import nearest
from nbprod.domain.type_rule import TypeRule, ValueKind
from nbprod.errors import ParameterError

__all__ = ["Parameter", "bind", "is_parameter_name", "plain"]


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One line of a notebook's ``parameters`` cell."""

    name: str
    rule: TypeRule
    annotation: str = ""  #: as written; empty where the rule was inferred from the default
    default: Any = None  #: the literal; ``None`` as well where there is none to know
    default_text: str = ""  #: as written
    is_required: bool = False  #: declared without a value
    is_computed: bool = False  #: the default is an expression only a kernel can evaluate
    help: str = ""

    @property
    def kind(self) -> ValueKind:
        """What a value is."""
        return self.rule.kind

    @property
    def optional(self) -> bool:
        """Whether ``None`` is allowed."""
        return self.rule.optional

    @property
    def choices(self) -> tuple[Any, ...]:
        """The allowed values of a ``Literal``."""
        return self.rule.choices

    @property
    def low(self) -> float | None:
        """Smallest number allowed."""
        return self.rule.low

    @property
    def high(self) -> float | None:
        """Largest number allowed."""
        return self.rule.high

    @property
    def is_secret(self) -> bool:
        """Whether only a reference may be kept."""
        return self.kind is ValueKind.SECRET

    @property
    def is_dataset(self) -> bool:
        """Whether it names data."""
        return self.kind is ValueKind.DATASET

    @property
    def is_model(self) -> bool:
        """Whether it names a model, which the executing process replaces by a package folder."""
        return self.kind is ValueKind.MODEL

    @property
    def allowed(self) -> str:
        """What is allowed, in words."""
        return self.rule.describe()

    def coerce(self, value: Any, *, text: bool = False) -> Any:
        """The exact value the notebook gets.

        Parameters
        ----------
        value
            A Python value, or the text of one.
        text
            The value came from a command line, so ``None`` may be meant even where a text is allowed.

        Raises
        ------
        ParameterError
            Naming the parameter, the value and what is allowed; the value of a secret is not shown.
        """
        try:
            return coerce(self.rule, value, text=text)
        except ValueError as error:
            shown = "not a reference" if self.rule.holds_secret else _shorten(repr(value))
            more = f" ({error})" if str(error) else ""
            inferred = f", as its default {self.default_text} suggests" if not self.annotation else ""
        hint = "" if self.annotation else f"Annotate {self.name} in the notebook to allow more."
        raise ParameterError(
            f"{self.name} is {shown} but must be {self.allowed}{inferred}{more}", names=[self.name], hint=hint
        )

    def __repr__(self) -> str:
        annotation = f": {self.annotation}" if self.annotation else ""
        default = "" if self.is_required else f" = {self.default_text}"
        return f"<Parameter {self.name}{annotation}{default}>"


def bind(parameters: Iterable[Parameter], given: Mapping[str, Any], *, text: bool = False) -> dict[str, Any]:
    """The value of every parameter: as given, else its default.

    Computed defaults are left out: only the kernel knows them.

    Parameters
    ----------
    parameters
        What the notebook declares.
    given
        Values by name.
    text
        The values came from a command line.

    Raises
    ------
    ParameterError
        All problems at once, one a line: unknown names with the nearest one, refused values, missing ones.
    """
    declared = {parameter.name: parameter for parameter in parameters}
    problems: list[str] = []
    hints: list[str] = []
    names: list[str] = []
    values: dict[str, Any] = {}
    for name in given:
        if name not in declared:
            problems.append(f"{name!r} is not a parameter of this notebook.")
            hints.append(nearest(str(name), declared) if declared else "It has no parameters cell.")
            names.append(str(name))
    for name, parameter in declared.items():
        if name in given:
            try:
                values[name] = parameter.coerce(given[name], text=text)
            except ParameterError as error:
                problems.append(f"{error.message}.")
                hints.append(error.hint)
                names.append(name)
        elif parameter.is_required:
            problems.append(f"{name} has no default and was not given; it must be {parameter.allowed}.")
            names.append(name)
        elif not parameter.is_computed:
            values[name] = parameter.default
    if problems:
        raise ParameterError("\n".join(problems), names=names, hint=" ".join(dict.fromkeys(filter(None, hints))))
    return values


def is_parameter_name(name: str) -> bool:
    """Whether a name may be assigned to: an identifier as Python itself spells it, no keyword, no dunder."""
    return (
        isinstance(name, str)
        and name.isidentifier()
        and not keyword.iskeyword(name)
        and not name.startswith("__")
        and unicodedata.normalize("NFKC", name) == name
    )


def plain(value: Any) -> Any:
    """A parameter's value as JSON can hold it; ``coerce`` of its declaration gives the value back.

    Examples
    --------
    >>> plain({"since": date(2026, 1, 31)})
    {'since': '2026-01-31'}
    """
    if isinstance(value, Mapping):
        return {key if isinstance(key, str) else str(plain(key)): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(one) for one in value]
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, PurePath | Secret):
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if value is None or isinstance(value, bool | int | float | str) else repr(value)


def _shorten(text: str) -> str:
    return text if len(text) <= 120 else f"{text[:117]}…"
