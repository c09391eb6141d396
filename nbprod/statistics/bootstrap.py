"""Intervals of metrics, and of the difference of two models on the same rows, by resampling rows or blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from nbprod.errors import DataError
from nbprod.statistics.interval import Interval
from nbprod.statistics.metrics import Metric, metric

__all__ = ["metric_interval", "paired_difference", "percentile_interval", "resampled_counts"]

Floats = NDArray[np.float64]
Score = str | Metric | Callable[[Any, Any], float]
_MOST_GROUPS = 10_000
_CHUNK_CELLS = 2_000_000  # of the matrix of resampling counts held at once


def metric_interval(
    score: Score,
    y: Any,
    predicted: Any,
    *,
    blocks: Any = None,
    classes: Sequence[Any] | None = None,
    weights: Floats | None = None,
    seed: int = 0,
    level: float = 0.95,
    resamples: int = 1000,
) -> Interval:
    """A metric with its bootstrap interval.

    Parameters
    ----------
    score
        The name of a metric, a `Metric`, or a function of the truth and the predictions.
    y
        The truth, one value a row.
    predicted
        Labels, probabilities or numbers, whatever the metric needs.
    blocks
        The block of each row (a day, a customer) where rows of a block depend on each other; whole blocks are
        resampled. Left out, rows are taken as independent.
    classes
        As in `Metric`.
    weights
        How many rows each row stands for, where some were more likely to be looked at; of a metric by name.
    seed
        The same seed gives the same interval.
    level
        Between 0 and 1.
    resamples
        How many.

    Returns
    -------
    Interval
        Percentile bounds, widened for few blocks (Hesterberg 2015, *What Teachers Should Know about the Bootstrap*,
        section 5.3); infinite with fewer than two blocks, or where most resamples leave the metric undefined.

    Raises
    ------
    DataError
        Lengths differ, there are no rows, or a value is missing.
    """
    groups, count = _groups(y, blocks)
    scorer = _scorer(score, y, predicted, classes, groups, weights)
    values = np.concatenate([scorer(weights) for weights in resampled_counts(count, resamples, seed)])
    return percentile_interval(float(scorer(np.ones((1, count)))[0]), values, count, level)


def paired_difference(
    score: Score,
    y: Any,
    a: Any,
    b: Any,
    *,
    blocks: Any = None,
    classes: Sequence[Any] | None = None,
    seed: int = 0,
    level: float = 0.95,
    resamples: int = 1000,
) -> Interval:
    """The metric of ``a`` minus the metric of ``b`` on the same rows, with its bootstrap interval.

    Both are computed on the same resampled rows, so what makes rows hard for both cancels. The sign is the metric's
    own: for an error, a negative difference means that ``a`` is better.

    Parameters
    ----------
    score, y, blocks, classes, seed, level, resamples
        As in `metric_interval`.
    a, b
        The predictions of two models for the same rows.
    """
    groups, count = _groups(y, blocks)
    first, second = (_scorer(score, y, predicted, classes, groups) for predicted in (a, b))
    chunks = [first(weights) - second(weights) for weights in resampled_counts(count, resamples, seed)]
    whole = np.ones((1, count))
    return percentile_interval(float(first(whole)[0] - second(whole)[0]), np.concatenate(chunks), count, level)


def _groups(y: Any, blocks: Any) -> tuple[NDArray[np.int64], int]:
    rows = len(np.asarray(y))
    if rows == 0:
        raise DataError("there are no rows to resample", hint="Give at least one row.")
    if blocks is None and rows <= _MOST_GROUPS:
        return np.arange(rows), rows
    if blocks is None:
        # many independent rows: groups drawn at random have the same spread and cost less
        return np.random.default_rng(0).permutation(rows) % _MOST_GROUPS, _MOST_GROUPS
    names, groups = np.unique(np.asarray(blocks), return_inverse=True)
    if len(groups) != rows:
        raise DataError(f"there are {rows} rows and {len(groups)} block numbers", hint="Give the block of each row.")
    return groups.astype(np.int64), len(names)


def _scorer(
    score: Score,
    y: Any,
    predicted: Any,
    classes: Sequence[Any] | None,
    groups: NDArray[np.int64],
    weights: Floats | None = None,
) -> Callable[[Floats], Floats]:
    if isinstance(score, str):
        score = metric(score)
    if isinstance(score, Metric):
        return score.scorer(y, predicted, classes=classes, groups=groups, row_weights=weights)
    if weights is not None:
        raise DataError("rows of a function's score cannot be weighted", hint="Name a metric.")
    function, truth, guess = score, np.asarray(y), np.asarray(predicted)
    if len(truth) != len(guess):
        raise DataError(f"there are {len(truth)} rows and {len(guess)} predictions")

    def repeat(weights: Floats) -> Floats:
        rows = [np.repeat(np.arange(len(groups)), row[groups].astype(np.int64)) for row in np.atleast_2d(weights)]
        return np.array([function(truth[chosen], guess[chosen]) for chosen in rows], dtype=np.float64)

    return repeat


def resampled_counts(count: int, resamples: int, seed: int) -> Iterator[Floats]:
    """Yield matrices (resamples x groups) of how often each group was drawn."""
    random = np.random.default_rng(seed)
    size = max(1, _CHUNK_CELLS // count)
    for start in range(0, resamples, size):
        rows = min(size, resamples - start)
        drawn = random.integers(0, count, size=(rows, count)) + np.arange(rows)[:, None] * count
        yield np.bincount(drawn.ravel(), minlength=rows * count).reshape(rows, count).astype(np.float64)


def percentile_interval(value: float, values: Floats, count: int, level: float) -> Interval:
    """The interval of a value from what it was in resamples of so many groups; infinite where they do not tell it."""
    defined = values[np.isfinite(values)]
    if count < 2 or len(defined) < len(values) / 2:
        return Interval(value=value, low=-np.inf, high=np.inf, level=level)
    wide = np.sqrt(count / (count - 1)) * special.stdtrit(count - 1, (1 - level) / 2)
    tail = float(special.ndtr(wide))
    low, high = np.quantile(defined, [tail, 1 - tail])
    return Interval(value=value, low=float(low), high=float(high), level=level)
