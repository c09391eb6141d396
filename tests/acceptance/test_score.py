"""Scoring from the command line: what goes in and out, what is refused, what a deployment keeps."""

import json

import pandas as pd
import pytest


@pytest.fixture(scope="module")
def rows(road):
    return pd.read_parquet(road.folder / "data" / "later.parquet")


def test_many_files_to_csv_with_the_rejected_rows_beside(road, rows, tmp_path):
    """A pattern of CSV files, one bad cell, one file out; the numbers go to stdout as JSON."""
    wrong = rows.astype({"nswprice": object})
    wrong.loc[300, "nswprice"] = "high"
    wrong[:200].to_csv(tmp_path / "a.csv", index=False)
    wrong[200:].to_csv(tmp_path / "b.csv", index=False)
    words = ("score", "price@champion", f"{tmp_path}/[ab].csv", tmp_path / "out.csv", "--keep", "at")

    refused = road.shell(*words, code=1)
    assert "row 100, nswprice: type; expected a number" in refused.err
    assert "high" not in refused.err
    assert not list(tmp_path.glob("out*"))

    told = json.loads(road.shell(*words, "--rejects", "collect", "--json").out)
    made = pd.read_csv(tmp_path / "out.csv")
    rejects = pd.read_csv(tmp_path / "out.rejects.csv")
    assert (told["rows"], told["rejected"]) == (len(rows) - 1, 1)
    assert len(made) == len(rows) - 1
    assert made["prediction_id"].is_unique
    assert rejects.to_dict("records") == [
        {"file": str(tmp_path / "b.csv"), "row": 100, "field": "nswprice", "problem": "type", "expected": "a number"}
    ]


def test_a_deployment_keeps_what_was_scored_once(road, rows, tmp_path):
    """The same command again adds nothing; the event times are those of the column that was named."""
    words = ("score", "price@champion", "later", tmp_path / "out.parquet", "--log", "price", "--time", "at")
    first, again = road.shell(*words), road.shell(*words)
    [newest] = road.shell.json("predictions", "show", "price", "--limit", "1")
    made = pd.read_parquet(tmp_path / "out.parquet")

    assert f"price: {len(rows):,} predictions added" in first.err
    assert "kept before" in again.err
    assert newest["prediction_id"] == made["prediction_id"].iloc[-1]
    assert newest["at"].startswith(str(rows["at"].max())[:10])
    assert newest["inputs"]["nswprice"] == pytest.approx(rows["nswprice"].iloc[-1])


def test_what_is_there_is_kept_unless_told_otherwise(road, tmp_path):
    """A file of another job is not replaced by mistake."""
    out = tmp_path / "out.parquet"
    out.write_bytes(b"precious")
    answer = road.shell("score", "price@champion", "later", out, code=1)
    assert "--overwrite" in answer.err
    assert out.read_bytes() == b"precious"
    road.shell("score", "price@champion", "later", out, "--overwrite", "--on", "processes")
    assert len(pd.read_parquet(out)) == 744


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--log", "nothing"), "nothing"),
        (("--time", "at"), "--log"),
        (("--rejects", "ignore"), "rejects"),
        (("--keep", "nswprize"), "nswprice"),
    ],
)
def test_words_that_cannot_be_are_refused_before_a_notebook_starts(road, tmp_path, words, told):
    """With the setting or the nearest name in the message."""
    answer = road.shell("score", "price@champion", "later", tmp_path / "out.parquet", *words, code=None)
    assert answer.code in {2, 4}
    assert told in answer.err
    assert not list(tmp_path.iterdir())
