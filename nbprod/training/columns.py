"""What kind of thing each column holds, and the same columns in the plain types scikit-learn and skops understand."""

from __future__ import annotations

import datetime as dt
import decimal
from enum import StrEnum
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["FeatureKind", "column_kinds", "kind_of", "plain_frame"]

#: Text with more words than this on average is text, not a category.
_WORDS_OF_TEXT = 3.0
#: Above this share of distinct values, and this many of them, single words are names of rows, not categories.
_SHARE_OF_IDENTIFIER = 0.9
_COUNT_OF_IDENTIFIER = 50
_SAMPLE_ROWS = 10_000


class FeatureKind(StrEnum):
    """What a column holds, as far as preprocessing cares."""

    NUMERIC = "numeric"
    BOOLEAN = "boolean"
    CATEGORY = "category"
    TEXT = "text"
    DATETIME = "datetime"
    IDENTIFIER = "identifier"  #: nearly every row has its own value; nothing can be learned from it
    EMPTY = "empty"  #: no value at all
    UNUSABLE = "unusable"  #: lists, bytes, durations, objects, mixtures


def column_kinds(frame: pd.DataFrame) -> dict[str, FeatureKind]:
    """The kind of each column, from its type where that says enough, else from its values."""
    return {str(name): kind_of(frame[name]) for name in frame.columns}


def kind_of(column: pd.Series[Any]) -> FeatureKind:
    """The kind of one column; NumPy, nullable and Arrow types give the same answer.

    Examples
    --------
    >>> kind_of(pd.Series([1, None], dtype="Int64"))
    <FeatureKind.NUMERIC: 'numeric'>
    >>> kind_of(pd.Series(["red", "blue", "red"]))
    <FeatureKind.CATEGORY: 'category'>
    """
    types = pd.api.types
    if column.isna().all():
        return FeatureKind.EMPTY
    if isinstance(column.dtype, pd.CategoricalDtype):
        return FeatureKind.CATEGORY
    if types.is_bool_dtype(column.dtype):
        return FeatureKind.BOOLEAN
    if types.is_complex_dtype(column.dtype) or types.is_timedelta64_dtype(column.dtype):
        return FeatureKind.UNUSABLE
    if types.is_numeric_dtype(column.dtype):
        return FeatureKind.NUMERIC
    if types.is_datetime64_any_dtype(column.dtype):
        return FeatureKind.DATETIME
    return _kind_of_values(column.dropna())


def _kind_of_values(present: pd.Series[Any]) -> FeatureKind:
    sample = present.iloc[:: max(1, len(present) // _SAMPLE_ROWS)]
    types = {type(value) for value in sample}
    if types <= {bool, np.bool_}:
        return FeatureKind.BOOLEAN
    if all(issubclass(kind, int | float | decimal.Decimal | np.number) for kind in types):
        return FeatureKind.NUMERIC
    if all(issubclass(kind, dt.date) for kind in types):
        return FeatureKind.DATETIME
    if not all(issubclass(kind, str) for kind in types):
        return FeatureKind.UNUSABLE
    texts = sample.astype(str)
    if texts.str.count(r"\s+").mean() + 1 > _WORDS_OF_TEXT:
        return FeatureKind.TEXT
    distinct = texts.nunique()
    if distinct >= _COUNT_OF_IDENTIFIER and distinct / len(texts) > _SHARE_OF_IDENTIFIER:
        return FeatureKind.IDENTIFIER
    return FeatureKind.CATEGORY


def plain_frame(frame: pd.DataFrame) -> pd.DataFrame:
    """The same values in NumPy types, so that a model does not depend on how the file was read.

    Numbers stay integers where nothing is missing and become floats with NaN where something is; infinite values
    become missing; categories become what they are categories of; dates become timestamps. Booleans with missing
    values become objects. Columns no model takes stay as they are.
    """
    return pd.DataFrame({name: _plain(frame[name]) for name in frame.columns}, index=frame.index)


def _plain(column: pd.Series[Any]) -> pd.Series[Any]:
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(column.cat.categories.dtype if not column.isna().any() else object).infer_objects()
    kind = kind_of(column)
    if kind is FeatureKind.NUMERIC:
        return _numbers(column)
    if kind is FeatureKind.BOOLEAN:
        return column.astype(object).where(column.notna(), None) if column.isna().any() else column.astype("bool")
    if kind is FeatureKind.EMPTY:
        return pd.Series(np.nan, index=column.index, dtype="float64")
    if kind is FeatureKind.DATETIME:
        return _moments(column)
    if kind is FeatureKind.UNUSABLE:
        return column
    # left to pandas: text is "str" from pandas 3 on and "object" before
    return pd.Series(column.astype(object).where(column.notna(), np.nan).tolist(), index=column.index)


def _numbers(column: pd.Series[Any]) -> pd.Series[Any]:
    whole = pd.api.types.is_integer_dtype(column.dtype) and not column.isna().any()
    if whole and int(column.max()) <= np.iinfo(np.int64).max:
        return column.astype("int64")
    values = pd.Series(column.to_numpy(dtype="float64", na_value=np.nan), index=column.index)
    return values.mask(np.isinf(values))


def _moments(column: pd.Series[Any]) -> pd.Series[Any]:
    if isinstance(column.dtype, np.dtype | pd.DatetimeTZDtype) and column.dtype != object:
        return column
    values = pd.to_datetime(column.astype(object))
    return values.dt.as_unit("us")
