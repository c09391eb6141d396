"""The whole road by the command line, as somebody walks it who has never read a line of nbprod's code."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.acceptance.conftest import QUICK, Shell

pytestmark = pytest.mark.kernel


def test_a_new_workspace_has_what_the_first_run_needs_and_nothing_more(tmp_path):
    made = Shell(tmp_path)("init", "mine")

    files = made.out.split()
    assert 1 < len(files) <= 15
    assert all((tmp_path / "mine" / name).is_file() for name in files)
    assert "cd mine && nbprod run train" in made.err
    assert Shell(tmp_path)("init", "mine", code=3).err.startswith("nbprod: ")


def test_doctor_finds_nothing_wrong_here(road):
    findings = road.shell.json("doctor")

    assert {"python", "pandas", "evidently", "kernel", "sqlite", "workspace"} <= {one["name"] for one in findings}
    assert all(one["is_fine"] for one in findings)


def test_config_says_where_each_value_came_from(road):
    shell = Shell(road.folder, {"NBPROD_RUNS_TIMEOUT_S": "900"})

    settings = {one["name"]: one for one in shell.json("config")}

    assert settings["runs.timeout_s"]["value"] == 900
    assert settings["runs.timeout_s"]["origin"] == "NBPROD_RUNS_TIMEOUT_S"
    assert settings["data.private"]["origin"] == "nbprod.toml"
    assert settings["site.folder"]["origin"] == "default"
    assert settings["[data.small]"]["value"] == {"path": "data/small.parquet"}


def test_help_of_a_template_shows_its_typed_parameters_with_their_help(road):
    told = road.shell("run", "train", "--help").out

    for expected in (
        "test_size   a number between 0.05 and 0.5; default 0.2",
        "the share of rows held back",
        "task        one of 'auto', 'classification', 'regression'; default 'auto'",
        "auto: words and few whole numbers are classes",
    ):
        assert expected in told


@pytest.mark.parametrize(
    "words", [("--help",), ("run", "--help"), ("models", "--help"), ("models", "promote", "--help")]
)
def test_help_is_there_at_every_level(road, words):
    told = road.shell(*words)

    assert "Usage: nbprod" in told.out
    assert told.err == ""


def test_a_run_tells_what_it_did(road):
    run = road.trained

    assert run["status"] == "succeeded"
    assert run["parameters"]["model"] == "logreg"
    assert run["metrics"]["rows"] == 1656
    assert run["metrics"]["gain_over_baseline"] > 0.1
    assert set(run["data"]) == {"data"}
    assert run["actor"] == "ada"
    folder = road.folder / ".nbprod" / "runs" / run["id"]
    assert {"notebook.ipynb", "events.jsonl", "report.html", "files"} <= {path.name for path in folder.iterdir()}


def test_runs_are_listed_shown_and_compared(road):
    listed = road.shell.json("runs", "list", "--template", "train")
    shown = road.shell.json("runs", "show", road.trained["id"])
    compared = road.shell("runs", "compare", road.guessed["id"], road.trained["id"])

    assert [run["id"] for run in listed] == [road.guessed["id"], road.trained["id"]]
    assert shown == {**road.trained, "hold": None}
    assert "logreg" in compared.out
    assert "dummy" in compared.out
    assert "roc_auc" in compared.out
    assert isinstance(road.shell.json("runs", "compare", road.guessed["id"], road.trained["id"]), dict)


def test_a_notebook_that_fails_ends_with_1_and_names_its_cell(road):
    broken = road.shell(
        "run", "train", "-p", "data=small", "-p", "target=nswdemand", "-p", "model=logreg", *QUICK, code=1
    )

    assert "failed in cell" in broken.err
    [run] = road.shell.json("runs", "list", "--status", "failed", "--template", "train")
    assert run["failed_cell"] in broken.err
    assert run["id"] in broken.err


def test_a_check_that_fails_ends_with_3_and_says_why(road):
    frame = pd.read_parquet(road.folder / "data" / "small.parquet")
    frame.assign(told=frame["class"].map({0: "down", 1: "up"})).to_parquet(road.folder / "data" / "leaky.parquet")

    looked = road.shell("run", "validate_data", "-p", "data=data/leaky.parquet", "--json", code=3)

    assert looked.json["status"] == "succeeded"
    assert "told" in looked.err
    assert "report.html" in looked.err


def test_packages_are_sealed_verified_and_blessed(road):
    digest = road.package["digest"]

    assert road.package["run_id"] == road.trained["id"]
    assert digest in road.shell("packages", "verify", digest[:8]).out
    assert road.shell.json("packages", "bless", digest[:8])["passed"] is True
    assert {one["digest"] for one in road.shell.json("packages", "list")} == {digest, road.worse["digest"]}
    assert road.shell.json("packages", "show", digest[:8])["task"] == "classification"
    assert road.shell("packages", "build", road.trained["id"]).out.strip() == digest


def test_a_package_travels(road, tmp_path):
    tar = tmp_path / "price.tar"
    road.shell("packages", "export", road.package["digest"][:8], tar)
    elsewhere = tmp_path / "elsewhere"
    Shell(tmp_path)("init", "elsewhere")

    took = Shell(elsewhere)("packages", "import", tar, "--digest", road.package["digest"])

    assert took.out.strip() == road.package["digest"]


def test_nothing_is_promoted_before_it_is_approved_and_blessed_and_judged(road):
    assert road.registered["approval"] == "pending"
    assert "nbprod models approve price/1" in road.early.err
    assert road.judged["outcome"] == "passed"
    assert road.judged["champion"] is None
    assert (road.promoted["name"], road.promoted["number"]) == ("champion", 1)


def test_a_worse_model_is_refused_may_be_waived_and_is_rolled_back(road):
    shell = road.shell
    shell("models", "register", road.worse["digest"][:8], "price")
    shell("models", "bless", "price/2")
    shell("models", "approve", "price/2", "--note", "to see what happens")
    judged = shell("models", "evaluate", "price/2", "--data", "later", "--block", "1d", "--json", code=3)
    refused = shell("models", "promote", "price/2", "--expect", "price/1", code=3)
    shell("models", "promote", "price/2", "--expect", "price/1", "--waive", "an exercise", "--reason", "an exercise")
    shell("models", "rollback", "price", "--reason", "it guesses")

    assert judged.json["outcome"] == "failed"
    assert "gates of price say failed" in refused.err
    assert shell.json("models", "show", "price@champion")["number"] == 1
    [now, before] = shell.json("models", "list", "price")[::-1]
    assert (now["ref"], now["aliases"], before["aliases"]) == ("price/1", ["champion"], [])
    kinds = [event["kind"] for event in shell.json("models", "history", "price")]
    assert kinds.count("model.promoted") == 2
    assert all(event["actor"] == "ada" for event in shell.json("models", "history", "price"))
    assert "it guesses" in shell("models", "history", "price").out


def test_why_tells_the_whole_lineage(road):
    told = road.shell("models", "why", "price@champion").out

    for expected in (road.trained["id"], road.package["digest"][:12], "good enough", road.judged["run_id"], "ada"):
        assert expected in told
    assert isinstance(road.shell.json("models", "why", "price/1"), dict)


@pytest.fixture(scope="module")
def used(road):
    """A usual month, and one of a changed world, predicted; the truth of the usual one came."""
    shell, data = road.shell, road.folder / "data"
    for name in ("later", "changed"):
        output = road.folder / f"{name}-predicted.parquet"
        shell("score", "price@champion", f"data/{name}.parquet", output, "--log", "price", "--at", "at")
        predicted = pd.read_parquet(output)
        truth = pd.read_parquet(data / f"{name}.parquet")
        outcomes = pd.DataFrame({"prediction_id": predicted["prediction_id"], "outcome": truth["class"]})
        outcomes.assign(at=truth["at"] + pd.Timedelta("1D")).to_csv(road.folder / f"{name}-outcomes.csv", index=False)
    road.added = shell("outcomes", "add", "price", "later-outcomes.csv", "--json")
    road.usual = shell("monitor", "run", "price", "--start", "1996-07-15", "--end", "1996-08-15", "--json", code=None)
    road.changed = shell("monitor", "run", "price", "--start", "1997-06-01", "--end", "1997-07-01", "--json", code=3)
    return road


def test_predictions_and_outcomes_are_kept_once(used):
    shell = used.shell
    again = shell("outcomes", "add", "price", "later-outcomes.csv", "--json")
    [newest] = shell.json("predictions", "show", "price", "--limit", "1")

    assert used.added.json["added"] == 744
    assert again.json["added"] == 0
    assert newest["version"] == "price/1"
    assert newest["at"].startswith("1997-06-30T23")
    assert "price/1" in shell("models", "why", newest["prediction_id"]).out


def test_predictions_of_a_model_served_elsewhere_can_be_handed_in(used):
    shell = used.shell
    frame = pd.read_parquet(used.folder / "later-predicted.parquet")
    truth = pd.read_parquet(used.folder / "data" / "later.parquet")
    handed = truth[["at", "nswprice", "nswdemand"]].assign(prediction=frame["prediction"])
    handed.assign(truth=truth["class"]).to_parquet(used.folder / "reference.parquet")
    handed.to_csv(used.folder / "handed.csv", index=False)
    shell(
        "deployments", "create", "elsewhere", "--external", "--task", "classification", "--target", "truth",
        "--reference", "reference.parquet",
    )  # fmt: skip

    added = shell.json("predictions", "add", "elsewhere", "handed.csv")
    month = ("--start", "1996-07-15", "--end", "1996-08-15")
    looked, again = (shell.json("monitor", "run", "elsewhere", *month) for _ in range(2))

    assert added["added"] == 744
    assert (looked["rows"], looked["changed"]) == (744, [])
    assert spent(again) == spent(looked)
    assert {one["name"] for one in shell.json("deployments", "list")} == {"price", "elsewhere"}


def spent(report):
    """Of the budget of false alarms, by one look."""
    return next(check["value"] for check in report["checks"] if check["name"] == "budget")


def test_a_monitor_names_what_changed_and_ends_with_3(used):
    report = used.changed.json

    assert report["verdict"] == "alarm"
    assert {"vicprice", "vicdemand", "transfer"} <= set(report["changed"])
    assert "nbprod alerts list price" in used.changed.err
    assert not {"vicprice", "vicdemand", "transfer"} & set(used.usual.json["changed"])
    assert used.usual.json["outcomes"] == 744
    assert next(one["run_id"] for one in used.shell.json("monitor", "list", "price")) == report["run_id"]
    assert used.shell.json("monitor", "show", report["run_id"])["checks"]
    usual, changed = used.shell.json("monitor", "trend", "price")
    assert {"accuracy", "estimated_accuracy", "reference_accuracy"} <= set(usual)
    assert "estimated_accuracy" in changed
    assert "accuracy" not in changed
    told = used.shell("monitor", "show", report["run_id"]).err
    assert "Next: Find out why" in told or "Next: Retrain" in told
    assert " estimated, " in told


def test_a_monitors_report_says_first_what_was_found_and_asks_nobody_for_anything(used):
    run = used.shell.json("runs", "show", used.changed.json["run_id"])
    page = (Path(run["folder"]) / "report.html").read_text()
    words = re.sub(r"<style.*?</style>|<[^>]+>", " ", page, flags=re.DOTALL)

    assert len(page.encode()) < 300_000
    assert not re.search(r"""(?:src|href|action|srcset)\s*=\s*["']?\s*(?:https?:)?//|url\(|@import|<script""", page)
    assert 'class="drawing" alt="vicprice.' in page
    assert 'alt="accuracy over time.' in page
    told = [words.index(said) for said in ("alarm", "Next:", "nbprod retraining start price", "Code", "Result")]
    assert told == sorted(told)


