"""Intervals of a mean by resampling blocks of rows, and of any statistic by leaving blocks out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from nbprod.statistics.bootstrap import percentile_interval, resampled_counts
from nbprod.statistics.interval import Interval

__all__ = ["jackknife_interval", "mean_interval"]

Floats = NDArray[np.float64]
MOST_PARTS = 20  #: that are left out one after the other


def mean_interval(
    values: Floats, blocks: Any, *, seed: int = 0, level: float = 0.95, resamples: int = 1000
) -> Interval:
    """The mean of known values with its block bootstrap interval.

    Parameters
    ----------
    values
        One a row; ``NaN`` where it is not known.
    blocks
        The block of each row: whole blocks are resampled.
    seed
        The same seed gives the same interval.
    level
        Between 0 and 1.
    resamples
        How many.

    Returns
    -------
    Interval
        As `metric_interval` has it; of ``NaN`` where no value is known.
    """
    known = np.isfinite(values)
    _, groups = np.unique(np.asarray(blocks)[known], return_inverse=True)
    count = int(groups.max()) + 1 if len(groups) else 0
    if not count:
        return Interval(value=float("nan"), low=-np.inf, high=np.inf, level=level)
    sums = np.bincount(groups, values[known], count)
    sizes = np.bincount(groups, minlength=count).astype(np.float64)
    drawn = np.concatenate([(times @ sums) / (times @ sizes) for times in resampled_counts(count, resamples, seed)])
    return percentile_interval(float(sums.sum() / sizes.sum()), drawn, count, level)


def jackknife_interval(
    statistic: Callable[[NDArray[np.bool_]], float], blocks: Any, *, level: float = 0.95
) -> Interval:
    """A statistic of rows with its interval by leaving out one part of the time after the other.

    Resampled rows come twice, which a statistic that counts distinct things must not see; rows that are left out do
    not. Neighbouring blocks are joined to at most `MOST_PARTS` parts.

    Parameters
    ----------
    statistic
        Of the rows where a mask is true.
    blocks
        The block of each row, a number that grows with time.
    level
        Between 0 and 1.

    Returns
    -------
    Interval
        Of Student's distribution, with the jackknife's variance (Efron and Tibshirani 1993, *An Introduction to the
        Bootstrap*, section 11.5; of groups: Kunsch 1989, Annals of Statistics 17); infinite with fewer than two
        blocks.
    """
    numbers = np.asarray(blocks)
    value = statistic(np.ones(len(numbers), dtype=bool))
    names = np.unique(numbers)
    parts = np.array_split(names, min(len(names), MOST_PARTS))
    if len(parts) < 2:
        return Interval(value=value, low=-np.inf, high=np.inf, level=level)
    left = np.array([statistic(~np.isin(numbers, part)) for part in parts])
    error = float(np.sqrt((len(parts) - 1) * np.mean((left - left.mean()) ** 2)))
    half = float(-special.stdtrit(len(parts) - 1, (1 - level) / 2)) * error
    return Interval(value=value, low=value - half, high=value + half, level=level)
