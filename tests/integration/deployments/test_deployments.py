"""Deployments: rows are checked, predicted and kept; predictions and outcomes from elsewhere are taken in once."""

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from nbprod.clock import now
from nbprod.errors import ConflictError, NotFoundError, RefusedError, SchemaError, SettingsError
from tests.unit.packages.conftest import make_rows

DAY = datetime(2026, 1, 1, tzinfo=UTC)


def some_rows(count):
    return make_rows().head(count)


@pytest.fixture
def power(deployments, release):
    release()
    deployments.create("power", model="power@champion", private=["kind"])
    return deployments.open("power")


def theirs(deployments, task="classification", **more):
    return deployments.create("theirs", external=True, task=task, **more)


def a_file(tmp_path, text, name="file.csv"):
    path = tmp_path / name
    path.write_text(text)
    return str(path)


def test_predictions_are_given_and_kept_without_private_inputs(deployments, power):
    rows = some_rows(5)
    made = power.predict(rows, at=DAY)
    kept = deployments.window("power", DAY, DAY + timedelta(seconds=1)).to_table().to_pandas()

    assert list(made.columns) == ["prediction_id", "prediction", "probability", "version"]
    assert made.index.equals(rows.index)
    assert made["prediction"].tolist() == power.package.predict(rows)["prediction"].tolist()
    kept = kept.set_index("prediction_id").loc[made["prediction_id"]]
    assert kept["prediction"].tolist() == made["prediction"].tolist()
    assert kept["probability"].tolist() == made["probability"].tolist()
    assert kept["version"].unique().tolist() == ["power/1"]
    assert kept["input_load"].tolist() == rows["load"].tolist()
    assert sorted(name for name in kept if name.startswith("input_")) == ["input_holiday", "input_hour", "input_load"]
    assert (kept["latency_ms"] > 0).all()
    assert repr(power) == "<DeployedModel power: power/1>"
    assert "place, kind" in power._repr_html_()


def test_a_prediction_happens_when_told_or_now(power, deployments):
    before = now()
    rows = some_rows(2).assign(when=[DAY, DAY + timedelta(hours=1)], key=["k1", "k2"])
    power.predict(rows.drop(columns=["when", "key"]))
    power.predict(rows, at="when", ids="key")
    power.predict(
        [{**row, "when": None} for row in some_rows(1).to_dict("records")], at=[DAY + timedelta(hours=2)], ids=["k3"]
    )
    moments = {row["prediction_id"]: row["at"] for row in deployments.recent("power")}

    assert {name: moments[name] for name in ("k1", "k2", "k3")} == {
        "k1": DAY, "k2": DAY + timedelta(hours=1), "k3": DAY + timedelta(hours=2),
    }  # fmt: skip
    assert sum(at >= before for at in moments.values()) == 2
    assert [row["prediction_id"] for row in deployments.recent("power", limit=4)][2:] == ["k3", "k2"]


def test_bad_rows_are_refused_and_nothing_is_kept(power, deployments):
    power.predict(some_rows(1), ids=["old"])
    for change, options, message in (
        ({"load": "much"}, {}, "load holds text, for instance 'much'; numbers are expected"),
        ({}, {"at": "when"}, "at: the rows have no column 'when'"),
        ({}, {"ids": ["a"]}, "there are 3 rows, but not as many ids or moments"),
        ({}, {"ids": ["a", "b", "a"]}, "prediction_id: 1 of 3 ids are given twice"),
        ({}, {"ids": ["old", "b", "c"]}, "ids: 1 of 3 are already stored, for instance old"),
    ):
        with pytest.raises(SchemaError, match=message):
            power.predict(some_rows(3).assign(**change), **options)
    assert deployments.window("power").count() == 1


def test_no_rows_give_no_predictions(power, deployments):
    made = power.predict(some_rows(0))

    assert (len(made), deployments.window("power").count()) == (0, 0)
    assert {"prediction_id", "prediction", "version"} <= set(made)


