"""Golden rows: a few inputs with the outputs the sealed model gives, and how near another process must come."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from nbprod.domain.numbers import number
from nbprod.domain.schema import ColumnKind, Schema

__all__ = ["ROWS", "Difference", "choose_rows", "largest_difference", "read_parquet", "to_parquet", "without_private"]

ROWS = 64
RELATIVE = 1e-6  #: numeric libraries add in another order on another processor
RELATIVE_SINGLE = 1e-4  #: where inputs have 32 bits
ABSOLUTE = 1e-9
PLACEHOLDERS: dict[ColumnKind, Any] = {
    ColumnKind.NUMBER: 0.0,
    ColumnKind.INTEGER: 0,
    ColumnKind.BOOLEAN: False,
    ColumnKind.DATETIME: pd.Timestamp(0),
}


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Where two tables of outputs differ most."""

    column: str | None  #: none when everything is equal
    value: float  #: largest absolute difference; of labels, the share that differ
    within: bool  #: whether all differences are within tolerance

    def __str__(self) -> str:
        return (
            "every value is equal"
            if self.column is None
            else f"{self.column} differs by up to {number(self.value, 3)}"
        )


def choose_rows(frame: pd.DataFrame, rows: int = ROWS) -> pd.DataFrame:
    """Rows at even distances, so that a sorted table is seen from end to end."""
    if len(frame) <= rows:
        return frame.reset_index(drop=True)
    return frame.iloc[np.linspace(0, len(frame) - 1, rows).astype(int)].reset_index(drop=True)


def without_private(frame: pd.DataFrame, schema: Schema, private: Sequence[str]) -> pd.DataFrame:
    """Put a placeholder for every value of a private column: zero, false, no text, the first moment of 1970."""
    hidden = frame.copy()
    for column in schema.columns:
        if column.name in private:
            value = PLACEHOLDERS.get(column.kind, "")
            plain = pd.Series([value] * len(frame), index=frame.index)
            if column.kind is ColumnKind.DATETIME and "," in column.dtype:
                plain = plain.dt.tz_localize("UTC")
            hidden[column.name] = plain
    return hidden


def largest_difference(expected: pd.DataFrame, actual: pd.DataFrame, *, is_single: bool = False) -> Difference:
    """Compare outputs column by column: labels must be equal, numbers within a small tolerance.

    Parameters
    ----------
    expected, actual
        The same rows in the same order.
    is_single
        Whether inputs of 32 bits went in, which a processor may add up less exactly.
    """
    column, largest, within = None, 0.0, True
    for name in expected.columns:
        if name not in actual.columns or len(actual) != len(expected):
            return Difference(column=name, value=float("inf"), within=False)
        left, right = expected[name], actual[name]
        if pd.api.types.is_float_dtype(left) and pd.api.types.is_numeric_dtype(right):
            first, second = left.to_numpy(dtype=float), right.to_numpy(dtype=float)
            relative = RELATIVE_SINGLE if is_single else RELATIVE
            is_near = np.isclose(second, first, rtol=relative, atol=ABSOLUTE, equal_nan=True)
            gaps = np.where(np.isnan(first) & np.isnan(second), 0.0, np.abs(first - second))
            value = float(np.where(np.isnan(gaps), np.inf, gaps).max(initial=0.0))
        else:
            is_near = left.astype(object).to_numpy() == right.astype(object).to_numpy()
            value = float(np.mean(~is_near)) if len(left) else 0.0
        if value > largest or (within and not is_near.all()):
            column, largest = name, value
        within = within and bool(is_near.all())
    return Difference(column=column, value=largest, within=within)


def to_parquet(frame: pd.DataFrame) -> bytes:
    """A small table as the bytes of a Parquet file."""
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False)
    return buffer.getvalue()


def read_parquet(content: bytes) -> pd.DataFrame:
    """A small table from the verified bytes of a Parquet file."""
    return pd.read_parquet(io.BytesIO(content))
