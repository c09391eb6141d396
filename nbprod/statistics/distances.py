"""Distances between two samples, or between two vectors of shares."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "binned_shares",
    "category_shares",
    "hellinger",
    "jensen_shannon",
    "psi",
    "wasserstein",
]

Floats = NDArray[np.float64]


def wasserstein(a: Floats, b: Floats) -> float:
    r"""Wasserstein-1 distance of two samples, in the unit of the values; 0 and up.

    :math:`W_1 = \int |F_a(x) - F_b(x)| dx` (Villani 2003, *Topics in Optimal Transportation*, 2.18): the mean way a
    value of one sample travels to make the other.
    """
    both = np.concatenate([np.sort(a), np.sort(b)])
    order = both.argsort(kind="stable")  # timsort merges two sorted runs in linear time
    from_a = np.cumsum(order[:-1] < len(a))
    steps = from_a / len(a) - (np.arange(1, len(both)) - from_a) / len(b)
    return float(np.vecdot(np.abs(steps), np.diff(both[order])))


def jensen_shannon(p: Floats, q: Floats) -> float:
    r"""Jensen-Shannon distance of two vectors of shares, natural logarithm; 0 to :math:`\sqrt{\ln 2} = 0.83`.

    :math:`\sqrt{(KL(p \| m) + KL(q \| m)) / 2}` with :math:`m = (p + q) / 2` (Endres and Schindelin 2003, IEEE Trans.
    Inf. Theory 49, eq. 1, halved).
    """
    p, q = p / p.sum(), q / q.sum()
    middle = (p + q) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(p > 0, p * np.log(p / middle), 0.0) + np.where(q > 0, q * np.log(q / middle), 0.0)
    return float(np.sqrt(max(terms.sum() / 2, 0.0)))


def psi(p: Floats, q: Floats) -> float:
    r"""Population stability index, :math:`\sum (p_i - q_i) \ln (p_i / q_i)`; 0 and up, no unit.

    Empty cells get a small share, the one evidently gives: 0.0001, or a millionth of the smallest share where that is
    not above 0.0001.
    """
    p, q = _filled(p), _filled(q)
    return float(np.sum((p - q) * np.log(p / q)))


def hellinger(p: Floats, q: Floats) -> float:
    r"""Hellinger distance of two vectors of shares, :math:`\sqrt{1 - \sum \sqrt{p_i q_i}}`; 0 to 1, no unit."""
    return float(np.sqrt(1 - np.clip(np.sqrt(p * q).sum(), 0, 1)))


def _filled(shares: Floats) -> Floats:
    smallest = shares[shares > 0].min()
    return np.where(shares == 0, smallest / 1e6 if smallest <= 1e-4 else 1e-4, shares)


def binned_shares(a: Floats, b: Floats, *, method: str) -> tuple[Floats, Floats]:
    """Shares of two numeric samples in the bins evidently takes for a method.

    For the Jensen-Shannon distance and PSI: one bin a value if the reference has at most 20, else equal bins over the
    range of both, as many as Sturges' rule gives. For the Hellinger distance always Sturges' bins, from the number of
    distinct values.

    Parameters
    ----------
    a, b
        Reference and current, finite.
    method
        ``jensenshannon``, ``psi`` or ``hellinger``.
    """
    if method == "hellinger":
        edges = np.histogram_bin_edges(np.union1d(a, b), bins="sturges")
    elif _has_more_than(20, a):
        edges = np.histogram_bin_edges(np.concatenate([a, b]), bins="sturges")
    else:
        return category_shares(a, b)
    # a count and a range make numpy take its fast path for equal bins, with the same counts
    bins, bounds = len(edges) - 1, (edges[0], edges[-1])
    return np.histogram(a, bins, bounds)[0] / len(a), np.histogram(b, bins, bounds)[0] / len(b)


def category_shares(a: Any, b: Any) -> tuple[Floats, Floats]:
    """Shares of every value that occurs in either sample, in the order of the values."""
    (values, counts), (others, other_counts) = (np.unique(sample, return_counts=True) for sample in (a, b))
    known = np.union1d(values, others)
    p, q = np.zeros(len(known)), np.zeros(len(known))
    p[np.searchsorted(known, values)] = counts / len(a)
    q[np.searchsorted(known, others)] = other_counts / len(b)
    return p, q


def _has_more_than(few: int, values: Floats) -> bool:
    # a column of many rows need not be sorted to see that it has many values
    return len(np.unique(values[:1000])) > few or len(np.unique(values)) > few