def test_a_deployment_of_an_alias_follows_it_and_one_of_a_version_stays(deployments, release, power):
    deployments.create("pinned", model="power/1")
    pinned = deployments.open("pinned")
    release(expect="power/1", number=1, metrics={"auc": 0.5})

    assert power.predict(some_rows(1))["version"].tolist() == ["power/2"]
    assert pinned.predict(some_rows(1))["version"].tolist() == ["power/1"]


def test_contradictory_deployments_are_refused(deployments, release, models, packages):
    models.register(packages.get(release().package), "other")
    for arguments, error, message in (
        ({}, SettingsError, "needs a model, or is external"),
        (
            {"model": "power"},
            SettingsError,
            "power does not say which version is in use\nWrite power@champion to follow",
        ),
        ({"model": "power@champ"}, NotFoundError, "no alias power@champ\nDid you mean power@champion"),
        ({"model": "power@champion", "task": "regression"}, SettingsError, "task cannot be given with a model"),
        ({"model": "power/1", "external": True}, SettingsError, "a deployment of power/1 is not external"),
        ({"external": True}, SettingsError, "needs a task, and None is none\nGive classification or regression"),
        ({"model": "other/1"}, RefusedError, "other/1 is pending, so it cannot be deployed\nApprove it first"),
    ):
        with pytest.raises(error, match=message):
            deployments.create("power", **arguments)
    models.approve("other/1", "good")
    with pytest.raises(RefusedError, match="other/1 is not blessed, so it cannot be deployed\nBless it first"):
        deployments.create("power", model="other/1")
    assert deployments.list() == []


def test_a_name_is_taken_once_and_a_missing_one_is_told(deployments):
    first = theirs(deployments, reference="data/x.parquet", target="class")
    with pytest.raises(ConflictError, match="there is a deployment theirs already"):
        theirs(deployments)
    with pytest.raises(SettingsError, match="'The/irs' cannot be a deployment"):
        deployments.create("The/irs", external=True, task="regression")
    with pytest.raises(NotFoundError, match=r"no deployment their\nDid you mean theirs"):
        deployments.get("their")
    with pytest.raises(RefusedError, match="theirs is an external deployment: nbprod does not have its model"):
        deployments.open("theirs")

    assert deployments.list() == [first] == [deployments.get("theirs")]
    assert first.private == ("place",)


CSV = """prediction_id,at,prediction,probability,load,place
a,2026-01-01T00:00:00Z,UP,0.9,1.5,north
b,2026-01-01T01:00:00Z,DOWN,0.2,,south
"""


def test_predictions_of_another_model_are_taken_in_once(deployments, tmp_path):
    theirs(deployments, target="class")
    path = a_file(tmp_path, CSV)
    first, again = deployments.add_predictions("theirs", path), deployments.add_predictions("theirs", path)
    more = deployments.add_predictions("theirs", a_file(tmp_path, CSV + "c,2026-01-02,UP,1.0,2,west\n", "more.csv"))
    kept = {row["prediction_id"]: row for row in deployments.recent("theirs")}

    assert [str(first), again.is_replay, str(more)] == [
        "theirs: 2 predictions added",
        True,
        "theirs: 1 predictions added, 2 skipped because their id is already stored",
    ]
    assert kept["b"]["inputs"] == {"load": None}
    assert kept["c"]["at"] == DAY + timedelta(days=1)
    assert kept["a"]["probability"] == 0.9


def test_predictions_without_ids_get_the_same_ones_from_the_same_source(deployments):
    theirs(deployments, task="regression")
    frame = pd.DataFrame({"at": [DAY] * 2, "prediction": [1.0, 2.0]})
    deployments.add_predictions("theirs", frame)
    ids = [row["prediction_id"] for row in deployments.recent("theirs")]
    told = deployments.add_outcomes("theirs", pd.DataFrame({"prediction_id": ids, "outcome": [1.5, 2.5]}))

    assert deployments.add_predictions("theirs", frame).is_replay
    assert (told.matched, told.unknown) == (2, 0)
    assert deployments.window("theirs").count_outcomes() == 2


