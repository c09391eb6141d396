"""CSV as record batches: one pass finds types that hold for every row, so that no later row can break a reader."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import IO

import pyarrow as pa
import pyarrow.csv as pacsv

from nbprod.errors import DataError

__all__ = ["CsvFile", "open_csv"]

#: What a column becomes when a value does not fit; text holds everything.
_WIDER = {"null": pa.int64(), "int64": pa.float64()}
_BLOCK_BYTES = 1 << 20
_PIECE_ROWS = 256  # kept of each block for a sample
_MISFIT = re.compile(r"In CSV column #(\d+): (.*)", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class CsvFile:
    """A CSV file whose column types are known."""

    name: str
    schema: pa.Schema
    rows: int
    delimiter: str
    _open: Callable[[], IO[bytes]] = field(repr=False)
    _kept: list[pa.RecordBatch] = field(repr=False)

    def batches(self, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Stream the rows."""
        types = dict(zip(self.schema.names, self.schema.types, strict=True))
        with self._open() as file:
            yield from _reader(file, self.delimiter, types, columns)

    def sample(self, rows: int, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
        """About so many rows from all over the file."""
        chosen = self._kept[:: max(1, len(self._kept) * _PIECE_ROWS // rows)]
        for batch in chosen:
            yield batch if columns is None else batch.select(columns)


def open_csv(name: str, opener: Callable[[], IO[bytes]], *, tabs: bool = False) -> CsvFile:
    """Find delimiter and column types; every row is read once.

    Numbers stay numbers only if every value is one; ``true``/``false`` are booleans; ISO 8601 dates and moments are
    dates and moments; everything else is text. Empty cells and the usual spellings of "not available" are missing.

    Raises
    ------
    DataError
        The text is not UTF-8, the header is missing or names a column twice, or a row has too many or too few cells.
    """
    with opener() as file:
        first = file.readline()
    try:
        header = first.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{name} is not UTF-8 text", hint="Save it as UTF-8; Excel calls it “CSV UTF-8”.") from error
    if "\0" in header:
        raise DataError(f"{name} is no CSV text", hint="Its ending says CSV; it holds binary data.")
    if not header.strip():
        raise DataError(f"{name} starts with an empty line", hint="The first line must name the columns.")
    delimiter = "\t" if tabs else max(",;\t|", key=header.count)
    types: dict[str, pa.DataType] = {}
    while True:
        rows = 0
        kept: list[pa.RecordBatch] = []
        try:
            with opener() as file:
                reader = _reader(file, delimiter, types, None)
                names = reader.schema.names
                _refuse_double(name, names)
                types = dict(zip(names, reader.schema.types, strict=True)) | types
                for batch in reader:
                    rows += batch.num_rows
                    kept.append(batch.slice(0, _PIECE_ROWS))
        except pa.ArrowInvalid as error:
            misfit = _MISFIT.search(str(error))
            if misfit is None:
                raise DataError(f"{name} is no readable CSV: {error}", hint="Check the row that is named.") from error
            column = names[int(misfit[1])]
            _refuse_bytes(name, column, bad=pa.types.is_string(types[column]))
            types[column] = _wider(types[column], misfit[2])
            continue
        for column in names:
            _refuse_bytes(name, column, bad=pa.types.is_binary(types[column]))
        schema = pa.schema([(column, types[column]) for column in names])
        return CsvFile(name=name, schema=schema, rows=rows, delimiter=delimiter, _open=opener, _kept=kept)


def _wider(type_: pa.DataType, complaint: str) -> pa.DataType:
    if pa.types.is_date32(type_) and re.search(r"'\d{4}-\d\d-\d\d[T ]", complaint):
        return pa.timestamp("us")
    if pa.types.is_timestamp(type_) and type_.tz is None and type_.unit == "s":
        return pa.timestamp("us")  # a later row has fractions of a second
    return _WIDER.get(str(type_), pa.string())


def _reader(
    file: IO[bytes],
    delimiter: str,
    types: dict[str, pa.DataType],
    columns: list[str] | None,
) -> pacsv.CSVStreamingReader:
    return pacsv.open_csv(
        file,
        read_options=pacsv.ReadOptions(block_size=_BLOCK_BYTES),
        parse_options=pacsv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
        convert_options=pacsv.ConvertOptions(
            column_types=types,
            include_columns=columns or [],
            strings_can_be_null=True,
        ),
    )


def _refuse_bytes(name: str, column: str, *, bad: bool) -> None:
    if bad:
        raise DataError(f"column {column!r} of {name} is not UTF-8 text", hint="Save the file as UTF-8.")


def _refuse_double(name: str, names: list[str]) -> None:
    if len(set(names)) < len(names):
        double = sorted({column for column in names if names.count(column) > 1})
        raise DataError(f"{name} has two columns named {double[0]!r}", hint="Rename one of them.")
