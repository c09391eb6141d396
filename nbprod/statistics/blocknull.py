"""The null of a difference where rows depend on time: how far windows of the reference lie from the rest of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from scipy import special

from nbprod.statistics.omnibus import DRAWS, Evidence, normal_counts
from nbprod.statistics.significance import Null

__all__ = [
    "block_evidence",
    "block_null",
    "largest_share_distance",
    "score_distance",
    "shares_distance",
    "wasserstein_distance",
]

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
Distance = Callable[[Floats, Floats], Floats]

_LEAST_BLOCKS = 8
_TAIL = 4  #: exponent of the power law assumed beyond what the reference has seen


def block_null(reference: Counts, current: Counts, distance: Distance) -> Null | None:
    """Compare a window of blocks with the reference, and windows of the reference with the rest of it.

    Parameters
    ----------
    reference, current
        Rows by block (in order of time) and group of cells, as `BlockCounts` holds them.
    distance
        From two matrices of counts (windows x groups) to values.

    Returns
    -------
    Null or None
        ``None`` if the reference has fewer than eight blocks, or the window no row.

    Notes
    -----
    Windows of as many neighbouring blocks as the current one has (at most a quarter of the reference) slide over the
    reference. Let s² be the mean square of their distances to the rest, enlarged by what neighbouring windows have in
    common. A distance of d has the p-value of a |t| of d / s, with as many degrees of freedom as there are separate
    windows, less one: slow change between windows counts as noise, and few windows make long tails. A p-value is
    never below the share of reference windows that lie as far out, nor, beyond the farthest of n separate ones at m,
    below (m / d)⁴ / (n + 1): how days that were never seen are distributed, nobody knows.
    """
    reference, current = (part[part.sum(axis=1) > 0] for part in (reference, current))
    blocks, length = len(reference), len(current)
    if blocks < _LEAST_BLOCKS or not length:
        return None
    total = reference.sum(axis=0).astype(np.float64)
    observed = float(distance(total[None], current.sum(axis=0)[None].astype(np.float64))[0])
    taken = min(length, blocks // 4)
    ends = np.cumsum(np.vstack([np.zeros_like(reference[:1]), reference]), axis=0)
    windows = (ends[taken:] - ends[:-taken]).astype(np.float64)
    null = distance(total - windows, windows)
    # a window as long as the current one, beside the whole reference
    resize = (1 / length + 1 / blocks) / (1 / taken + 1 / (blocks - taken))
    mean_square = float(np.mean(null**2)) * resize * _persistence(windows, taken)
    separate = blocks / taken
    freedom = max(separate - 1, 1.0)
    if mean_square == 0:
        return Null(p_value=_all_new(reference, current) if observed > 0 else 1.0, mean_square=0.0, high=0.0)
    scale = np.sqrt(mean_square)
    usual = null * np.sqrt(resize)
    reached = int(np.sum(usual >= observed * (1 - 1e-9)))
    # beyond the farthest window of the reference, the tail may still be as long as a power law's
    beyond = (float(usual.max()) / observed) ** _TAIL / (separate + 1) if observed > 0 else 1.0
    least = reached / (len(null) + 1) if reached else beyond
    p_value = max(2 * float(special.stdtr(freedom, -observed / scale)), least)
    high = float(scale * special.stdtrit(freedom, 0.975))
    return Null(p_value=min(max(p_value, 1e-300), 1.0), mean_square=mean_square, high=high)


def block_evidence(
    reference: Counts, current: Counts, distances: Mapping[str, Distance], random: np.random.Generator
) -> tuple[Evidence, Mapping[str, Null]] | None:
    """What several distances between a window and the reference say, each by `block_null`, and their common null.

    Parameters
    ----------
    reference, current, distances
        As of `block_null`, by name of the statistic.
    random
        For the draws of the common null.

    Returns
    -------
    tuple or None
        ``None`` if the reference has too few blocks. Also the null of each distance.

    Notes
    -----
    How statistics go together is known from deals of the pooled rows; how far each swings by itself is known from the
    windows of the reference. So each draw is divided by the root mean square of the draws, and all statistics of a
    draw by the same estimate of spread, with as many degrees of freedom as the reference has separate windows.
    """
    nulls = {}
    for name, distance in distances.items():
        null = block_null(reference, current, distance)
        if null is None:
            return None
        nulls[name] = null
    blocks, length = (int((part.sum(axis=1) > 0).sum()) for part in (reference, current))
    freedom = max(blocks / min(length, blocks // 4) - 1, 1.0)
    total = (reference.sum(axis=0) + current.sum(axis=0)).astype(np.float64)
    used = total > 0
    drawn = np.zeros((DRAWS, len(total)))
    if used.sum() > 1:
        noise = random.standard_normal((DRAWS, int(used.sum())))
        drawn[:, used] = np.maximum(normal_counts(total[used], int(current.sum()), noise), 0)
    deviation = np.sqrt(random.chisquare(freedom, DRAWS) / freedom)
    columns = []
    for distance in distances.values():
        apart = distance(total - drawn, drawn) if used.sum() > 1 else np.zeros(DRAWS)
        size = float(np.sqrt(np.mean(apart**2)))
        columns.append(2 * special.stdtr(freedom, -apart / size / deviation) if size > 0 else np.ones(DRAWS))
    observed = {name: null.p_value for name, null in nulls.items()}
    return Evidence(observed=observed, null=np.column_stack(columns)), nulls


def _persistence(windows: Floats, taken: int) -> float:
    """By how much neighbouring windows that move together make the spread between windows look too small.

    For deviations with correlation r between neighbours, the variance against a distant mean is about (1 + r) /
    (1 - r) times that against the windows around; r comes from the direction in which windows differ most.
    """
    apart = windows[::taken]
    if len(apart) < 4:
        return 1.0
    shares = apart / apart.sum(axis=1, keepdims=True)
    off = shares - shares.mean(axis=0)
    main = off @ np.linalg.svd(off, full_matrices=False)[2][0]
    deviation = float(main @ main)
    if deviation <= 1e-24:
        return 1.0
    correlation = float(main[:-1] @ main[1:]) / deviation + 1 / len(main)  # the estimate is low by about 1 / n
    correlation = min(max(correlation, 0.0), 0.8)
    return (1 + correlation) / (1 - correlation)


def _all_new(reference: Counts, current: Counts) -> float:
    """The chance that, of all blocks, just the changed ones fall into the window, if blocks come in any order."""
    usual = (reference > 0).any(axis=0)
    changed = int((current[:, ~usual].sum(axis=1) > 0).sum())
    length, total = len(current), len(reference) + len(current)
    log_chance = (
        special.gammaln(length + 1)
        - special.gammaln(length - changed + 1)
        - special.gammaln(total + 1)
        + special.gammaln(total - changed + 1)
    )
    return float(np.exp(log_chance))


def score_distance(scores: Floats) -> Distance:
    """The difference of the mean scores of two matrices of counts."""

    def distance(a: Floats, b: Floats) -> Floats:
        means = [part @ scores / np.maximum(part.sum(axis=1), 1) for part in (a, b)]
        return np.abs(means[0] - means[1])

    return distance


def largest_share_distance(a: Floats, b: Floats) -> Floats:
    """The largest difference of the share of a group, in units of what it varies by if rows are independent."""
    p, q = (part / np.maximum(part.sum(axis=1, keepdims=True), 1) for part in (a, b))
    pooled = (a + b).mean(axis=0) / np.maximum((a + b).sum(axis=1).mean(), 1)
    return (np.abs(p - q) / np.sqrt(pooled * (1 - pooled) + 1e-4)).max(axis=1)


def wasserstein_distance(gaps: Floats) -> Distance:
    """The Wasserstein-1 distance of counts at places on a line with these gaps between them."""

    def distance(a: Floats, b: Floats) -> Floats:
        steps = [np.cumsum(part, axis=1)[:, :-1] / part.sum(axis=1, keepdims=True) for part in (a, b)]
        return np.abs(steps[0] - steps[1]) @ gaps

    return distance


def shares_distance(a: Floats, b: Floats) -> Floats:
    """The Jensen-Shannon distance of counts of categories."""
    p, q = (part / part.sum(axis=1, keepdims=True) for part in (a, b))
    middle = (p + q) / 2
    terms = special.xlogy(p, p) + special.xlogy(q, q) - 2 * special.xlogy(middle, middle)
    return np.sqrt(np.maximum(terms.sum(axis=1) / 2, 0))