def test_what_a_monitor_would_have_said_is_told_beforehand(used):
    shell = used.shell
    replay = ("rehearse", "monitor", "price", "--last", "30d", "--end", "1997-07-01", "--window", "15d")
    first, second = shell.json(*replay, "--delay", "1d")
    told = shell("monitor", "calibrate", "price", "--days", "1")
    measured = shell.json("monitor", "calibrate", "price", "--days", "1")

    assert (first["verdict"], first["spoke_at"][:10], first["began_at"][:10]) == ("alarm", "1997-06-17", "1997-06-01")
    assert first["late_days"] == 16
    assert second["verdict"] == "alarm"
    assert len(shell.json("monitor", "list", "price")) == 2
    assert "the budget is 2." in told.err
    assert measured["budget"]["per_year"] == 2
    assert measured["windows"] >= 10


def test_alerts_are_acknowledged_and_resolved(used):
    alerts = used.shell.json("alerts", "list", "price", "--status", "open")
    (one,) = (alert for alert in alerts if "transfer" in {part["subject"] for part in alert["parts"]})

    told = used.shell("alerts", "show", one["id"]).out
    seen = used.shell.json("alerts", "ack", one["id"], "--note", "on it")
    later = used.shell.json("alerts", "snooze", one["id"], "--until", "3d")
    done = used.shell.json("alerts", "resolve", one["id"], "--note", "known")

    assert one["when"].startswith("June 1997, seen ")
    assert told.startswith("when") and "transfer" in told  # noqa: PT018 — of one text
    assert (seen["status"], seen["status_by"], seen["note"]) == ("acknowledged", "ada", "on it")
    assert (later["status"], later["note"]) == ("snoozed", "on it")
    assert (done["status"], done["note"]) == ("resolved", "known")
    assert {one["status"] for one in used.shell.json("alerts", "deliveries", one["id"])} == {"sent"}
    assert one["id"] not in {alert["id"] for alert in used.shell.json("alerts", "list", "--status", "open")}


