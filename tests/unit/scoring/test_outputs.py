"""What goes in and out of a batch job: formats, many files, URLs, rejected rows."""

from itertools import pairwise

import fsspec
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake

from nbprod.errors import ConflictError, DataError, SchemaError, SettingsError
from nbprod.scoring import score

VALUES = ["prediction", "probability"]


def read(path):
    path = str(path)
    if path.rstrip("/").endswith(".delta"):
        return DeltaTable(path).to_pandas().sort_values("prediction_id", ignore_index=True)
    return pd.read_csv(path) if ".csv" in path else pd.read_parquet(path)


@pytest.mark.parametrize("name", ["out.parquet", "out.csv", "out.csv.gz", "out.delta", "out/"])
def test_the_output_has_the_form_its_name_says(package, source, expected, tmp_path, name):
    """Every row once, in the order of the source, the same values."""
    target = f"{tmp_path}/{name}"
    summary = score(package.folder, source, target, version="demand/2", batch_rows=300, keep=["key"])
    made = read(target)
    assert made["key"].tolist() == list(range(1000))
    pd.testing.assert_frame_equal(made[VALUES], expected, check_dtype=False)
    assert summary.rows == 1000
    assert {path.name for path in tmp_path.iterdir()} == {
        "rows.parquet",
        name.rstrip("/"),
        f"{name.rstrip('/')}.score.json",
    }


@pytest.mark.parametrize("kind", ["folder", "pattern", "csv folder", "delta", "one file"])
def test_many_files_are_one_input(package, rows, expected, tmp_path, kind):
    """In the order of their names, whatever their sizes."""
    folder = tmp_path / "in"
    folder.mkdir()
    cuts = [0, 130, 131, 700, 1000]
    for number, (start, end) in enumerate(pairwise(cuts)):
        part = rows[start:end]
        if kind == "csv folder":
            part.to_csv(folder / f"{number}.csv", index=False)
        elif kind == "delta":
            write_deltalake(str(folder), part.assign(kind=part["kind"].astype(str)), mode="append")
        else:
            part.to_parquet(folder / f"{number}.parquet", index=False, row_group_size=100)
    (folder / "_unfinished.parquet").write_bytes(b"half")
    if kind == "one file":
        rows.to_parquet(folder / "0.parquet", index=False)
    source = {"pattern": f"{folder}/[0-9].parquet", "one file": folder / "0.parquet"}.get(kind, folder)
    score(package.folder, source, tmp_path / "out.parquet", version="demand/2", batch_rows=256, keep=["key"])
    made = read(tmp_path / "out.parquet")
    if kind == "delta":  # a Delta table has no order
        made = made.sort_values("key", ignore_index=True)
    assert made["key"].tolist() == list(range(1000))
    pd.testing.assert_frame_equal(made[VALUES], expected, check_dtype=False)


def test_urls_go_in_and_out(package, rows, expected):
    """memory:// stands for every fsspec file system."""
    system = fsspec.filesystem("memory")
    with system.open("/batch-in/rows.parquet", "wb") as file:
        rows.to_parquet(file, index=False)
    try:
        summary = score(
            package.folder, "memory://batch-in/rows.parquet", "memory://batch-out/p.csv", version="demand/2", batch_rows=400
        )  # fmt: skip
        with system.open("/batch-out/p.csv") as file:
            made = pd.read_csv(file)
        assert summary.output == "memory:///batch-out/p.csv"
        assert sorted(system.ls("/batch-out", detail=False)) == ["/batch-out/p.csv", "/batch-out/p.csv.score.json"]
    finally:
        system.rm("/batch-in", recursive=True)
        system.rm("/batch-out", recursive=True)
    pd.testing.assert_frame_equal(made[VALUES], expected, check_dtype=False)


@pytest.fixture
def spoiled(rows, tmp_path):
    """Rows of which three are wrong, one of them twice."""
    rows = rows.assign(holiday=rows["holiday"].astype(object))
    rows.loc[17, "load"] = np.inf
    rows.loc[650, ["place", "hour"]] = None
    rows.loc[651, "holiday"] = None
    path = tmp_path / "spoiled.parquet"
    rows.to_parquet(path, index=False)
    return path


@pytest.mark.parametrize(("name", "beside"), [("out.parquet", "out.rejects.parquet"), ("out.csv", "out.rejects.csv")])
def test_rejected_rows_are_told_beside_the_output(package, spoiled, expected, tmp_path, name, beside):
    """The same records as the server's, with the number of the row in its file; the others are predicted."""
    summary = score(
        package.folder, spoiled, tmp_path / name, version="demand/2", batch_rows=300, keep=["key"], rejects="collect"
    )
    made = read(tmp_path / name)
    told = pd.read_csv(tmp_path / beside, keep_default_na=False) if ".csv" in beside else read(tmp_path / beside)
    wrong = [17, 650, 651]
    good = [row for row in range(1000) if row not in wrong]
    assert made["key"].tolist() == good
    pd.testing.assert_frame_equal(made[VALUES], expected.loc[good].reset_index(drop=True), check_dtype=False)
    assert told.to_dict("records") == [
        {"file": str(spoiled), "row": 17, "field": "load", "problem": "infinite", "expected": "a number, or null"},
        {"file": str(spoiled), "row": 650, "field": "hour", "problem": "null", "expected": "a whole number"},
        {"file": str(spoiled), "row": 650, "field": "place", "problem": "null", "expected": "text"},
        {"file": str(spoiled), "row": 651, "field": "holiday", "problem": "null", "expected": "true or false"},
    ]
    assert (summary.rows, summary.rejected, summary.rejects) == (997, 3, str(tmp_path / beside))


