"""How surprising a difference is: permutation nulls on counts, exact and asymptotic tests, multiplicity."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

__all__ = [
    "Null",
    "benjamini_hochberg",
    "chi_square",
    "chi_square_null",
    "g_test",
    "gamma_tail",
    "independent_square",
    "null_of",
    "permutation_null",
    "two_proportions",
    "upper_share",
    "wasserstein_null",
]

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

DRAWS = 999
#: With at least this many expected in every cell the chi-square approximation holds.
_EXPECTED = 5
_NORMAL_ROWS = 1000
_NORMAL_EXPECTED = 10
#: Levels at which cells are kept apart for the null of the Wasserstein distance: even steps, finer in the tails.
_LEVELS = np.unique(np.r_[np.arange(1, 32) / 32, 1 / 2.0 ** np.arange(6, 12), 1 - 1 / 2.0 ** np.arange(6, 12)])


@dataclass(frozen=True, kw_only=True)
class Null:
    """What a statistic does when nothing has changed."""

    p_value: float  #: chance of a statistic at least as large as the observed one
    mean_square: float  #: of the statistic
    high: float  #: exceeded with a chance of 5 %


def permutation_null(
    counts: Counts,
    rows: int,
    statistic: Callable[[Floats], Floats],
    observed: float,
    random: np.random.Generator,
) -> Null:
    """Deal pooled rows anew to a current sample of a size, and compare its statistic with the observed one.

    Parameters
    ----------
    counts
        Of both samples together, by cell.
    rows
        Of the current sample.
    statistic
        From current counts (draws x cells) to values.
    observed
        The statistic of the real current sample.

    Notes
    -----
    ``p = (1 + #{null >= observed}) / (draws + 1)`` (Phipson and Smyth 2010). Where fewer than ten of 999 draws reach
    the observed value, the upper tail is a gamma distribution with the draws' first three moments (Winkler et al.
    2016, NeuroImage 141, "tail and gamma approximations").
    """
    total = int(counts.sum())
    if total < 1_000_000_000:  # numpy's limit
        drawn = random.multivariate_hypergeometric(counts, rows, size=DRAWS, method="marginals").astype(np.float64)
    else:
        drawn = _normal_draws(counts, rows, random)
    return null_of(statistic(drawn), observed)


def _normal_draws(counts: Counts, rows: int, random: np.random.Generator) -> Floats:
    """Normal variates with the mean and covariance of the multivariate hypergeometric distribution."""
    total = int(counts.sum())
    share = counts / total
    root = np.sqrt(share)
    noise = random.standard_normal((DRAWS, len(counts)))
    spread = np.sqrt(rows * (total - rows) / max(total - 1, 1))
    return rows * share + spread * (root * noise - share * (noise @ root)[:, None])


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


def wasserstein_null(
    reference: Counts,
    current: Counts,
    positions: Floats,
    random: np.random.Generator,
) -> Null:
    """The null of the Wasserstein-1 distance of two vectors of counts at positions on a line, in the positions' unit.

    Neighbouring cells are joined to about 45, finer in the tails; each at the mean of its rows. From 1,000 rows in
    both samples on, counts are drawn from the normal approximation of the permutation distribution.
    """
    pooled = reference + current
    rows, total = int(current.sum()), int(pooled.sum())
    smaller = min(rows, total - rows)
    normal = smaller >= _NORMAL_ROWS
    levels = _LEVELS
    if normal:
        least = _NORMAL_EXPECTED / smaller
        levels = levels[(levels >= least) & (levels <= 1 - least)]
    middle = (np.cumsum(pooled) - pooled / 2) / total
    group = np.searchsorted(levels, middle)
    group = np.unique(group, return_inverse=True)[1]
    size = int(group[-1]) + 1
    joined = np.bincount(group, weights=pooled, minlength=size)
    place = np.bincount(group, weights=pooled * positions, minlength=size) / np.maximum(joined, 1)
    gaps = np.diff(place)
    rest = total - rows
    pooled_steps = np.cumsum(joined)[:-1]

    def statistic(drawn: Floats) -> Floats:
        steps = np.cumsum(drawn, axis=-1)[..., :-1]
        return np.abs(steps / rows - (pooled_steps - steps) / rest) @ gaps

    observed = float(statistic(np.bincount(group, weights=current, minlength=size).astype(np.float64)))
    whole = joined.astype(np.int64)
    if normal:
        return null_of(statistic(_normal_draws(whole, rows, random)), observed)
    return permutation_null(whole, rows, statistic, observed, random)


def independent_square(reference: Counts, current: Counts, positions: Floats) -> float:
    r"""About the mean square of the Wasserstein-1 distance of independent rows without a difference.

    The square of its mean, :math:`\sqrt{2 / (\pi n)} \int \sqrt{F (1 - F)} dx` (del Barrio, Giné and Matrán 1999).
    """
    pooled = reference + current
    below = (np.cumsum(pooled) / pooled.sum())[:-1]
    effective = reference.sum() * current.sum() / pooled.sum()
    mean = float(np.sqrt(np.maximum(below * (1 - below), 0)) @ np.diff(positions))
    return float(2 / (np.pi * effective) * mean**2)


def chi_square_null(reference: Counts, current: Counts, random: np.random.Generator) -> Null:
    """The null of Pearson's chi-square on two vectors of counts: asymptotic where it holds, else by permutation."""
    used = (reference + current) > 0
    reference, current = reference[used], current[used]
    pooled = reference + current
    rows, total = int(current.sum()), int(pooled.sum())
    freedom = len(pooled) - 1
    if freedom < 1:
        return Null(p_value=1.0, mean_square=0.0, high=0.0)
    expected = pooled * (min(rows, total - rows) / total)

    def statistic(drawn: Floats) -> Floats:
        off = drawn - pooled * (rows / total)
        return (off * off / pooled).sum(axis=-1) * (total * total / (rows * (total - rows)))

    observed = float(statistic(current.astype(np.float64)))
    if expected.min() >= _EXPECTED:
        return Null(
            p_value=float(special.chdtrc(freedom, observed)),
            mean_square=freedom**2 + 2 * freedom,
            high=float(special.chdtri(freedom, 0.05)),
        )
    return permutation_null(pooled, rows, statistic, observed, random)


def chi_square(reference: Counts, current: Counts) -> tuple[float, float]:
    r"""Pearson's chi-square of homogeneity of two vectors of counts, and its asymptotic p-value.

    :math:`\sum (O - E)^2 / E` over both rows of the table, ``k - 1`` degrees of freedom: both samples are uncertain.
    """
    return _table_test(reference, current, lambda seen, due: ((seen - due) ** 2 / due).sum())


def g_test(reference: Counts, current: Counts) -> tuple[float, float]:
    r"""The likelihood ratio :math:`G = 2 \sum O \ln (O / E)` of the same table, and its asymptotic p-value."""
    return _table_test(reference, current, lambda seen, due: 2 * special.xlogy(seen, seen / due).sum())


def _table_test(
    reference: Counts, current: Counts, statistic: Callable[[Floats, Floats], float]
) -> tuple[float, float]:
    seen = np.array([reference, current], dtype=np.float64)
    seen = seen[:, seen.sum(axis=0) > 0]
    due = seen.sum(axis=1, keepdims=True) * seen.sum(axis=0) / seen.sum()
    value = float(statistic(seen, due))
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