def test_the_site_is_built_and_in_order(used):
    built = used.shell("site", "build")

    assert built.out.strip() == str(used.folder / "site" / "index.html")
    index = (used.folder / "site" / "index.html").read_text()
    assert "price" in index
    assert used.shell.json("site", "check") == []


def test_an_alert_leads_to_the_rows_of_its_segment_and_a_row_leads_back(used):
    """Outcomes of late half-hours are turned around; the monitor finds them, and so do those who ask for the rows."""
    shell = used.shell
    rows = pd.read_parquet(used.folder / "data" / "changed.parquet")
    outcomes = pd.read_csv(used.folder / "changed-outcomes.csv")
    late = (rows["period"] >= rows["period"].quantile(0.7)).to_numpy()
    turned = outcomes["outcome"].map({"UP": "DOWN", "DOWN": "UP"})
    outcomes.assign(outcome=outcomes["outcome"].where(~late, turned)).to_csv(used.folder / "turned.csv", index=False)
    shell("outcomes", "add", "price", "turned.csv")
    report = shell.json("monitor", "run", "price", "--start", "1997-06-01", "--end", "1997-07-01", code=3)
    alert = next(a for a in shell.json("alerts", "list", "price", "--status", "open") if a["check"] == "performance")
    traced = shell.json("alerts", "trace", alert["id"], "--limit", "5")
    told = shell("alerts", "trace", alert["id"])
    found = shell.json("predictions", "list", "price", "--alert", alert["id"], "--limit", "5")

    assert traced["run_id"] == report["run_id"]
    assert [one["column"] for one in traced["conditions"]] == ["period"]
    [condition] = traced["conditions"]
    inside = rows["period"] >= condition["low"]
    if condition["high"] is not None:
        inside &= rows["period"] < condition["high"]
    assert traced["rows"] == inside.sum()
    assert traced["versions"][0]["version"] == "price/1"
    assert Path(traced["versions"][0]["notebook"]).is_file()
    assert Path(traced["notebook"]).is_file()
    assert found == traced["predictions"]
    assert traced["predictions"][0]["prediction_id"] in told.out
    back = shell.json("predictions", "show", found[0]["prediction_id"])
    assert (back["version"], back["verdict_run"]) == ("price/1", report["run_id"])
    assert back["inputs"]["period"] >= condition["low"]
    words = f"period >= {condition['low']!r}"
    listed = shell("predictions", "list", "price", "--segment", words, "--start", "1997-06-01", "--end", "1997-07-01")
    assert listed.err.startswith(f"{(rows['period'] >= condition['low']).sum()} rows")


