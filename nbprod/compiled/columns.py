"""The columns an engine works on: a number or a text for one row, an array or coded text for many."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from nbprod.compiled.plan import Input
from nbprod.errors import SchemaError

__all__ = ["Coded", "Table", "as_columns", "is_missing"]


@dataclass(frozen=True, slots=True, eq=False)
class Coded:
    """A column of text (or of mixed values): each distinct value once, and for each row its position."""

    values: tuple[Any, ...]  #: the last may be ``None``: missing
    codes: np.ndarray

    def __len__(self) -> int:
        return len(self.codes)

    def spread(self, of_values: np.ndarray) -> np.ndarray:
        """For each row what belongs to its value."""
        return of_values[self.codes]


def is_missing(value: Any) -> bool:
    """Whether a single value is one of the many marks of a missing one."""
    return value is None or bool(value != value)  # noqa: PLR0124 — NaN


class Table(Protocol):
    """Columns by name: a mapping, a data frame, an Arrow table's columns in a mapping."""

    def __contains__(self, name: object, /) -> bool: ...

    def __getitem__(self, name: str, /) -> Any: ...


def as_columns(given: Table, inputs: Sequence[Input]) -> list[Any]:
    """Columns of Arrow, pandas, numpy or plain lists in the form an engine for many rows takes.

    Parameters
    ----------
    given
        Column by name, each of the same length; values have the types of the schema.
    inputs
        What the plan takes.

    Raises
    ------
    SchemaError
        A column is missing, or holds what its kind cannot be.
    """
    columns = []
    for one in inputs:
        if one.name not in given:
            raise SchemaError(f"{one.name} is missing.", columns=[one.name])
        try:
            columns.append(KINDS[one.kind](given[one.name]))
        except (TypeError, ValueError, OverflowError) as error:
            raise SchemaError(f"{one.name} cannot be read as a {one.kind}: {error}", columns=[one.name]) from error
    return columns


def _numbers(column: Any) -> np.ndarray:
    if hasattr(column, "combine_chunks"):  # Arrow, chunked
        column = column.combine_chunks()
    if hasattr(column, "to_numpy") and hasattr(column, "null_count"):  # Arrow
        if str(column.type) == "bool":
            column = column.cast("int8")
        return np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.float64)
    if hasattr(column, "to_numpy") and hasattr(column, "isna"):  # pandas
        return np.ascontiguousarray(column.to_numpy(dtype=np.float64, na_value=np.nan))
    array = np.asarray(column)
    if array.dtype == object:
        array = np.array([math.nan if value is None else value for value in column], dtype=np.float64)
    return np.ascontiguousarray(array, dtype=np.float64)


def _texts(column: Any) -> Coded:
    if hasattr(column, "combine_chunks"):
        column = column.combine_chunks()
    if hasattr(column, "dictionary_encode"):  # Arrow
        coded = column if hasattr(column, "indices") else column.dictionary_encode()
        codes = np.asarray(coded.indices.fill_null(-1).to_numpy(zero_copy_only=False), dtype=np.int64)
        return _coded(coded.dictionary.to_pylist(), codes)
    if hasattr(column, "factorize"):  # pandas
        codes, values = column.factorize()
        return _coded([_plain(value) for value in values], np.asarray(codes, dtype=np.int64))
    positions: dict[Any, int] = {}
    codes = np.empty(len(column), dtype=np.int64)
    for number, value in enumerate(column.tolist() if isinstance(column, np.ndarray) else column):
        codes[number] = -1 if is_missing(value) else positions.setdefault(value, len(positions))
    return _coded(list(positions), codes)


def _coded(values: list[Any], codes: np.ndarray) -> Coded:
    if (codes < 0).any():
        codes = np.where(codes < 0, len(values), codes)
        values = [*values, None]
    return Coded(tuple(values), codes)


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _moments(column: Any) -> np.ndarray:
    """Microseconds since 1970 of the clock of each column's own zone, as numbers; missing ones are NaN."""
    if hasattr(column, "dt"):  # pandas: the clock on the wall of its own zone
        column = (column.dt.tz_localize(None) if column.dt.tz is not None else column).to_numpy()
    array = np.asarray(column)
    if array.dtype.kind == "f":
        return array.astype(np.float64)
    array = array.astype("datetime64[us]")
    return np.where(np.isnat(array), np.nan, array.astype(np.int64).astype(np.float64))


KINDS = {"number": _numbers, "text": _texts, "moment": _moments}
