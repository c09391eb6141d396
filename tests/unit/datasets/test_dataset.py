"""Sources open, stream, and say in words what is wrong with them."""

from datetime import UTC, datetime
from itertools import pairwise

import fsspec
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbprod.datasets import Dataset, fingerprint_batches, open_dataset, read_frame, write_parquet
from nbprod.errors import DataError

FRAME = pd.DataFrame(
    {
        "number": [1.5, np.nan, -2.0, 4.0],
        "count": [1, 2, 3, 4],
        "kind": ["a", "b", None, "ä"],
        "group": pd.Categorical(["x", "y", "x", "x"]),
        "flag": [True, False, True, True],
        "at": pd.date_range("2026-01-01", periods=4, tz="UTC"),
        "big": pd.array([1, None, 3, 2**60], dtype="Int64"),
    }
)


def test_parquet_file_folder_url_and_frames_hold_the_same_rows(tmp_path):
    file = write_parquet(FRAME, tmp_path / "a" / "rows.parquet")
    memory = fsspec.filesystem("memory")
    memory.pipe("/nbprod-test/rows.parquet", file.read_bytes())
    sources = [
        FRAME,
        file,
        tmp_path / "a",
        file.as_uri(),
        "memory://nbprod-test/rows.parquet",
        pl.from_pandas(FRAME),
        pl.from_pandas(FRAME).lazy(),
        pa.Table.from_pandas(FRAME),
    ]
    prints = {open_dataset(source).fingerprint for source in sources}
    assert len(prints) == 1
    for source in sources:
        dataset = open_dataset(source)
        assert dataset.rows == 4
        assert read_frame(source)["count"].tolist() == [1, 2, 3, 4]
        assert [batch.schema.names for batch in dataset.batches(["kind", "at"])] == [["kind", "at"]]


def test_delta_table_opens(tmp_path):
    from deltalake import write_deltalake

    write_deltalake(tmp_path / "t", pa.table({"x": [1, 2]}))
    write_deltalake(tmp_path / "t", pa.table({"x": [3]}), mode="append")
    dataset = open_dataset(tmp_path / "t")
    assert (dataset.kind, dataset.rows) == ("delta", 3)
    assert sorted(dataset.frame()["x"]) == [1, 2, 3]


def test_hive_folder_has_its_partition_column_and_hides_marks(tmp_path):
    for year in (2025, 2026):
        write_parquet(pd.DataFrame({"x": [year]}), tmp_path / f"year={year}" / "part.parquet")
    write_parquet(pd.DataFrame({"x": [0]}), tmp_path / "_unfinished" / "part.parquet")
    frame = read_frame(tmp_path)
    assert frame["x"].tolist() == [2025, 2026]
    assert frame["year"].tolist() == [2025, 2026]


def test_csv_takes_for_dates_only_what_all_cells_are_and_keeps_types_of_all_rows(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text(
        "iso,us,at,number,flag,text,gone\n"
        "2026-01-02,1/2/26b,2026-01-02T03:04:05Z,1,true,a,\n"
        "2026-01-03,1/3/2026,2026-01-02T03:04:06Z,2.5,false,,\n",
        encoding="utf-8",
    )
    frame = read_frame(path)
    assert str(frame["iso"].dtype).startswith("datetime64")
    assert frame["us"].tolist() == ["1/2/26b", "1/3/2026"]
    assert frame["at"][0] == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert frame["number"].tolist() == [1.0, 2.5]
    assert frame["flag"].tolist() == [True, False]
    assert frame["text"].isna().tolist() == [False, True]
    assert open_dataset(path).rows == 2


def test_csv_type_is_widened_when_a_late_row_does_not_fit(tmp_path, monkeypatch):
    """The first block holds whole numbers only; later blocks a fraction, then text."""
    monkeypatch.setattr("nbprod.datasets.csv._BLOCK_BYTES", 64)
    path = tmp_path / "late.csv"
    lines = ["a,b,c"] + ["1,1,"] * 30 + ["1,2.5,"] * 3 + ["x,3,7"]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    dataset = open_dataset(path)
    assert [str(kind) for kind in dataset.schema.types] == ["string", "double", "int64"]
    assert dataset.rows == 34
    assert dataset.frame()["b"].sum() == pytest.approx(30 + 7.5 + 3)
    assert dataset.frame(["c"])["c"].dropna().tolist() == [7]


def test_csv_with_semicolons_bom_and_gzip(tmp_path):
    import gzip

    path = tmp_path / "rows.csv.gz"
    path.write_bytes(gzip.compress("\ufeffname;value\nx;1\n".encode()))
    assert read_frame(path).to_dict("list") == {"name": ["x"], "value": [1]}


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("gone.parquet", None, "does not exist"),
        ("empty.csv", b"", "is empty"),
        ("empty.parquet", b"", "is empty"),
        ("false.parquet", b"a,b\n1,2\n", "not a readable Parquet"),
        ("norows.csv", b"a,b\n", "has no rows"),
        ("ragged.csv", b"a,b\n1,2\n1,2,3\n", "no readable CSV"),
        ("double.csv", b"a,a\n1,2\n", "two columns named 'a'"),
        ("table.xlsx", b"x", "ending nbprod does not read"),
    ],
)
def test_unusable_file_is_named(tmp_path, name, content, words):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        open_dataset(path)
    assert name in str(caught.value)
    assert words in str(caught.value)
    assert caught.value.hint