def test_predictions_are_asked_in_sql(used):
    shell, folder = used.shell, used.folder
    wanted = """SELECT "at" >= '1997-01-01' AS late, count(*) AS n, count(outcome) AS known FROM scored GROUP BY 1"""
    rows = shell("predictions", "query", "price", f"{wanted} ORDER BY 1", "--json", "-").json
    for kind in ("csv", "parquet"):
        shell("predictions", "query", "price", "SELECT * FROM scored", f"--{kind}", folder / f"asked.{kind}")
    checks = "SELECT DISTINCT subject FROM checks WHERE outcome = 'failed' AND name = 'drift'"
    drifted = shell("predictions", "query", "price", checks, "--json", "-").json

    assert [row["late"] for row in rows] == [False, True]
    assert rows[0]["n"] == rows[0]["known"] == 744
    asked = pd.read_parquet(folder / "asked.parquet")
    assert len(asked) == len(pd.read_csv(folder / "asked.csv")) == rows[0]["n"] + rows[1]["n"]
    assert asked["at"].max() == pd.Timestamp("1997-06-30 23:00", tz="UTC")
    assert {"vicprice", "vicdemand", "transfer"} <= {row["subject"] for row in drifted}
    refused = shell("predictions", "query", "price", "SELECT * FROM read_text('nbprod.toml')", code=2)
    assert "disabled" in refused.err
    assert "one SELECT" in shell("predictions", "query", "price", "DROP VIEW scored", code=2).err


