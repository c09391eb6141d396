"""A job that ended before its time goes on, and one that is done is not done again."""

import json

import pandas as pd
import pyarrow.parquet as pq
import pytest

from nbprod.errors import ConflictError
from nbprod.lake import Lake
from nbprod.scoring import score
from nbprod.scoring.logging import Logged
from nbprod.scoring.progress import Rate


class GoneError(Exception):
    """The process ends here."""


def ending_after(rows):
    def progress(done, total):
        if done >= rows:
            raise GoneError

    return progress


@pytest.fixture
def begun(package, source, tmp_path):
    """The arguments of a job that ended after about 400 of 1000 rows."""
    job = {"package_folder": package.folder, "source": source, "output": tmp_path / "out" / "p.parquet"}
    job |= {"version": "demand/2", "batch_rows": 100, "keep": ["key"]}
    with pytest.raises(GoneError):
        score(**job, progress=ending_after(400))
    return job


def test_nothing_is_visible_before_the_end_and_the_rest_is_done_later(begun, expected, tmp_path):
    """What is done is not predicted again, and every row is there once."""
    folder = tmp_path / "out"
    assert [path.name for path in folder.iterdir()] == ["p.parquet.score"]
    before = {path.name: path.stat().st_mtime_ns for path in (folder / "p.parquet.score").iterdir()}
    assert 4 <= sum(name.startswith("part-") for name in before) < 10
    seen = []
    score(**begun, progress=lambda done, total: seen.append(done))
    made = pd.read_parquet(folder / "p.parquet")
    assert seen[0] == 100 * sum(name.startswith("part-") for name in before)
    assert made["key"].tolist() == list(range(1000))
    assert made["prediction_id"].is_unique
    pd.testing.assert_frame_equal(made[["prediction", "probability"]], expected)
    assert sorted(path.name for path in folder.iterdir()) == ["p.parquet", "p.parquet.score.json"]


def test_the_same_command_again_does_nothing(begun, tmp_path):
    """It answers what it answered."""
    first = score(**begun)
    content = begun["output"].read_bytes()
    again = score(**begun)
    assert again == first
    assert begun["output"].read_bytes() == content
    redone = score(**begun, overwrite=True)
    assert redone.rows == first.rows
    assert pd.read_parquet(begun["output"])["prediction_id"][0] not in content.decode("latin-1")


@pytest.mark.parametrize(
    ("change", "told"),
    [({"version": "demand/3"}, "version"), ({"keep": []}, "keep"), ({"rejects": "collect"}, "rejects"), ({"batch_rows": 50}, "rows at once")],
)  # fmt: skip
def test_an_unfinished_job_is_not_mixed_with_another(begun, change, told):
    """The refusal says what is different; with --overwrite the new one begins anew."""
    with pytest.raises(ConflictError, match=f"an unfinished job that differs in {told}"):
        score(**begun | change)
    summary = score(**begun | change, overwrite=True)
    assert summary.rows == 1000


def test_other_rows_under_the_same_name_are_another_job(begun, rows):
    """Halves of two inputs are never one output."""
    rows[::-1].to_parquet(begun["source"], index=False)
    with pytest.raises(ConflictError, match="differs in input"):
        score(**begun)


def test_half_a_begin_is_no_job(begun, tmp_path):
    """A folder without job.json is what a kill left."""
    (tmp_path / "out" / "p.parquet.score" / "job.json").unlink()
    assert score(**begun).rows == 1000


def test_an_end_between_the_receipt_and_the_tidying(begun, tmp_path):
    """The work folder of a job that is done goes at the next call."""
    work = tmp_path / "out" / "p.parquet.score"
    facts = json.loads((work / "job.json").read_text())
    score(**begun)
    work.mkdir()
    (work / "job.json").write_text(json.dumps(facts))
    score(**begun)
    assert not work.exists()


def test_predictions_are_kept_once_wherever_keeping_ended(package, source, rows, tmp_path):
    """Each part is a transaction of the table; a half-kept job goes on behind what was kept."""
    output = tmp_path / "p.parquet"
    job = {"package_folder": package.folder, "source": source, "output": output, "version": "demand/2"}
    score(**job, batch_rows=100, log=["load", "hour"], keep=["key"])
    table = Lake(tmp_path / "lake").predictions("demand")

    def keep(most):
        from nbprod.lake.tables import Transaction

        logged = Logged(str(output))
        for number, core, inputs in logged.parts():
            if number > most:
                raise GoneError
            table.append(core, inputs, private=(), transaction=Transaction(name=logged.mark, number=number))

    for most in (3, 3, 7):
        with pytest.raises(GoneError):
            keep(most)
    keep(10)
    kept = pd.concat(batch.to_pandas() for batch in table.window().batches())
    made = pd.read_parquet(output)
    assert sorted(kept["prediction_id"]) == sorted(made["prediction_id"])
    joined = kept.set_index("prediction_id").loc[made["prediction_id"]]
    assert "input_place" not in joined
    assert joined["input_hour"].astype(int).tolist() == rows["hour"].tolist()
    assert set(joined["version"]) == {"demand/2"}
    Logged(str(output)).finish()
    assert Logged(str(output)).mark is None
    assert pq.read_metadata(output).num_rows == 1000


def test_progress_tells_rate_and_time_left():
    """Of the rows since the first look, so that what was done before does not count."""
    rate = Rate()
    assert rate.at(500, 2000, 10.0) == "500 of 2,000 rows"
    assert rate.at(1000, 2000, 15.0) == "1,000 of 2,000 rows, 100 a second, 10 s left"
    assert rate.at(2000, 2000, 20.0) == "2,000 of 2,000 rows, 150 a second"
