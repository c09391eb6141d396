"""Counts by block of time: enough of a profile of each day to know how much days differ by themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbprod.errors import DataError

__all__ = ["BlockCounts"]

Counts = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class BlockCounts:
    """For each block and column, the rows in each coarse group of cells; the last group are rows without a value."""

    time: str  #: the column of moments
    block: str  #: ``1d``, ``1w``
    ids: Counts  #: ascending, as `time_blocks` numbers them
    counts: Mapping[str, Counts]  #: column -> blocks x groups

    @classmethod
    def of(
        cls, blocks: Counts, placed: Mapping[str, Counts], sizes: Mapping[str, int], *, time: str, block: str
    ) -> BlockCounts:
        """Count rows by block and group.

        Parameters
        ----------
        blocks
            The block of each row.
        placed
            The group of each row by column, -1 where there is no value.
        sizes
            The number of groups of each column.
        """
        ids, row = np.unique(blocks, return_inverse=True)
        counts = {}
        for name, groups in placed.items():
            width = sizes[name] + 1
            shifted = np.where(groups < 0, width - 1, groups)
            counts[name] = np.bincount(row * width + shifted, minlength=len(ids) * width).reshape(len(ids), width)
        return cls(time=time, block=block, ids=ids, counts=counts)

    def merge(self, other: BlockCounts) -> BlockCounts:
        """The counts of the rows of both; a block in both is added up.

        Raises
        ------
        DataError
            The blocks are not of the same column and length.
        """
        if (self.time, self.block) != (other.time, other.block):
            raise DataError(
                f"blocks of {self.block} by {self.time!r} do not merge with {other.block} by {other.time!r}",
                hint="Profile both with the same time= and block=.",
            )
        ids = np.union1d(self.ids, other.ids)
        counts = {}
        for name in self.counts:
            total = np.zeros((len(ids), self.counts[name].shape[1]), dtype=np.int64)
            for part in (self, other):
                total[np.searchsorted(ids, part.ids)] += part.counts[name]
            counts[name] = total
        return BlockCounts(time=self.time, block=self.block, ids=ids, counts=counts)

    def __len__(self) -> int:
        return len(self.ids)

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, for a file."""
        return {
            "time": self.time,
            "block": self.block,
            "ids": np.diff(self.ids, prepend=0).tolist(),
            "counts": {name: [counts.shape[1], counts.ravel().tolist()] for name, counts in self.counts.items()},
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> BlockCounts:
        """Read what `to_dict` wrote."""
        return cls(
            time=str(data["time"]),
            block=str(data["block"]),
            ids=np.cumsum(np.asarray(data["ids"], dtype=np.int64)),
            counts={
                str(name): np.asarray(counts, dtype=np.int64).reshape(len(data["ids"]), int(width))
                for name, (width, counts) in data["counts"].items()
            },
        )
