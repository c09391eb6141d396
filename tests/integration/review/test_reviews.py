"""The queue of reviews: found in the tables, handed out once, answered durably, as a file too."""

import csv
from dataclasses import replace
from datetime import timedelta

import pandas as pd
import pytest

from nbprod.clock import now
from nbprod.domain.review import ReviewClaim
from nbprod.errors import NotFoundError, RefusedError, SchemaError, SettingsError
from nbprod.packages.margins import chooser_of
from tests.unit.packages.conftest import make_rows


def ids(items):
    return [item.prediction_id for item in items]


def test_the_least_certain_tenth_of_the_reference_is_uncertain(deployments, release, packages, models):
    """The line is the margin under which less than a tenth of the package's reference lies; what is on it fills up."""
    release()
    deployments.create("power", model="power@champion", review="uncertain:0.1, random:0.02")
    made = deployments.open("power").predict(make_rows(seed=8))
    kept = deployments.window("power").to_table(["prediction_id", "review", "probability"]).to_pandas()
    chooser = chooser_of("uncertain:0.1", str(packages.folder(models.resolve("power/1").package)))
    margin = (2 * kept["probability"] - 1).abs()
    expected = margin.map(lambda one: 1 if one < chooser.least_margin else chooser.tie_chance)
    assert kept["review"].tolist() == expected.where(margin <= chooser.least_margin, 0.02).tolist()
    assert 0.05 < kept["review"].where(margin <= chooser.least_margin, 0).mean() < 0.2
    assert len(made) == len(kept)


def test_nothing_is_sent_without_rules_and_rules_may_change(deployments, release, reviews):
    """Predictions keep the chance they had when they were made."""
    release()
    deployments.create("power", model="power@champion")
    deployments.open("power").predict(make_rows().head(3))
    assert reviews.list("power") == []
    deployments.set_review("power", "random:1")
    deployments.open("power").predict(make_rows().head(2))
    assert len(reviews.list("power")) == 2
    deployments.set_review("power", "")
    deployments.open("power").predict(make_rows().head(2))
    assert reviews.count("power") == 2
    with pytest.raises(SettingsError, match="private"):
        deployments.set_review("power", "rule:place == 'north'")
    assert deployments.get("power").review == ""


def test_two_reviewers_do_not_get_the_same(power, reviews):
    """What one holds nobody else is given; who asks again is given the same; private columns are not shown."""
    first = reviews.next("power", reviewer="ann", limit=4)
    second = reviews.next("power", reviewer="ben", limit=None)
    assert len(first) == 4
    assert len(second) == 6
    assert not {*ids(first)} & {*ids(second)}
    assert ids(reviews.next("power", reviewer="ann", limit=4)) == ids(first)
    assert reviews.next("power", reviewer="cid") == []
    assert {who for item in reviews.list("power") for who in item.held_by} == {"ann", "ben"}
    assert sorted(first[0].inputs) == ["holiday", "hour", "kind", "load"]
    assert "prediction" not in first[0]._repr_html_().replace("prediction_id", "")


def test_a_claim_runs_out(power, reviews, store):
    """When the time is over somebody else is given it, and the claim is taken over."""
    (item,) = reviews.next("power", reviewer="ann")
    with store.write() as session:
        (claim,) = session.list(ReviewClaim)
        session.replace(replace(claim, until=now() - timedelta(seconds=1)), expecting={"reviewer": "ann"})
    assert item.prediction_id in ids(reviews.next("power", reviewer="ben", limit=None))
    with store.read() as session:
        assert {one.reviewer for one in session.list(ReviewClaim)} == {"ben"}


def test_an_answer_is_an_outcome_with_reviewer_and_time(power, reviews, deployments, lake):
    """It closes the prediction, once, and another answer of the same person counts instead."""
    (item,) = reviews.next("power", reviewer="ann")
    began = now()
    assert reviews.answer("power", {item.prediction_id: "UP"}, reviewer="ann").added == 1
    assert reviews.answer("power", {item.prediction_id: "UP"}, reviewer="ann").is_replay
    assert reviews.answer("power", {item.prediction_id: "DOWN"}, reviewer="ann").added == 1
    rows = deployments.window("power").to_table().to_pandas().set_index("prediction_id")
    row = rows.loc[item.prediction_id]
    assert (row["outcome"], row["reviewer"]) == ("DOWN", "ann")
    assert row["outcome_at"].to_pydatetime() >= began
    assert reviews.count("power") == 9
    assert [said["outcome"] for said in lake.outcomes("power").reviews()] == ["UP", "DOWN"]


