"""Profiles hold what they say, merge to the bit in any order, and take every type."""

import datetime as dt
from decimal import Decimal
from itertools import pairwise

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbprod.datasets import write_parquet
from nbprod.errors import DataError
from nbprod.statistics import Profile
from nbprod.statistics.columns import ColumnType

RANDOM = np.random.default_rng(11)


def column(values, **options):
    return Profile.of(pd.DataFrame({"x": values}), **options).columns["x"]


# ------------------------------------------------------------------------------------------------ what is in it


def test_moments_range_and_counts_are_those_of_the_rows():
    values = RANDOM.lognormal(3, 1.5, 5000)
    found = column(values)
    assert (found.n, found.missing, found.minimum, found.maximum) == (5000, 0, values.min(), values.max())
    assert found.mean == pytest.approx(values.mean(), rel=1e-6)
    assert found.std == pytest.approx(values.std(), rel=1e-5)
    edges = np.r_[-np.inf, found.grid.edges, np.inf]
    assert found.counts.tolist() == np.histogram(values, edges)[0].tolist()


def test_values_far_from_the_grid_keep_their_exact_sum():
    start = Profile.of(pd.DataFrame({"x": RANDOM.normal(size=1000)}))
    far = np.r_[1e12 + RANDOM.normal(size=50), -3e9, 7e100]
    found = Profile.of(pd.DataFrame({"x": far}), grid=start).columns["x"]
    assert found.mean == pytest.approx(far.mean(), rel=1e-6)
    near = Profile.of(pd.DataFrame({"x": far[:50]}), grid=start).columns["x"]
    assert near.mean == pytest.approx(far[:50].mean(), rel=1e-15)


def test_large_offset_does_not_spoil_the_spread():
    values = 1e9 + RANDOM.normal(0, 0.01, 2000)
    assert column(values).std == pytest.approx(values.std(), rel=1e-4)


def test_missing_and_infinite_values_are_counted_apart():
    found = column([1.0, np.nan, np.inf, -np.inf, np.inf, 2.0])
    assert (found.rows, found.n, found.missing, found.positive_infinite, found.negative_infinite) == (6, 2, 1, 2, 1)
    assert (found.mean, found.maximum) == (1.5, 2.0)


@pytest.mark.parametrize(
    ("values", "n", "mean", "std"),
    [
        ([], 0, None, None),
        ([np.nan, np.nan], 0, None, None),
        ([5.0], 1, 5.0, 0.0),
        ([0.0034] * 50, 50, 0.0034, 0.0),
        ([1e308, -1e308], 2, 0.0, None),
        ([1e-300, 3e-300], 2, 2e-300, 1e-300),
    ],
)
def test_extremes_have_a_defined_answer(values, n, mean, std):
    profile = Profile.of(pd.DataFrame({"x": np.asarray(values, dtype=float)}))
    found = profile.columns["x"]
    assert found.n == n
    assert (found.mean is None) if mean is None else found.mean == pytest.approx(mean, rel=1e-5, abs=1e-306)
    if std is not None:
        assert found.std == pytest.approx(std, rel=1e-3)
    assert Profile.from_bytes(profile.to_bytes()) == profile


def test_categories_are_counted_exactly_up_to_a_bound():
    ids = [f"id{i}" for i in range(3000)] * 3
    few = column(["a", "b", "a", None])
    assert (few.counts, few.missing, few.distinct, few.complete) == ({"a": 2, "b": 1}, 1, 2, True)
    many = Profile.of(pd.DataFrame({"x": pd.Categorical(ids)})).columns["x"]
    assert not many.complete
    assert all(count == 3 for count in many.counts.values())
    assert sum(many.counts.values()) + many.overflow == 9000
    assert many.distinct == pytest.approx(3000, rel=0.25)


def test_text_is_profiled_by_its_length():
    found = column([f"customer number {i}" for i in range(1000)])
    assert found.kind is ColumnType.TEXT
    assert (found.minimum, found.maximum) == (17, 19)


def test_sorted_file_of_many_row_groups_gives_a_grid_of_the_whole(tmp_path):
    values = np.sort(RANDOM.normal(size=200_000))
    table = pa.table({"x": values})
    path = write_parquet(iter(table.to_batches(max_chunksize=5000)), tmp_path / "x.parquet", schema=table.schema)
    found = Profile.of(path).columns["x"]
    assert found.counts.max() < 0.1 * 200_000


# ------------------------------------------------------------------------------------------------ merging

