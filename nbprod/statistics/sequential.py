"""Looking every day for free: budgets of false alarms, and evidence that stays valid whenever one looks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nbprod.errors import SettingsError

__all__ = ["AlarmBudget", "Detection", "confidence_sequence", "detect_rise"]

Floats = NDArray[np.float64]
_BETS = np.r_[0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.9]  # of the largest bet that cannot lose everything


@dataclass(frozen=True, kw_only=True)
class AlarmBudget:
    """How many false alarms a year one is willing to have, and what that means for a single look.

    If the chance of a false alarm is at most ``alpha`` at each look, the expected number of them in a year is at most
    ``alpha`` times the looks, however the looks depend on each other. Looks over several lengths (days, weeks, months
    from the same merged profiles) share the budget.
    """

    per_year: float = 2.0
    looks_per_year: float = 365.0
    lengths: int = 1  #: kinds of windows that share the budget

    def __post_init__(self) -> None:
        if not (self.per_year > 0 and self.looks_per_year > 0 and self.lengths >= 1):
            raise SettingsError(
                f"{self.per_year} false alarms in {self.looks_per_year} looks a year is not a budget",
                hint="Both numbers must be above zero.",
            )

    @property
    def alpha(self) -> float:
        """The chance of a false alarm a single look may have; at most 5 %, however few looks there are."""
        return min(self.per_year / (self.looks_per_year * self.lengths), 0.05)

    @property
    def run_length(self) -> float:
        """Looks until a false alarm, on average: the threshold of `detect_rise`."""
        return 1 / self.alpha


@dataclass(frozen=True, kw_only=True)
class Detection:
    """Whether and when a series rose above a level."""

    at: int | None  #: the position at which there was enough evidence
    began: int | None  #: where the rise most likely began
    evidence: Floats  #: after each value; alarm at the threshold
    threshold: float

    @property
    def detected(self) -> bool:
        """Whether there was enough evidence at any time."""
        return self.at is not None

    def __repr__(self) -> str:
        where = f"at {self.at}, began at {self.began}" if self.detected else "none"
        return f"<Detection {where}, evidence {self.evidence.max(initial=0.0):.3g} of {self.threshold:.3g}>"


def detect_rise(values: Floats, level: float, run_length: float) -> Detection:
    """Watch whether the mean of values rose above a level, at an unknown time.

    Parameters
    ----------
    values
        Between 0 and 1, in order; each with a mean of at most the level given the ones before, as long as nothing
        changed. Values that depend on each other are averaged by block first.
    level
        Between 0 and 1.
    run_length
        Above 1. While nothing has changed, the mean number of values until a false detection is at least this.

    Notes
    -----
    A bet of ``b`` on a rise multiplies the stake by ``1 + b (x - level)``, which is fair at best if nothing changed
    (Waudby-Smith and Ramdas 2024, JRSS B 86). A new stake of one is put down before every value; the sum of all
    stakes, averaged over bets, is a Shiryaev-Roberts e-detector, whose mean run length is at least its threshold
    (Shin, Ramdas and Rinaldo 2024, "E-detectors"). The rise began where the best bet would have been put down.
    """
    values = np.asarray(values, dtype=np.float64)
    if len(values) and (np.nanmin(values) < 0 or np.nanmax(values) > 1):
        raise SettingsError("values to watch must lie between 0 and 1", hint="Divide them by their largest value.")
    if not 0 <= level < 1 or not run_length > 1:
        raise SettingsError(f"level {level} and run length {run_length} cannot be watched")
    bets = _BETS / max(level, 1e-3)
    factors = np.maximum(1 + bets[:, None] * (values - level), 1e-12)
    stakes = np.zeros(len(bets))
    evidence = np.empty(len(values))
    at: int | None = None
    for place in range(len(values)):
        stakes = (stakes + 1) * factors[:, place]
        evidence[place] = stakes.mean()
        if evidence[place] >= run_length:
            at = place
            evidence = evidence[: place + 1]
            break
    began = None
    if at is not None:
        best = int(np.argmax(stakes))
        gained = np.cumsum(np.log(factors[best, : at + 1])[::-1])[::-1]
        began = int(np.argmax(gained))
    return Detection(at=at, began=began, evidence=evidence, threshold=run_length)


def confidence_sequence(values: Floats, alpha: float = 0.05) -> tuple[Floats, Floats]:
    """Bounds of a mean after each value that hold for all times at once with a chance of 1 - alpha.

    Parameters
    ----------
    values
        Between 0 and 1, each with the same mean given the ones before.
    alpha
        Between 0 and 1.

    Returns
    -------
    low, high
        Running intersections, between 0 and 1.

    Notes
    -----
    The predictable plug-in empirical-Bernstein sequence of Waudby-Smith and Ramdas 2024, JRSS B 86, theorem 2.
    """
    values = np.asarray(values, dtype=np.float64)
    count = np.arange(1, len(values) + 1)
    mean = (0.5 + np.cumsum(values)) / (count + 1)
    variance = (0.25 + np.cumsum((values - mean) ** 2)) / (count + 1)
    mean_before, variance_before = np.r_[0.5, mean[:-1]], np.r_[0.25, variance[:-1]]
    bet = np.minimum(np.sqrt(2 * np.log(2 / alpha) / (variance_before * count * np.log1p(count))), 0.5)
    total = np.cumsum(bet)
    center = np.cumsum(bet * values) / total
    half = (np.log(2 / alpha) + np.cumsum((values - mean_before) ** 2 * (-np.log1p(-bet) - bet))) / total
    low = np.maximum.accumulate(np.clip(center - half, 0, 1))
    high = np.minimum.accumulate(np.clip(center + half, 0, 1))
    return low, high
