"""Ensembles of trees as arrays: all trees of one row at once, or all rows of a chunk at once.

Small trees (at most 64 leaves) are answered by bit masks after QuickScorer (Lucchese et al., SIGIR 2015): every split
that sends a value to the right clears the leaves on its left, the masks of all splits of a feature are tabulated by
the position of the value among the thresholds, and the lowest bit left is the leaf. Larger trees are walked level by
level.

Sums are made tree after tree, as scikit-learn makes them, so they are the same doubles.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nbprod.compiled.numbers import Run
from nbprod.errors import PackageError

__all__ = ["TREE_OPERATIONS", "Forest"]

CHUNK = 512
MOST_LEAVES = 64
MOST_TABLE_BYTES = 64 << 20
HIGHEST = np.finfo(np.float64).max


@dataclass(frozen=True, kw_only=True, eq=False)
class Forest:
    """Trees as a plan holds them; the right child follows the left one."""

    feature: np.ndarray  #: by node; -1 at a leaf
    threshold: np.ndarray  #: by node: not above it goes left
    left: np.ndarray  #: by node: the left child; of a leaf, its row in ``values``
    missing_left: np.ndarray  #: by node: whether a missing value goes left
    roots: np.ndarray  #: by tree
    values: np.ndarray  #: by leaf and output; the leaves of a tree follow each other from left to right
    output: np.ndarray  #: by tree: the output its first value belongs to
    base: np.ndarray  #: by output: what the sums begin with
    divisor: float  #: what the sums are divided by
    single: bool  #: sums are made in 32 bits

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> Forest:
        """From the parameters of a step.

        Raises
        ------
        PackageError
            A child stands before its parent, so that a walk might not end, or a leaf has no values.
        """
        made = cls(**params)
        is_leaf = made.feature < 0
        inner = np.flatnonzero(~is_leaf)
        ends = (made.left[inner] > inner) & (made.left[inner] + 1 < len(made.feature))
        if not ends.all() or not ((made.left >= 0) & (made.left < len(made.values)))[is_leaf].all():
            raise PackageError("The trees of the compiled model lead nowhere", hint="Build the package again.")
        return made

    def leaves(self) -> tuple[np.ndarray, np.ndarray]:
        """By tree: its first leaf and how many it has."""
        of_tree = np.searchsorted(self.roots, np.flatnonzero(self.feature < 0), side="right") - 1
        counts = np.bincount(of_tree, minlength=len(self.roots))
        return np.concatenate([[0], np.cumsum(counts)[:-1]]), counts


def trees(params: Mapping[str, Any], many: bool) -> Run:  # noqa: FBT001
    """The sums over all trees, a column an output."""
    forest = Forest.of(params)
    counts = forest.leaves()[1]
    is_small = counts.max(initial=0) <= MOST_LEAVES
    leaf = _Masks.of(forest) if is_small else None
    finder: _Masks | _Walk = leaf if leaf is not None else _Walk(forest)
    return _sums_of_many(forest, finder.of_many) if many else _sums_of_one(forest, finder.of_one)


TREE_OPERATIONS: dict[str, Callable[[Mapping[str, Any], bool], Run]] = {"trees": trees}


def _sums_of_one(forest: Forest, leaves: Callable[[list[float]], np.ndarray]) -> Run:
    kind = np.float32 if forest.single else np.float64
    values, base = forest.values.astype(kind), forest.base.astype(kind)
    outputs, divisor = len(base), forest.divisor
    groups = [np.flatnonzero(forest.output == output) for output in range(outputs)]
    if outputs == 1:
        flat = np.ascontiguousarray(values[:, 0])
        terms = np.empty(len(forest.roots) + 1, dtype=kind)
        terms[0] = base[0]

        def of_single_output(xs: list[float]) -> list[Any]:
            made = np.concatenate((terms[:1], flat.take(leaves(xs))))
            return [float(np.add.accumulate(made)[-1]) / divisor]

        return of_single_output
    if values.shape[1] == outputs:

        def of_all_outputs(xs: list[float]) -> list[Any]:
            made = np.concatenate((base[None, :], values.take(leaves(xs), axis=0)))
            return [total / divisor for total in np.add.accumulate(made, axis=0)[-1].tolist()]

        return of_all_outputs

    def of_each_output(xs: list[float]) -> list[Any]:
        found = values[:, 0].take(leaves(xs))
        totals = (
            np.add.accumulate(np.concatenate((base[k : k + 1], found.take(group))))[-1]
            for k, group in enumerate(groups)
        )
        return [float(total) / divisor for total in totals]

    return of_each_output


def _sums_of_many(forest: Forest, leaves: Callable[[np.ndarray], np.ndarray]) -> Run:
    kind = np.float32 if forest.single else np.float64
    values, base, output = forest.values.astype(kind), forest.base.astype(kind), forest.output.tolist()

    def of_many(xs: list[np.ndarray]) -> list[Any]:
        rows = len(xs[0])
        totals = np.empty((len(base), rows), dtype=kind)
        totals[:] = base[:, None]
        for start in range(0, rows, CHUNK):
            part = np.array([x[start : start + CHUNK] for x in xs], dtype=np.float64)
            found = leaves(part)  # trees by rows
            inside = totals[:, start : start + CHUNK]
            for tree, first in enumerate(output):
                for k in range(values.shape[1]):
                    inside[first + k] += values[:, k].take(found[tree])
        return [total.astype(np.float64) / forest.divisor for total in totals]

    return of_many


class _Masks:
    """Leaves of trees with at most 64 of them, by masks of bits."""

    def __init__(self, table: np.ndarray, features: list[tuple[int, np.ndarray, int]], first: np.ndarray) -> None:
        self._table = table
        self._features = [(feature, known, known.tolist(), offset) for feature, known, offset in features]
        self._first = first.astype(np.int64)
        wide = table.dtype.itemsize == 8
        self._float: Any = np.float64 if wide else np.float32
        self._int: Any = np.int64 if wide else np.int32
        self._shift, self._bias = (52, 1023) if wide else (23, 127)
        self._offset = self._first - self._bias

    @classmethod
    def of(cls, forest: Forest) -> _Masks | None:
        """Tabulate; ``None`` where the table would be too large."""
        first, counts = forest.leaves()
        widest = int(counts.max(initial=1))
        kind: Any = np.uint32 if widest <= 32 else np.uint64
        inner = np.flatnonzero(forest.feature >= 0)
        trees_of = np.searchsorted(forest.roots, inner, side="right") - 1
        masks = _masks(forest, inner, first[trees_of])
        features, offset, events = [], 0, []
        for feature in np.unique(forest.feature[inner]).tolist():
            here = forest.feature[inner] == feature
            known, ranks = np.unique(forest.threshold[inner][here], return_inverse=True)
            features.append((feature, known, offset))
            events.append((offset + 1 + ranks, trees_of[here], masks[here], forest.missing_left[inner][here] == 0))
            offset += len(known) + 2  # not above the first, above each, missing
        if offset * len(forest.roots) * np.dtype(kind).itemsize > MOST_TABLE_BYTES:
            return None
        table = np.full((max(offset, 1), len(forest.roots)), np.iinfo(kind).max, dtype=kind)
        for (_, known, start), (rows, trees_here, bits, missing_right) in zip(features, events, strict=True):
            np.bitwise_and.at(table, (rows, trees_here), bits.astype(kind))
            stop = start + len(known) + 1
            table[start:stop] = np.bitwise_and.accumulate(table[start:stop], axis=0)
            np.bitwise_and.at(
                table,
                (np.full(int(missing_right.sum()), stop), trees_here[missing_right]),
                bits[missing_right].astype(kind),
            )
        return cls(table, features, first)

    def of_one(self, xs: list[float]) -> np.ndarray:
        """By tree: the leaf of one row."""
        at = [
            offset + (bisect_left(known, x) if (x := xs[feature]) == x else len(known) + 1)
            for feature, _, known, offset in self._features
        ]
        left = np.bitwise_and.reduce(self._table.take(at, axis=0), axis=0) if at else self._table[0]
        low = (left & np.negative(left)).astype(self._float).view(self._int)
        return (low >> self._shift) + self._offset

    def of_many(self, xs: np.ndarray) -> np.ndarray:
        """By tree and row: the leaves of some rows, given by feature and row."""
        left: np.ndarray | None = None
        gaps = np.isnan(xs).any(axis=1)
        for feature, array, known, offset in self._features:
            x = xs[feature]
            at = (x > known[0]) + offset if len(known) == 1 else array.searchsorted(x) + offset
            if gaps[feature]:
                at[np.isnan(x)] = offset + len(known) + 1
            taken = self._table.take(at, axis=0)
            left = taken if left is None else np.bitwise_and(left, taken, out=left)
        if left is None:
            left = np.repeat(self._table[:1], xs.shape[1], axis=0)
        low = (left & np.negative(left)).astype(self._float).view(self._int)
        return np.ascontiguousarray(((low >> self._shift) + self._offset).T)


def _masks(forest: Forest, inner: np.ndarray, first: np.ndarray) -> np.ndarray:
    """For each inner node all bits but those of the leaves on its left."""
    lowest, highest = forest.left.astype(np.int64), forest.left.astype(np.int64)  # of leaves: themselves
    left, feature = forest.left.tolist(), forest.feature.tolist()
    middle = np.zeros(len(left), dtype=np.int64)
    for node in range(len(left) - 1, -1, -1):  # children stand after their parents
        if feature[node] >= 0:
            child = left[node]
            lowest[node], highest[node] = lowest[child], highest[child + 1]
            middle[node] = highest[child]
    start = (lowest[inner] - first).astype(np.uint64)
    length = (middle[inner] - lowest[inner] + 1).astype(np.uint64)
    ones = (np.uint64(1) << length) - np.uint64(1)  # a node leaves at least one leaf on its right: fewer than 64
    return ~(ones << start)


class _Walk:
    """Leaves of trees of any size, level by level."""

    def __init__(self, forest: Forest) -> None:
        is_leaf = forest.feature < 0
        nodes = np.arange(len(forest.feature))
        order = np.argsort(-_depths(forest), kind="stable")  # deep trees first: the others stop early
        self._back = np.argsort(order)
        self._depth = _depths(forest)[order]
        self._roots = forest.roots[order].astype(np.intp)
        self._leaf = np.where(is_leaf, forest.left, 0)
        self._left = np.where(is_leaf, nodes, forest.left).astype(np.intp)
        self._threshold = np.where(is_leaf, np.inf, np.minimum(forest.threshold, HIGHEST))
        self._missing = bool(((forest.missing_left == 0) & ~is_leaf).any())
        self._width = int(forest.feature.max(initial=0)) + 1
        # a missing value is below or above everything: each feature stands twice
        chosen = np.where(is_leaf, 0, forest.feature).astype(np.intp)
        self._feature = chosen + np.where(~is_leaf & (forest.missing_left == 0), self._width, 0)
        self._active = [int((self._depth > level).sum()) for level in range(int(self._depth.max(initial=0)))]

    def of_one(self, xs: list[float]) -> np.ndarray:
        """By tree: the leaf of one row."""
        x = self._spread(np.array(xs[: self._width], dtype=np.float64))
        node = self._roots.copy()
        for active in self._active:
            here = node[:active]
            is_right = x.take(self._feature.take(here)) > self._threshold.take(here)
            np.add(self._left.take(here), is_right, out=here)
        return self._leaf.take(node).take(self._back)

    def of_many(self, xs: np.ndarray) -> np.ndarray:
        """By tree and row: the leaves of some rows, given by feature and row."""
        rows = xs.shape[1]
        flat = self._spread(xs[: self._width]).ravel()
        places = np.arange(rows)
        made = np.empty((len(self._roots), rows), dtype=np.intp)
        for tree, (root, depth) in enumerate(zip(self._roots.tolist(), self._depth.tolist(), strict=True)):
            node = np.full(rows, root, dtype=np.intp)
            for _ in range(depth):
                at = self._feature.take(node)
                at *= rows
                at += places
                is_right = flat.take(at) > self._threshold.take(node)
                node = self._left.take(node)
                node += is_right
            made[tree] = self._leaf.take(node)
        return made.take(self._back, axis=0)

    def _spread(self, x: np.ndarray) -> np.ndarray:
        missing = x != x  # noqa: PLR0124 — NaN
        below = np.where(missing, -np.inf, np.minimum(x, HIGHEST))  # infinity is not above an infinite threshold
        if not self._missing:
            return below
        return np.concatenate((below, np.where(missing, np.inf, below)))


def _depths(forest: Forest) -> np.ndarray:
    """By tree: the number of splits on its longest way."""
    level = np.zeros(len(forest.feature), dtype=np.int64)
    left, feature = forest.left, forest.feature
    current = forest.roots.astype(np.int64)
    depth = 0
    while len(current):
        level[current] = depth
        inner = current[feature[current] >= 0]
        current = np.concatenate((left[inner], left[inner] + 1)).astype(np.int64)
        depth += 1
    return np.maximum.reduceat(level, forest.roots) if len(forest.roots) else level