def test_what_became_known_otherwise_needs_no_review(power, reviews, deployments):
    """An outcome of the world closes a prediction too."""
    deployments.add_outcomes("power", pd.DataFrame({"prediction_id": ["p3"], "outcome": ["UP"]}))
    assert "p3" not in ids(reviews.list("power"))
    assert reviews.count("power") == 9


def test_wrong_answers_are_refused_and_nothing_is_kept(power, reviews, deployments, lake):
    """No such class, no such prediction, or one that nobody was asked about."""
    deployments.set_review("power", "")
    deployments.open("power").predict(make_rows().head(1), ids=["unsent"])
    for answers, error in [
        ({"p0": "UP", "p1": "SIDEWAYS"}, SettingsError),
        ({"p0": "UP", "nobody": "UP"}, NotFoundError),
        ({"p0": "UP", "unsent": "UP"}, RefusedError),
    ]:
        with pytest.raises(error):
            reviews.answer("power", answers, reviewer="ann")
    with pytest.raises(SettingsError):
        reviews.answer("power", {"p0": "UP"}, reviewer=" \n")
    assert lake.outcomes("power").reviews() == []


def test_two_people_answer_where_that_is_asked(deployments, release, reviews):
    """Each is given the prediction, a third is not, and it is open until both have answered."""
    release()
    deployments.create("power", model="power@champion", review="random:1, double:1")
    deployments.open("power").predict(make_rows().head(1), ids=["p"])
    assert ids(reviews.next("power", reviewer="ann")) == ["p"]
    assert ids(reviews.next("power", reviewer="ben")) == ["p"]
    assert reviews.next("power", reviewer="cid") == []
    reviews.answer("power", {"p": "UP"}, reviewer="ann")
    assert reviews.next("power", reviewer="ann") == []
    assert reviews.next("power", reviewer="cid") == []
    (item,) = reviews.list("power")
    assert (item.answers, item.wanted, item.held_by) == (1, 2, ("ben",))
    reviews.answer("power", {"p": "DOWN"}, reviewer="ben")
    assert reviews.list("power") == []
    (pair,) = reviews.report("power").pairs
    assert (pair.first, pair.second, pair.items, pair.agreement) == ("ann", "ben", 1, 0.0)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_file_goes_out_and_comes_back(power, reviews, tmp_path, kind):
    """What is open is written with an empty column; filled, it is taken in once; blank rows stay open."""
    path = tmp_path / f"open.{kind}"
    assert reviews.export("power", path, reviewer="ann") == 10
    assert reviews.next("power", reviewer="ben") == []
    frame = pd.read_csv(path) if kind == "csv" else pd.read_parquet(path)
    assert list(frame.columns) == ["prediction_id", "at", "load", "hour", "kind", "holiday", "outcome", "reviewer"]
    frame["outcome"] = ["UP", "DOWN"] * 4 + [None, None]
    frame.to_csv(path, index=False) if kind == "csv" else frame.to_parquet(path)
    added = reviews.take_in("power", path)
    assert (added.added, added.matched, added.blank) == (8, 8, 2)
    assert reviews.take_in("power", path).is_replay
    assert reviews.count("power") == 2
    assert reviews.report("power").reviewers == {"ann": 8}


def test_a_file_with_a_wrong_answer_is_refused_whole(power, reviews, tmp_path, lake):
    """No row is kept when one cannot be; a missing column is named."""
    path = tmp_path / "answers.csv"
    for text, error in [
        ("prediction_id,outcome\np1,UP\np2,SIDEWAYS\n", SettingsError),
        ("prediction_id,outcome\np1,UP\nnobody,UP\n", NotFoundError),
        ("prediction_id,outcome\np1,UP\np1,DOWN\n", SchemaError),
        ("prediction_id,truth\np1,UP\n", SchemaError),
    ]:
        path.write_text(text)
        with pytest.raises(error):
            reviews.take_in("power", path, reviewer="ann")
    with pytest.raises(SettingsError, match="neither CSV nor Parquet"):
        reviews.export("power", tmp_path / "open.xlsx")
    assert lake.outcomes("power").reviews() == []


