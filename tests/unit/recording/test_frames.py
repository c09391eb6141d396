import datetime as dt
import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import pandas as st_pandas
from pandas.testing import assert_frame_equal, assert_series_equal

from nbprod.recording.blobs import Blobs
from nbprod.recording.encoding import decode, encode


def there_and_back(value):
    return decode(json.loads(json.dumps(encode(value, Blobs()))), Blobs())


COLUMNS = {
    "whole": [1, 2, 3],
    "number": [1.5, np.nan, -0.0],
    "text": ["a", None, "c"],
    "text_objects": pd.Series(["a", np.nan, "c"], dtype=object),
    "text_or_none": pd.Series(["a", None, "c"], dtype=object),
    "mixed": pd.Series([1, "a", None], dtype=object),
    "lists": [[1], [2, 3], []],
    "truth_or_none": pd.Series([True, None, False], dtype=object),
    "dates": pd.Series([dt.date(2026, 1, 1)] * 3, dtype=object),
    "huge": pd.Series([2**70, 1, None], dtype=object),
    "surrogate": pd.Series(["\ud800", "b", "c"], dtype=object),
    "category": pd.Categorical(["x", "y", None], categories=["y", "x", "z"], ordered=True),
    "category_of_numbers": pd.Categorical([3, 1, 3]),
    "moment": pd.date_range("2026", periods=3),
    "moment_utc": pd.date_range("2026", periods=3, tz="UTC"),
    "moment_paris": pd.date_range("2026", periods=3, tz="Europe/Paris").as_unit("s"),
    "long_ago": pd.Series([pd.Timestamp("1600-01-01").as_unit("s")] * 3),
    "length": pd.to_timedelta([1, 2, None], unit="h"),
    "nullable_whole": pd.Series([1, None, 3], dtype="Int64"),
    "nullable_truth": pd.Series([True, None, False], dtype="boolean"),
    "nullable_number": pd.Series([1.5, None, 2], dtype="Float64"),
    "nullable_text": pd.Series(["a", None, "c"], dtype="string"),
    "small": np.array([1, 2, 255], dtype="u1"),
    "half": np.array([1, 2, 3], dtype="f2"),
    "period": pd.period_range("2026", periods=3, freq="M"),
    "interval": pd.interval_range(0, 3),
    "arrow": pd.Series([1, None, 3], dtype="int64[pyarrow]"),
}
INDEXES = [
    pd.RangeIndex(3),
    pd.RangeIndex(3, 9, 2, name="r"),
    pd.Index(list("abc"), name="k"),
    pd.Index([3, 1, 1]),
    pd.date_range("2026", periods=3, freq="D", name="day"),
    pd.DatetimeIndex(["2026-01-01", "2026-01-09", "2026-01-10"], tz="UTC"),
    pd.to_timedelta([1, 2, 3], unit="h"),
    pd.MultiIndex.from_product([["a"], [1, 2, 3]], names=["x", None]),
    pd.MultiIndex.from_arrays([pd.Categorical(list("aba")), pd.date_range("2026", periods=3)]),
    pd.CategoricalIndex(list("aba"), name="c"),
    pd.Index([1, "a", None], dtype=object, name=("a", 1)),
    pd.interval_range(0, 3),
    pd.period_range("2026", periods=3, freq="M"),
]
LABELS = [
    pd.Index([1, 2, 3], name="n"),
    pd.Index(["a", "a", "b"]),
    pd.RangeIndex(3, name="r"),
    pd.MultiIndex.from_tuples([("a", 1), ("a", 2), ("b", 1)], names=["p", None]),
    pd.date_range("2026", periods=3),
    pd.Index([1, "a", None], dtype=object, name="n"),
    pd.Index([("a", 1), ("b", 2), 3], tupleize_cols=False),
]


@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_of_each_type_comes_back(name):
    frame = pd.DataFrame({name: COLUMNS[name]})
    assert_frame_equal(there_and_back(frame), frame, check_exact=True)
    assert_frame_equal(there_and_back(frame.iloc[:0]), frame.iloc[:0], check_exact=True)


def test_objects_keep_their_own_types():
    for name in ("text_objects", "text_or_none", "mixed", "truth_or_none", "huge"):
        frame = pd.DataFrame({name: COLUMNS[name]})
        assert [type(one) for one in there_and_back(frame)[name]] == [type(one) for one in frame[name]]


@pytest.mark.parametrize("index", INDEXES, ids=lambda index: type(index).__name__)
def test_an_index_of_each_type_comes_back(index):
    frame = pd.DataFrame(COLUMNS).set_index(index)
    back = there_and_back(frame)
    assert_frame_equal(back, frame, check_exact=True, check_freq=True)
    assert type(back.index) is type(index)
    assert list(back.index.names) == list(index.names)


@pytest.mark.parametrize("labels", LABELS, ids=lambda labels: type(labels).__name__)
def test_labels_of_each_type_come_back(labels):
    frame = pd.DataFrame(np.eye(3), columns=labels)
    assert_frame_equal(there_and_back(frame), frame)
    assert type(there_and_back(frame).columns) is type(labels)


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame(),
        pd.DataFrame(index=range(3)),
        pd.DataFrame(columns=["a"]),
        pd.DataFrame({"a": []}),
        pd.DataFrame(index=pd.MultiIndex.from_arrays([[], []])),
    ],
)
def test_empty_frames_come_back(frame):
    assert_frame_equal(there_and_back(frame), frame)


@pytest.mark.parametrize("name", [None, "a", ("a", 1), 3])
def test_a_series_comes_back_with_its_name(name):
    series = pd.Series([1.0, None], index=["x", "y"], name=name)
    assert_series_equal(there_and_back(series), series)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (pd.DataFrame({"s": pd.arrays.SparseArray([0, 1])}), "column 's' of Sparse"),
        (pd.DataFrame({"c": [1 + 1j]}), "column 'c' of complex128 Arrow does not know"),
        (pd.DataFrame({"o": [object()]}), "a value of the type object"),
        (
            pd.DataFrame({"f": pd.arrays.FloatingArray(np.array([np.nan, 1]), np.array([False, True]))}),
            "column 'f' of Float64 does not come back",
        ),
        (
            pd.DataFrame([[1]], columns=pd.CategoricalIndex(["a"], categories=["b", "a"])),
            "labels of its columns do not come back",
        ),
    ],
)
def test_what_would_not_come_back_is_refused_by_column(frame, message):
    """Kept exactly or not at all: what comes back is compared before anything is kept."""
    with pytest.raises((TypeError, ValueError), match=message):
        encode(frame, Blobs())


frames = st_pandas.data_frames(
    [
        st_pandas.column("i", dtype=np.int64),
        st_pandas.column("f", dtype=np.float32),
        st_pandas.column("t", elements=st.text(max_size=3) | st.none(), dtype=object),
        st_pandas.column(
            "o", elements=st.integers() | st.text(max_size=2) | st.booleans() | st.floats(), dtype=object
        ),
        st_pandas.column(
            "d",
            dtype=np.dtype("M8[us]"),
            elements=st.integers(-(2**50), 2**50).map(lambda number: np.datetime64(number, "us")),
        ),
    ],
    index=st_pandas.indexes(elements=st.integers(-5, 5), max_size=5) | st_pandas.range_indexes(max_size=5),
)


@given(frames)
def test_any_frame_comes_back(frame):
    back = there_and_back(frame)
    assert_frame_equal(back, frame, check_exact=True)
    assert [type(one) for one in back["o"]] == [type(one) for one in frame["o"]]
