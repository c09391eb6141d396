"""CSV as record batches: what its columns hold is found from every row, so that no later row can break a reader."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import IO

import pyarrow as pa
import pyarrow.csv as pacsv

from nbprod.datasets.cells import DATES, NUMBERS, Column, Convert, readings
from nbprod.datasets.dialect import Dialect, find_dialect
from nbprod.domain.csv_format import CsvFormat
from nbprod.errors import DataError

__all__ = ["CsvFile", "open_csv"]

#: What a column becomes when a value does not fit; text holds everything.
_WIDER = {"null": pa.int64(), "int64": pa.float64()}
_BLOCK_BYTES = 1 << 20
_PIECE_ROWS = 256  # kept of each block for a sample
_MISFIT = re.compile(r"In CSV column #(\d+): (.*)", re.DOTALL)
_SIGNS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar", ".": "point"}


@dataclass(frozen=True)
class Reading:
    """How a text column becomes numbers or moments."""

    name: str  #: ``.`` or ``,``, or one of the orders of a date
    type: pa.DataType
    convert: Convert = field(repr=False)

    def __call__(self, cells: pa.Array) -> pa.Array:
        """The values of text cells.

        Raises
        ------
        pyarrow.ArrowInvalid
            A cell is not what all were when the file was opened.
        """
        values = self.convert(cells)
        if values is None:
            raise pa.ArrowInvalid("a cell is no longer what it was when the file was opened")
        return values.cast(self.type)


@dataclass(frozen=True, kw_only=True)
class CsvFile:
    """A CSV file of which is known what its columns hold."""

    name: str
    schema: pa.Schema
    rows: int
    dialect: Dialect
    read_as: str  #: in words: ``cp1252, semicolon between cells, decimal comma, dates day-first``
    _readings: Mapping[str, Reading] = field(repr=False)
    _open: Callable[[], IO[bytes]] = field(repr=False)
    _kept: list[pa.RecordBatch] = field(repr=False)

    def batches(self, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Stream the rows.

        Raises
        ------
        pyarrow.ArrowInvalid
            The file changed after it was opened.
        """
        types = {one.name: pa.string() if one.name in self._readings else one.type for one in self.schema}
        with self._open() as file:
            for batch in _reader(file, self.dialect, types, columns):
                yield self._converted(batch)

    def as_text(self, columns: Collection[str]) -> CsvFile:
        """The same file with the cells of some columns as they are written, ``007`` among them."""
        fields = [one.with_type(pa.string()) if one.name in columns else one for one in self.schema]
        kept = {name: reading for name, reading in self._readings.items() if name not in columns}
        return replace(self, schema=pa.schema(fields), _readings=kept)

    def sample(self, rows: int, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
        """About so many rows from all over the file."""
        chosen = self._kept[:: max(1, len(self._kept) * _PIECE_ROWS // rows)]
        for batch in chosen:
            yield self._converted(batch if columns is None else batch.select(columns))

    def _converted(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        if not self._readings:
            return batch
        arrays = [
            self._readings[name](column) if name in self._readings else column
            for name, column in zip(batch.schema.names, batch.columns, strict=True)
        ]
        return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(map(self.schema.field, batch.schema.names)))


def open_csv(
    name: str, opener: Callable[[], IO[bytes]], said: CsvFormat | None = None, *, tabs: bool = False
) -> CsvFile:
    """Find encoding, delimiter and what each column holds; every row is read at least once.

    Numbers stay numbers only if every value is one; ``true``/``false`` are booleans; ISO 8601 dates and moments are
    dates and moments. What is left is text, and text of which every cell is a number or moment as other countries
    write them (``1.234,5``, ``31.12.2024 13:00``) is read so. Empty cells and the usual spellings of "not available"
    are missing.

    Parameters
    ----------
    name
        How errors call the file.
    opener
        Opens it for reading bytes.
    said
        What was said about it; the rest is found.
    tabs
        Its ending says that tabs stand between cells.

    Raises
    ------
    DataError
        It is no text, the header is missing or names a column twice, a row has too many or too few cells, or a column
        can be read in two ways and nothing in the file tells which.
    """
    said = said or CsvFormat()
    dialect = find_dialect(name, opener, said, tabs=tabs)
    types, rows, kept = _typed(name, opener, dialect, {})
    found = _found(name, opener, dialect, said, types, kept)
    if any(not pa.types.is_string(types[column]) for column in found):
        types, rows, kept = _typed(name, opener, dialect, types | dict.fromkeys(found, pa.string()))
    types |= {column: reading.type for column, reading in found.items()}
    return CsvFile(
        name=name,
        schema=pa.schema(list(types.items())),
        rows=rows,
        dialect=dialect,
        read_as=_in_words(dialect, found),
        _readings=found,
        _open=opener,
        _kept=kept,
    )


def _typed(
    name: str, opener: Callable[[], IO[bytes]], dialect: Dialect, types: dict[str, pa.DataType]
) -> tuple[dict[str, pa.DataType], int, list[pa.RecordBatch]]:
    """The narrowest type of each column that Arrow itself reads, how many rows there are, and pieces of them."""
    while True:
        rows = 0
        kept: list[pa.RecordBatch] = []
        names: list[str] = []
        try:
            with opener() as file:
                reader = _reader(file, dialect, types, None)
                names = reader.schema.names
                _refuse_double(name, names)
                types = dict(zip(names, reader.schema.types, strict=True)) | types
                for batch in reader:
                    rows += batch.num_rows
                    kept.append(batch.slice(0, _PIECE_ROWS))
        except pa.ArrowInvalid as error:
            misfit = _MISFIT.search(str(error))
            if misfit is None or not names:
                raise DataError(f"{name} is no readable CSV: {error}", hint="Check the row that is named.") from error
            column = names[int(misfit[1])]
            types[column] = _wider(types[column], misfit[2])
            continue
        return {column: types[column] for column in names}, rows, kept


def _found(
    name: str,
    opener: Callable[[], IO[bytes]],
    dialect: Dialect,
    said: CsvFormat,
    types: Mapping[str, pa.DataType],
    kept: list[pa.RecordBatch],
) -> dict[str, Reading]:
    """The columns that are not what Arrow takes them for, each with how it is to be read."""
    converters = readings(thousands=said.thousands)
    columns = {column: Column(dict(converters)) for column, type_ in types.items() if pa.types.is_string(type_)}
    for batch in kept:  # most text is no number and no moment, and a few rows show it
        _look(columns, batch)
    has_comma = any("," in column.converters for column in columns.values())
    if dialect.delimiter != "," or has_comma or said.decimal == ",":
        # 1.234 is 1234 where the comma stands before the fraction
        fractions = [column for column, type_ in types.items() if pa.types.is_floating(type_)]
        columns |= {column: Column({sign: converters[sign] for sign in NUMBERS}) for column in fractions}
    if not columns:
        return {}
    with opener() as file:
        for batch in _reader(file, dialect, dict(types) | dict.fromkeys(columns, pa.string()), list(columns)):
            _look(columns, batch)
    proven = {next(iter(column.converters)) for column in columns.values() if len(column.converters) == 1}
    chosen: dict[str, Reading] = {}
    for label, column in ((label, columns[label]) for label in types if label in columns):
        is_text = pa.types.is_string(types[label])
        usual = "." if dialect.delimiter == "," and not is_text else ""
        reading = _choice(name, label, column, proven, said, usual=usual)
        if reading and (is_text or reading == ",") and column.type_of(reading) != pa.null():
            chosen[label] = Reading(reading, column.type_of(reading), column.converters[reading])
    return chosen


def _look(columns: dict[str, Column], batch: pa.RecordBatch) -> None:
    for label in [label for label, column in columns.items() if not column.converters]:
        del columns[label]
    for label, column in columns.items():
        column.look(batch.column(label))


def _choice(name: str, label: str, column: Column, proven: set[str], said: CsvFormat, *, usual: str) -> str:
    """The reading of a column; empty when it is text.

    Raises
    ------
    DataError
        There are two, and nothing tells which.
    """
    holding = list(column.converters)
    if len(holding) < 2:
        return holding[0] if holding else ""
    kind, setting = (NUMBERS, "decimal") if holding[0] in NUMBERS else (DATES, "dates")
    wanted = getattr(said, setting)
    others = proven & set(kind) - {"year-first"}
    if wanted in holding:
        return str(wanted)
    if not column.differ:
        return holding[0]
    if len(others) == 1:
        return others.pop()
    if usual:
        return usual
    cell, first, second = column.example
    raise DataError(
        f"the column {label!r} of {name} can be read in two ways: {cell} is {first} or {second}",
        hint=f'Say which: {setting} = "{holding[0]}" or {setting} = "{holding[1]}" in its table [data.NAME] of '
        f"nbprod.toml, or behind its path: {name}#{setting}={holding[0]}.",
    )


def _in_words(dialect: Dialect, found: Mapping[str, Reading]) -> str:
    parts = [dialect.encoding, f"{_SIGNS.get(dialect.delimiter, repr(dialect.delimiter))} between cells"]
    for reading in (*NUMBERS, *DATES):
        named = [label for label, one in found.items() if one.name == reading]
        if named:
            listed = ", ".join(named[:3]) + (f" and {len(named) - 3} more" if len(named) > 3 else "")
            what = f"decimal {_SIGNS[reading]}" if reading in NUMBERS else f"dates {reading}"
            parts.append(f"{what} ({listed})")
    return ", ".join(parts)


def _wider(type_: pa.DataType, complaint: str) -> pa.DataType:
    if pa.types.is_date32(type_) and re.search(r"'\d{4}-\d\d-\d\d[T ]", complaint):
        return pa.timestamp("us")
    if pa.types.is_timestamp(type_) and type_.tz is None and type_.unit == "s":
        return pa.timestamp("us")  # a later row has fractions of a second
    return _WIDER.get(str(type_), pa.string())


def _reader(
    file: IO[bytes], dialect: Dialect, types: Mapping[str, pa.DataType], columns: list[str] | None
) -> pacsv.CSVStreamingReader:
    return pacsv.open_csv(
        file,
        read_options=pacsv.ReadOptions(
            block_size=_BLOCK_BYTES,
            skip_rows=dialect.skip_lines,
            encoding="utf8" if dialect.encoding == "utf-8" else dialect.encoding,  # Arrow's word for: as it is
        ),
        parse_options=pacsv.ParseOptions(delimiter=dialect.delimiter, newlines_in_values=True),
        convert_options=pacsv.ConvertOptions(
            column_types=dict(types),
            include_columns=columns or [],
            strings_can_be_null=True,
        ),
    )


def _refuse_double(name: str, names: list[str]) -> None:
    if len(set(names)) < len(names):
        double = sorted({column for column in names if names.count(column) > 1})
        raise DataError(f"{name} has two columns named {double[0]!r}", hint="Rename one of them.")