numbers = st.one_of(
    st.none(),
    st.floats(allow_nan=True, allow_infinity=True),
    st.floats(-10, 10),
    st.sampled_from([0.0, 1.0, -1.0, 1e9, 1e300]),
)
rows = st.lists(st.tuples(numbers, st.sampled_from([None, "a", "b", "c", "ä"]), st.integers(0, 5)), max_size=30)


def table_of(listed):
    columns = list(zip(*listed, strict=True)) if listed else [(), (), ()]
    return pa.table(
        {
            "number": pa.array(columns[0], pa.float64()),
            "category": pa.array(columns[1], pa.string()),
            "at": pa.array([day * 86_400 for day in columns[2]], pa.timestamp("s")),
        }
    )


@given(first=rows, second=rows, third=rows, base=rows)
def test_merging_is_associative_free_of_order_and_equal_to_one_pass(first, second, third, base):
    grid = Profile.of(table_of(base))
    a, b, c = (Profile.of(table_of(part), grid=grid, time="at") for part in (first, second, third))
    whole = Profile.of(table_of(first + second + third), grid=grid, time="at")
    texts = {
        "one pass": whole.to_json(),
        "left": a.merge(b).merge(c).to_json(),
        "right": a.merge(b.merge(c)).to_json(),
        "other order": c.merge(a).merge(b).to_json(),
        "shuffled rows": Profile.of(table_of((second + third + first)[::-1]), grid=grid, time="at").to_json(),
    }
    assert len(set(texts.values())) == 1
    assert Profile.from_bytes(whole.to_bytes()) == whole


