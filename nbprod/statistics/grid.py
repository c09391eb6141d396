"""The fixed grids on which values are counted: made once from a reference, shared by everything compared with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["CategoryGrid", "NumericGrid"]

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

CELLS = 128  #: quantile cells of a continuous column
FEW_VALUES = 32  #: columns with at most so many distinct values are counted value by value
FAR = 256  #: scales from the centre, beyond which lie the two outermost cells
MARK = 4096  #: marks are multiples of scale / MARK, so that they are small integers in a file
COARSE = 16  #: groups of cells for counts by block
LISTED = 200  #: categories a grid lists at most
_BUCKETS = 2048
_FAR_EDGES = 8
_TAILS = (1 / 256, 1 / 512, 1 / 1024)
_BEYOND = np.rint(MARK * 2.0 ** (np.arange(33) / 4))  # from one scale to 256


@dataclass(frozen=True, kw_only=True)
class NumericGrid:
    """Half-open cells on a line: quantiles of the reference, single values that are frequent, powers of two beyond.

    Cell ``j`` holds ``edges[j - 1] <= x < edges[j]``; the first and the last are unbounded. A frequent value ``v``
    has a cell of its own, from ``v`` to the next number. The smallest and the largest value of the sample bound a
    cell, so that rows beyond them are counted apart.
    """

    center: float
    scale: float  #: a power of two near the interquartile range
    marks: tuple[int, ...]  #: edges in units of scale / 4096 from the centre
    atoms: tuple[float, ...]  #: values with cells of their own
    groups: tuple[int, ...]  #: the coarse group of each cell
    exact: tuple[float, ...] = ()  #: further edges: the sample's range, and what no mark is near enough to

    @classmethod
    def of(cls, sample: Floats) -> NumericGrid:
        """Make a grid from finite values of the reference; any number of them, also none."""
        values, counts = np.unique(sample, return_counts=True)
        if len(values) <= FEW_VALUES:
            atoms = values
            rest = values[:0]
        else:
            share = counts / len(sample)
            atoms = values[share > 1 / CELLS]
            heavy = np.isin(sample, atoms)
            rest = sample[~heavy] if heavy.any() else sample
        center, scale = _center_and_scale(sample, rest)
        marks: Floats = np.empty(0)
        exact: Floats = np.empty(0)
        with np.errstate(over="ignore"):
            if len(rest):
                cells = max(8, CELLS - 2 * len(atoms))
                levels = np.unique(np.r_[_TAILS, np.arange(1, cells) / cells, 1 - np.asarray(_TAILS)])
                quantiles = np.quantile(rest, levels)
                marks = np.rint((quantiles - center) / scale * MARK)
                exact = _between_marks(quantiles, marks)
            elif len(atoms) > 1:  # values may turn up between the known ones
                steps = np.linspace(0, 1, CELLS // 2)
                between = atoms[0] * (1 - steps) + atoms[-1] * steps
                marks = np.rint((between - center) / scale * MARK)
        # beyond them cells grow by a fifth; the outermost marks bound the range in which sums fit 64 bits
        marks = marks[np.abs(marks) < FAR * MARK]
        tails = np.r_[-_BEYOND, _BEYOND]
        low, high = (marks.min(), marks.max()) if len(marks) else (0.0, 0.0)
        marks = np.unique(np.r_[marks, tails[(tails < low) | (tails > high)]])
        inside = np.abs(atoms - center) < FAR * scale
        if len(sample):
            low_end, high_end = float(sample.min()), float(sample.max())
            exact = np.r_[
                exact, low_end, np.nextafter(high_end, np.inf), _far_edges(low_end, high_end, center, scale)
            ]
        bare = cls(
            center=center,
            scale=scale,
            marks=tuple(int(mark) for mark in marks),
            atoms=tuple(float(atom) for atom in atoms[inside]),
            groups=(),
            exact=tuple(float(edge) for edge in np.unique(exact[np.isfinite(exact)])),
        )
        found = np.bincount(bare.cells(sample), minlength=bare.size)
        return replace(bare, groups=_groups(found))

    @cached_property
    def edges(self) -> Floats:
        """The inner boundaries, ascending."""
        atoms = np.asarray(self.atoms, dtype=np.float64)
        marks = self.center + np.asarray(self.marks, dtype=np.float64) * (self.scale / MARK)
        with np.errstate(over="ignore"):  # what follows the largest number is infinite, and no edge
            edges = np.unique(np.r_[marks, atoms, np.nextafter(atoms, np.inf), np.asarray(self.exact)])
        return edges[np.isfinite(edges)]

    @property
    def size(self) -> int:
        """The number of cells."""
        return len(self.edges) + 1

    @cached_property
    def values(self) -> Floats:
        """The single value of each cell that has one, NaN for the others."""
        found = np.full(self.size, np.nan)
        atoms = np.asarray(self.atoms, dtype=np.float64)
        found[np.searchsorted(self.edges, atoms, side="right")] = atoms
        return found

    @cached_property
    def far(self) -> NDArray[np.bool_]:
        """Whether a cell reaches farther from the centre than 256 scales; sums of the others fit 64 bits."""
        with np.errstate(over="ignore"):
            y = (self.edges / 2 - self.center / 2) / self.scale * 2
        y = np.r_[-np.inf, y, np.inf]
        return (y[:-1] < -FAR) | (y[1:] > FAR)

    @cached_property
    def coarse(self) -> Counts:
        """The coarse group of each cell, as an array."""
        return np.asarray(self.groups, dtype=np.int64)

    def cells(self, values: Floats) -> NDArray[np.intp]:
        """The cell of each finite value."""
        first, last, per_unit, below, edge, second, crowded = self._buckets
        if len(values) < _BUCKETS or not per_unit:
            return np.searchsorted(self.edges, values, side="right")
        bucket = ((np.clip(values, first, last) - first) * per_unit).astype(np.intp)
        found = below[bucket]
        found += values >= edge[bucket]
        if second is not None:
            found += values >= second[bucket]
        odd = np.flatnonzero(crowded[bucket])
        if len(odd):
            found[odd] = np.searchsorted(self.edges, values[odd], side="right")
        return found

    @cached_property
    def _buckets(
        self,
    ) -> tuple[float, float, float, NDArray[np.intp], Floats, Floats | None, NDArray[np.bool_]]:
        """Equal buckets over the quantiles, few of which hold more than one edge: several times faster than a search.

        The bucket of a value never falls as the value grows, rounding included, so all edges in lower buckets lie
        below it and only the bucket's own edges (two around a frequent value) need a comparison.
        """
        edges = self.edges
        inner = edges[np.abs(edges - self.center) <= 4 * self.scale]
        first, last = (float(inner[0]), float(inner[-1])) if len(inner) > 1 else (0.0, 0.0)
        if not 0 < last - first < np.inf:
            return 0.0, 0.0, 0.0, np.empty(0, np.intp), np.empty(0), None, np.empty(0, bool)
        per_unit = (_BUCKETS - 1) / (last - first)
        of_edge = ((np.clip(edges, first, last) - first) * per_unit).astype(np.intp)
        count = np.bincount(of_edge, minlength=_BUCKETS)
        below = np.cumsum(count) - count
        padded = np.r_[edges, np.inf, np.inf]
        edge = np.where(count > 0, padded[below], np.inf)
        second = np.where(count > 1, padded[below + 1], np.inf) if (count > 1).any() else None
        return first, last, per_unit, below, edge, second, count > 2

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, for a file."""
        return {
            "center": self.center,
            "scale": self.scale,
            "marks": list(self.marks),
            "atoms": list(self.atoms),
            "groups": list(self.groups),
            "exact": list(self.exact),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> NumericGrid:
        """Read what `to_dict` wrote."""
        return cls(
            center=float(data["center"]),
            scale=float(data["scale"]),
            marks=tuple(int(mark) for mark in data["marks"]),
            atoms=tuple(float(atom) for atom in data["atoms"]),
            groups=tuple(int(group) for group in data["groups"]),
            exact=tuple(float(edge) for edge in data.get("exact", ())),
        )


@dataclass(frozen=True, kw_only=True)
class CategoryGrid:
    """The categories that are always counted exactly: the most frequent ones of the reference, at most 200."""

    values: tuple[str, ...]  #: the most frequent first

    @classmethod
    def of(cls, counts: Mapping[str, int]) -> CategoryGrid:
        """Make a grid from counts in the reference."""
        frequent = sorted(counts, key=lambda key: (-counts[key], key))[:LISTED]
        return cls(values=tuple(frequent))

    @cached_property
    def position(self) -> dict[str, int]:
        """The place of each listed category."""
        return {value: place for place, value in enumerate(self.values)}

    def to_dict(self) -> dict[str, Any]:
        """Plain text, for a file."""
        return {"values": list(self.values)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> CategoryGrid:
        """Read what `to_dict` wrote."""
        return cls(values=tuple(str(value) for value in data["values"]))


def _center_and_scale(sample: Floats, rest: Floats) -> tuple[float, float]:
    if not len(sample):
        return 0.0, 1.0
    center = float(np.median(sample))
    for values in (rest, sample):
        if len(values):
            low, high = np.quantile(values / 4, [0.25, 0.75]) * 4
            interquartile = float(high / 2 - low / 2) * 2  # halves first: the difference of huge values overflows
            if 0 < interquartile < np.inf:
                return center, _power_of_two(interquartile)
    low, high = float(sample.min()), float(sample.max())
    if 0 < high - low < np.inf:
        return center, _power_of_two(high - low)
    return center, _power_of_two(abs(center)) if center else 1.0


def _between_marks(quantiles: Floats, marks: Floats) -> Floats:
    """Quantiles that fall on the mark of another one: values are denser there than marks are."""
    same = np.diff(marks) == 0
    crowded = np.r_[False, same] | np.r_[same, False]
    return np.array([float(f"{quantile:.4g}") for quantile in quantiles[crowded]])


def _far_edges(low: float, high: float, center: float, scale: float) -> Floats:
    """Edges beyond 256 scales that a heavy tail reaches, each four times as far as the one before."""
    steps = FAR * scale * 4.0 ** np.arange(_FAR_EDGES)
    return np.r_[center - steps[center - steps > low], center + steps[center + steps < high]]


def _power_of_two(value: float) -> float:
    exponent = int(np.clip(np.frexp(value)[1], -900, 900))
    return float(2.0**exponent)


def _groups(counts: Counts) -> tuple[int, ...]:
    """Neighbouring cells in at most 16 groups of about equal weight; what is outside the reference joins the ends."""
    total = max(int(counts.sum()), 1)
    middle = (np.cumsum(counts) - counts / 2) / total
    groups = np.minimum((middle * COARSE).astype(np.int64), COARSE - 1)
    # a single cell that holds everything must not share its group with what lies beside it
    filled = np.flatnonzero(counts)
    if len(filled):
        groups = 2 * groups + 1
        groups[: filled[0]] = 0
        groups[filled[-1] + 1 :] = 2 * COARSE + 2
    return tuple(int(group) for group in np.unique(groups, return_inverse=True)[1])
