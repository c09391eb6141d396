"""Two outputs are identical, within the tolerance, or different; never taken for the same when they are not."""

from __future__ import annotations

import zipfile

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbprod.domain.record import Figure
from nbprod.runs.output_similarity import OutputSimilarity, compare_values, files_alike

SAME, WITHIN, OTHER = OutputSimilarity.IDENTICAL, OutputSimilarity.WITHIN, OutputSimilarity.DIFFERENT
NEAR = 0.5 + 1e-12
PICTURE = {"name": "roc", "title": "", "alt": "", "media_type": "image/svg+xml"}


@pytest.mark.parametrize(
    ("a", "b", "found"),
    [
        (0.5, 0.5, SAME),
        (0.5, NEAR, WITHIN),
        (0.5, 0.6, OTHER),
        (float("nan"), float("nan"), SAME),
        (float("nan"), 0.5, OTHER),
        (1, np.int64(1), SAME),
        (True, 1, OTHER),
        ("fitted in 0x7f00deadbeef", "fitted in 0x7f11deadbeef", SAME),
        ("auc 0.5 of 10", f"auc {NEAR} of 10", WITHIN),
        ("auc 0.5", "auc 0.7", OTHER),
        ("auc 0.5", "acc 0.5", OTHER),
        ({"a": [1, 0.5]}, {"a": [1, NEAR]}, WITHIN),
        ({"a": 1}, {"b": 1}, OTHER),
        ({"a": 1, "fit_s": 2.0}, {"a": 1, "fit_s": 3.0}, OutputSimilarity.IGNORED),
        ({"a": 1, "fit_s": 2.0}, {"a": 2, "fit_s": 3.0}, OTHER),
        ([{"a": 0.5, "fit_s": 2.0}], [{"a": NEAR, "fit_s": 3.0}], WITHIN),
        ([1, 2], [1, 2, 3], OTHER),
        (np.array([1.0, np.nan]), np.array([1.0, np.nan]), SAME),
        (np.array([0.5]), np.array([NEAR]), WITHIN),
        (np.array([0.5]), np.array([0.5], dtype="float32"), OTHER),
        (pd.DataFrame({"x": [0.5], "c": ["a"]}), pd.DataFrame({"x": [NEAR], "c": ["a"]}), WITHIN),
        (pd.DataFrame({"x": [0.5], "c": ["a"]}), pd.DataFrame({"x": [0.5], "c": ["b"]}), OTHER),
        (pd.DataFrame({"x": [0.5]}), pd.DataFrame({"y": [0.5]}), OTHER),
        (pd.DataFrame({"x": [0.5]}), pd.DataFrame({"x": [0.5]}, index=[7]), OTHER),
        (pd.DataFrame({"x": [1], "fit_s": [0.1]}), pd.DataFrame({"x": [1], "fit_s": [0.2]}), SAME),
        (pd.DataFrame({"c": ["a", None]}), pd.DataFrame({"c": ["a", None]}), SAME),
        (pd.DataFrame({"c": ["a", None]}, dtype="string"), pd.DataFrame({"c": ["a", None]}, dtype="string"), SAME),
        (pd.DataFrame({"c": ["a", None]}, dtype="string"), pd.DataFrame({"c": ["a", "b"]}, dtype="string"), OTHER),
        (pd.Series([np.array([1, 0.5])]), pd.Series([np.array([1, NEAR])]), WITHIN),
        (pd.Series([[1], [2, 3]]), pd.Series([[1], [2, 4]]), OTHER),
        (
            Figure(**PICTURE, content="<path d='M 0.5 1'/>"),
            Figure(**PICTURE, content=f"<path d='M {NEAR} 1'/>"),
            WITHIN,
        ),
        (Figure(**PICTURE, content="<path d='M 1 1'/>"), Figure(**PICTURE, content="<path d='M 1 2'/>"), OTHER),
    ],
)
def test_values_are_held_against_each_other_part_by_part(a, b, found):
    assert compare_values(a, b, 1e-9) is found
    assert compare_values(b, a, 1e-9) is found


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(VALUES)
def test_everything_is_identical_to_itself(value):
    assert compare_values(value, value, 0.0) is SAME


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_numbers_farther_apart_than_the_tolerance_are_different(a, b):
    found = compare_values(a, b, 1e-6)
    assert (found is OTHER) == (abs(a - b) > max(1e-6 * max(abs(a), abs(b)), 1e-6))


def test_a_packed_file_is_known_by_its_parts(tmp_path):
    for name, year, content in (("a", 2020, "x"), ("b", 2021, "x"), ("c", 2020, "y")):
        with zipfile.ZipFile(tmp_path / name, "w") as packed:
            packed.writestr(zipfile.ZipInfo("part", (year, 1, 1, 0, 0, 0)), content)
    assert files_alike(tmp_path / "a", tmp_path / "b", 0.0) is SAME
    assert files_alike(tmp_path / "a", tmp_path / "c", 0.0) is OTHER


def test_a_model_is_known_by_what_it_holds_not_by_where_it_was_in_memory(tmp_path):
    import skops.io
    from sklearn.linear_model import LinearRegression

    rows = np.arange(6.0).reshape(3, 2)
    for name, target in (("a", [1, 2, 3]), ("b", [1, 2, 3]), ("c", [1, 2, 4])):
        skops.io.dump(LinearRegression().fit(rows, np.array(target)), tmp_path / f"{name}.skops")
    assert files_alike(tmp_path / "a.skops", tmp_path / "b.skops", 0.0) is SAME
    assert files_alike(tmp_path / "a.skops", tmp_path / "c.skops", 0.0) is OTHER