@settings(max_examples=settings().max_examples // 3)  # each makes four profiles of 900 rows
@given(cuts=st.lists(st.integers(0, 900), min_size=1, max_size=4))
def test_categories_beyond_the_bound_merge_to_the_same_result(cuts):
    keys = [f"k{number % 600}" for number in range(900)]
    start = Profile.of(pd.DataFrame({"x": pd.Categorical(["k1", "k2"])}))
    whole = Profile.of(pd.DataFrame({"x": pd.Categorical(keys)}), grid=start)
    edges = sorted({0, *cuts, 900})
    merged = None
    for low, high in reversed(list(pairwise(edges))):
        part = Profile.of(pd.DataFrame({"x": pd.Categorical(keys[low:high])}), grid=start)
        merged = part if merged is None else merged.merge(part)
    assert merged == whole


def test_profiles_on_different_grids_do_not_merge():
    a, b = (Profile.of(pd.DataFrame({"x": RANDOM.normal(size=100)})) for _ in range(2))
    with pytest.raises(DataError, match="column 'x' was profiled on two grids") as caught:
        a.merge(b)
    assert "grid=first" in caught.value.hint
    with pytest.raises(DataError, match="different columns"):
        a.merge(Profile.of(pd.DataFrame({"y": [1.0]})))


def test_blocks_count_rows_by_day_and_survive_a_file():
    at = pd.date_range("2026-01-01", periods=96, freq="30min")
    frame = pd.DataFrame({"x": np.arange(96.0), "c": list("ab") * 48, "at": at})
    profile = Profile.of(frame, time="at")
    assert len(profile.blocks) == 2
    assert [int(day.sum()) for day in profile.blocks.counts["x"]] == [48, 48]
    assert Profile.from_bytes(profile.to_bytes()) == profile
    later = Profile.of(frame.assign(at=at + pd.Timedelta("1D")), grid=profile)
    assert [int(day.sum()) for day in profile.merge(later).blocks.counts["c"]] == [48, 96, 48]


# ------------------------------------------------------------------------------------------------ types

MOMENTS = [dt.datetime(2026, 1, 1, 6), dt.datetime(2026, 1, 3)]  # noqa: DTZ001 — types with and without a zone
NUMBERS = [f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)] + ["float16", "float32", "float64"]
FRAMES = {
    **{f"numpy {kind}": (pd.DataFrame({"x": np.array([1, 2], dtype=kind)}), ColumnType.NUMBER) for kind in NUMBERS},
    "numpy bool": (pd.DataFrame({"x": [True, False]}), ColumnType.CATEGORY),
    "numpy object text": (pd.DataFrame({"x": np.array(["a", "b"], dtype=object)}), ColumnType.CATEGORY),
    "numpy object decimal": (pd.DataFrame({"x": [Decimal("1.5"), Decimal("2.5")]}), ColumnType.NUMBER),
    "numpy object date": (pd.DataFrame({"x": [dt.date(2026, 1, 1), None]}), ColumnType.MOMENT),
    "numpy object bytes": (pd.DataFrame({"x": [b"a", b"\xff"]}), ColumnType.CATEGORY),
    "numpy datetime64": (pd.DataFrame({"x": np.array(MOMENTS, dtype="datetime64[ns]")}), ColumnType.MOMENT),
    "numpy timedelta64": (pd.DataFrame({"x": np.array([1, 2], dtype="timedelta64[ms]")}), ColumnType.DURATION),
    **{
        f"nullable {kind}": (pd.DataFrame({"x": pd.array([1, None], dtype=kind)}), ColumnType.NUMBER)
        for kind in ["Int8", "Int64", "UInt8", "UInt64", "Float32", "Float64"]
    },
    "nullable boolean": (pd.DataFrame({"x": pd.array([True, None], dtype="boolean")}), ColumnType.CATEGORY),
    "nullable string": (pd.DataFrame({"x": pd.array(["a", None], dtype="string")}), ColumnType.CATEGORY),
    "category": (pd.DataFrame({"x": pd.Categorical(["a", None])}), ColumnType.CATEGORY),
    "category of numbers": (pd.DataFrame({"x": pd.Categorical([1, 2])}), ColumnType.CATEGORY),
    "zoned": (pd.DataFrame({"x": pd.Series(MOMENTS).dt.tz_localize("Asia/Tokyo")}), ColumnType.MOMENT),
    "period": (pd.DataFrame({"x": pd.period_range("2026-01", periods=2, freq="M")}), ColumnType.NUMBER),
    "interval": (pd.DataFrame({"x": pd.interval_range(0, 2)}), ColumnType.CATEGORY),
    "cut": (pd.DataFrame({"x": pd.cut([1, 5], [0, 3, 6])}), ColumnType.CATEGORY),
    "sparse": (pd.DataFrame({"x": pd.arrays.SparseArray([0.0, 1.0])}), ColumnType.NUMBER),
    **{
        f"arrow {kind}": (pd.DataFrame({"x": pd.Series(values, dtype=pd.ArrowDtype(kind))}), expected)
        for kind, values, expected in [
            (pa.int8(), [1, None], ColumnType.NUMBER),
            (pa.uint64(), [1, None], ColumnType.NUMBER),
            (pa.float32(), [1, None], ColumnType.NUMBER),
            (pa.float64(), [1, None], ColumnType.NUMBER),
            (pa.decimal128(10, 2), [Decimal("1.50"), None], ColumnType.NUMBER),
            (pa.bool_(), [True, None], ColumnType.CATEGORY),
            (pa.string(), ["a", None], ColumnType.CATEGORY),
            (pa.large_string(), ["a", None], ColumnType.CATEGORY),
            (pa.binary(), [b"a", None], ColumnType.CATEGORY),
            (pa.date32(), [dt.date(2026, 1, 1), None], ColumnType.MOMENT),
            (pa.date64(), [dt.date(2026, 1, 1), None], ColumnType.MOMENT),
            (pa.time32("s"), [dt.time(6), None], ColumnType.DURATION),
            (pa.time64("ns"), [dt.time(6), None], ColumnType.DURATION),
            (pa.timestamp("ms"), [MOMENTS[0], None], ColumnType.MOMENT),
            (pa.timestamp("ns", "UTC"), [MOMENTS[0], None], ColumnType.MOMENT),
            (pa.duration("us"), [dt.timedelta(1), None], ColumnType.DURATION),
            (pa.dictionary(pa.int8(), pa.string()), ["a", None], ColumnType.CATEGORY),
        ]
    },
    "arrow null": (pa.table({"x": pa.nulls(2)}), ColumnType.EMPTY),
    "arrow struct": (pa.table({"x": [{"a": 1}, None]}), ColumnType.CATEGORY),
    "arrow run-end": (pa.table({"x": pa.RunEndEncodedArray.from_arrays([1, 2], ["a", "b"])}), ColumnType.CATEGORY),
    "arrow decimal256": (pa.table({"x": pa.array([Decimal("1.5"), None], pa.decimal256(50, 2))}), ColumnType.NUMBER),
    "arrow fixed binary": (pa.table({"x": pa.array([b"ab", None], pa.binary(2))}), ColumnType.CATEGORY),
    "arrow half": (pa.table({"x": pa.array(np.array([1, 2], "float16"))}), ColumnType.NUMBER),
    "arrow view": (pa.table({"x": pa.array(["a", None], pa.string_view())}), ColumnType.CATEGORY),
    **{
        f"polars {kind}": (pl.DataFrame({"x": pl.Series(values, dtype=kind)}), expected)
        for kind, values, expected in [
            (pl.Int8, [1, None], ColumnType.NUMBER),
            (pl.UInt32, [1, None], ColumnType.NUMBER),
            (pl.Float32, [1.0, None], ColumnType.NUMBER),
            (pl.Decimal(10, 2), [Decimal("1.50"), None], ColumnType.NUMBER),
            (pl.Boolean, [True, None], ColumnType.CATEGORY),
            (pl.String, ["a", None], ColumnType.CATEGORY),
            (pl.Binary, [b"a", None], ColumnType.CATEGORY),
            (pl.Categorical, ["a", None], ColumnType.CATEGORY),
            (pl.Enum(["a", "b"]), ["a", None], ColumnType.CATEGORY),
            (pl.Date, [dt.date(2026, 1, 1), None], ColumnType.MOMENT),
            (pl.Datetime("ms"), [MOMENTS[0], None], ColumnType.MOMENT),
            (pl.Time, [dt.time(6), None], ColumnType.DURATION),
            (pl.Duration("us"), [dt.timedelta(1), None], ColumnType.DURATION),
            (pl.Null, [None, None], ColumnType.EMPTY),
        ]
    },
}


