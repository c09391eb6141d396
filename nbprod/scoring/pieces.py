"""What is to be scored, cut into pieces of a bounded size: row groups of files by name, or rows of a stream."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from os import PathLike, fspath
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq

from nbprod.datasets import Dataset, open_dataset
from nbprod.datasets.examples import shipped
from nbprod.datasets.many import tables_at
from nbprod.domain.csv_format import CSV_ENDINGS, split_format
from nbprod.domain.schema import Schema
from nbprod.errors import DataError
from nbprod.scoring.checking import is_text

__all__ = ["InputFile", "Piece", "open_inputs"]

PARQUET = (".parquet", ".pq", ".parq")
MARKS = ("size", "mtime", "LastModified", "ETag", "etag", "md5Hash", "crc32c")


@dataclass(frozen=True, kw_only=True)
class Piece:
    """Consecutive rows of one file."""

    number: int  #: among all pieces, from 0
    file: str  #: as it was given
    first: int  #: number of its first row in the file, from 0
    rows: int
    start: int  #: number of its first row in the whole job, from 0
    from_text: bool = False
    groups: tuple[int, ...] = ()  #: the row groups it lies in
    skip: int = 0  #: rows of the first group that are before it
    content: bytes | None = field(default=None, repr=False)  #: the rows themselves, as an Arrow stream

    @property
    def where(self) -> str:
        """In words: ``rows 65,536 to 131,071 of sales.parquet``."""
        return f"rows {self.first:,} to {self.first + self.rows - 1:,} of {self.file}"


@dataclass(frozen=True, kw_only=True)
class InputFile:
    """One file, table or frame of the input."""

    name: str
    schema: pa.Schema
    rows: int
    mark: str  #: another one when the content is another
    from_text: bool = False
    _groups: Sequence[int] = ()  #: rows of each row group
    _dataset: Dataset | None = field(default=None, repr=False)

    @property
    def is_by_name(self) -> bool:
        """Whether workers read it themselves."""
        return self._dataset is None

    def pieces(
        self, rows: int, columns: list[str], *, number: int, start: int, skip: frozenset[int]
    ) -> Iterator[Piece]:
        """Cut it into pieces.

        Parameters
        ----------
        rows
            Most rows of a piece.
        columns
            What is needed of each row.
        number, start
            Of the first piece: its number, and how many rows of the job are before it.
        skip
            Numbers of pieces that are done.
        """
        if self._dataset is None:
            yield from self._by_name(rows, number=number, start=start, skip=skip)
            return
        first = 0
        for table in _rebatched(self._dataset.batches(columns), rows):
            if number not in skip:
                yield Piece(
                    number=number, file=self.name, first=first, rows=table.num_rows, start=start + first,
                    from_text=self.from_text, content=_stream(table),
                )  # fmt: skip
            number += 1
            first += table.num_rows

    def count(self, rows: int) -> int:
        """How many pieces it has."""
        return -(-self.rows // rows)

    def _by_name(self, rows: int, *, number: int, start: int, skip: frozenset[int]) -> Iterator[Piece]:
        ends = self._ends
        group = 0
        for first in range(0, self.rows, rows):
            size = min(rows, self.rows - first)
            while ends[group] <= first:
                group += 1
            last = group
            while ends[last] < first + size:
                last += 1
            if number not in skip:
                yield Piece(
                    number=number, file=self.name, first=first, rows=size, start=start + first,
                    groups=tuple(range(group, last + 1)), skip=first - (ends[group - 1] if group else 0),
                )  # fmt: skip
            number += 1

    @cached_property
    def _ends(self) -> list[int]:
        ends, total = [], 0
        for count in self._groups:
            total += count
            ends.append(total)
        return ends


def open_inputs(source: Any, schema: Schema) -> list[InputFile]:
    """Look at everything that is to be scored.

    Parameters
    ----------
    source
        What :func:`nbprod.datasets.open_dataset` opens, or a folder or pattern (``s3://bucket/2026-*.csv``) of many
        files, in the order of their names.
    schema
        What the model takes: of CSV files, columns of text are read as the text they are.

    Raises
    ------
    DataError
        Nothing is there, or something cannot be read.
    """
    if not isinstance(source, str | PathLike):
        return [_of_dataset(open_dataset(source), schema, mark=None)]
    location, _ = split_format(fspath(source))
    said = fspath(source).removeprefix(location)  # how CSV is to be read
    location = shipped(location) or location
    return [_of_location(name, said, schema) for name in tables_at(location) or [location]]


def _of_location(location: str, said: str, schema: Schema) -> InputFile:
    system, path = fsspec.core.url_to_fs(location)
    if not path.lower().endswith(PARQUET) or system.isdir(path):
        dataset = open_dataset(location + (said if path.lower().endswith(CSV_ENDINGS) else ""), allow_empty=True)
        return _of_dataset(dataset, schema, mark=_mark(system, path))
    try:
        if not system.exists(path):
            raise DataError(f"{location} does not exist", hint="Check the path; it is relative to where you work.")
        with system.open(path, "rb") as file:
            footer = pq.ParquetFile(file).metadata
            arrow = footer.schema.to_arrow_schema()
    except (pa.ArrowException, OSError) as error:
        raise DataError(
            f"{location} is no readable Parquet file: {str(error).splitlines()[0]}",
            hint="Its ending says Parquet; write it again, or rename it if it is something else.",
        ) from error
    groups = [footer.row_group(number).num_rows for number in range(footer.num_row_groups)]
    return InputFile(name=location, schema=arrow, rows=footer.num_rows, mark=_mark(system, path), _groups=groups)


def _of_dataset(dataset: Dataset, schema: Schema, *, mark: str | None) -> InputFile:
    from_text = dataset.kind == "csv"
    if from_text:
        wanted = {column.name for column in schema.columns if is_text(column)}
        dataset = dataset.as_text([name for name in dataset.schema.names if name in wanted])
    return InputFile(
        name=dataset.name, schema=dataset.schema, rows=dataset.rows, mark=mark or dataset.fingerprint,
        from_text=from_text, _dataset=dataset,
    )  # fmt: skip


def _mark(system: Any, path: str) -> str:
    """What the file system says about the state of a file, or of every file in a folder."""
    names = sorted(system.find(path)) if system.isdir(path) else [path]
    said = sha256()
    for name in names:
        info = system.info(name)
        facts = [str(info[mark]) for mark in MARKS if info.get(mark) is not None]
        said.update(
            "\0".join(
                [name.removeprefix(path), *facts, str(info.get("created", "")) if len(facts) < 2 else ""]
            ).encode()
            + b"\n"
        )
    return said.hexdigest()


def _rebatched(batches: Iterator[pa.RecordBatch], rows: int) -> Iterator[pa.Table]:
    """The same rows in tables of a size."""
    waiting: list[pa.RecordBatch] = []
    count = 0
    for batch in batches:
        waiting.append(batch)
        count += batch.num_rows
        while count >= rows:
            table = pa.Table.from_batches(waiting)
            yield table.slice(0, rows)
            waiting, count = table.slice(rows).to_batches(), count - rows
    if count:
        yield pa.Table.from_batches(waiting)


def _stream(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())