def test_texts_in_a_csv_file_are_no_formulas(deployments, reviews, tmp_path):
    """A spreadsheet must not compute what somebody sent as an input; ids come back as they were."""
    deployments.create("theirs", external=True, task="classification", review="random:1")
    rows = pd.DataFrame(
        {"prediction_id": ["=1+1", "b"], "at": [now()] * 2, "prediction": ["x", "y"], "note": ["=cmd|x", "plain"]}
    )
    deployments.add_predictions("theirs", rows)
    path = tmp_path / "open.csv"
    reviews.export("theirs", path, reviewer="ann")
    with path.open() as lines:
        kept = {row["note"]: row for row in csv.DictReader(lines)}
    assert set(kept) == {"'=cmd|x", "plain"}
    path.write_text("prediction_id,outcome\n'=1+1,y\n")
    assert reviews.take_in("theirs", path, reviewer="ann").added == 1
    assert ids(reviews.list("theirs")) == ["b"]
    with pytest.raises(SettingsError, match="none of the classes"):
        reviews.answer("theirs", {"b": "z"}, reviewer="ann")


def test_disagreements_with_a_shadow_are_sent(deployments, release, reviews, lake):
    """Where a shadow gave another answer people look, whatever the chance of the row was."""
    release()
    deployments.create("power", model="power@champion", review="disagreement, random:0")
    made = deployments.open("power").predict(make_rows().head(4), ids=list("abcd"))
    other = {"UP": "DOWN", "DOWN": "UP"}
    answers = [other[made["prediction"].iloc[0]], *made["prediction"].iloc[1:3]]
    assert reviews.count("power") == 0
    lake.shadows("power").append(
        {"prediction_id": ["a", "b", "c"], "prediction": answers, "version": ["power/2"] * 3}
    )
    assert ids(reviews.list("power")) == ["a"]
    reviews.answer("power", {"a": "UP"}, reviewer="ann")
    report = reviews.report("power")
    assert report.corrected is None
    assert "none was" in report.why_not


def test_the_report_speaks_of_all_predictions(deployments, reviews):
    """Uncertain ones are seen more often and wrong more often: accuracy is corrected for it, and says so."""
    deployments.create("theirs", external=True, task="classification", review="rule:hard == True, random:0.2")
    hard = [number < 100 for number in range(1000)]
    rows = pd.DataFrame(
        {"prediction_id": [f"p{n}" for n in range(1000)], "at": now(), "prediction": "x", "hard": hard}
    )
    rows.loc[::3, "prediction"] = "y"
    deployments.add_predictions("theirs", rows)
    said = dict(zip(rows["prediction_id"], rows["prediction"], strict=True))
    items = reviews.next("theirs", reviewer="ann", limit=None)
    # the hard ones are all wrong, the others all right: the truth is 0.9
    wrong = {"x": "y", "y": "x"}
    answers = {
        i.prediction_id: wrong[said[i.prediction_id]] if i.inputs["hard"] else said[i.prediction_id] for i in items
    }
    reviews.answer("theirs", answers, reviewer="ann")
    report = reviews.report("theirs")
    assert report.corrected.value == pytest.approx(0.9)
    assert 0.9 in report.corrected
    assert report.uncorrected < 0.75
    assert report.predictions == 1000
    assert report.answered == len(items)
    assert report.metrics["accuracy"] == pytest.approx(0.9)
    assert report.metrics["waiting"] == 0
    assert report.with_model == {"ann": pytest.approx(report.uncorrected)}
    assert "accuracy of all is 0.9" in str(report)
    assert "&" not in report._repr_html_() or "&amp;" in report._repr_html_()


def test_a_report_of_numbers_has_an_error(deployments, reviews):
    """Of a regression it is the mean absolute error, corrected in the same way."""
    deployments.create("theirs", external=True, task="regression", review="rule:hard == True, random:0.5")
    rows = pd.DataFrame(
        {
            "prediction_id": [f"p{n}" for n in range(200)],
            "at": now(),
            "prediction": 1.0,
            "hard": [n < 20 for n in range(200)],
        }
    )
    deployments.add_predictions("theirs", rows)
    items = reviews.next("theirs", reviewer="ann", limit=None)
    reviews.answer("theirs", {i.prediction_id: 11.0 if i.inputs["hard"] else 2.0 for i in items}, reviewer="ann")
    report = reviews.report("theirs")
    assert report.metric == "mae"
    assert report.corrected.value == pytest.approx(1.9)
    assert report.uncorrected > 2.2
    assert report.kappa is None