@pytest.mark.parametrize("name", FRAMES)
def test_every_type_is_profiled(name):
    frame, kind = FRAMES[name]
    profile = Profile.of(frame)
    found = profile.columns["x"]
    assert found.kind is kind
    assert found.rows == 2
    assert found.missing == int(sum(value is None or value is pd.NaT for value in _listed(frame)))
    assert Profile.from_bytes(profile.to_bytes()) == profile


def _listed(frame):
    if isinstance(frame, pa.Table):
        return frame["x"].to_pylist()
    return (
        frame["x"].to_list() if isinstance(frame, pl.DataFrame) else [None if pd.isna(x) else x for x in frame["x"]]
    )


def test_type_that_arrow_does_not_have_is_an_error_that_names_the_column():
    with pytest.raises(DataError, match="column 'wide'"):
        Profile.of(pl.DataFrame({"x": [1], "wide": pl.Series([1], dtype=pl.Int128)}))


def test_moments_are_seconds_whatever_the_unit():
    for unit in ("s", "ms", "us", "ns"):
        found = column(np.array(MOMENTS, dtype=f"datetime64[{unit}]"))
        assert (found.minimum, found.maximum) == (1767247200.0, 1767398400.0)


@pytest.mark.parametrize("type_", [pa.list_(pa.float64()), pa.map_(pa.string(), pa.int64())])
def test_type_without_profile_is_an_error_that_names_the_column(type_):
    with pytest.raises(DataError, match="column 'odd' holds") as caught:
        Profile.of(pa.table({"x": [1], "odd": pa.nulls(1, type_)}))
    assert "columns=" in caught.value.hint
    assert list(Profile.of(pa.table({"x": [1], "odd": pa.nulls(1, type_)}), columns=["x"]).columns) == ["x"]


# ------------------------------------------------------------------------------------------------ bytes and pages


def test_broken_bytes_are_refused():
    data = Profile.of(pd.DataFrame({"x": [1.0, 2.0]})).to_bytes()
    for broken in (b"", b"no", data[:-3], b"\x78\x9c" + data[3:]):
        with pytest.raises(DataError, match="no profile"):
            Profile.from_bytes(broken)


def test_missing_time_is_refused():
    with pytest.raises(DataError, match="column 'at' has rows without a time"):
        Profile.of(pd.DataFrame({"at": [MOMENTS[0], None], "x": [1, 2]}), time="at")


def test_profile_of_twenty_columns_is_small():
    frame = pd.DataFrame(RANDOM.normal(size=(20_000, 20)), columns=[f"x{i}" for i in range(20)])
    assert len(Profile.of(frame).to_bytes()) <= 40_000


def test_profile_shows_itself_escaped():
    profile = Profile.of(pd.DataFrame({"<b>": [1.0, 2.0], "c": ["<i>", "x"]}))
    assert repr(profile) == "<Profile 2 rows x 2 columns>"
    assert "<b>" not in profile._repr_html_()
    assert "&lt;i&gt;" in profile._repr_html_()
