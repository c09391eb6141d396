"""A KPI: a function of predictions with how it is to be judged."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from nbprod.domain.names import check_name
from nbprod.errors import SettingsError

__all__ = ["PERIODS", "Kpi", "kpi"]

PERIODS = {"hour": "1h", "day": "1d", "week": "1w"}
LONGEST_S = 3600.0


@dataclass(frozen=True, kw_only=True)
class Kpi:
    """What is computed, and what is a material change of it; called, it is the function."""

    name: str
    function: Callable[..., Any]
    unit: str = ""
    better: str = "higher"  #: or ``lower``
    per: str = "day"  #: rows of one such period depend on each other; the trend has a value a period
    max_drop: float = 0.05  #: material: worse than usual by more than this share of it
    segments: tuple[str, ...] = ()  #: columns of whose values each is judged too
    limit_s: float = 30.0  #: what all calls for one look may take

    @property
    def is_higher_better(self) -> bool:
        """Whether more of it is better."""
        return self.better == "higher"

    @property
    def needs(self) -> tuple[str, ...]:
        """What the function must be given: ``predictions``, ``outcomes``, or tables by name."""
        return tuple(
            name
            for name, parameter in inspect.signature(self.function).parameters.items()
            if parameter.default is parameter.empty
            and parameter.kind not in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function, as without the decorator."""
        return self.function(*args, **kwargs)

    def __repr__(self) -> str:
        unit = f" in {self.unit}" if self.unit else ""
        return f"<Kpi {self.name}{unit}, {self.better} is better, by {self.per}>"


def kpi(
    *,
    unit: str = "",
    better: str = "higher",
    per: str = "day",
    max_drop: float = 0.05,
    segments: Sequence[str] = (),
    limit_s: float = 30.0,
    name: str = "",
) -> Callable[[Callable[..., Any]], Kpi]:
    """Make a KPI of a function.

    Parameters
    ----------
    unit
        Of its value, for people.
    better
        ``higher`` or ``lower``.
    per
        ``hour``, ``day`` or ``week``.
    max_drop
        From which share of what is usual on a change for the worse is material.
    segments
        Columns of the predictions of whose values each is judged too.
    limit_s
        Seconds that all calls for one look may take; a KPI that takes longer fails, and the rest goes on.
    name
        By default the function's.

    Raises
    ------
    SettingsError
        A value cannot be used.
    """
    if better not in {"higher", "lower"}:
        raise SettingsError(f"better = {better!r} of a KPI is unknown", hint="higher or lower.")
    if per not in PERIODS:
        raise SettingsError(f"per = {per!r} of a KPI is unknown", hint=f"One of {', '.join(PERIODS)}.")
    if not max_drop > 0 or not 0 < limit_s <= LONGEST_S or isinstance(segments, str):
        raise SettingsError(
            "a KPI's settings are out of range",
            hint=f"max_drop above 0, limit_s above 0 and up to {LONGEST_S:g}, segments a list of columns.",
        )

    def made(function: Callable[..., Any]) -> Kpi:
        return Kpi(
            name=check_name(name or getattr(function, "__name__", ""), "KPI"),
            function=function,
            unit=unit,
            better=better,
            per=per,
            max_drop=max_drop,
            segments=tuple(segments),
            limit_s=limit_s,
        )

    return made