def test_rejects_of_an_older_job_do_not_stay(package, spoiled, source, tmp_path):
    """Who looks beside an output sees what belongs to it."""
    out = tmp_path / "out.parquet"
    score(package.folder, spoiled, out, version="demand/2", rejects="collect")
    assert (tmp_path / "out.rejects.parquet").exists()
    score(package.folder, source, out, version="demand/2", rejects="collect", overwrite=True)
    assert not (tmp_path / "out.rejects.parquet").exists()


def test_unseen_categories_are_counted_or_refused(package, rows, tmp_path):
    """By policy; a refused one is told like every other problem."""
    rows = rows.copy()
    rows.loc[[3, 4], "place"] = "moon"
    rows.loc[4, "kind"] = np.nan
    rows["kind"] = rows["kind"].astype(str).where(rows["kind"].notna(), "z")
    path = tmp_path / "rows.parquet"
    rows.to_parquet(path, index=False)
    kept = score(package.folder, path, tmp_path / "a.parquet", version="demand/2")
    assert kept.unseen == {"place": 2, "kind": 1}
    told = score(package.folder, path, tmp_path / "b.parquet", version="demand/2", unseen="refuse", rejects="collect")
    assert told.rejected == 2
    assert set(read(tmp_path / "b.rejects.parquet")["problem"]) == {"unseen"}
    with pytest.raises(SchemaError, match="place: unseen; expected a category seen in training"):
        score(package.folder, path, tmp_path / "c.parquet", version="demand/2", unseen="refuse")


def test_one_bad_cell_does_not_make_a_csv_column_text(package, rows, expected, tmp_path):
    """And text that looks like numbers stays the text it is."""
    rows = rows.assign(hour=rows["hour"].astype(str))
    rows.loc[500, "hour"] = "noon"
    rows.to_csv(tmp_path / "rows.csv", index=False)
    summary = score(
        package.folder, tmp_path / "rows.csv", tmp_path / "out.parquet", version="demand/2", batch_rows=300,
        rejects="collect", keep=["key"],
    )  # fmt: skip
    made = read(tmp_path / "out.parquet")
    assert summary.rejected == 1
    assert 500 not in set(made["key"])
    pd.testing.assert_frame_equal(made[VALUES], expected.drop(index=500).reset_index(drop=True), check_dtype=False)
    [told] = read(tmp_path / "out.rejects.parquet").to_dict("records")
    assert (told["row"], told["field"], told["problem"]) == (500, "hour", "type")


def test_kept_columns_get_a_type_that_holds_all_files(package, rows, tmp_path):
    """Whole numbers in one file, fractions in the next."""
    folder = tmp_path / "in"
    folder.mkdir()
    rows[:10].to_parquet(folder / "a.parquet", index=False)
    rows[10:20].assign(key=0.5).to_parquet(folder / "b.parquet", index=False)
    score(package.folder, folder, tmp_path / "out.parquet", version="demand/2", keep=["key"])
    assert read(tmp_path / "out.parquet")["key"].tolist() == [*range(10), *[0.5] * 10]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"rejects": "ignore"}, SettingsError, "rejects is 'ignore'"),
        ({"unseen": "drop"}, SettingsError, "unseen is 'drop'"),
        ({"form": "xml"}, SettingsError, "'xml' is no format"),
        ({"on": "spark://here"}, SettingsError, "names no workers"),
        ({"log": ["nothing"]}, DataError, "no column 'nothing'"),
    ],
)
def test_words_that_mean_nothing_are_refused(package, source, tmp_path, options, error, message):
    """Before anything is predicted or left behind."""
    with pytest.raises(error, match=message):
        score(package.folder, source, tmp_path / "o" / "out.parquet", version="demand/2", **options)
    assert not (tmp_path / "o" / "out.parquet").exists()


def test_an_ending_that_says_nothing_is_refused(package, source, tmp_path):
    """A typing error is no format."""
    with pytest.raises(SettingsError, match="cannot be told from its ending"):
        score(package.folder, source, tmp_path / "out.parqet", version="demand/2")


def test_what_is_there_is_not_replaced_unasked(package, source, tmp_path):
    """A file of somebody else, or of another job."""
    out = tmp_path / "out.parquet"
    out.write_bytes(b"precious")
    with pytest.raises(ConflictError, match="exists and is not what this command writes"):
        score(package.folder, source, out, version="demand/2")
    assert out.read_bytes() == b"precious"
    score(package.folder, source, out, version="demand/2", overwrite=True)
    assert pq.read_metadata(out).num_rows == 1000
