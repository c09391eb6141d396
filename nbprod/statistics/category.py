"""The profile of a categorical column: exact counts, and a known bound on what is not listed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbprod.statistics.columns import ColumnType
from nbprod.statistics.grid import CategoryGrid
from nbprod.statistics.numeric import merged_dtype

__all__ = ["CategoryProfile", "category_hash"]

#: Categories beside the grid's that are counted; of more, those with the smallest hashes are kept.
OTHERS = 1000
_ALL = 2**64


@dataclass(frozen=True, kw_only=True)
class CategoryProfile:
    """What is kept of a categorical column.

    Categories of the grid are always counted. Others are counted while there are at most 1000; of more, the 1000 with
    the smallest hashes are kept, with exact counts, and the rest is known by its number of rows. Which ones are kept
    depends on the set of categories alone (bottom-k sampling), so profiles merge to the same result in any order.
    """

    kind: ColumnType
    dtype: str
    rows: int
    missing: int
    grid: CategoryGrid
    listed: tuple[int, ...]  #: counts of the grid's categories
    others: Mapping[str, int]  #: counts of further categories, sorted by name
    threshold: int = _ALL  #: hashes below it are counted, out of 2**64

    @classmethod
    def of(
        cls,
        codes: NDArray[np.int64],
        keys: list[str],
        *,
        grid: CategoryGrid,
        dtype: str,
    ) -> CategoryProfile:
        """Profile the position of each row in a list of keys, -1 where missing."""
        found = np.bincount(codes + 1, minlength=len(keys) + 1).tolist()
        listed = [0] * len(grid.values)
        others: dict[str, int] = {}
        for key, count in zip(keys, found[1:], strict=True):
            if count and key in grid.position:
                listed[grid.position[key]] += count
            elif count:
                others[key] = others.get(key, 0) + count
        return cls._bounded(
            dtype=dtype,
            rows=len(codes),
            missing=found[0],
            grid=grid,
            listed=tuple(listed),
            others=others,
            threshold=_ALL,
        )

    @classmethod
    def _bounded(cls, *, others: dict[str, int], threshold: int, **rest: Any) -> CategoryProfile:
        if threshold < _ALL:
            others = {key: count for key, count in others.items() if category_hash(key) < threshold}
        if len(others) > OTHERS:
            threshold = sorted(map(category_hash, others))[OTHERS]
            others = {key: count for key, count in others.items() if category_hash(key) < threshold}
        return cls(kind=ColumnType.CATEGORY, others=dict(sorted(others.items())), threshold=threshold, **rest)

    @property
    def n(self) -> int:
        """Rows with a value."""
        return self.rows - self.missing

    @property
    def infinite(self) -> int:
        """None: categories are finite."""
        return 0

    @property
    def overflow(self) -> int:
        """Rows whose category is not counted by name."""
        return self.n - sum(self.listed) - sum(self.others.values())

    @property
    def complete(self) -> bool:
        """Whether every category is counted by name."""
        return self.threshold == _ALL

    @property
    def counts(self) -> dict[str, int]:
        """Rows of each category that occurred and is counted by name."""
        listed = {value: count for value, count in zip(self.grid.values, self.listed, strict=True) if count}
        return listed | dict(self.others)

    @property
    def distinct(self) -> float:
        """How many categories occurred; an estimate where not all are counted (relative error about 3 %)."""
        listed = sum(count > 0 for count in self.listed)
        return listed + len(self.others) if self.complete else listed + OTHERS * _ALL / self.threshold

    def merge(self, other: CategoryProfile) -> CategoryProfile:
        """The profile of the rows of both."""
        others = dict(self.others)
        for key, count in other.others.items():
            others[key] = others.get(key, 0) + count
        return self._bounded(
            dtype=self.dtype if self.dtype == other.dtype else merged_dtype(self.dtype, other.dtype),
            rows=self.rows + other.rows,
            missing=self.missing + other.missing,
            grid=self.grid,
            listed=tuple(a + b for a, b in zip(self.listed, other.listed, strict=True)),
            others=others,
            threshold=min(self.threshold, other.threshold),
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and text, for a file."""
        return {
            "kind": str(self.kind),
            "dtype": self.dtype,
            "rows": self.rows,
            "missing": self.missing,
            "grid": self.grid.to_dict(),
            "listed": list(self.listed),
            "others": dict(self.others),
            "threshold": self.threshold,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> CategoryProfile:
        """Read what `to_dict` wrote."""
        return cls(
            kind=ColumnType.CATEGORY,
            dtype=str(data["dtype"]),
            rows=int(data["rows"]),
            missing=int(data["missing"]),
            grid=CategoryGrid.from_dict(data["grid"]),
            listed=tuple(int(count) for count in data["listed"]),
            others={str(key): int(count) for key, count in data["others"].items()},
            threshold=int(data["threshold"]),
        )


def category_hash(key: str) -> int:
    """Sixty-four bits that depend on the text alone."""
    return int.from_bytes(hashlib.blake2b(key.encode(errors="surrogatepass"), digest_size=8).digest(), "big")
