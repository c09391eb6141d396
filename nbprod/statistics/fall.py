"""How much worse a number became, from its interval before and its interval after."""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot

from scipy import special

from nbprod.statistics.interval import Interval

__all__ = ["Fall", "fall_between"]

NORMAL = 1.959964


@dataclass(frozen=True, kw_only=True)
class Fall:
    """The difference in the direction that is worse, with its 95 % interval."""

    value: float
    low: float
    high: float
    chance: float  #: of a fall as large if there were none


def fall_between(before: Interval, after: Interval, *, higher_is_better: bool) -> Fall:
    """The fall between two numbers with 95 % intervals.

    The interval combines the two without assuming symmetry (MOVER: Zou and Donner 2008, *Construction of confidence
    limits about effect measures*, eq. 7).
    """
    worse_before, better_before = before.value - before.low, before.high - before.value
    worse_after, better_after = after.high - after.value, after.value - after.low
    value = before.value - after.value
    if not higher_is_better:
        worse_before, better_before = better_before, worse_before
        worse_after, better_after = better_after, worse_after
        value = -value
    below = hypot(worse_before, worse_after)
    # the half-width of a 95 % interval is what 1.96 standard errors were, few blocks allowed for
    chance = float(special.ndtr(-NORMAL * value / below)) if below > 0 else float(value <= 0)
    return Fall(value=value, low=value - below, high=value + hypot(better_before, better_after), chance=chance)
