"""Checks one row against a schema, quickly and with numpy alone, and gives it the form a plan takes.

It refuses what :func:`nbprod.packages.rows.check_rows` refuses, with one record for each field, and besides fields
the model does not know: a server should not guess that a misspelled one was meant.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from decimal import Decimal
from typing import Any

import numpy as np

from nbprod.compiled.moments import clock_microseconds, moment_of, zone_of
from nbprod.domain.names import nearest
from nbprod.domain.row_problem import RowProblem
from nbprod.domain.schema import Column, ColumnKind, Schema

__all__ = ["CheckedRow", "RowChecker"]

MOMENT = "a moment such as 2026-01-31T09:30:00Z"
EXPECTED = {
    ColumnKind.NUMBER: "a number",
    ColumnKind.INTEGER: "a whole number",
    ColumnKind.BOOLEAN: "true or false",
    ColumnKind.TEXT: "text",
    ColumnKind.DATETIME: MOMENT,
}
MOST_WHOLE = 2.0**63
MISSING_TYPES = {"NAType", "NaTType"}


@dataclass(frozen=True, slots=True)
class CheckedRow:
    """A row in the form a plan takes, or what is wrong with it."""

    values: list[Any]  #: in the order of the schema; useless where there are problems
    problems: Sequence[RowProblem] = ()
    unseen: Sequence[str] = ()  #: fields whose category was never seen


class _WrongError(Exception):
    """A value cannot be taken; its argument is the problem's name."""


class _NullError(Exception):
    """A value is missing."""


class RowChecker:
    """The rules of a schema, made ready for one row after the other.

    Parameters
    ----------
    schema
        What the model takes.
    """

    def __init__(self, schema: Schema) -> None:
        self._fields = [_field(column) for column in schema.columns]
        self._names = frozenset(schema.names)
        self._ignored = {schema.target, schema.time}  # rows with their truth may be sent as they are

    def check(self, row: Mapping[str, Any], number: int = 0) -> CheckedRow:
        """Check one row.

        Parameters
        ----------
        row
            Value by field.
        number
            Its position in what was sent, for the records.
        """
        values: list[Any] = []
        problems: list[RowProblem] = []
        unseen: list[str] = []
        for name, read, missing, expected, known in self._fields:
            try:
                value = read(row[name])
            except KeyError:
                problems.append(RowProblem(row=number, field=name, problem="missing", expected=expected))
            except _NullError:
                if missing is None:
                    problems.append(RowProblem(row=number, field=name, problem="null", expected=expected))
                else:
                    values.append(missing[0])
            except _WrongError as error:
                problems.append(RowProblem(row=number, field=name, problem=error.args[0], expected=expected))
            else:
                values.append(value)
                if known is not None and value not in known:
                    unseen.append(name)
        if len(row) + len(problems) > len(self._fields):
            problems += self._unknown(row, number)
        return CheckedRow(values, problems, unseen)

    def _unknown(self, row: Mapping[str, Any], number: int) -> list[RowProblem]:
        absent = [name for name, *_ in self._fields if name not in row]
        found = []
        for name in row:
            if name not in self._names and name not in self._ignored:
                hint, mark, _ = nearest(str(name), absent or self._names).partition("?")
                expected = "no such field" + (f"; {hint[0].lower()}{hint[1:]}?" if mark else "")
                found.append(RowProblem(row=number, field=str(name), problem="unknown", expected=expected))
        return found


Reader = Callable[[Any], Any]
_Field = tuple[str, Reader, tuple[Any] | None, str, frozenset[Any] | None]


def _field(column: Column) -> _Field:
    is_text = column.kind is ColumnKind.TEXT
    known = None
    if column.kind is ColumnKind.CATEGORY:
        is_text = all(isinstance(value, str) for value in column.categories)
        known = frozenset(column.categories) if column.categories else None
    expected = EXPECTED.get(column.kind, "text" if is_text else "a number")
    if column.kind is ColumnKind.DATETIME:
        read: Reader = _moment_reader(zone_of(column.dtype))
    elif is_text:
        read = _read_text
    elif column.kind is ColumnKind.BOOLEAN:
        read = _read_boolean
    elif column.kind is ColumnKind.INTEGER:
        read = _read_whole
    elif column.kind is ColumnKind.CATEGORY:
        read = _read_category
    else:
        read = _read_number
    if column.dtype in {"float16", "float32"}:
        read = _narrowed(read, np.float16 if column.dtype == "float16" else np.float32)
    missing = ((None if is_text else math.nan),) if column.nullable else None
    return column.name, read, missing, expected + (", or null" if column.nullable else ""), known


def _read_number(value: Any) -> float:
    kind = type(value)
    if kind is float:
        if value - value == 0.0:
            return value
        if value != value:  # noqa: PLR0124 — NaN
            raise _NullError
        raise _WrongError("infinite")
    if kind is int:
        try:
            return float(value)
        except OverflowError:
            raise _WrongError("infinite") from None
    return _read_number(_plain_number(value))


def _plain_number(value: Any) -> float | int:
    """Numbers of other libraries as Python's."""
    if value is None or type(value).__name__ in MISSING_TYPES:
        raise _NullError
    if isinstance(value, np.integer):
        return int(value)
    if isinstance(value, np.floating | Decimal):
        return float(value)
    raise _WrongError("type")


def _read_whole(value: Any) -> float:
    number = _read_number(value)
    if number != math.floor(number):
        raise _WrongError("not whole")
    if not -MOST_WHOLE < number < MOST_WHOLE:
        raise _WrongError("out of range")
    return number


def _read_boolean(value: Any) -> float:
    if value is True:
        return 1.0
    if value is False:
        return 0.0
    if isinstance(value, np.bool_):
        return float(value)
    if value is None or type(value).__name__ in MISSING_TYPES or value != value:  # noqa: PLR0124 — NaN
        raise _NullError
    raise _WrongError("type")


def _read_text(value: Any) -> str:
    if type(value) is str:
        return value
    if value is None or type(value).__name__ in MISSING_TYPES or (isinstance(value, float) and math.isnan(value)):
        raise _NullError
    if isinstance(value, str):
        return str(value)
    raise _WrongError("type")


def _read_category(value: Any) -> float:
    if isinstance(value, bool | np.bool_) or (
        isinstance(value, float) and math.isinf(value)
    ):  # never seen, and not wrong
        return float(value)
    return _read_number(value)


def _moment_reader(zone: tzinfo | None) -> Reader:
    def read(value: Any) -> float:
        if value is None or type(value).__name__ in MISSING_TYPES or (isinstance(value, float) and math.isnan(value)):
            raise _NullError
        if isinstance(value, np.datetime64):
            if np.isnat(value):
                raise _NullError
            value = value.astype("datetime64[us]").item()
        if isinstance(value, str):
            found = moment_of(value)
            if found is None:
                raise _WrongError("type")
            value = found
        elif isinstance(value, date) and not isinstance(value, datetime):
            value = datetime(value.year, value.month, value.day)  # noqa: DTZ001 — no zone means UTC here
        elif not isinstance(value, datetime):
            raise _WrongError("type")
        return clock_microseconds(value, zone)

    return read


def _narrowed(read: Reader, kind: Any) -> Reader:
    def narrow(value: Any) -> float:
        with np.errstate(over="ignore"):
            return float(kind(read(value)))

    return narrow
