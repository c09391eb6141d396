"""A schema from the rows a model was saved with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types

from nbprod.domain.schema import Column, ColumnKind, Schema
from nbprod.errors import DataError

__all__ = ["infer_schema"]

MOST_CATEGORIES = 200  #: text with more distinct values is free text


def infer_schema(
    inputs: pd.DataFrame,
    *,
    target: str,
    task: str,
    classes: Sequence[Any] = (),
    probabilistic: bool = False,
    time: str | None = None,
    private: Iterable[str] = (),
) -> Schema:
    """Describe the rows a model was saved with.

    Parameters
    ----------
    inputs
        The model's inputs alone, in its order.
    target, task, classes, probabilistic, time
        As in :class:`~nbprod.domain.schema.Schema`.
    private
        Columns whose values must not leave the data, and may have been blanked: neither range nor categories of them
        are kept, and values may be missing.

    Raises
    ------
    DataError
        A column has no name of text, or mixed or unsupported values.
    """
    wrong = [name for name in inputs.columns if not isinstance(name, str)]
    if wrong:
        raise DataError(
            f"Columns must have names of text; these do not: {', '.join(map(repr, wrong[:5]))}",
            hint="Give the model a data frame with named columns.",
        )
    hidden = set(private)
    return Schema(
        columns=tuple(_infer(str(name), inputs[name], private=name in hidden) for name in inputs.columns),
        target=target,
        task=task,
        classes=tuple(_plain(value) for value in classes),
        probabilistic=probabilistic,
        time=time,
    )


def _infer(name: str, values: pd.Series[Any], *, private: bool) -> Column:
    kind, found = _kind(name, values), values.dropna()
    low = high = None
    categories: tuple[Any, ...] = ()
    if kind in {ColumnKind.NUMBER, ColumnKind.INTEGER} and not private:
        numbers = found.to_numpy(dtype=float)
        numbers = numbers[np.isfinite(numbers)]
        low, high = (float(numbers.min()), float(numbers.max())) if len(numbers) else (None, None)
    elif kind is ColumnKind.CATEGORY and not private:
        listed = values.cat.categories if isinstance(values.dtype, pd.CategoricalDtype) else found.unique()
        categories = tuple(sorted((_plain(value) for value in listed), key=lambda value: (str(type(value)), value)))
    return Column(
        name=name,
        kind=kind,
        dtype=str(values.dtype),
        nullable=private or bool(values.isna().any()),
        low=low,
        high=high,
        categories=categories,
    )


def _kind(name: str, values: pd.Series[Any]) -> ColumnKind:
    dtype = values.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return ColumnKind.CATEGORY
    inferred = types.infer_dtype(values, skipna=True)
    if types.is_bool_dtype(dtype) or inferred == "boolean":
        return ColumnKind.BOOLEAN
    if types.is_integer_dtype(dtype):
        return ColumnKind.INTEGER
    if types.is_float_dtype(dtype) or inferred in {"decimal", "integer", "floating", "mixed-integer-float"}:
        return ColumnKind.INTEGER if inferred == "integer" else ColumnKind.NUMBER
    if inferred in {"datetime64", "datetime", "date"}:
        return ColumnKind.DATETIME
    if inferred in {"string", "empty"}:
        return ColumnKind.CATEGORY if 0 < values.nunique() <= MOST_CATEGORIES else ColumnKind.TEXT
    raise DataError(
        f"Column {name} holds {inferred} values ({dtype}), which no model can take from a file",
        hint="Give it numbers, text, true or false, categories or moments; all of one type.",
    )


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
