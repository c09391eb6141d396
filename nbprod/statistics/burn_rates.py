"""How fast an error budget is used up: burn rates over a long and a short window at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

__all__ = ["BURN_RULES", "Burn", "BurnRule", "fastest_burns"]

Floats = NDArray[np.float64]
CHANCE = 1e-3  #: more bad events than the budget has are none while chance alone brings as many so often


@dataclass(frozen=True, kw_only=True)
class BurnRule:
    """What counts as burning: so many times the budget, in both windows."""

    rate: float  #: of bad events, in budgets
    long_minutes: int
    short_minutes: int  #: so that a fault that is over is told no longer


#: Beyer and others 2018, *The Site Reliability Workbook*, chapter 5, table 5-8: 2 % of the budget of 30 days within
#: an hour, 5 % within six hours, 10 % within three days; the short window is a twelfth of the long one.
BURN_RULES = (
    BurnRule(rate=14.4, long_minutes=60, short_minutes=5),
    BurnRule(rate=6.0, long_minutes=360, short_minutes=30),
    BurnRule(rate=1.0, long_minutes=3 * 1440, short_minutes=360),
)


@dataclass(frozen=True, kw_only=True)
class Burn:
    """The fastest that a budget burned by one rule."""

    rule: BurnRule
    rate: float  #: over the long window, in budgets, where it was highest; of moments that burn where there are any
    at: int  #: the bin that ends this window
    is_burning: bool  #: whether the rule held there
    first: int | None  #: the first bin at which it held


def fastest_burns(
    bad: Floats, total: Floats, budget: float, *, first: int, bin_minutes: int, rules: Sequence[BurnRule] = BURN_RULES
) -> list[Burn]:
    """Look at every moment for a budget that burns too fast.

    Parameters
    ----------
    bad, total
        Events in each bin of time, in order.
    budget
        The share of bad events the objective allows: 0.001 for 99.9 %.
    first
        The first bin that is looked at; those before it only fill the long windows.
    bin_minutes
        The length of a bin, a divisor of every window of the rules.

    Returns
    -------
    list of Burn
        One a rule. A rule holds where both windows burn at its rate, and the long one has more bad events than
        chance brings to a service that just meets its objective (Poisson, one in a thousand).
    """
    found = []
    for rule in rules:
        length = rule.long_minutes // bin_minutes
        long_bad, long_total = _rolling(bad, length), _rolling(total, length)
        short = rule.short_minutes // bin_minutes
        rate = _rate(long_bad, long_total, budget)
        quick = _rate(_rolling(bad, short), _rolling(total, short), budget)
        expected = np.maximum(budget * long_total, 1e-12)
        is_chance = special.pdtrc(np.maximum(long_bad - 1, 0), expected) > CHANCE
        burning = (rate >= rule.rate) & (quick >= rule.rate) & ~is_chance & (long_bad > 0)
        burning[:first] = False
        places = np.flatnonzero(burning)
        looked = rate[first:]
        if len(places):
            at = int(places[np.argmax(rate[places])])
        else:
            at = first + int(np.argmax(looked)) if len(looked) else first
        found.append(
            Burn(
                rule=rule,
                rate=float(rate[at]) if at < len(rate) else 0.0,
                at=at,
                is_burning=bool(len(places)),
                first=int(places[0]) if len(places) else None,
            )
        )
    return found


def _rolling(values: Floats, length: int) -> Floats:
    total = np.cumsum(values)
    return total - np.r_[np.zeros(min(length, len(total))), total[:-length]]


def _rate(bad: Floats, total: Floats, budget: float) -> Floats:
    return np.divide(bad, total * budget, out=np.zeros(len(bad)), where=total > 0)
