"""The profile of a table: what a monitor needs to know of data it will never read again."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from nbprod.datasets import Dataset, open_dataset
from nbprod.domain.numbers import number
from nbprod.errors import DataError
from nbprod.statistics.blockcounts import BlockCounts
from nbprod.statistics.blocks import block_numbers
from nbprod.statistics.category import CategoryProfile
from nbprod.statistics.columns import ColumnType, codes_and_keys, kind_of, numbers, text_lengths, type_name
from nbprod.statistics.grid import COARSE, CategoryGrid, NumericGrid
from nbprod.statistics.numeric import NumericProfile
from nbprod.statistics.roworder import RowOrder, look_at_order
from nbprod.visible import escape

__all__ = ["ColumnProfile", "Profile"]

ColumnProfile = NumericProfile | CategoryProfile
SAMPLE_ROWS = 65_536  #: rows the grids are made from
TEXT_VALUES = 200  #: with more distinct values than this, and than half the rows, a column is free text
_FORMAT = "nbprod-profile-1"
_LARGEST_BYTES = 256 << 20


@dataclass(frozen=True, kw_only=True, eq=False)
class Profile:
    """Counts and sums of every column of a table on fixed grids; profiles on the same grids merge exactly.

    Attributes
    ----------
    order
        What the order of the rows says of their dependence, if they came from one frame without a time. It is no part
        of what is stored or merged.
    """

    rows: int
    columns: Mapping[str, ColumnProfile]
    blocks: BlockCounts | None = None
    order: RowOrder | None = None

    @classmethod
    def of(
        cls,
        source: Any,
        *,
        grid: Profile | None = None,
        columns: Sequence[str] | None = None,
        time: str | None = None,
        block: str = "1d",
    ) -> Profile:
        """Profile a table in one streaming pass.

        Parameters
        ----------
        source
            A path or URL of Parquet, CSV or Delta, or a pandas, polars or Arrow frame; rows may be none.
        grid
            A profile whose grids, columns' kinds and blocks are used, so that both compare and merge. Left out, grids
            come from a sample spread over the source.
        columns
            Only these.
        time
            A column of moments; rows are also counted by block of time, so that verdicts allow for rows that depend
            on each other. By default the one of ``grid``, if the source has it.
        block
            The length of a block: ``1d``, ``6h``, ``1w``.

        Raises
        ------
        DataError
            The source cannot be read, or a column has a type without a profile or a time is missing.
        """
        dataset = open_dataset(source, allow_empty=True)
        names = list(dataset.schema.names if columns is None else columns)
        if time is None and grid is not None and grid.blocks is not None and grid.blocks.time in dataset.schema.names:
            time, block = grid.blocks.time, grid.blocks.block
        read = names if time is None or time in names else [*names, time]
        for name in read:
            if name in dataset.schema.names:
                kind_of(name, dataset.schema.field(name).type)
        start = cls._without_rows(dataset, names, grid)
        profile = start
        for batch in dataset.batches(read):
            profile = profile.merge(_of_batch(start, batch, time=time, block=block))
        if time is not None and profile.blocks is None:  # there was no row
            nothing = pa.RecordBatch.from_pylist([], schema=dataset.table(read).schema)
            profile = profile.merge(_of_batch(start, nothing, time=time, block=block))
        if time is None and dataset.kind == "frame" and profile.rows:
            profile = replace(profile, order=_order(dataset, profile))
        return profile

    @classmethod
    def _without_rows(cls, dataset: Dataset, names: list[str], grid: Profile | None) -> Profile:
        """A profile of no rows, which holds the grids."""
        known = {name: grid.columns[name] for name in names if grid is not None and name in grid.columns}
        fits = {
            name: column
            for name, column in known.items()
            if _fits(column.kind, kind_of(name, dataset.schema.field(name).type))
        }
        fresh = [name for name in names if name not in fits]
        sample = dataset.sample(SAMPLE_ROWS, fresh) if fresh else None
        columns: dict[str, ColumnProfile] = {}
        for name in names:
            if name in fits:
                columns[name] = _emptied(fits[name])
            elif sample is not None:
                columns[name] = _new_column(name, sample[name].combine_chunks())
        return cls(rows=0, columns=columns)

    def merge(self, other: Profile) -> Profile:
        """The profile of the rows of both, equal to the bit in any order.

        Raises
        ------
        DataError
            The profiles do not have the same columns on the same grids.
        """
        if self.columns.keys() != other.columns.keys():
            odd = sorted(self.columns.keys() ^ other.columns.keys())
            raise DataError(f"profiles of different columns do not merge: {', '.join(odd)}")
        for name, column in self.columns.items():
            theirs = other.columns[name]
            if column.kind != theirs.kind or (column.grid is not theirs.grid and column.grid != theirs.grid):
                raise DataError(
                    f"column {name!r} was profiled on two grids, which do not merge",
                    hint="Make the second with Profile.of(data, grid=first).",
                )
        merged: dict[str, ColumnProfile] = {
            name: column.merge(other.columns[name])  # type: ignore[arg-type] # the kinds are equal
            for name, column in self.columns.items()
        }
        blocks = self.blocks if other.blocks is None else other.blocks
        if self.blocks is not None and other.blocks is not None:
            blocks = self.blocks.merge(other.blocks)
        elif blocks is not None and self.rows and other.rows:
            raise DataError("a profile by blocks of time does not merge with one without")
        return Profile(rows=self.rows + other.rows, columns=merged, blocks=blocks)

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and text."""
        return {
            "format": _FORMAT,
            "rows": self.rows,
            "columns": [[name, column.to_dict()] for name, column in self.columns.items()],
            "blocks": None if self.blocks is None else self.blocks.to_dict(),
        }

    def to_json(self) -> str:
        """Text that is the same for the same rows, in whatever order and pieces they were read."""
        return json.dumps(self.to_dict(), separators=(",", ":"), sort_keys=True, ensure_ascii=True, allow_nan=False)

    def to_bytes(self) -> bytes:
        """The JSON, compressed with zlib."""
        return zlib.compress(self.to_json().encode(), 9)

    @classmethod
    def from_bytes(cls, data: bytes) -> Profile:
        """Read what `to_bytes` wrote.

        Raises
        ------
        DataError
            The bytes are no profile, or one of another version.
        """
        try:
            inflater = zlib.decompressobj()
            text = inflater.decompress(data, _LARGEST_BYTES)
            content = json.loads(text) if inflater.eof else None
            if not isinstance(content, dict) or content.get("format") != _FORMAT:
                raise DataError("these bytes are no profile of this version", hint="Make the profile again.")
            blocks = content["blocks"]
            return cls(
                rows=int(content["rows"]),
                columns={str(name): _column_from(column) for name, column in content["columns"]},
                blocks=None if blocks is None else BlockCounts.from_dict(blocks),
            )
        except (zlib.error, ValueError, KeyError, TypeError, IndexError) as error:
            raise DataError("these bytes are no profile", hint="Make the profile again.") from error

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Profile) and self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment] # equal by content, which is large

    def __repr__(self) -> str:
        by = f", {len(self.blocks)} blocks of {self.blocks.block}" if self.blocks is not None else ""
        return f"<Profile {self.rows:,} rows x {len(self.columns)} columns{by}>"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{escape(name)}</td><td>{escape(str(column.kind))}</td>"
            f"<td>{column.missing / max(column.rows, 1):.1%}</td><td>{escape(_summary(column))}</td></tr>"
            for name, column in self.columns.items()
        )
        head = "<tr><th>column</th><th>kind</th><th>missing</th><th>values</th></tr>"
        return f"<p><strong>{escape(repr(self)[1:-1])}</strong></p><table>{head}{rows}</table>"


