"""What a table holds, column by column, and the rows looked at when there are too many to look at all."""

from __future__ import annotations

from typing import Any

import pandas as pd

from nbprod.domain.numbers import number

__all__ = ["MOST_ROWS", "sampled_rows", "schema_table"]

#: Above this, checks that compare rows or columns with each other look at a sample.
MOST_ROWS = 200_000


def sampled_rows(frame: pd.DataFrame, *, most: int = MOST_ROWS, seed: int = 0) -> pd.DataFrame:
    """The frame itself, or as many rows of it drawn at random, in their order."""
    return frame if len(frame) <= most else frame.sample(most, random_state=seed).sort_index()


def schema_table(frame: pd.DataFrame, private: Any = ()) -> pd.DataFrame:
    """One line a column: type, share of missing values, distinct values (in 200,000 rows), range and an example.

    Parameters
    ----------
    frame
        Any.
    private
        Columns whose values are not shown.
    """
    hidden = {str(name) for name in private}
    return pd.DataFrame([_line(frame[name], str(name) in hidden) for name in frame.columns]).set_index("column")


def _line(column: pd.Series[Any], hidden: bool) -> dict[str, Any]:  # noqa: FBT001 — one caller
    present = column.dropna()
    line: dict[str, Any] = {
        "column": str(column.name),
        "type": str(column.dtype),
        "missing": float(column.isna().mean()) if len(column) else 0.0,
        "distinct": distinct(sampled_rows(present.to_frame())[present.name]),
        "lowest": "",
        "highest": "",
        "example": "",
    }
    if hidden or present.empty:
        return line
    orderly = pd.api.types.is_numeric_dtype(column.dtype) or pd.api.types.is_datetime64_any_dtype(column.dtype)
    if orderly and not pd.api.types.is_complex_dtype(column.dtype):
        line |= {"lowest": _short(present.min()), "highest": _short(present.max())}
    return line | {"example": _short(present.iloc[0])}


def distinct(column: pd.Series[Any]) -> int | None:
    """How many distinct values; ``None`` where values cannot be told apart (lists)."""
    try:
        return int(column.nunique())
    except TypeError:
        return None


def _short(value: Any) -> str:
    return number(value, 6) if isinstance(value, float) else str(value)[:40]
