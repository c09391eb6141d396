"""Open a tabular source and read it, streamed as record batches or whole as a frame."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from nbprod.datasets.examples import shipped
from nbprod.datasets.files import BATCH_ROWS, SAMPLE_PIECES, Opened, open_arrow, open_location
from nbprod.datasets.fingerprint import fingerprint_batches
from nbprod.datasets.views import without_views
from nbprod.domain.csv_format import CsvFormat, split_format
from nbprod.domain.names import nearest
from nbprod.errors import DataError
from nbprod.visible import escape

if TYPE_CHECKING:
    import pandas as pd  # only frames need it

    from nbprod.datasets.csv import CsvFile

__all__ = ["Dataset", "Source", "open_dataset", "read_frame"]

#: A path or URL, a pandas or polars frame, an Arrow table or an Arrow dataset.
Source = Any


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """A tabular source that can be read as often as needed; nothing is held but the means to read it."""

    name: str  #: how messages call it: the path, the URL or the kind of frame
    kind: str  #: ``parquet``, ``csv``, ``delta``, ``frame``
    schema: pa.Schema
    rows: int
    read_as: str = ""  #: of CSV: ``cp1252, semicolon between cells, decimal comma (price), dates day-first (day)``
    _scan: Callable[[list[str] | None], Iterator[pa.RecordBatch]] = field(repr=False)
    _sample: Callable[[int, list[str] | None], Iterable[pa.RecordBatch]] | None = field(default=None, repr=False)
    _frame: pd.DataFrame | None = field(default=None, repr=False)
    _as_text: Callable[[Sequence[str]], CsvFile] | None = field(default=None, repr=False)

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Read in record batches of at most 32,768 rows, in order.

        Parameters
        ----------
        columns
            Only these, in this order; all when left out.

        Raises
        ------
        DataError
            A column does not exist, or the file became unreadable on the way.
        """
        wanted = None if columns is None else list(columns)
        self._check(wanted)
        try:
            yield from map(without_views, self._scan(wanted))
        except (pa.ArrowException, OSError) as error:
            raise DataError(
                f"{self.name} cannot be read: {_first_line(error)}",
                hint="The file may have changed or been cut off while it was read; write it again.",
            ) from error

    def sample(self, rows: int, columns: Sequence[str] | None = None) -> pa.Table:
        """About so many rows, in pieces spread over the source; all when there are not more.

        Which rows is the same on every call. A CSV file gives the pieces it kept while it was opened.
        """
        wanted = None if columns is None else list(columns)
        self._check(wanted)
        schema = self.schema if wanted is None else pa.schema([self.schema.field(name) for name in wanted])
        if self.rows <= rows or self._sample is None:
            return self.table(wanted)
        pieces = [without_views(batch) for batch in self._sample(rows, wanted)]
        return pa.Table.from_batches(pieces, schema=schema)

    def table(self, columns: Sequence[str] | None = None) -> pa.Table:
        """The rows in memory, as an Arrow table."""
        wanted = None if columns is None else list(columns)
        self._check(wanted)
        schema = self.schema if wanted is None else pa.schema([self.schema.field(name) for name in wanted])
        return pa.Table.from_batches(list(self.batches(wanted)), schema=schema)

    def frame(self, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """The rows in memory, as a pandas frame.

        Dates become timestamps at midnight, so that they sort and subtract. A pandas frame is given back as it came,
        and shares its memory.
        """
        if self._frame is not None:
            self._check(None if columns is None else list(columns))
            return self._frame if columns is None else self._frame[list(columns)]
        return self.table(columns).to_pandas(date_as_object=False)

    def as_text(self, columns: Sequence[str]) -> Dataset:
        """The same rows with some columns as a CSV file writes them, ``007`` among them; other kinds have no text.

        Raises
        ------
        DataError
            A column does not exist.
        """
        self._check(list(columns))
        if self._as_text is None or not columns:
            return self
        read = self._as_text(columns)
        return replace(self, schema=read.schema, _scan=read.batches, _sample=None)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over names, types and every cell in row order; the same however the rows are chunked or stored."""
        return fingerprint_batches(self.schema, self.batches())

    def _check(self, columns: list[str] | None) -> None:
        for column in columns or ():
            if column not in self.schema.names:
                raise DataError(
                    f"{self.name} has no column {column!r}",
                    hint=nearest(column, self.schema.names),
                )

    def __repr__(self) -> str:
        how = f", read as {self.read_as}" if self.read_as else ""
        return f"<Dataset {self.name} {self.kind}, {self.rows:,} rows x {len(self.schema)} columns{how}>"

    def _repr_html_(self) -> str:
        columns = ", ".join(
            f"{name} ({kind})" for name, kind in zip(self.schema.names, self.schema.types, strict=True)
        )
        how = f", read as {escape(self.read_as)}" if self.read_as else ""
        title = f"<strong>{escape(self.name)}</strong>: {self.rows:,} rows{how}"
        return f"<p>{title}<br><small>{escape(columns)}</small></p>"


def open_dataset(source: Source, *, allow_empty: bool = False, **form: str) -> Dataset:
    """Open a Parquet file or folder, a CSV file, a Delta table, an fsspec URL of those, or a frame.

    Files are recognised by their ending, folders by what is in them. The encoding of a CSV file, what stands between
    its cells, and how its numbers and dates are written are found in it; its columns get the narrowest type that
    holds every row. The bare names of the data sets that come with nbprod, ``electricity`` and ``bike_sharing``, open
    those.

    Parameters
    ----------
    source
        A path or URL, a pandas or polars frame, an Arrow table or an Arrow dataset.
    allow_empty
        Accept a source without rows.
    **form
        How a CSV file is to be read, where it must not be found: ``encoding``, ``delimiter``, ``decimal``,
        ``thousands``, ``dates``, see :class:`~nbprod.domain.csv_format.CsvFormat`; a path may say the same behind a
        ``#``, as in ``sales.csv#decimal=,&dates=day-first``.

    Raises
    ------
    DataError
        The source does not exist, is empty, is not what its ending says, has no rows, has two columns of one name,
        a column Arrow cannot hold, or one that can be read in two ways.
    SettingsError
        What is said about how to read it cannot be.
    """
    if isinstance(source, str | PathLike):
        location, said = split_format(fspath(source))
        said = CsvFormat.of(form, where=location) if form else said
        dataset = _of_opened(location, open_location(shipped(location) or location, said))
    elif isinstance(source, Dataset):
        dataset = source
    else:
        dataset = _from_memory(source)
    dataset = replace(dataset, schema=without_views(dataset.schema))
    names = dataset.schema.names
    if len(set(names)) < len(names):
        double = sorted({name for name in names if names.count(name) > 1})
        raise DataError(f"{dataset.name} has two columns named {double[0]!r}", hint="Rename one of them.")
    if not allow_empty and dataset.rows == 0:
        raise DataError(f"{dataset.name} has no rows", hint="Give a source with at least one row.")
    return dataset


def read_frame(source: Source, **form: str) -> pd.DataFrame:
    """The rows of any source as a pandas frame; see `open_dataset`."""
    return open_dataset(source, allow_empty=False, **form).frame()


def _of_opened(name: str, opened: Opened) -> Dataset:
    return Dataset(
        name=name,
        kind=opened.kind,
        schema=opened.schema,
        rows=opened.rows,
        read_as=opened.read_as,
        _scan=opened.scan,
        _sample=opened.sample,
        _as_text=opened.as_text,
    )


def _from_memory(source: Any) -> Dataset:
    from pyarrow.dataset import Dataset as ArrowDataset  # delayed: with it pandas

    if isinstance(source, ArrowDataset):
        return _of_opened("the Arrow dataset", open_arrow("parquet", source))
    frame = source if _is_pandas(source) else None
    if frame is not None:
        table = _table_of(frame)
    elif isinstance(source, pa.Table):
        table = source
    elif isinstance(source, pa.RecordBatch):
        table = pa.Table.from_batches([source])
    elif hasattr(source, "collect_schema") and hasattr(source, "collect"):  # a polars lazy frame
        table = _table_of_stream(source.collect())
    elif hasattr(source, "__arrow_c_stream__"):  # polars and other frames that speak Arrow
        table = _table_of_stream(source)
    else:
        raise DataError(
            f"a {type(source).__name__} is not a tabular source",
            hint="Give a path or URL of Parquet, CSV or Delta, or a pandas, polars or Arrow frame.",
        )
    return Dataset(
        name=f"the {type(source).__module__.partition('.')[0]} frame",
        kind="frame",
        schema=table.schema,
        rows=table.num_rows,
        _scan=partial(_table_batches, table),
        _sample=partial(_table_sample, table),
        _frame=frame,
    )


def _table_batches(table: pa.Table, columns: list[str] | None) -> Iterator[pa.RecordBatch]:
    yield from (table if columns is None else table.select(columns)).to_batches(max_chunksize=BATCH_ROWS)


def _table_sample(table: pa.Table, rows: int, columns: list[str] | None) -> Iterator[pa.RecordBatch]:
    piece = rows // SAMPLE_PIECES
    for number in range(SAMPLE_PIECES):
        start = (table.num_rows - piece) * number // (SAMPLE_PIECES - 1)
        yield from (table if columns is None else table.select(columns)).slice(start, piece).to_batches()


def _table_of_stream(frame: Any) -> pa.Table:
    try:
        return pa.table(frame)
    except pa.ArrowException as whole:
        for name in getattr(frame, "columns", ()):
            try:
                pa.table(frame[[name]])
            except pa.ArrowException as error:
                raise DataError(
                    f"column {name!r} ({frame[name].dtype}) cannot be read: {_first_line(error)}",
                    hint="Cast it to a type Arrow has, or leave it out.",
                ) from error
        raise DataError(f"the {type(frame).__name__} cannot be read: {_first_line(whole)}") from whole


def _is_pandas(source: Any) -> bool:
    # who has a pandas frame has loaded pandas
    return "pandas" in sys.modules and isinstance(source, sys.modules["pandas"].DataFrame)


def _table_of(frame: pd.DataFrame) -> pa.Table:
    import pandas as pd  # loaded already: the frame is one of its

    arrays, names = [], []
    for position, name in enumerate(frame.columns):
        column = frame.iloc[:, position]
        if isinstance(column.dtype, pd.SparseDtype):
            column = pd.Series(column.to_numpy())
        try:
            array = pa.Array.from_pandas(column)
        except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
            raise DataError(
                f"column {str(name)!r} ({column.dtype}) cannot be read: {_first_line(error)}",
                hint="Give the column one type, for instance with astype(str), or leave it out.",
            ) from error
        arrays.append(array)
        names.append(str(name))
    return pa.table(arrays, names=names)


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