def _of_batch(grid: Profile, batch: pa.RecordBatch, *, time: str | None, block: str) -> Profile:
    columns: dict[str, ColumnProfile] = {}
    placed: dict[str, Any] = {}
    for name, start in grid.columns.items():
        array = batch.column(name)
        if isinstance(start, NumericProfile):
            values = text_lengths(array) if start.kind is ColumnType.TEXT else _numbers(name, array)
            columns[name], cells = NumericProfile.of(
                values, grid=start.grid, kind=start.kind, dtype=type_name(array.type)
            )
            if time is not None:
                placed[name] = np.where(cells < 0, -1, start.grid.coarse[cells])
        else:
            codes, keys = codes_and_keys(array)
            columns[name] = CategoryProfile.of(codes, keys, grid=start.grid, dtype=type_name(array.type))
            if time is not None:
                groups = [min(start.grid.position.get(key, COARSE), COARSE - 1) for key in keys]
                placed[name] = np.asarray([*groups, -1], dtype=np.int64)[codes]
    blocks = None
    if time is not None:
        sizes = {name: _groups(column) for name, column in grid.columns.items()}
        numbers_ = block_numbers(numbers(batch.column(time)), block, time)
        blocks = BlockCounts.of(numbers_, placed, sizes, time=time, block=block)
    return Profile(rows=batch.num_rows, columns=columns, blocks=blocks)


