"""Every dtype pandas can hold has a kind, and the same plain values whichever way it was stored."""

from __future__ import annotations

import datetime as dt
import decimal

import numpy as np
import pandas as pd
import pytest

from nbprod.training.columns import FeatureKind, column_kinds, kind_of, plain_frame

NUMBERS = [1, 2, None, 4]
WORDS = ["red", "blue", None, "red"]
TRUTHS = [True, False, None, True]


@pytest.mark.parametrize(
    "dtype", ["float64", "float32", "Int64", "UInt8", "Float32", "double[pyarrow]", "int32[pyarrow]"]
)
def test_numbers_are_one_kind_and_one_plain_type(dtype):
    frame = pd.DataFrame(
        {
            "x": pd.array(NUMBERS, dtype=dtype)
            if dtype[0] in "IUF" or "[" in dtype
            else pd.Series(NUMBERS, dtype=dtype)
        }
    )

    assert column_kinds(frame) == {"x": FeatureKind.NUMERIC}
    pd.testing.assert_series_equal(plain_frame(frame)["x"], pd.Series([1.0, 2.0, np.nan, 4.0], name="x"))


@pytest.mark.parametrize("dtype", ["object", "string", "string[pyarrow]", "category"])
def test_words_are_one_kind_and_one_plain_type(dtype):
    frame = pd.DataFrame({"x": pd.Series(WORDS, dtype=dtype)})

    assert kind_of(frame["x"]) is FeatureKind.CATEGORY
    pd.testing.assert_series_equal(plain_frame(frame)["x"], pd.Series(["red", "blue", np.nan, "red"], name="x"))


@pytest.mark.parametrize("dtype", ["object", "boolean", "bool[pyarrow]"])
def test_booleans_with_gaps_stay_booleans(dtype):
    frame = pd.DataFrame({"x": pd.Series(TRUTHS, dtype=dtype)})

    assert kind_of(frame["x"]) is FeatureKind.BOOLEAN
    assert plain_frame(frame)["x"].tolist() == TRUTHS


def test_whole_numbers_without_gaps_stay_whole():
    frame = pd.DataFrame({"a": pd.array([1, 2], dtype="Int8"), "b": pd.array([2**63, 1], dtype="uint64")})

    assert plain_frame(frame).dtypes.astype(str).to_dict() == {"a": "int64", "b": "float64"}


def test_categories_of_numbers_become_numbers_and_stay_categories_in_kind():
    frame = pd.DataFrame({"x": pd.Categorical([3, 1, 3])})

    assert kind_of(frame["x"]) is FeatureKind.CATEGORY
    assert plain_frame(frame)["x"].tolist() == [3, 1, 3]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([None, None], FeatureKind.EMPTY),
        ([dt.date(2026, 1, 1), None], FeatureKind.DATETIME),
        ([decimal.Decimal("1.5"), None], FeatureKind.NUMERIC),
        ([[1], [2]], FeatureKind.UNUSABLE),
        ([b"x", b"y"], FeatureKind.UNUSABLE),
        ([1, "x"], FeatureKind.UNUSABLE),
        ([dt.timedelta(1)], FeatureKind.UNUSABLE),
        (["a sentence of several words", "and another one like it"], FeatureKind.TEXT),
        ([f"u{i}" for i in range(100)], FeatureKind.IDENTIFIER),
        ([f"u{i % 9}" for i in range(100)], FeatureKind.CATEGORY),
    ],
)
def test_kinds_come_from_values_where_the_type_says_nothing(values, kind):
    assert kind_of(pd.Series(values)) is kind


def test_infinite_values_become_missing():
    assert plain_frame(pd.DataFrame({"x": [1.0, np.inf]}))["x"].isna().tolist() == [False, True]
