"""How surprising a difference is: exact and asymptotic tests, tails of drawn statistics, multiplicity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

__all__ = [
    "Null",
    "benjamini_hochberg",
    "chi_square",
    "gamma_tail",
    "independent_square",
    "null_of",
    "two_proportions",
    "upper_share",
]

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

#: With at least this many expected in every cell the chi-square approximation holds.
_EXPECTED = 5


@dataclass(frozen=True, kw_only=True)
class Null:
    """What a statistic does when nothing has changed."""

    p_value: float  #: chance of a statistic at least as large as the observed one
    mean_square: float  #: of the statistic
    high: float  #: exceeded with a chance of 5 %


def null_of(null: Floats, observed: float) -> Null:
    """The null of a statistic from draws of it, with a gamma tail where few draws reach the observed value."""
    # equal statistics of equal tables may differ in the last bits
    reached = int(np.sum(null >= observed * (1 - 1e-9)))
    p_value = (1 + reached) / (len(null) + 1)
    if reached < 10:
        tail = float(gamma_tail(null, np.array([observed]))[0])
        p_value = min(p_value, tail) if reached == 0 else tail
        p_value = min(max(p_value, 1e-300), 11 / (len(null) + 1))
    return Null(
        p_value=float(p_value),
        mean_square=float(np.mean(null * null)),
        high=float(np.quantile(null, 0.95)),
    )


def gamma_tail(null: Floats, observed: Floats) -> Floats:
    """The upper tail of the gamma distribution (Pearson III) with the first three moments of draws of a statistic."""
    mean, std = float(null.mean()), float(null.std())
    if std <= 1e-12 * max(abs(mean), 1e-300):
        return np.where(observed <= mean * (1 + 1e-9), 1.0, 1e-300)
    skew = max(float(np.mean(((null - mean) / std) ** 3)), 0.05)
    shape = 4 / skew**2
    return special.gammaincc(shape, np.maximum(shape + (observed - mean) / std * np.sqrt(shape), 0.0))


def independent_square(reference: Counts, current: Counts, gaps: Floats) -> float:
    r"""About the mean square of the Wasserstein-1 distance of independent rows without a difference.

    The square of its mean, :math:`\sqrt{2 / (\pi n)} \int \sqrt{F (1 - F)} dx` (del Barrio, Giné and Matrán 1999).
    """
    pooled = reference + current
    below = (np.cumsum(pooled) / pooled.sum())[:-1]
    effective = reference.sum() * current.sum() / pooled.sum()
    mean = float(np.sqrt(np.maximum(below * (1 - below), 0)) @ gaps)
    return float(2 / (np.pi * effective) * mean**2)


def chi_square(reference: Counts, current: Counts) -> tuple[float, float]:
    r"""Pearson's chi-square of homogeneity of two vectors of counts, and its asymptotic p-value.

    :math:`\sum (O - E)^2 / E` over both rows of the table, ``k - 1`` degrees of freedom: both samples are uncertain.
    """
    seen = np.array([reference, current], dtype=np.float64)
    seen = seen[:, seen.sum(axis=0) > 0]
    expected = seen.sum(axis=1, keepdims=True) * seen.sum(axis=0) / seen.sum()
    value = float(((seen - expected) ** 2 / expected).sum())
    freedom = seen.shape[1] - 1
    return value, float(special.chdtrc(freedom, value)) if freedom else 1.0


def two_proportions(hits_a: int, rows_a: int, hits_b: int, rows_b: int, *, expected: float = _EXPECTED) -> float:
    """Two-sided p-value of equal shares: chi-square where enough are expected in each cell, else Fisher's exact.

    Fisher's test adds up the tables that are not more likely than the seen one. Five expected are enough for usual
    levels; far out in the tail it takes more.
    """
    if not rows_a or not rows_b:
        return 1.0
    hits, total = hits_a + hits_b, rows_a + rows_b
    if min(hits, total - hits) * min(rows_a, rows_b) / total >= expected:
        return chi_square(np.array([hits_a, rows_a - hits_a]), np.array([hits_b, rows_b - hits_b]))[1]
    possible = np.arange(max(0, hits - rows_a), min(hits, rows_b) + 1)
    log_chance = (
        _log_choose(rows_b, possible) + _log_choose(rows_a, hits - possible) - _log_choose(total, np.asarray(hits))
    )
    seen = log_chance[possible == hits_b][0]
    return float(min(1.0, np.exp(log_chance[log_chance <= seen + 1e-7]).sum()))


def _log_choose(n: int, k: Counts) -> Floats:
    return special.gammaln(n + 1) - special.gammaln(k + 1) - special.gammaln(n - k + 1)


def upper_share(hits: int, rows: int, level: float = 0.95) -> float:
    """Upper Clopper-Pearson bound of a share, exceeded by the true one with a chance of 1 - level."""
    return 1.0 if hits >= rows else float(special.betaincinv(hits + 1, rows - hits, level))


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values; those at most ``q`` have a false discovery rate of at most ``q``.

    Benjamini and Hochberg 1995. If nothing has changed, the chance that any is at most ``q`` is at most ``q``.
    """
    values = np.asarray(p_values, dtype=np.float64)
    if not len(values):
        return []
    order = np.argsort(-values, kind="stable")
    ranks = np.arange(len(values), 0, -1)
    adjusted = np.empty(len(values))
    adjusted[order] = np.minimum.accumulate(np.minimum(values[order] * len(values) / ranks, 1.0))
    return [float(value) for value in adjusted]