def _order(dataset: Dataset, profile: Profile) -> RowOrder:
    names = [name for name, column in profile.columns.items() if column.kind is ColumnType.NUMBER]
    table = dataset.table(names)
    return look_at_order({name: _numbers(name, table.column(name)) for name in names})


def _summary(column: ColumnProfile) -> str:
    if isinstance(column, NumericProfile):
        if column.minimum is None:
            return "none"
        low, high, mean, std = map(number, (column.minimum, column.maximum, column.mean, column.std))
        return f"{low} to {high}, mean {mean}, std {std}"
    top = sorted(column.counts.items(), key=lambda item: (-item[1], item[0]))[:3]
    return f"{column.distinct:.0f} categories: " + ", ".join(f"{key} {count / column.n:.1%}" for key, count in top)


def _numbers(name: str, array: pa.Array) -> Any:
    try:
        return np.full(len(array), np.nan) if pa.types.is_null(array.type) else numbers(array)
    except pa.ArrowException as error:
        raise DataError(f"column {name!r} ({array.type}) cannot be read as numbers: {error}") from error


def _fits(known: ColumnType, found: ColumnType) -> bool:
    """Whether a column of a kind can be counted on a grid of another."""
    return found in {known, ColumnType.EMPTY} or (known is ColumnType.TEXT and found is ColumnType.CATEGORY)


def _new_column(name: str, sample: pa.Array) -> ColumnProfile:
    kind, dtype = kind_of(name, sample.type), type_name(sample.type)
    if kind is ColumnType.CATEGORY:
        codes, keys = codes_and_keys(sample)
        found = np.bincount(codes + 1, minlength=len(keys) + 1)[1:]
        counts: dict[str, int] = {}
        for key, count in zip(keys, found.tolist(), strict=True):
            if count:
                counts[key] = counts.get(key, 0) + count
        text = not pa.types.is_dictionary(sample.type) and not pa.types.is_struct(sample.type)
        if not (text and len(counts) > max(TEXT_VALUES, sum(counts.values()) / 2)):
            return CategoryProfile.of(codes[:0], keys, grid=CategoryGrid.of(counts), dtype=dtype)
        kind = ColumnType.TEXT
    values = text_lengths(sample) if kind is ColumnType.TEXT else _numbers(name, sample)
    grid = NumericGrid.of(values[np.isfinite(values)])
    return NumericProfile.of(values[:0], grid=grid, kind=kind, dtype=dtype)[0]


def _emptied(column: ColumnProfile) -> ColumnProfile:
    nothing = np.empty(0)
    if isinstance(column, NumericProfile):
        return NumericProfile.of(nothing, grid=column.grid, kind=column.kind, dtype="null")[0]
    return CategoryProfile.of(nothing.astype(np.int64), [], grid=column.grid, dtype="null")


def _column_from(data: Mapping[str, Any]) -> ColumnProfile:
    return CategoryProfile.from_dict(data) if data["kind"] == ColumnType.CATEGORY else NumericProfile.from_dict(data)


def _groups(column: ColumnProfile) -> int:
    return int(column.grid.coarse.max()) + 1 if isinstance(column, NumericProfile) else COARSE
