"""Rows that are not independent: they follow each other in one series, or repeat each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

__all__ = ["RowOrder", "look_at_order"]

Floats = NDArray[np.float64]

_ROWS = 4096  #: neighbouring rows that are looked at
_LEAST_ROWS = 50
_SURE = 5.0  # standard errors: a false note would cost power, in any of hundreds of columns
_LEAST_CORRELATION = 0.1
_LEAST_EFFECTIVE = 8  # rows that dependent ones count for, however strongly they depend
_REPEATED = 0.05  # share of rows that are copies of others from which on it is said
_KEYS = 4  # columns of many digits that tell rows apart
_COPIES = 20  # times a row is there, at most; a column with fewer distinct values than that leaves is no key
_POINTS = 100  # steps within the interquartile range, for each row, from which on equal values are a wonder
_ROUNDING = 1e-9  # of the interquartile range: values nearer to each other are one


@dataclass(frozen=True, kw_only=True)
class RowOrder:
    """What the order and the equality of rows say of their dependence.

    Attributes
    ----------
    correlations
        Of neighbouring rows, by rank; only columns in which it is no accident.
    designs
        For those columns, how many rows count as one.
    repeated
        Share of rows that are copies of other rows; 0 where there are none or it cannot be told.
    copies
        How many rows count as one because of copies.
    """

    correlations: Mapping[str, float] = field(default_factory=dict)
    designs: Mapping[str, float] = field(default_factory=dict)
    repeated: float = 0.0
    copies: float = 1.0

    def design(self, column: str) -> float:
        """By how much dependence inflates the variance of a mean of a column; 1 for independent rows."""
        return self.designs.get(column, 1.0) * self.copies

    @property
    def sentence(self) -> str:
        """What was noticed and what is done about it, in words; empty if nothing was."""
        parts = []
        if self.correlations:
            worst = max(self.correlations, key=lambda name: self.designs[name])
            more = f" and {len(self.correlations) - 1} more columns" if len(self.correlations) > 1 else ""
            parts.append(
                f"Neighbouring rows depend on each other (correlation {self.correlations[worst]:.2f} in {worst}"
                f"{more}), so that {self.designs[worst]:.0f} of them count as one; time= says how they do."
            )
        if self.repeated:
            parts.append(f"{self.repeated:.0%} of the rows repeat others, so that copies count as one.")
        return " ".join(parts)


def look_at_order(columns: Mapping[str, Floats]) -> RowOrder:
    """Look for dependence in rows as they come.

    Parameters
    ----------
    columns
        Numeric columns by name, in the order of the rows, NaN where missing.

    Notes
    -----
    A column is a series if the rank correlation of neighbours is at least 0.1 and five standard errors from zero; its
    variance of the mean is that of the initial monotone sequence of autocovariances (Geyer 1992, Statistical Science
    7, 3.3). A column in ascending or descending order was sorted, which says nothing. Equal rows are looked for among
    columns in which two equal values would be an accident, by a sample of hashes, so that all copies of a row are in
    it or none.
    """
    correlations, designs = {}, {}
    for name, values in columns.items():
        head = values[:_ROWS]
        head = head[np.isfinite(head)]
        if len(head) < _LEAST_ROWS:
            continue
        steps = np.diff(head)
        if not steps.any() or (steps >= 0).all() or (steps <= 0).all():
            continue
        ranks = _ranks(head)
        first = _correlation(ranks)
        if first >= _LEAST_CORRELATION and first * np.sqrt(len(head)) >= _SURE:
            correlations[name] = first
            designs[name] = min(_inflation(ranks), max(len(values) / _LEAST_EFFECTIVE, 1.0))
    repeated, copies = _repeated(columns)
    return RowOrder(correlations=correlations, designs=designs, repeated=repeated, copies=copies)


def _ranks(values: Floats) -> Floats:
    """Ranks less their mean; ties share theirs."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - counts / 2)[place]
    return ranks - ranks.mean()


def _correlation(ranks: Floats) -> float:
    whole = float(ranks @ ranks)
    return float(ranks[1:] @ ranks[:-1]) / whole if whole else 0.0


def _inflation(ranks: Floats) -> float:
    size = len(ranks)
    padded = np.fft.rfft(ranks, 2 * size)
    covariance = np.fft.irfft(padded * np.conj(padded))[:size]
    rho = covariance / covariance[0]
    pairs = rho[0 : size // 2 * 2 : 2] + rho[1 : size // 2 * 2 : 2]
    positive = np.argmax(pairs <= 0) if (pairs <= 0).any() else len(pairs)
    monotone = np.minimum.accumulate(pairs[: max(int(positive), 1)])
    return max(float(2 * monotone.sum() - 1), 1.0)


def _repeats_by_nature(values: Floats) -> bool:
    """Whether equal values are no wonder: few are distinct, some far more frequent, or all multiples of a step."""
    distinct, counts = np.unique(values, return_counts=True)
    low, high = np.quantile(values, [0.25, 0.75])
    gaps = np.diff(distinct)
    gaps = np.sort(gaps[gaps > _ROUNDING * (high - low)])
    is_uneven = counts.var() > counts.mean() * _COPIES / 2
    if len(distinct) * _COPIES < len(values) or is_uneven or high == low or not len(gaps):
        return True
    multiples = gaps[: (len(gaps) + 1) // 2] / gaps[0]  # the shorter half: an error of the step is small in those
    is_stepped = bool(np.mean(np.abs(multiples - np.rint(multiples)) < 0.01) > 0.9)
    return is_stepped and (high - low) / gaps[0] < _POINTS * len(values)


def _repeated(columns: Mapping[str, Floats]) -> tuple[float, float]:
    """The share of rows that are copies, and how many rows count as one."""
    key: NDArray[np.uint64] | None = None
    used = 0
    for values in columns.values():
        if used == _KEYS:
            break
        head = values[:_ROWS]
        usual = head[np.isfinite(head) & (head != 0)]
        if len(usual) < _LEAST_ROWS or _repeats_by_nature(usual):
            continue
        used += 1
        bits = np.ascontiguousarray(values, dtype=np.float64).view(np.uint64)
        mixed = (bits ^ (bits >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
        key = mixed if key is None else (key ^ mixed) * np.uint64(0x94D049BB133111EB)
    if key is None or len(key) < _LEAST_ROWS:
        return 0.0, 1.0
    key ^= key >> np.uint64(31)
    part = max(len(key) // (2 * _ROWS), 1)
    if part > 1:
        key = key[(key * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(20)) % np.uint64(part) == 0]
    _, counts = np.unique(key, return_counts=True)
    most = counts[counts < max(len(key) * 0.02, 50)]  # a value that is always the same is no copy of a row
    rows = int(most.sum())
    if rows < _LEAST_ROWS:
        return 0.0, 1.0
    share = 1 - len(most) / rows
    return (share, float((most**2).sum() / rows)) if share >= _REPEATED else (0.0, 1.0)
