"""Rows of a table against a schema, column by column: the contract of single rows at the speed of columns.

What a column holds for certain is read as it is. Rows with anything else (missing where none were, infinite, text
where numbers are due, types only a person could mean) are given to :class:`~nbprod.compiled.RowChecker`, the very
checker of the server, which takes them or says what is wrong. So both have one contract by construction.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nbprod.compiled import RowChecker
from nbprod.compiled.moments import zone_of
from nbprod.domain.row_problem import RowProblem
from nbprod.domain.schema import Column, ColumnKind, Schema

__all__ = ["CheckedTable", "TableChecker", "is_text", "misfits"]

NUMBER = r"^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$"
MOST_WHOLE = 2.0**63
Form: TypeAlias = Any  # numbers and microseconds as a float64 array, text as Arrow strings
TRUTHS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}


@dataclass(frozen=True, kw_only=True)
class CheckedTable:
    """Rows a model takes, and what is wrong with the others."""

    columns: dict[str, Form]  #: of the rows it takes, in the form a compiled model takes
    taken: np.ndarray | None  #: their positions in what was given; none: all of them
    problems: Sequence[RowProblem] = ()
    unseen: Counter[str] = field(default_factory=Counter)  #: by field: rows taken whose category was never seen


class TableChecker:
    """The rules of a schema, made ready for tables.

    Parameters
    ----------
    schema
        What the model takes.
    from_text
        The rows come from text: what is written as a number is one.
    """

    def __init__(self, schema: Schema, *, from_text: bool = False) -> None:
        self._schema = schema
        self._rows = RowChecker(schema)
        self._from_text = from_text

    def check(self, table: pa.Table, first: int = 0) -> CheckedTable:
        """Check the rows of a table that has every column of the schema.

        Parameters
        ----------
        table
            The rows.
        first
            The number of the first one, for the records.
        """
        columns: dict[str, Form] = {}
        doubtful = np.zeros(table.num_rows, dtype=bool)
        for column in self._schema.columns:
            form, doubts = self._read(table.column(column.name).combine_chunks(), column)
            columns[column.name] = form
            if doubts is not None:
                doubtful |= doubts
        problems: list[RowProblem] = []
        taken = None
        places = np.flatnonzero(doubtful)
        if len(places):
            columns, refused, problems = self._one_by_one(table, columns, places, first)
            if refused:
                keep = np.ones(table.num_rows, dtype=bool)
                keep[refused] = False
                taken = np.flatnonzero(keep)
                columns = {name: form.take(taken) for name, form in columns.items()}
        return CheckedTable(columns=columns, taken=taken, problems=problems, unseen=self._unseen(columns))

    def _one_by_one(
        self, table: pa.Table, columns: dict[str, Form], places: np.ndarray, first: int
    ) -> tuple[dict[str, Form], list[int], list[RowProblem]]:
        names = list(self._schema.names)
        refused: list[int] = []
        problems: list[RowProblem] = []
        good: list[int] = []
        values: list[list[Any]] = []
        for place, row in zip(places.tolist(), _rows_of(table.select(names), places), strict=True):
            checked = self._rows.check(self._meant(row) if self._from_text else row, first + place)
            if checked.problems:
                refused.append(place)
                problems += checked.problems
            else:
                good.append(place)
                values.append(checked.values)
        if good:
            columns = {
                name: _patched(columns[name], good, [row[number] for row in values])
                for number, name in enumerate(names)
            }
        return columns, refused, problems

    def _meant(self, row: dict[str, Any]) -> dict[str, Any]:
        """A row of text cells with numbers and truths where the schema has them."""
        return {name: _from_cell(value, self._schema.column(name)) for name, value in row.items()}

    def _read(self, array: pa.Array, column: Column) -> tuple[Form, np.ndarray | None]:
        """A column in its form, and the rows that must be looked at one by one."""
        if isinstance(array, pa.ChunkedArray):  # of no rows, or of more than one chunk can hold
            array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], array.type)
        if pa.types.is_dictionary(array.type) and not (is_text(column) and pa.types.is_string(array.type.value_type)):
            array = array.cast(array.type.value_type)
        if is_text(column):
            return _text(array, column)
        if column.kind is ColumnKind.DATETIME:
            return _moments(array, column)
        if self._from_text and pa.types.is_string(array.type):
            array = _numbers_in(array)
            given, doubts = _numbers(array[0], column)
            return given, _either(doubts, array[1])
        return _numbers(array, column)

    def _unseen(self, columns: dict[str, Form]) -> Counter[str]:
        found: Counter[str] = Counter()
        for column in self._schema.columns:
            if column.kind is ColumnKind.CATEGORY and column.categories:
                count = _never_seen(columns[column.name], column.categories)
                if count:
                    found[column.name] = count
        return found


def is_text(column: Column) -> bool:
    """Whether a model takes text in a column."""
    if column.kind is ColumnKind.CATEGORY:
        return all(isinstance(value, str) for value in column.categories)
    return column.kind is ColumnKind.TEXT


def misfits(given: pa.Schema, schema: Schema) -> list[tuple[str, str]]:
    """Columns whose type can never be what the model takes, with what they hold in words."""
    found = []
    for column in schema.columns:
        if column.name not in given.names:
            continue
        kind = given.field(column.name).type
        kind = kind.value_type if pa.types.is_dictionary(kind) else kind
        textual = pa.types.is_string(kind) or pa.types.is_large_string(kind)
        if is_text(column) and not textual and not pa.types.is_null(kind):
            found.append((column.name, f"holds {kind}, and the model takes text"))
        elif column.is_numeric and textual:
            found.append((column.name, "holds text, and the model takes numbers"))
    return found


def _rows_of(table: pa.Table, places: np.ndarray) -> list[dict[str, Any]]:
    chosen = table.take(pa.array(places))
    # Python's moments have microseconds; Arrow would hand out pandas' for finer ones
    for number, one in enumerate(chosen.schema):
        if pa.types.is_timestamp(one.type) and one.type.unit == "ns":
            chosen = chosen.set_column(
                number, one.name, chosen.column(number).cast(pa.timestamp("us", one.type.tz), safe=False)
            )
    return chosen.to_pylist()


def _from_cell(value: Any, column: Column) -> Any:
    if not isinstance(value, str) or is_text(column) or column.kind is ColumnKind.DATETIME:
        return value
    text = value.strip()
    if column.kind is ColumnKind.BOOLEAN:
        return TRUTHS.get(text, value)
    try:
        return value if "_" in text else float(text)
    except ValueError:
        return value


def _numbers_in(array: pa.Array) -> tuple[pa.Array, np.ndarray]:
    """Text cells that are numbers as such, and where cells are something else."""
    cells = pc.utf8_trim_whitespace(array)
    are = pc.match_substring_regex(cells, NUMBER)
    found = pc.if_else(are, cells, pa.scalar(None, pa.string())).cast(pa.float64())
    return found, np.asarray(pc.fill_null(pc.invert(are), False).to_numpy(zero_copy_only=False))


def _numbers(array: pa.Array, column: Column) -> tuple[np.ndarray, np.ndarray | None]:
    kind = array.type
    is_truth = column.kind is ColumnKind.BOOLEAN
    fits = pa.types.is_boolean(kind) if is_truth else pa.types.is_integer(kind) or pa.types.is_floating(kind)
    if column.kind is ColumnKind.CATEGORY:
        fits = fits or pa.types.is_boolean(kind)
    if not fits:
        if array.null_count == len(array) and column.nullable:
            return np.full(len(array), math.nan), None
        return np.full(len(array), math.nan), np.ones(len(array), dtype=bool)
    if pa.types.is_boolean(kind):
        array = array.cast(pa.int8())
    x = np.array(array.to_numpy(zero_copy_only=False), dtype=np.float64)
    doubts = None if column.nullable else np.isnan(x)
    if column.kind is not ColumnKind.CATEGORY and pa.types.is_floating(kind):
        doubts = _either(doubts, np.isinf(x))
    if column.kind is ColumnKind.INTEGER:
        with np.errstate(invalid="ignore"):
            doubts = _either(doubts, (np.abs(x) >= MOST_WHOLE) | ((x != np.floor(x)) & ~np.isnan(x)))
    if column.dtype in {"float16", "float32"}:
        with np.errstate(over="ignore"):
            x = x.astype(column.dtype).astype(np.float64)
    return x, doubts if doubts is not None and doubts.any() else None


def _text(array: pa.Array, column: Column) -> tuple[pa.Array, np.ndarray | None]:
    kind = array.type
    plain = kind.value_type if pa.types.is_dictionary(kind) else kind
    if not (pa.types.is_string(plain) or pa.types.is_large_string(plain)):
        empty = pa.nulls(len(array), pa.string())
        if array.null_count == len(array) and column.nullable:
            return empty, None
        return empty, np.ones(len(array), dtype=bool)
    if column.nullable or array.null_count == 0:
        return array, None
    return array, np.asarray(array.is_null().to_numpy(zero_copy_only=False))


def _moments(array: pa.Array, column: Column) -> tuple[np.ndarray, np.ndarray | None]:
    zone = zone_of(column.dtype)
    if pa.types.is_date(array.type):
        array = array.cast(pa.timestamp("us"))
    if not pa.types.is_timestamp(array.type):
        return np.full(len(array), math.nan), np.ones(len(array), dtype=bool)
    if array.type.tz is None:  # a moment without a zone is one of UTC
        array = array.cast(pa.timestamp(array.type.unit, "UTC"))
    if zone is not None and str(zone) != "UTC":
        _, _, name = column.dtype.rstrip("]").partition(", ")
        name = name.removeprefix("UTC") if name != "UTC" else name
        array = pc.local_timestamp(array.cast(pa.timestamp(array.type.unit, name)))
    whole = array.cast(pa.int64())
    missing = np.asarray(array.is_null().to_numpy(zero_copy_only=False))
    ticks = whole.fill_null(0).to_numpy(zero_copy_only=False)
    scale = {"s": 1_000_000, "ms": 1000, "us": 1}.get(array.type.unit)
    x = (ticks // 1000 if scale is None else ticks * scale).astype(np.float64)
    x[missing] = math.nan
    return x, None if column.nullable or not missing.any() else missing


def _patched(form: Form, places: list[int], values: list[Any]) -> Form:
    if isinstance(form, np.ndarray):
        form[places] = values
        return form
    if pa.types.is_dictionary(form.type):
        form = form.cast(form.type.value_type)
    mask = np.zeros(len(form), dtype=bool)
    mask[places] = True
    return pc.replace_with_mask(form, pa.array(mask), pa.array(values, form.type))


def _either(first: np.ndarray | None, second: np.ndarray) -> np.ndarray:
    return second if first is None else first | second


def _never_seen(form: Form, categories: tuple[Any, ...]) -> int:
    if isinstance(form, np.ndarray):
        known = np.array([float(value) for value in categories])
        return int((~np.isin(form, known) & ~np.isnan(form)).sum())
    plain = form
    if pa.types.is_dictionary(form.type):
        seen = pc.is_in(form.dictionary, value_set=pa.array(categories, form.type.value_type))
        if pc.all(seen, min_count=0).as_py():
            return 0
        plain = form.cast(form.type.value_type)
    unseen = pc.and_(plain.is_valid(), pc.invert(pc.is_in(plain, value_set=pa.array(categories, plain.type))))
    return int(pc.sum(unseen).as_py() or 0)
