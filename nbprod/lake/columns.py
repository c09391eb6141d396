"""The four types tables keep, the names they keep inputs under, and how frames are brought to both.

Numbers are float64 (whole numbers are exact up to 2**53), moments are UTC to the microsecond, truth values are bool,
everything else is text. So an integer column that gets missing values next month, or a category that gets a new
level, still has its type. A column that does change is widened, bool to number to text, and no row is lost.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc

from nbprod.errors import SchemaError

__all__ = [
    "INPUT",
    "MOMENT",
    "NUMBER",
    "TEXT",
    "TRUTH",
    "as_table",
    "cast",
    "input_column",
    "input_name",
    "to_storage_type",
    "wider_type",
]

INPUT = "input_"
NUMBER, MOMENT, TRUTH, TEXT = pa.float64(), pa.timestamp("us", "UTC"), pa.bool_(), pa.string()
# What readers of Delta tables cannot have in a name, and the mark that escapes it.
UNUSABLE = re.compile(r"[ ,;{}()\n\t=%`]")
NOUNS = {TRUTH: "true or false", NUMBER: "numbers", MOMENT: "moments", TEXT: "text"}


def input_column(name: str, existing: Iterable[str] = ()) -> str:
    """The column an input is kept in.

    Delta tables do not tell ``A`` from ``a``, so the second of the two has its capitals escaped.

    Examples
    --------
    >>> input_column("hours per week")
    'input_hours%20per%20week'
    >>> input_column("Age", existing=["input_age"])
    'input_%41ge'
    """
    plain = INPUT + UNUSABLE.sub(_escaped, name)
    taken = {column.lower(): column for column in existing}
    if taken.get(plain.lower(), plain) == plain:
        return plain
    has_capitals = name != name.lower()  # a name without any has all its letters escaped
    letters = r"[^\W\d_]|" + UNUSABLE.pattern
    return INPUT + re.sub(letters, lambda m: m[0] if has_capitals and m[0].islower() else _escaped(m), name)


def input_name(column: str) -> str:
    """The input kept in a column.

    Examples
    --------
    >>> input_name("input_hours%20per%20week")
    'hours per week'
    """
    return unquote(column.removeprefix(INPUT))


def as_table(frame: Any, what: str) -> pa.Table:
    """A pandas frame, an Arrow table or batch, or a mapping of lists, as a table.

    Raises
    ------
    SchemaError
        A column cannot be one.
    """
    try:
        if isinstance(frame, pa.Table):
            table = frame
        elif isinstance(frame, pa.RecordBatch):
            table = pa.Table.from_batches([frame])
        elif isinstance(frame, Mapping):
            table = pa.table({name: _array(values) for name, values in frame.items()})
        else:
            table = pa.table({str(name): _array(frame[name]) for name in frame.columns})
    except (pa.ArrowInvalid, pa.ArrowTypeError, ValueError) as problem:
        raise SchemaError(f"{what} cannot be read as columns: {problem}") from problem
    if len(set(table.column_names)) < table.num_columns:
        raise SchemaError(f"{what} have two columns of one name", hint="Rename one.")
    return table


def to_storage_type(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column in the type it is kept in."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return to_storage_type(column.cast(kind.value_type))
    if pa.types.is_null(kind):
        return column.cast(NUMBER)
    if pa.types.is_boolean(kind):
        return column
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        numbers = column.cast(NUMBER, safe=False)
        return pc.if_else(pc.is_nan(numbers), pa.scalar(None, NUMBER), numbers)
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        moments = column.cast(pa.timestamp("us", kind.tz if pa.types.is_timestamp(kind) else None), safe=False)
        return moments.cast(MOMENT) if moments.type.tz else pc.assume_timezone(moments, "UTC")
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return column.cast(TEXT)
    return pa.chunked_array([pa.array([None if v is None else str(v) for v in column.to_pylist()], TEXT)])


def wider_type(one: pa.DataType, other: pa.DataType) -> pa.DataType:
    """The type that can hold both.

    Examples
    --------
    >>> wider(TRUTH, NUMBER) == NUMBER and wider(NUMBER, MOMENT) == TEXT
    True
    """
    if one == other:
        return one
    return TEXT if MOMENT in {one, other} or TEXT in {one, other} else NUMBER


def cast(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    """A kept column in a wider type; whole numbers become text without a point."""
    if column.type == kind:
        return column
    if column.type == NUMBER and kind == TEXT:
        whole = pc.and_kleene(pc.equal(column, pc.round(column)), pc.less(pc.abs(column), 2.0**53))
        integers = pc.if_else(whole, column, pa.scalar(None, NUMBER)).cast(pa.int64()).cast(TEXT)
        return pc.coalesce(integers, column.cast(TEXT))
    return column.cast(pa.int8()).cast(kind) if column.type == TRUTH and kind == NUMBER else column.cast(kind)


def comparable(column: pa.ChunkedArray, kind: pa.DataType, what: str) -> pa.ChunkedArray:
    """A kept column as another type, where every value of it can be one.

    Raises
    ------
    SchemaError
        A value cannot; naming it.
    """
    if kind in {column.type, TEXT}:
        return cast(column, kind)
    wrong = SchemaError(
        f"{what} must be {NOUNS[kind]}, as those stored before are, but are {NOUNS[column.type]}", columns=[what]
    )
    if column.type == NUMBER and kind == TRUTH and not set(pc.unique(column).to_pylist()) <= {0.0, 1.0, None}:
        raise wrong
    try:
        return column.cast(kind) if {column.type, kind} != {TRUTH, NUMBER} else column.cast(pa.int8()).cast(kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as problem:
        raise wrong from problem


def _escaped(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in match[0].encode())


def _array(values: Any) -> Any:
    try:
        return pa.array(values, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError):  # a column of mixed values
        return pa.array([None if value is None or value != value else str(value) for value in values], TEXT)  # noqa: PLR0124 — NaN
