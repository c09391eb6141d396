"""A number with the interval it comes in."""

from __future__ import annotations

from dataclasses import dataclass

from nbprod.domain.numbers import number

__all__ = ["Interval"]


@dataclass(frozen=True, kw_only=True)
class Interval:
    """An estimate and its bounds; infinite bounds mean that the data say nothing about it."""

    value: float
    low: float
    high: float
    level: float = 0.95  #: the share of samples whose interval holds the truth

    def __contains__(self, number: float) -> bool:
        return self.low <= number <= self.high

    def __str__(self) -> str:
        return f"{number(self.value)} [{number(self.low)}, {number(self.high)}]"

    def __repr__(self) -> str:
        return f"<Interval {self} at {self.level:.0%}>"

    def to_dict(self) -> dict[str, float]:
        """The four numbers by name."""
        return {"value": self.value, "low": self.low, "high": self.high, "level": self.level}
