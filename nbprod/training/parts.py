"""The preprocessing parts scikit-learn lacks: moments and gappy booleans as numbers, and text without gaps."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin

__all__ = ["BooleanNumbers", "DatetimeParts", "FilledText"]

_PARTS = ("year", "month", "day", "dayofweek", "hour", "minute")


class DatetimeParts(TransformerMixin, BaseEstimator):
    """Year, month, day, weekday (Monday is 0), hour and minute of each column, in its own zone."""

    def fit(self, X: pd.DataFrame, y: Any = None) -> Self:  # noqa: ARG002, N803 — scikit-learn's interface
        """Remember the column names."""
        self.feature_names_in_ = np.asarray(X.columns, dtype=object)
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X: pd.DataFrame) -> np.ndarray:  # noqa: N803 — scikit-learn's interface
        """Six numbers for each moment."""
        moments = (pd.to_datetime(X[name]) for name in X.columns)
        parts = [getattr(column.dt, part) for column in moments for part in _PARTS]
        return np.column_stack([part.to_numpy(dtype="float64", na_value=np.nan) for part in parts])

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:  # noqa: ARG002 — scikit-learn's interface
        """Column and part: ``at year``, ``at month`` and so on."""
        return np.asarray([f"{name} {part}" for name in self.feature_names_in_ for part in _PARTS], dtype=object)


class FilledText(TransformerMixin, BaseEstimator):
    """One column of text as a flat array, with empty text where it is missing, as word counters want it."""

    def fit(self, X: pd.DataFrame, y: Any = None) -> Self:  # noqa: ARG002, N803 — scikit-learn's interface
        """Remember the number of columns."""
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X: pd.DataFrame) -> np.ndarray:  # noqa: N803 — scikit-learn's interface
        """The text of the first and only column."""
        column = X.iloc[:, 0]
        return column.astype(object).where(column.notna(), "").astype(str).to_numpy(dtype=object)

    def get_feature_names_out(self, input_features: Any = None) -> Any:
        """The names as they came; the counter after it makes its own."""
        return input_features


class BooleanNumbers(TransformerMixin, BaseEstimator):
    """True, false and missing as 1, 0 and NaN, whatever kind of missing it is."""

    def fit(self, X: pd.DataFrame, y: Any = None) -> Self:  # noqa: ARG002, N803 — scikit-learn's interface
        """Remember the column names."""
        self.feature_names_in_ = np.asarray(X.columns, dtype=object)
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X: pd.DataFrame) -> np.ndarray:  # noqa: N803 — scikit-learn's interface
        """Numbers, one column each."""
        values = X.astype(object)
        return values.where(values.notna(), np.nan).to_numpy(dtype="float64")

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:  # noqa: ARG002 — scikit-learn's interface
        """The names as they came."""
        return self.feature_names_in_