@pytest.mark.parametrize(
    ("task", "text", "message"),
    [
        (
            "classification",
            "prediction\nUP\n",
            "at: this column is missing\nColumns found: prediction. Nothing was kept",
        ),
        ("classification", "at,x\n2026-01-01,1\n", "prediction: this column is missing"),
        (
            "classification",
            "at,prediction,class\n2026-01-01,UP,UP\n",
            "class: the outcome is not an input; add it separately",
        ),
        ("classification", "at,prediction,outcome\n2026-01-01,UP,UP\n", "outcome: the outcome is not an input"),
        (
            "classification",
            "at,prediction,probability\n2026-01-01,UP,1.2\n2026-01-02,UP,1\n",
            "probability: 1 of 2 are not from 0 to 1",
        ),
        (
            "classification",
            "at,prediction,probability\n2026-01-01,UP,high\n",
            "probability: must hold numbers from 0 to 1",
        ),
        ("classification", "at,prediction\n2026-01-01,UP\n2026-01-02,\n", "prediction: 1 of 2 are missing"),
        ("regression", "at,prediction\n2026-01-01,UP\n", "prediction: the predictions of a regression are numbers"),
        ("classification", "at,prediction\nsoon,UP\n", "at: .*soon"),
    ],
)
def test_a_bad_file_of_predictions_is_told_by_column_and_nothing_is_kept(deployments, tmp_path, task, text, message):
    theirs(deployments, task=task, target="class")
    with pytest.raises(SchemaError, match=f"(?s){message}"):
        deployments.add_predictions("theirs", a_file(tmp_path, text))
    assert deployments.window("theirs").count() == 0


def test_predictions_of_a_served_model_must_name_its_versions(deployments, power, release, tmp_path):
    release("other", number=3)
    with pytest.raises(SchemaError, match="version: this column is missing, and power is served by nbprod"):
        deployments.add_predictions("power", a_file(tmp_path, CSV))
    frame = pd.read_csv(a_file(tmp_path, CSV)).assign(version="other/1")
    with pytest.raises(SchemaError, match="version: other/1 is not a version of power"):
        deployments.add_predictions("power", frame)
    added = deployments.add_predictions("power", frame.assign(version="power/1"))

    assert added.added == 2


def test_outcomes_are_joined_and_counted_and_recorded(deployments, power, store, tmp_path):
    made = power.predict(some_rows(3))
    ids = made["prediction_id"]
    text = f"prediction_id,outcome,at\n{ids[0]},UP,2026-02-01\n{ids[1]},DOWN,2026-02-01\nlost,UP,2026-02-01\n"
    told = deployments.add_outcomes("power", a_file(tmp_path, text))
    with store.read() as session:
        event = session.events("power", limit=1)[0]

    assert str(told) == "power: 3 outcomes added, 2 match a prediction, 1 match none yet"
    assert deployments.window("power").count_outcomes() == 2
    assert deployments.window("power", as_of=DAY).count_outcomes() == 0
    assert (event.kind, event.data["added"]) == ("outcomes.added", 3)
    assert deployments.add_outcomes("power", a_file(tmp_path, text)).is_replay
    with pytest.raises(SchemaError, match="load: no such column is kept"):
        deployments.add_outcomes("power", a_file(tmp_path, CSV.replace("prediction,", "outcome,")))
    theirs(deployments, task="regression")
    with pytest.raises(SchemaError, match="outcome: the outcomes of a regression are numbers"):
        deployments.add_outcomes("theirs", a_file(tmp_path, "prediction_id,outcome\na,UP\n"))


def test_compaction_is_asked_for_by_name(deployments, power):
    for _ in range(3):
        power.predict(some_rows(2))

    assert deployments.compact("power")["predictions"] == {"before": 3, "after": 1, "removed": 0}
    assert deployments.window("power").count() == 6


def test_why_tells_the_lineage_of_a_prediction(models, power, lake):
    made = power.predict(some_rows(1))
    lineage = models.why(made["prediction_id"].iloc[0])

    assert lineage.version.ref == "power/1"
    assert lineage.deployments == ("power",)
    assert lineage.run is not None
