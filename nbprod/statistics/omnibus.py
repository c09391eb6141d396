"""One p-value from many statistics of two samples: each sees one kind of change, a common null holds their level."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import special

from nbprod.statistics.significance import Null, null_of

__all__ = [
    "Evidence",
    "category_evidence",
    "combined_p",
    "line_evidence",
    "lone_evidence",
    "normal_counts",
    "rows_outside",
    "score_means",
]

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

DRAWS = 999
_NORMAL_ROWS = 1000
_NORMAL_EXPECTED = 10
_LARGEST_TABLE = 1_000_000_000  # numpy draws hypergeometric numbers from no more
_SMALLEST = 1e-300
#: Levels at which cells are kept apart: even steps, finer in the tails.
_LEVELS = np.unique(np.r_[np.arange(1, 48) / 48, 1 / 2.0 ** np.arange(6, 13), 1 - 1 / 2.0 ** np.arange(6, 13)])
#: With at most so many values, each value is a cell of the null.
_FEW = 40
_HEAVY = 0.3  # share of a value from which on the other values are also looked at by themselves
_DISTANCES = 8  # tried at least, when rows beyond the reference are weighed by how far out they are
_CERTAIN = 20  # rows of which the chance of none is nil
_MIDDLE = 0.025  # what is cut off at each end before a distance in the unit of the column is taken
#: What each statistic may spend of the chance of a false alarm. Two names that agree cost little: the null knows.
WEIGHTS: Mapping[str, float] = {
    "wilcoxon": 0.09,
    "normal": 0.09,
    "centre": 0.06,
    "savage high": 0.07,
    "savage low": 0.06,
    "spread": 0.12,
    "klotz": 0.14,
    "rest": 0.08,
    "rest spread": 0.04,
    "kolmogorov": 0.05,
    "anderson": 0.06,
    "wasserstein": 0.05,
    "cells": 0.07,
    "squares": 0.08,
    "outside": 0.40,
    "missing": 0.15,
    "infinite": 0.15,
    # by blocks of time, of which there are few
    "block distance": 0.4,
    "block centre": 0.2,
    "block spread": 0.15,
    "block groups": 0.15,
}


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """p-values of several statistics, and what they are together where nothing has changed.

    Attributes
    ----------
    observed
        By statistic.
    null
        Draws x statistics, in the same order; each row is one deal of the pooled rows.
    shift
        The null of the Wasserstein distance of the middle of the rows; ``None`` for categories.
    """

    observed: Mapping[str, float]
    null: Floats
    shift: Null | None = None


def combined_p(*parts: Evidence) -> float:
    r"""The chance that the statistics of all parts together are as surprising as they are, if nothing has changed.

    Parameters
    ----------
    *parts
        Of the same rows; parts do not depend on each other where nothing has changed, statistics of a part may.

    Notes
    -----
    The statistic is the weighted sum of inverse p-values, :math:`S = \sum w_k / p_k` (the harmonic mean p-value,
    Wilson 2019, PNAS 116), whose null comes from the draws. Its tail falls like 1 / s, whatever the dependence,
    which is used beyond the twenty largest draws.
    """
    names = [name for part in parts for name in part.observed]
    if not names:
        return float("nan")
    if len(names) == 1:
        return next(p for part in parts for p in part.observed.values())
    weights = np.array([WEIGHTS[name] for name in names])
    weights /= weights.sum()
    seen = np.array([p for part in parts for p in part.observed.values()])
    null = np.column_stack([part.null for part in parts])
    observed = float(weights @ (1 / np.clip(seen, _SMALLEST, 1)))
    drawn = (1 / np.clip(null, _SMALLEST, 1)) @ weights
    reached = int(np.sum(drawn >= observed * (1 - 1e-9)))
    if reached >= 20:
        return (1 + reached) / (len(drawn) + 1)
    top = float(np.sort(drawn)[-20])
    return float(min(max(21 / (len(drawn) + 1) * top / observed, _SMALLEST), (1 + 20) / (len(drawn) + 1), 1.0))


def lone_evidence(name: str, p_value: float, random: np.random.Generator) -> Evidence:
    """A test that depends on no other one, such as that of missing values."""
    return Evidence(observed={name: p_value}, null=random.uniform(size=(DRAWS, 1)))


def line_evidence(
    reference: Counts,
    current: Counts,
    positions: Floats,
    random: np.random.Generator,
    *,
    seed: int = 0,
    design: float = 1.0,
) -> Evidence:
    """What cells on a line say: centre, spread, tails, single cells, and values beyond the reference's.

    Parameters
    ----------
    reference, current
        Rows by cell.
    positions
        The mean of the rows of each cell, ascending.
    random
        For the draws of small samples.
    seed
        Of the noise that columns share.
    design
        By how much dependence between rows inflates the variance of a mean; 1 for independent rows.

    Notes
    -----
    Linear rank statistics (Hájek, Šidák and Sen 1999, ch. 4) of Wilcoxon, van der Waerden, Savage from both ends,
    Klotz, Ansari-Bradley and the Cauchy distribution; the two-sample statistics of Kolmogorov and Smirnov and of
    Anderson and Darling; the Wasserstein distance of the middle 95 % of the rows; the most unlike of the cells. All
    are taken on about 60 cells, joined at levels of the pooled rows. From 1,000 rows in both samples on, counts are
    drawn from the normal
    approximation of their permutation distribution. Rows beyond the reference's range hardly depend on the rest
    where nothing has changed; their number is negative binomial.
    """
    outside = rows_outside(reference, current) / design
    far = _far(reference, current, positions, design)
    used = (reference + current) > 0
    reference, current, positions = reference[used], current[used], positions[used]
    pooled = reference + current
    rows, total = int(current.sum()), int(pooled.sum())
    rest = total - rows
    few = len(pooled) <= _FEW
    smaller = min(rows, rest)
    normal = smaller >= _NORMAL_ROWS or total >= _LARGEST_TABLE
    group = _joined(pooled, smaller, few=few, normal=normal)
    size = int(group[-1]) + 1
    joined = np.bincount(group, weights=pooled, minlength=size).astype(np.float64)
    place = np.bincount(group, weights=pooled * positions, minlength=size) / np.maximum(joined, 1)
    seen = np.bincount(group, weights=current, minlength=size)
    if size == 1:
        return Evidence(
            observed={"wilcoxon": 1.0},
            null=np.ones((DRAWS, 1)),
            shift=Null(p_value=1.0, mean_square=0.0, high=0.0),
        )
    if normal:
        drawn = normal_counts(joined, rows, _noise(seed, size))
    else:
        drawn = random.multivariate_hypergeometric(
            joined.astype(np.int64), rows, size=DRAWS, method="marginals"
        ).astype(np.float64)
    both = np.vstack([drawn, seen])
    names, p_values, shift = _line_statistics(both, joined, rows, place, design=design, few=few)
    observed = {name: float(p[-1]) for name, p in zip(names, p_values, strict=True)}
    null = [p[:-1] for p in p_values]
    share = rows / total
    observed["outside"] = min(float(_two_runs(outside, share)), far)
    ends = random.geometric(1 - share, size=(2, DRAWS)).sum(axis=0) - 2
    if few and min(pooled[0], pooled[-1]) * (rest / total) >= _CERTAIN:
        ends[:] = 0  # the outermost values are so frequent that the reference has them
    null.append(_two_runs(ends.astype(np.float64), share))
    return Evidence(observed=observed, null=np.column_stack(null), shift=shift)


def category_evidence(
    reference: Counts, current: Counts, random: np.random.Generator, *, design: float = 1.0
) -> Evidence:
    """What counts of categories say: all together (Pearson's chi-square) and the one that is most unlike."""
    used = (reference + current) > 0
    reference, current = reference[used], current[used]
    pooled = (reference + current).astype(np.float64)
    rows, total = int(current.sum()), int(pooled.sum())
    if len(pooled) < 2:
        return Evidence(observed={"squares": 1.0}, null=np.ones((DRAWS, 1)))
    least = pooled.min() * min(rows, total - rows) / total
    if least >= 5 or total >= _LARGEST_TABLE:
        drawn = normal_counts(pooled, rows, random.standard_normal((DRAWS, len(pooled))))
    else:
        drawn = random.multivariate_hypergeometric(
            pooled.astype(np.int64), rows, size=DRAWS, method="marginals"
        ).astype(np.float64)
    names, p_values = _of_cells(np.vstack([drawn, current]), pooled, rows, design)
    if len(pooled) == 2:
        names, p_values = names[:1], p_values[:1]
    return Evidence(
        observed={name: float(p[-1]) for name, p in zip(names, p_values, strict=True)},
        null=np.column_stack([p[:-1] for p in p_values]),
    )


def score_means(shares: Floats) -> dict[str, Floats]:
    """The mean of each rank score over neighbouring cells that hold these shares of the pooled rows.

    Each score is integrated over the ranks of its cell, so that rows of a cell count as tied.
    """
    bounds = np.clip(np.r_[0.0, np.cumsum(shares)], 0.0, 1.0)
    bounds[-1] = 1.0
    inner = np.clip(bounds, 1e-12, 1 - 1e-12)
    z = special.ndtri(inner)
    density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    density[[0, -1]] = 0.0
    integrals = {
        "wilcoxon": bounds**2 / 2,
        "normal": -density,
        "centre": (1 - np.cos(2 * np.pi * bounds)) / (2 * np.pi),
        "savage high": special.xlogy(1 - bounds, np.maximum(1 - bounds, _SMALLEST)) + bounds,
        "savage low": special.xlogy(bounds, np.maximum(bounds, _SMALLEST)) - bounds,
        "spread": np.where(bounds < 0.5, bounds / 2 - bounds**2 / 2, 0.25 - (bounds / 2 - bounds**2 / 2)),
        "klotz": bounds - z * density,
    }
    width = np.maximum(np.diff(bounds), 1e-300)
    return {name: np.diff(integral) / width for name, integral in integrals.items()}


def _line_statistics(
    counts: Floats, pooled: Floats, rows: int, place: Floats, *, design: float, few: bool
) -> tuple[list[str], list[Floats], Null]:
    """p-values of the statistics, each by itself, for draws of current counts; the last row was observed."""
    total = pooled.sum()
    rest = total - rows
    share = pooled / total
    scale = np.full(len(counts), 1.0)
    scale[-1] = 1 / np.sqrt(design)  # dependent rows say less
    factor = rows * rest / max(total - 1, 1)
    names, p_values = [], []
    means = score_means(share)
    heavy = int(np.argmax(share))
    if share[heavy] >= _HEAVY and len(share) > 2:
        # of a column that mostly holds one value, what happens to the others is hardly seen by ranks of all
        others = np.where(np.arange(len(share)) == heavy, 0.0, share)
        within = score_means(others / others.sum())
        for name, source in (("rest", "normal"), ("rest spread", "klotz")):
            means[name] = within[source] - others @ within[source] / others.sum()
            means[name][heavy] = 0.0
    scores = np.column_stack([*means.values()])
    scores -= share @ scores
    deviation = np.sqrt(factor * (share @ scores**2))
    varying = deviation > 1e-9 * np.sqrt(factor)
    z = (counts @ scores[:, varying]) / deviation[varying] * scale[:, None]
    for name, column in zip(np.array([*means])[varying].tolist(), z.T, strict=True):
        names.append(str(name))
        p_values.append(2 * special.ndtr(-np.abs(column)))
    below = np.cumsum(share)[:-1]
    steps = np.cumsum(counts[:, :-1], axis=1)
    steps -= rows * below
    steps *= total / (rows * rest)  # G - F
    effective = rows * rest / total
    apart = np.abs(steps)
    names.append("kolmogorov")
    p_values.append(special.kolmogorov(np.sqrt(effective) * apart.max(axis=1) * scale))
    between = (share[:-1] + share[1:]) / 2
    anderson = effective * (steps**2) @ (between / np.maximum(below * (1 - below), 1e-300)) * scale**2
    names.append("anderson")
    # the tail of a sum of chi-squares weighted 1/(j(j+1)): that of the first (a squared normal), times the root of 3
    p_values.append(np.minimum(np.sqrt(3) * 2 * special.ndtr(-np.sqrt(2 * anderson)), 1.0))
    inside = (below > _MIDDLE) & (below < 1 - _MIDDLE)
    gaps = np.diff(place) * (inside if inside.any() else 1.0)
    distance = apart @ gaps
    null = null_of(distance[:-1], float(distance[-1] * scale[-1]))
    names.append("wasserstein")
    order = np.argsort(np.argsort(-distance[:-1]))
    p_values.append(np.r_[(order + 1) / (len(order) + 1), null.p_value])
    if len(pooled) > 2:
        more, values = _of_cells(counts, pooled, rows, design)
        chosen = slice(None) if few else slice(1, None)  # of many cells, the sum of squares sees little
        names += more[chosen]
        p_values += values[chosen]
    return names, p_values, null


def _of_cells(counts: Floats, pooled: Floats, rows: int, design: float) -> tuple[list[str], list[Floats]]:
    """Pearson's chi-square, and the most unlike cell, for draws of current counts; the last row was observed."""
    total = pooled.sum()
    rest = total - rows
    off = counts - pooled * (rows / total)
    off *= off
    squares = off @ (1 / pooled) * (total * total / (rows * rest))
    variance = pooled * (1 - pooled / total) * (rows * rest / (total * max(total - 1, 1)))
    # one row more in the variance: of a cell where next to none is expected, a few rows are no wonder
    off /= variance + 1
    z = np.sqrt(off.max(axis=1))
    squares[-1] /= design
    z[-1] /= np.sqrt(design)
    one = 2 * special.ndtr(-z)
    return ["squares", "cells"], [
        special.chdtrc(len(pooled) - 1, squares),
        -np.expm1(len(pooled) * np.log1p(-np.minimum(one, 1 - 1e-12))),
    ]


def _joined(pooled: Counts, smaller: int, *, few: bool, normal: bool) -> NDArray[np.intp]:
    """The group of each cell: the cell itself where values are few, else neighbours up to a level."""
    if few and not normal:
        return np.arange(len(pooled))
    levels = _LEVELS
    if normal:
        least = _NORMAL_EXPECTED / smaller
        levels = levels[(levels >= least) & (levels <= 1 - least)]
    middle = (np.cumsum(pooled) - pooled / 2) / pooled.sum()
    return np.unique(np.searchsorted(levels, middle), return_inverse=True)[1]


@lru_cache(maxsize=8)
def _noise(seed: int, size: int) -> Floats:
    """Standard normal numbers, the same for every column: only columns' own nulls rest on them."""
    noise = np.random.default_rng([seed, size]).standard_normal((DRAWS, size))
    noise.flags.writeable = False
    return noise


def normal_counts(pooled: Floats, rows: int, noise: Floats) -> Floats:
    """Normal variates with the mean and covariance of the multivariate hypergeometric distribution."""
    total = pooled.sum()
    share = pooled / total
    root = np.sqrt(share)
    deviation = np.sqrt(rows * (total - rows) / max(total - 1, 1))
    counts: Floats = noise * (deviation * root)
    counts -= np.outer(noise @ root, deviation * share)
    counts += rows * share
    return counts


def rows_outside(reference: Counts, current: Counts) -> int:
    """Current rows in cells below all or above all of the reference's rows."""
    filled = np.flatnonzero(reference)
    return int(current[: filled[0]].sum() + current[filled[-1] + 1 :].sum())


def _far(reference: Counts, current: Counts, positions: Floats, design: float) -> float:
    """The chance of so many current rows so much farther out than the reference reaches.

    A tail at least as light as that of a power law with exponent 1/2 has, at c times the reach, at most one row where
    it has the root of c at the reach. Corrected for the distances that are tried.
    """
    filled = np.flatnonzero(reference)
    reach = float(np.abs(positions[[filled[0], filled[-1]]]).max())
    beyond = np.r_[np.arange(filled[0]), np.arange(filled[-1] + 1, len(current))]
    beyond = beyond[current[beyond] > 0]
    if not len(beyond) or reach <= 0:
        return 1.0
    times = np.abs(positions[beyond]) / reach
    order = np.argsort(-times)
    rows = np.cumsum(current[beyond][order]) / design
    n, m = float(reference.sum()), float(current.sum())
    thinner = m / np.sqrt(np.maximum(times[order], 1.0))
    chances = (thinner / (n + thinner)) ** rows
    return float(min(1.0, max(len(beyond), _DISTANCES) * chances.min()))


def _two_runs(length: Floats | float, share: float) -> Floats:
    """The chance that at least so many current rows lie beyond the reference's: two runs of equal law, one a side."""
    return share**length * (1 + length * (1 - share))