def test_parquet_under_the_name_of_a_csv_is_refused(tmp_path):
    path = write_parquet(FRAME, tmp_path / "rows.csv")
    with pytest.raises(DataError, match="is a Parquet file"):
        open_dataset(path)


def test_empty_folder_no_rows_and_no_source_are_refused(tmp_path):
    with pytest.raises(DataError, match="without Parquet"):
        open_dataset(tmp_path)
    with pytest.raises(DataError, match="has no rows"):
        open_dataset(FRAME.iloc[:0])
    assert open_dataset(FRAME.iloc[:0], allow_empty=True).rows == 0
    with pytest.raises(DataError, match="a dict is not a tabular source"):
        open_dataset({"a": [1]})


def test_column_that_arrow_cannot_hold_is_named():
    with pytest.raises(DataError, match="column 'mixed'"):
        open_dataset(pd.DataFrame({"mixed": [1, "a"]}))
    with pytest.raises(DataError, match="column 'z'"):
        open_dataset(pd.DataFrame({"z": [1j]}))


def test_unknown_column_is_refused_with_the_nearest_name():
    with pytest.raises(DataError, match="Did you mean count"):
        list(open_dataset(FRAME).batches(["cuont"]))
    with pytest.raises(DataError, match="Did you mean count"):
        open_dataset(FRAME).frame(["cuont"])


def test_fingerprint_changes_with_one_cell_order_type_and_name():
    base = open_dataset(FRAME).fingerprint
    for column, value in [("number", 1.6), ("count", 9), ("kind", "c"), ("flag", False), ("big", 5)]:
        changed = FRAME.copy()
        changed.loc[0, column] = value
        assert open_dataset(changed).fingerprint != base
    assert open_dataset(FRAME.iloc[::-1]).fingerprint != base
    assert open_dataset(FRAME.rename(columns={"count": "n"})).fingerprint != base
    assert open_dataset(FRAME.astype({"count": "float64"})).fingerprint != base
    assert open_dataset(FRAME.copy()).fingerprint == base


values = st.one_of(st.none(), st.text(max_size=4))


@given(
    rows=st.lists(st.tuples(values, st.none() | st.floats(), st.none() | st.lists(st.integers(0, 9), max_size=3))),
    cuts=st.lists(st.integers(0, 20), max_size=4),
)
def test_fingerprint_does_not_depend_on_chunks(rows, cuts):
    columns = list(zip(*rows, strict=True)) if rows else [(), (), ()]
    table = pa.table(
        {
            "text": pa.array(columns[0], pa.string()),
            "number": pa.array(columns[1], pa.float64()),
            "list": pa.array(columns[2], pa.list_(pa.int64())),
        }
    )
    whole = fingerprint_batches(table.schema, table.to_batches())
    edges = sorted({0, *(min(cut, len(rows)) for cut in cuts), len(rows)})
    parts = [table.slice(a, b - a).combine_chunks().to_batches() for a, b in pairwise(edges)]
    assert fingerprint_batches(table.schema, [batch for part in parts for batch in part]) == whole
    encoded = table.set_column(0, "text", table["text"].combine_chunks().dictionary_encode())
    assert fingerprint_batches(encoded.schema, encoded.to_batches()) == whole


def test_write_parquet_streams_batches_and_leaves_nothing_when_it_fails(tmp_path):
    table = pa.table({"x": [1, 2, 3]})
    path = write_parquet(iter(table.to_batches(max_chunksize=1)), tmp_path / "x.parquet", schema=table.schema)
    assert pq.read_table(path).equals(table)

    def broken():
        yield table.to_batches()[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_parquet(broken(), tmp_path / "x.parquet", schema=table.schema)
    assert [file.name for file in tmp_path.iterdir()] == ["x.parquet"]
    assert pq.read_table(path).equals(table)
    with pytest.raises(DataError, match="cannot be written"):
        write_parquet(table, tmp_path / "x.parquet" / "below.parquet")


def test_file_that_changes_while_open_is_an_error_with_its_name(tmp_path):
    path = write_parquet(FRAME, tmp_path / "rows.parquet")
    dataset = open_dataset(path)
    path.write_bytes(b"PAR1 nothing")
    with pytest.raises(DataError, match=r"rows\.parquet"):
        list(dataset.batches())


def test_dataset_shows_itself_escaped():
    dataset = open_dataset(pd.DataFrame({"<b>": [1]}))
    assert isinstance(dataset, Dataset)
    assert repr(dataset) == "<Dataset the pandas frame frame, 1 rows x 1 columns>"
    assert "&lt;b&gt;" in dataset._repr_html_()
