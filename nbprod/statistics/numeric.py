"""The profile of a numeric column: counts and sums on a grid, which merge to the bit in any order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbprod.statistics.columns import ColumnType
from nbprod.statistics.grid import FAR, NumericGrid

__all__ = ["NumericProfile"]

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

#: Sums are whole multiples of scale / 2**20, held as integers: addition is then exact, hence free of order.
_UNIT_BITS = 20
_UNIT = 2.0**_UNIT_BITS
#: Adding and taking away 1.5 * 2**(52 - 20) rounds a number below 2**31 to a multiple of 2**-20.
_ROUNDER = 1.5 * 2.0 ** (52 - _UNIT_BITS)
#: Rows whose rounded squares (at most 2**16) add up below 2**33, so that float64 holds their sum exactly.
_STEP = 65_536
_LARGEST = 2.0**400  # deviations are cut off there, so that their squares are finite


@dataclass(frozen=True, kw_only=True, eq=False)
class NumericProfile:
    """What is kept of a numeric column.

    Deviations ``y = (x - center) / scale`` are rounded to multiples of 2**-20 before they are summed; the error of a
    mean is below 2**-21 of the scale, which is within a factor of two of the interquartile range of the reference.
    """

    kind: ColumnType
    dtype: str  #: the Arrow type, or several joined by ``|``
    rows: int
    missing: int  #: null or NaN
    positive_infinite: int
    negative_infinite: int
    grid: NumericGrid
    counts: Counts  #: by cell
    sums: Counts  #: of y by cell, in 2**-20; zero in those that reach beyond 256 scales
    far: tuple[int, ...]  #: of y in the cells that do, in 2**-20
    squares: int  #: of y² over all, in 2**-20
    minimum: float | None  #: of the finite values
    maximum: float | None

    @classmethod
    def of(cls, values: Floats, *, grid: NumericGrid, kind: ColumnType, dtype: str) -> tuple[NumericProfile, Counts]:
        """Profile values (NaN where missing); also give the cell of each, -1 where there is no value.

        Infinite values are in no count but their own; the cell they are given is the outermost one.
        """
        rows = len(values)
        finite = np.isfinite(values)
        whole = bool(finite.all())
        missing = positive = negative = 0
        values_ = values
        if not whole:
            missing = int(np.isnan(values).sum())
            positive, negative = int(np.isposinf(values).sum()), int(np.isneginf(values).sum())
            values_ = values[finite]
        cells = grid.cells(values_)
        counts = np.bincount(cells, minlength=grid.size).astype(np.int64)
        sums = np.zeros(grid.size, dtype=np.int64)
        squares = 0
        far = [0] * int(grid.far.sum())
        near, near_cells = values_, cells
        if counts[grid.far].any():
            outside = grid.far[cells]
            for place, cell in enumerate(np.flatnonzero(grid.far).tolist()):
                if counts[cell]:
                    y = _deviation(values_[cells == cell], grid)
                    far[place] = _exact_sum(y)
                    squares += _exact_sum(y * y)
            near, near_cells = values_[~outside], cells[~outside]
        for start in range(0, len(near), _STEP):
            y = (near[start : start + _STEP] - grid.center) / grid.scale
            rounded = (y + _ROUNDER) - _ROUNDER
            sums += np.rint(
                np.bincount(near_cells[start : start + _STEP], weights=rounded, minlength=grid.size) * _UNIT
            ).astype(np.int64)
            y *= y
            squares += int(((y + _ROUNDER) - _ROUNDER).sum() * _UNIT)
        profile = cls(
            kind=kind,
            dtype=dtype,
            rows=rows,
            missing=missing,
            positive_infinite=positive,
            negative_infinite=negative,
            grid=grid,
            counts=counts,
            sums=sums,
            far=tuple(far),
            squares=squares,
            minimum=float(values_.min()) if len(values_) else None,
            maximum=float(values_.max()) if len(values_) else None,
        )
        if whole:
            return profile, cells
        placed = np.full(rows, -1, dtype=np.int64)
        placed[finite] = cells
        placed[np.isneginf(values)], placed[np.isposinf(values)] = 0, grid.size - 1
        return profile, placed

    @property
    def n(self) -> int:
        """Rows with a finite number."""
        return self.rows - self.missing - self.infinite

    @property
    def infinite(self) -> int:
        """Rows that are plus or minus infinity."""
        return self.positive_infinite + self.negative_infinite

    @property
    def mean(self) -> float | None:
        """Of the finite values, in the unit of the column."""
        if self.n == 0:
            return None
        return self.grid.center + self.grid.scale * (self._total / self.n / _UNIT)

    @property
    def median(self) -> float:
        """Of the finite values, within a cell of the grid; NaN without any."""
        used = self.counts > 0
        if not used.any():
            return float("nan")
        counts = self.counts[used]
        middle = (np.cumsum(counts) - counts / 2) / self.n
        y = float(np.interp(0.5, middle, self.cell_sums[used] / counts))
        return self.grid.center + self.grid.scale * y

    @property
    def std(self) -> float | None:
        """Standard deviation of the finite values (divided by n), in the unit of the column."""
        if self.n == 0:
            return None
        if self.minimum == self.maximum:
            return 0.0
        # exact until the division: the difference of two large numbers loses nothing
        centred = self.squares * self.n * 2**_UNIT_BITS - self._total**2
        return self.grid.scale * sqrt(max(centred, 0) / self.n**2) / _UNIT

    @property
    def _total(self) -> int:
        return int(self.sums.sum()) + sum(self.far)

    @cached_property
    def cell_sums(self) -> Floats:
        """Sums of ``(x - center) / scale`` by cell."""
        sums = self.sums / _UNIT
        sums[self.grid.far] = [total / _UNIT for total in self.far]
        return sums

    def merge(self, other: NumericProfile) -> NumericProfile:
        """The profile of the rows of both."""
        bounds = [(self.minimum, other.minimum, min), (self.maximum, other.maximum, max)]
        low, high = (
            pick(a, b) if a is not None and b is not None else (a if b is None else b) for a, b, pick in bounds
        )
        return NumericProfile(
            kind=self.kind,
            dtype=self.dtype if self.dtype == other.dtype else merged_dtype(self.dtype, other.dtype),
            rows=self.rows + other.rows,
            missing=self.missing + other.missing,
            positive_infinite=self.positive_infinite + other.positive_infinite,
            negative_infinite=self.negative_infinite + other.negative_infinite,
            grid=self.grid,
            counts=self.counts + other.counts,
            sums=self.sums + other.sums,
            far=tuple(a + b for a, b in zip(self.far, other.far, strict=True)),
            squares=self.squares + other.squares,
            minimum=low,
            maximum=high,
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and text, for a file; runs of empty cells are left out."""
        filled = np.flatnonzero(self.counts)
        return {
            "kind": str(self.kind),
            "dtype": self.dtype,
            "rows": self.rows,
            "missing": self.missing,
            "infinite": [self.negative_infinite, self.positive_infinite],
            "grid": self.grid.to_dict(),
            "cells": np.diff(filled, prepend=0).tolist(),
            "counts": self.counts[filled].tolist(),
            "sums": self.sums[filled].tolist(),
            "far": list(self.far),
            "squares": self.squares,
            "range": [self.minimum, self.maximum],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> NumericProfile:
        """Read what `to_dict` wrote."""
        grid = NumericGrid.from_dict(data["grid"])
        filled = np.cumsum(np.asarray(data["cells"], dtype=np.int64))
        counts, sums = np.zeros(grid.size, dtype=np.int64), np.zeros(grid.size, dtype=np.int64)
        counts[filled], sums[filled] = data["counts"], data["sums"]
        minimum, maximum = (None if edge is None else float(edge) for edge in data["range"])
        return cls(
            kind=ColumnType(data["kind"]),
            dtype=str(data["dtype"]),
            rows=int(data["rows"]),
            missing=int(data["missing"]),
            negative_infinite=int(data["infinite"][0]),
            positive_infinite=int(data["infinite"][1]),
            grid=grid,
            counts=counts,
            sums=sums,
            far=tuple(int(total) for total in data["far"]),
            squares=int(data["squares"]),
            minimum=minimum,
            maximum=maximum,
        )


def merged_dtype(a: str, b: str) -> str:
    """The types of merged parts, each once, in alphabetical order."""
    return "|".join(sorted({*a.split("|"), *b.split("|")} - {"null"}))


def _deviation(values: Floats, grid: NumericGrid) -> Floats:
    with np.errstate(over="ignore"):
        # halves first: the difference of two huge numbers of opposite sign overflows
        deviation = (values / 2 - grid.center / 2) / grid.scale * 2
    return np.clip(deviation, -_LARGEST, _LARGEST)


def _exact_sum(values: Floats) -> int:
    """The sum of floats in units of 2**-20, each rounded to a multiple, without any rounding in the addition."""
    if not len(values):
        return 0
    mantissa, exponent = np.frexp(values)
    shift = exponent - 53 + _UNIT_BITS  # value = whole * 2**shift, in units
    whole = np.ldexp(mantissa, 53)
    small = shift < 0
    whole[small] = np.rint(np.ldexp(whole[small], shift[small]))
    shift[small] = 0
    integers = whole.astype(np.int64)
    total = 0
    for power in np.unique(shift).tolist():
        chosen = integers[shift == power]
        high, low = chosen >> 27, chosen & 0x7FFFFFF  # each sums below 2**63
        total += ((int(high.sum()) << 27) + int(low.sum())) << int(power)
    return total


assert FAR**2 * _STEP <= 2**33  # the bound the rounding above rests on
