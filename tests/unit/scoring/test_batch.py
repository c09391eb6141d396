import shutil

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from nbprod.errors import DataError, PackageError, SchemaError
from nbprod.scoring import score


@pytest.mark.parametrize("batch_rows", [128, 333, 1000, 100_000])
def test_every_row_is_predicted_in_order_whatever_the_batches(package, shared_packages, source, tmp_path, batch_rows):
    seen = []
    summary = score(
        package.folder, source, tmp_path / "out.parquet", version="demand/2", batch_rows=batch_rows, keep=["key"],
        progress=lambda done, total: seen.append((done, total)),
    )  # fmt: skip
    made = pd.read_parquet(tmp_path / "out.parquet")
    expected = shared_packages.load(package).predict(pd.read_parquet(source))

    assert list(made.columns) == ["prediction_id", "version", "key", "prediction", "probability"]
    assert made["key"].tolist() == list(range(1000))
    pd.testing.assert_frame_equal(made[["prediction", "probability"]], expected)
    assert made["prediction_id"].is_unique
    assert set(made["version"]) == {"demand/2"}
    assert seen[-1] == (1000, 1000)
    assert seen == sorted(seen)
    assert len(seen) == -(-1000 // batch_rows)
    assert summary.rows == 1000
    assert summary.predicted == expected["prediction"].value_counts().to_dict()
    assert not any("other" in warning or "key" in warning for warning in summary.warnings)


def test_a_csv_file_is_scored_too(package, shared_packages, source, tmp_path):
    csv = tmp_path / "rows.csv"
    pd.read_parquet(source).to_csv(csv, index=False)
    score(package.folder, csv, tmp_path / "out.parquet", version="demand/2")
    expected = shared_packages.load(package).predict(pd.read_parquet(source))
    pd.testing.assert_series_equal(pd.read_parquet(tmp_path / "out.parquet")["prediction"], expected["prediction"])


def test_numbers_and_many_classes_have_their_columns(built, source, tmp_path):
    out = tmp_path / "out.parquet"
    summary = score(built("regression").folder, source, out, version="demand/1")
    assert pq.read_schema(out).names == ["prediction_id", "version", "prediction"]
    assert summary.predicted["mean"] == pytest.approx(pd.read_parquet(out)["prediction"].mean())

    score(built("three").folder, source, out, version="level/1", overwrite=True)
    made = pd.read_parquet(out)
    np.testing.assert_allclose(made[["probability_high", "probability_low", "probability_mid"]].sum(axis=1), 1)


def test_a_wrong_row_far_down_is_named_and_nothing_is_written(package, source, tmp_path):
    frame = pd.read_parquet(source)
    frame.loc[700, "place"] = None
    frame.to_parquet(source, index=False)
    out = tmp_path / "out" / "out.parquet"
    message = r"In rows 600 to 799 of .*rows.parquet, 1 rows .*\n  row 700, place: null; expected text"
    with pytest.raises(SchemaError, match=message) as caught:
        score(package.folder, source, out, version="demand/2", batch_rows=200)
    assert caught.value.columns == ("place",)
    assert list(out.parent.iterdir()) == []


def test_an_older_output_survives_a_failure(package, source, tmp_path):
    out = tmp_path / "out.parquet"
    score(package.folder, source, out, version="demand/1")
    before = out.read_bytes()
    with pytest.raises(SchemaError, match="hour is missing"):
        score(package.folder, pd.read_parquet(source).drop(columns="hour"), out, version="demand/2")
    assert out.read_bytes() == before


def test_what_was_never_seen_is_told_once(package, source, tmp_path):
    frame = pd.read_parquet(source)
    frame.loc[[10, 400], "place"] = "moon"
    summary = score(package.folder, frame, tmp_path / "out.parquet", version="demand/2", batch_rows=300)
    found = [warning for warning in summary.warnings if "place" in warning]
    assert summary.unseen == {"place": 2}
    assert found == ["place has values never seen in training in 2 of 1,000 rows."]


@pytest.mark.parametrize(
    ("options", "message"),
    [({"keep": ["kee"]}, "no column 'kee'"), ({"batch_rows": 0}, "batch_rows is 0"), ({"keep": ["version"]}, "cannot be kept")],
)  # fmt: skip
def test_contradictions_are_refused_early(package, source, tmp_path, options, message):
    frame = pd.read_parquet(source).assign(version="x")
    with pytest.raises(DataError, match=message):
        score(package.folder, frame, tmp_path / "out.parquet", version="demand/2", **options)


def test_a_changed_package_scores_nothing(package, source, tmp_path):
    folder = shutil.copytree(package.folder, tmp_path / "changed")
    schema = folder / "schema.json"
    schema.write_bytes(schema.read_bytes() + b" ")
    with pytest.raises(PackageError, match=r"schema\.json"):
        score(folder, source, tmp_path / "out.parquet", version="demand/2")


def test_the_summary_shows_itself(package, source, tmp_path):
    summary = score(package.folder, source, tmp_path / "out.parquet", version="demand/2")
    assert repr(summary) == f"<ScoreSummary 1,000 rows by demand/2 into {tmp_path / 'out.parquet'}>"
    assert "predicted UP" in summary._repr_html_()