def test_the_scorecard_counts_what_the_records_show_and_what_is_claimed(used):
    shell = used.shell
    [before] = shell.json("scorecard", "price")
    claimed = shell.json("scorecard", "claim", "data-3", "price", "--note", "costs are in the wiki")
    [after] = shell.json("scorecard")
    told = shell("scorecard", "price", "--html", used.folder / "card.html")
    shell("scorecard", "withdraw", "data-3", "price", "--note", "out of date")
    [gone] = shell.json("scorecard", "show", "price")

    tests = {one["id"]: one for one in before["tests"]}
    assert len(tests) == 28
    for earned in ("data-1", "data-7", "model-5", "infrastructure-2", "infrastructure-4", "infrastructure-5"):
        assert tests[earned]["points"] == 1, tests[earned]["sentence"]
        assert tests[earned]["evidence"]
    assert tests["monitoring-2"]["points"] == 0.5  # a person ran it
    assert tests["monitoring-4"]["earn"] == "[retraining.price] in nbprod.toml"
    assert before["score"] == min(before["sections"].values())
    assert (claimed["by"], claimed["note"]) == ("ada", "costs are in the wiki")
    assert after["sections"]["data"] == before["sections"]["data"] + 0.5
    assert "Claimed by ada: costs are in the wiki" in (used.folder / "card.html").read_text()
    assert "ML Test Score" in told.err
    assert gone["sections"] == before["sections"]
    assert shell("scorecard", "claim", "data-8", "price", "--note", "x", code=4).out == ""
    shell("site", "build")
    assert shell.json("site", "check") == []
    assert "data-7" in (used.folder / "site" / "scorecards" / "index.html").read_text()


def test_other_tools_read_what_is_told(used):
    shell, folder = used.shell, used.folder
    shell("export", "prometheus", "--output", folder / "nbprod.prom")
    shell("export", "openlineage", "--output", folder / "events.jsonl")
    families = {one.name: one for one in text_string_to_metric_families((folder / "nbprod.prom").read_text())}
    failed = {
        one.labels["subject"]
        for one in families["nbprod_check_outcome"].samples
        if one.value == 1 and one.labels["outcome"] == "failed"
    }
    ended = [json.loads(line)["eventType"] for line in (folder / "events.jsonl").read_text().splitlines()]

    assert {"vicprice", "vicdemand", "transfer"} <= failed
    assert {"START", "COMPLETE"} <= set(ended)


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("runs", "show", "20200101T000000Z-train-0000"), 4, "20200101T000000Z-train-0000"),
        (("models", "show", "prize/1"), 4, "prize"),
        (("deployments", "show", "nothing"), 4, "nothing"),
        (("packages", "show", "abcdef12"), 4, "abcdef12"),
        (("alerts", "resolve", "nothing"), 4, "nothing"),
        (("monitor", "run", "nothing"), 4, "nothing"),
        (("run", "train", "-p", "test_sise=0.3"), 2, "test_size"),
        (("run", "train", "-p", "test_size=0.9"), 2, "between 0.05 and 0.5"),
        (("run", "train", "-p", "seed"), 2, "name=value"),
        (("models", "promote", "price/1"), 2, "--expect"),
        (("monitor", "run", "price", "--window", "30 days"), 2, "30d"),
    ],
)
def test_a_wrong_word_is_answered_with_the_right_code_and_what_to_do(road, words, code, told):
    answer = road.shell(*words, code=code)

    assert told in answer.err
    assert answer.out == ""


@pytest.mark.parametrize("noun", ["runs", "packages", "models", "deployments", "monitor", "alerts"])
def test_every_list_is_a_list_of_records(road, noun):
    found = road.shell.json(noun, "list")

    assert isinstance(found, list)
    assert all(isinstance(one, dict) for one in found)
