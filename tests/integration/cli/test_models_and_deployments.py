"""The road from a package to outcomes on the command line: what is printed, for people and programs, and the exit codes."""

import json

import pytest

from nbprod.cli import main
from nbprod.clock import now
from nbprod.workspace import open_workspace
from tests.unit.packages.conftest import fitted, make_rows, saved, stage

__all__ = ["fitted", "saved", "stage"]


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    (tmp_path / "nbprod.toml").write_text('[data]\nprivate = ["place"]\n')
    monkeypatch.setenv("NBPROD_WORKSPACE", str(tmp_path))
    monkeypatch.setenv("NBPROD_ACTOR", "ana")
    return open_workspace()


@pytest.fixture
def store(workspace):
    return workspace.store


@pytest.fixture
def nbprod(workspace, capsys):
    """Run a command; give what it printed, as JSON where it was asked for."""

    def run(line, *more, code=0):
        arguments = [*line.split(), *more]
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        out, err = capsys.readouterr()
        assert (ended.value.code or 0) == code, err
        if code:
            return err
        return json.loads(out) if "--json" in arguments else out

    return run


@pytest.fixture
def digest(workspace, stage):
    return workspace.packages.build(stage()).digest


def test_the_road_from_a_package_to_a_champion(nbprod, workspace, digest):
    assert nbprod("models list") == ""
    version = nbprod(f"models register {digest[:8]} power --json")
    assert (version["model"], version["number"], version["approval"]) == ("power", 1, "pending")
    assert "power/1 is pending" in nbprod("models promote power/1 --expect none", code=3)
    assert "a decision needs a note" in nbprod("models approve power/1 --note", " ", code=2)
    assert nbprod("models approve power/1 --json --note", "good enough")["note"] == "good enough"
    assert "power/1 is not blessed" in nbprod("models promote power/1 --expect none", code=3)
    workspace.models.bless_recorded("power/1", now())
    moved = nbprod("models promote power/1 --expect none --json --reason", "the first")

    assert (moved["name"], moved["number"], moved["moved_by"]) == ("champion", 1, "ana")
    assert "names power/1, where nothing was expected" in nbprod("models promote power/1 --expect none", code=3)
    assert "Missing option '--expect'" in nbprod("models promote power/1", code=2)
    assert [row["aliases"] for row in nbprod("models list --json")] == [["champion"]]
    assert "power/1" in nbprod("models list power")
    assert nbprod("models show power@champion --json")["number"] == 1
    assert nbprod(f"models show power@champion --as-of {now():%Y-%m-%dT%H:%M:%S.%f} --json")["number"] == 1
    assert "named no version at 2020-01-01" in nbprod("models show power@champion --as-of 2020-01-01", code=4)
    assert "Did you mean power@champion" in nbprod("models show power@champio", code=4)
    assert [event["kind"] for event in nbprod("models history power --json")][:2] == [
        "model.promoted",
        "version.blessed",
    ]
    assert "no earlier version is approved" in nbprod("models rollback power --reason drift", code=3)
    assert "power/1 is power@champion" in nbprod("models reject power/1 --note bad", code=3)


def test_the_name_of_a_model_means_its_champion_and_is_said_by_its_name(nbprod, workspace, stage):
    """Of two versions the champion is explained; ``--model`` and a digest's beginning as in Python."""
    first, second = (
        workspace.packages.build(stage(number=number, metrics={"accuracy": number / 4})).digest for number in (1, 2)
    )
    assert nbprod(f"models register {first[:8]} --model power --json")["number"] == 1
    assert workspace.models.register(second[:12], model="power").number == 2
    nbprod("models approve power/2 --note good")
    workspace.models.bless_recorded("power/2", now())
    nbprod("models promote power/2 --expect none")
    assert nbprod("models why power --json")["version"]["number"] == 2
    assert workspace.models.why("power").version.number == 2
    assert "Say which model, once" in nbprod(f"models register {first[:8]}", code=2)
    assert "Say which model, once" in nbprod(f"models register {first[:8]} power --model power", code=2)


