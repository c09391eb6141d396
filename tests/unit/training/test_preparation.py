"""Rows and columns are chosen with a sentence for what is set aside; nothing that cannot be learned gets through."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from nbprod.errors import DataError, SettingsError
from nbprod.training import FeatureKind, infer_task, prepare


def table(rows=100):
    random = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "at": pd.date_range("2026-01-01", periods=rows, freq="D", tz="UTC")[::-1],
            "x": random.normal(size=rows),
            "colour": random.choice(["red", "blue"], rows),
            "nothing": np.nan,
            "still": 1,
            "key": [f"k{i}" for i in range(rows)],
            "y": random.choice([0, 1], rows),
        }
    )


def test_empty_identifier_time_and_dropped_columns_are_set_aside_with_a_sentence():
    rows = prepare(table(), target="y", time="at", drop=["colour"])

    assert rows.kinds == {"x": FeatureKind.NUMERIC, "still": FeatureKind.NUMERIC}
    assert any("nothing holds no value" in note for note in rows.notes)
    assert any("key has another word in nearly every row" in note for note in rows.notes)
    assert any("still never changes" in note for note in rows.notes)
    assert rows.times is not None
    assert rows.times.is_monotonic_increasing


def test_window_takes_start_and_leaves_end():
    rows = prepare(table(), target="y", time="at", start="2026-01-10", end="2026-02-10")

    assert rows.times is not None
    assert (rows.times.min(), rows.times.max()) == (
        pd.Timestamp("2026-01-10", tz="UTC"),
        pd.Timestamp("2026-02-09", tz="UTC"),
    )


def test_rows_without_a_target_are_left_out():
    frame = table().astype({"y": "float64"})
    frame.loc[:9, "y"] = np.nan

    rows = prepare(frame, target="y")

    assert len(rows) == 90
    assert rows.target.dtype == "int64"
    assert "10 rows have no y" in rows.notes[0]


@pytest.mark.parametrize(
    ("target", "task"),
    [
        (pd.Series(["a", "b"] * 9), "classification"),
        (pd.Series([True, False] * 9), "classification"),
        (pd.Series([0.0, 1.0, np.nan] * 9), "classification"),
        (pd.Series([1, 2, 3] * 20), "classification"),
        (pd.Series(range(60)), "regression"),
        (pd.Series([1.5, 2.5, 3.5] * 20), "regression"),
    ],
)
def test_task_is_inferred(target, task):
    assert infer_task(target) == task


def refused(change, settings):
    frame = change(table())
    with pytest.raises((DataError, SettingsError)) as caught:
        prepare(frame, **{"target": "y", **settings})
    return str(caught.value)


@pytest.mark.parametrize(
    ("change", "settings", "says"),
    [
        (lambda f: f, {"target": "z"}, "no column 'z'"),
        (lambda f: f.iloc[:0], {}, "no rows"),
        (lambda f: f.assign(y=1), {}, "is 1 in all 100 rows"),
        (lambda f: f.assign(y=np.nan), {}, "no known value"),
        (lambda f: f.assign(y=["rare"] + ["a", "b", "c"] * 33), {}, "class rare of the target 'y' is seen once"),
        (lambda f: f.assign(y=[f"c{i}" for i in range(100)]), {}, "most of them seen once"),
        (lambda f: f.assign(y=["a", "b"] * 50), {"task": "regression"}, "holds words"),
        (lambda f: f, {"task": "clustering"}, "not a task"),
        (lambda f: f[["nothing", "key", "y"]], {}, "no column is left"),
        (lambda f: f, {"start": "2026-01-01"}, "need a time column"),
        (lambda f: f, {"time": "x"}, "numbers, not moments"),
        (lambda f: f, {"time": "at", "start": "2027-01-01"}, "no row lies between"),
        (lambda f: f, {"time": "at", "start": "2026-02-01", "end": "2026-01-01"}, "not after start"),
        (lambda f: f, {"time": "at", "start": "soon"}, "not a date"),
        (lambda f: f, {"time": "at", "drop": ["at"]}, "is the time column and is to be dropped"),
        (lambda f: f, {"group": "y"}, "both the target and the group column"),
        (lambda f: f.assign(at=f["at"].where(f.index > 3)), {"time": "at"}, "4 rows without a time"),
        (lambda f: f.assign(at="later"), {"time": "at"}, "not a moment"),
    ],
)
def test_what_cannot_be_learned_is_refused_early(change, settings, says):
    assert says in refused(change, settings)


@pytest.mark.parametrize("target", ["x,y", '["x", "y"]', ["x", "y"]])
def test_more_than_one_target_is_refused_in_words(target):
    frame = pd.DataFrame({"x": [1.0, 2.0], "y": [1.0, 3.0], "z": [0.0, 1.0]})
    with pytest.raises(
        DataError, match=r"target names 2 columns \(x, y\); a model that is kept predicts one"
    ) as caught:
        prepare(frame, target=target)
    assert "target=x,y" in caught.value.hint
