"""A pipeline fitted to the columns at hand, made of parts that are saved without pickle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from nbprod.errors import DataError
from nbprod.training.columns import FeatureKind, column_kinds
from nbprod.training.parts import BooleanNumbers, DatetimeParts, FilledText

__all__ = ["make_pipeline"]

#: Categories beyond the most frequent ones are learned together, as "others".
_MOST_CATEGORIES = 60
#: Beyond this many, gradient boosting gets them as numbers in the order of the alphabet.
_FEW_CATEGORIES = 30
_MOST_WORDS = 300

#: Estimators that split one column at a time: scale means nothing to them.
_SCALE_FREE = ("Tree", "Forest", "GradientBoosting", "Dummy", "Bagging", "XGB", "LGBM", "CatBoost")


def make_pipeline(estimator: Any, frame: pd.DataFrame, *, kinds: Mapping[str, FeatureKind] | None = None) -> Pipeline:
    """Put preprocessing chosen from the column kinds before an estimator.

    Numbers: missing ones become the median and are marked, then everything is scaled, where the estimator cares for
    scale. Categories: one column each, rare ones together, unknown ones known as such. Text: weighted words. Moments:
    their parts. Histogram gradient boosting gets missing numbers as missing, and many categories as one number. It
    never gets ``categorical_features``: that puts ``functools.partial`` into the model, which no careful reader of
    skops files trusts.

    Parameters
    ----------
    estimator
        Unfitted.
    frame
        The feature columns, target and excluded columns left out.
    kinds
        Of the columns, when known already.

    Raises
    ------
    DataError
        No column can be learned from.
    """
    kinds = dict(kinds or column_kinds(frame))
    by_kind = {kind: [name for name in map(str, frame.columns) if kinds[name] is kind] for kind in FeatureKind}
    boosted = type(estimator).__name__.startswith("HistGradientBoosting")
    scaled = not any(word in type(estimator).__name__ for word in _SCALE_FREE)
    steps: list[tuple[str, Any, Any]] = []
    many = [name for name in by_kind[FeatureKind.CATEGORY] if boosted and frame[name].nunique() > _FEW_CATEGORIES]
    if names := [name for name in by_kind[FeatureKind.CATEGORY] if name not in many]:
        steps.append(("categories", _one_hot(), names))
    if many:
        steps.append(("many categories", _ordinal(), many))
    gappy = [name for name in by_kind[FeatureKind.BOOLEAN] if frame[name].isna().any()]
    if names := by_kind[FeatureKind.NUMERIC] + [name for name in by_kind[FeatureKind.BOOLEAN] if name not in gappy]:
        steps.append(("numbers", "passthrough" if boosted else _numbers(scaled=scaled), names))
    if gappy:
        steps.append(("booleans", _after(BooleanNumbers(), boosted=boosted, scaled=scaled), gappy))
    if names := by_kind[FeatureKind.DATETIME]:
        steps.append(("moments", _after(DatetimeParts(), boosted=boosted, scaled=scaled), names))
    for name in by_kind[FeatureKind.TEXT]:
        vectorizer = TfidfVectorizer(max_features=_MOST_WORDS, sublinear_tf=True)
        steps.append(
            (
                f"words of {name}".replace("__", "_"),
                Pipeline([("filled", FilledText()), ("words", vectorizer)]),
                [name],
            )
        )
    if not steps:
        raise DataError(
            "no column is left to learn from",
            hint="Columns that are empty, identifiers or lists are set aside; check drop and the data.",
        )
    columns = ColumnTransformer(steps, sparse_threshold=0.0, verbose_feature_names_out=False)
    return Pipeline([("columns", columns), ("model", estimator)])


def _after(part: Any, *, boosted: bool, scaled: bool) -> Any:
    return part if boosted else Pipeline([("parts", part), ("numbers", _numbers(scaled=scaled))])


def _numbers(*, scaled: bool) -> Any:
    # keep_empty_features: a fold may hold no value of a column. Filled after scaling: the scaled mark of something
    # rarely missing would be so large that gradient descent diverges.
    filled = SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)
    return Pipeline([("scaled", StandardScaler()), ("filled", filled)]) if scaled else filled


def _one_hot() -> OneHotEncoder:
    return OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=_MOST_CATEGORIES, sparse_output=False)


def _ordinal() -> OrdinalEncoder:
    return OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan, encoded_missing_value=np.nan)