def test_predictions_and_outcomes_of_a_model_elsewhere(nbprod, tmp_path):
    (tmp_path / "p.csv").write_text(
        "prediction_id,at,prediction,x,place\na,2026-01-01,UP,1,north\nb,2026-01-02,DOWN,2,west\n"
    )
    (tmp_path / "o.csv").write_text("prediction_id,outcome\na,UP\nz,UP\n")
    assert "needs a task" in nbprod("deployments create theirs --external", code=2)
    made = nbprod("deployments create theirs --external --task classification --private secret --json")
    assert made["private"] == ["place", "secret"]
    assert nbprod(f"predictions add theirs {tmp_path}/p.csv --json")["added"] == 2
    assert nbprod(f"predictions add theirs {tmp_path}/p.csv --json")["is_replay"] is True
    told = nbprod(f"outcomes add theirs {tmp_path}/o.csv --json")

    assert (told["matched"], told["unknown"]) == (1, 1)
    rows = nbprod("predictions show theirs --json")
    assert [(row["prediction_id"], row.get("outcome"), row["inputs"]) for row in rows] == [
        ("b", None, {"x": 2.0}),
        ("a", "UP", {"x": 1.0}),
    ]
    assert "2026-01-02 00:00" in nbprod("predictions show theirs --limit 1")
    assert nbprod("predictions compact theirs --json")["outcomes"]["after"] == 1
    assert [row["name"] for row in nbprod("deployments list --json")] == ["theirs"]
    assert "theirs" in nbprod("deployments show theirs")
    assert "Did you mean theirs" in nbprod(f"outcomes add thers {tmp_path}/o.csv", code=4)
    (tmp_path / "bad.csv").write_text("id,outcome\na,UP\n")
    told = nbprod(f"outcomes add theirs {tmp_path}/bad.csv", code=2)
    assert "prediction_id: this column is missing\nid: no such column is kept" in told


def test_predictions_and_outcomes_as_a_german_spreadsheet_writes_them(nbprod, workspace, tmp_path):
    """Registered with its format, or found; what was read so is said, and is what a plain file holds."""
    (tmp_path / "p.csv").write_bytes(
        "prediction_id;at;prediction;x;Straße\na;31.12.2025 13:00;1,5;1.000,5;Weg\n".encode("cp1252")
    )
    (tmp_path / "o.csv").write_text("prediction_id;outcome\na;1.500\n")
    with (workspace.folder / "nbprod.toml").open("a") as file:
        file.write(f'\n[data.truth]\npath = "{tmp_path}/o.csv"\nthousands = "."\n')
    nbprod("deployments create theirs --external --task regression")
    added = nbprod(f"predictions add theirs {tmp_path}/p.csv --json")
    assert (added["added"], added["read_as"].partition(",")[0]) == (1, "cp1252")
    assert "can be read in two ways" in nbprod(f"outcomes add theirs {tmp_path}/o.csv", code=2)
    assert "decimal comma (outcome)" in nbprod("outcomes add theirs truth")
    (row,) = nbprod("predictions show theirs --json")
    assert (row["at"], row["prediction"], row["outcome"]) == ("2025-12-31T13:00:00.000000Z", 1.5, 1500)
    assert row["inputs"]["x"] == 1000.5


def test_why_tells_the_lineage_of_a_served_prediction(nbprod, workspace, digest):
    nbprod(f"models register {digest} power")
    nbprod("models approve power/1 --note good")
    workspace.models.bless_recorded("power/1", now())
    nbprod("models promote power/1 --expect none")
    nbprod("deployments create power --model power@champion")
    made = workspace.deployments.open("power").predict(make_rows().head(1))
    page = nbprod(f"models why {made['prediction_id'].iloc[0]}")

    assert "is power/1" in page
    assert digest in page
    assert "place" not in page.split("Data")[0]
    assert nbprod("models why power@champion --json")["deployments"] == ["power"]
    assert "is power/1" in nbprod("models why power")
    assert "neither a model nor the id of a kept prediction" in nbprod("models why nothing", code=4)
