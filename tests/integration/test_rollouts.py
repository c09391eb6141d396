"""Rollouts from start to end, decided by executed notebooks on logs whose truth is known."""

import json
import shutil
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from nbprod.clock import now, parse_utc
from nbprod.datasets import read_frame
from nbprod.errors import ConflictError, NotFoundError, RefusedError, SettingsError
from nbprod.scaffold import create_workspace
from nbprod.workspace import open_workspace

pytestmark = pytest.mark.kernel

ROWS = 9_000


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    """A workspace whose deployment follows the champion, and a second version that is approved and blessed."""
    folder = tmp_path_factory.mktemp("rollouts") / "market"
    create_workspace(folder)
    ws = open_workspace(folder)
    for model in ("logreg", "logreg"):
        run = ws.runs.start(
            "train", data="electricity", target="class", model=model, end="1996-09-01", seed=len(ws.models.list())
        )
        version = ws.models.bless(ws.models.register(ws.packages.build(run), "electricity"))
        ws.models.approve(version, "good")
    ws.models.promote("electricity/1", expect=None, waive="the first one")
    ws.deployments.create("electricity", model="electricity@champion")
    return folder


@pytest.fixture
def ws(released, tmp_path):
    shutil.copytree(released, tmp_path / "market")
    return open_workspace(tmp_path / "market")


def answer(ws, rollout, ratio, *, rows=ROWS, rate=0.3, share=None, rng=None):
    """Log requests as the router would, of which some fail, more often in the candidate's arm."""
    rng = rng or np.random.default_rng(1)
    at = now()
    share = rollout.current.share if share is None else share
    units = [f"u{n}" for n in range(rows)]
    arms = np.array([rollout.arm_of(unit, at).value for unit in units])
    fails = rng.random(rows) < np.where(arms == "candidate", rate * ratio, rate)
    facts = {"arm": arms, "share": share, "stratum": rollout.stratum_at(at), "unit": units, "at": at}
    core = pd.DataFrame(
        {
            "prediction_id": [f"p{rollout.step}-{n}" for n in range(rows)],
            "prediction": "UP",
            "version": rollout.stable,
            "latency_ms": 5.0,
            **facts,
        }
    )
    ws.lake.predictions("electricity").append(core[~fails], private=())
    failures = pd.DataFrame({**facts, "kind": "error", "version": rollout.candidate})[fails]
    ws.lake.failures("electricity").append(failures)


def test_a_canary_is_advanced_and_promoted_by_its_notebook(ws):
    """Step by step; the alias moves with the analysis as evidence, and the same tables give the same decision."""
    rollout = ws.rollouts.start(
        "electricity", "electricity/2", waive="a test", plan="canary:25:50:100", automation="auto", reason="try"
    )
    answer(ws, rollout, 1.0)
    first = ws.rollouts.analyse("electricity")
    assert (first.decision, first.acted) == ("advance", "advanced"), first.failure
    answer(ws, ws.rollouts.get("electricity"), 1.0)
    second = ws.rollouts.analyse("electricity")
    assert (second.decision, second.acted) == ("promote", "promoted")
    assert ws.models.resolve("electricity@champion").ref == "electricity/2"
    move = ws.models.history("electricity", limit=1)[0]
    assert move.kind == "model.promoted"
    assert move.evidence == (second.run_id,)
    again = ws.rollouts.analyse("electricity", as_of=second.at, tables=second.tables)
    assert repr(again.evidence) == repr(second.evidence)
    assert ws.rollouts.get("electricity").status == "promoted"
    assert len(ws.rollouts.analyses("electricity")) == 2

    back = ws.rollouts.roll_back("electricity", note="people complained")
    assert back.status == "rolled-back"
    assert ws.models.resolve("electricity@champion").ref == "electricity/1"


def test_a_candidate_that_fails_more_often_is_rolled_back(ws):
    """Guarded: nobody has to look."""
    rollout = ws.rollouts.start("electricity", "electricity/2", waive="a test", plan="canary:10:50")
    answer(ws, rollout, 4.0, rows=4_000)
    found = ws.rollouts.analyse("electricity")
    assert (found.decision, found.acted) == ("roll back", "rolled-back")
    ended = ws.rollouts.get("electricity")
    assert ended.share_at(now()) == 0
    assert "errors" in ended.ended_because
    assert ws.models.resolve("electricity@champion").ref == "electricity/1"


@pytest.mark.parametrize(
    "cell",
    [
        "raise ValueError('broken')",
        "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
        "found = None",
        "import sys; sys.exit(0)",
        "import time; time.sleep(600)",
    ],
    ids=["raises", "dies", "records-nothing", "exits", "takes-too-long"],
)
def test_a_notebook_that_is_not_clean_holds_and_renews_nothing(ws, cell):
    """Its share ends with its lease, and traffic is safe by itself."""
    if "sleep" in cell:
        ws = open_workspace(ws.folder, runs__cell_timeout_s=15)
    rollout = ws.rollouts.start(
        "electricity", "electricity/2", waive="a test", plan="canary:10:50", automation="auto", lease="30m"
    )
    path = ws.folder / "templates" / "rollout.ipynb"
    notebook = json.loads(path.read_text())
    place = next(n for n, one in enumerate(notebook["cells"]) if one["id"] == "record")
    notebook["cells"][place]["source"] = [cell]
    path.write_text(json.dumps(notebook))
    found = ws.rollouts.analyse("electricity")
    assert found.decision == "hold"
    assert not found.is_clean
    after = ws.rollouts.get("electricity")
    assert after.lease_until == rollout.lease_until
    assert after.share_at(now() + timedelta(minutes=31)) == 0


def test_a_copy_of_the_notebook_decides_by_a_kpi_of_its_own(ws):
    """A cost that the log does not hold, as the monitor would judge it."""
    rollout = ws.rollouts.start(
        "electricity", "electricity/2", waive="a test", plan="canary:50:100", metrics=["errors"]
    )
    answer(ws, rollout, 1.0, rows=6_000)
    notebook = json.loads((ws.folder / "templates" / "rollout.ipynb").read_text())
    place = next(n for n, one in enumerate(notebook["cells"]) if one["id"] == "log")
    notebook["cells"][place]["source"] += [
        "\nimport nbprod\n\n\n",
        '@nbprod.kpi(unit="EUR", better="lower")\n',
        "def cost(predictions):\n",
        '    dear = predictions["arm"] == "candidate"\n',
        '    return predictions["unit"].str[1:].astype(int) % 7 + 3.0 * dear\n\n\n',
        "look = look.with_kpi(cost, margin=1.1)",
    ]
    (ws.folder / "templates" / "costly.ipynb").write_text(json.dumps(notebook))
    found = ws.rollouts.analyse("electricity", notebook="costly")
    assert found.is_clean, found.failure
    assert found.decision == "roll back"
    assert found.evidence["cost"]["low"] > 0


def test_people_move_a_rollout_with_a_reason(ws):
    """Advance, pause, resume, abort; each with who and why; promoted by hand under advice."""
    ws.rollouts.start(
        "electricity", "electricity/2", waive="a test", plan="shadow,canary:5:25", automation="advise", actor="ana"
    )
    assert ws.rollouts.advance("electricity", note="looks fine", actor="ben").current.share == 0.05
    assert ws.rollouts.pause("electricity", note="a holiday").status == "paused"
    assert ws.rollouts.resume("electricity", note="back").status == "running"
    with pytest.raises(SettingsError, match="note"):
        ws.rollouts.advance("electricity", note=" ")
    with pytest.raises(RefusedError, match="gates"):
        ws.rollouts.start("electricity", "electricity/2")
    with pytest.raises(ConflictError, match="has a rollout already"):
        ws.rollouts.start("electricity", "electricity/2", waive="a test")
    assert ws.rollouts.abort("electricity", note="enough").status == "aborted"
    with ws.store.read() as session:
        events = session.events("electricity", limit=None)
    moved = [(event.kind, event.actor) for event in reversed(events) if event.kind.startswith("rollout.")]
    assert moved[:2] == [("rollout.started", "ana"), ("rollout.advanced", "ben")]
    assert len(moved) == 5


def test_blue_green_is_all_at_once_and_back_at_once(ws):
    """Promoted when it starts; one command leads back."""
    rollout = ws.rollouts.start("electricity", "electricity/2", waive="a test", plan="blue-green", reason="new year")
    assert rollout.status == "promoted"
    assert ws.models.resolve("electricity@champion").ref == "electricity/2"
    ws.rollouts.roll_back("electricity", note="no")
    assert ws.models.resolve("electricity@champion").ref == "electricity/1"


def test_what_may_not_meet_traffic_is_refused(ws):
    """In use already; not approved; an answer for somebody where people decide alone; a deployment nobody knows."""
    with pytest.raises(RefusedError, match="already"):
        ws.rollouts.start("electricity", "electricity/1")
    ws.models.reject("electricity/2", "bad")
    with pytest.raises(RefusedError, match="rejected"):
        ws.rollouts.start("electricity", "electricity/2", waive="a test")
    ws.models.approve("electricity/2", "good after all")
    with pytest.raises(SettingsError, match="human"):
        ws.rollouts.start("electricity", "electricity/2", waive="a test", plan="canary:5", automation="human")
    with pytest.raises(NotFoundError):
        ws.rollouts.start("elektricity", "electricity/2")
    assert ws.rollouts.list() == []


def test_a_shadow_is_judged_on_the_same_requests(ws):
    """Outcomes say who was right where the two differ."""
    rollout = ws.rollouts.start(
        "electricity",
        "electricity/2",
        waive="a test",
        plan="shadow,canary:10",
        automation="auto",
        metrics=["errors", "wrong"],
    )
    rng = np.random.default_rng(3)
    truth = rng.choice(["UP", "DOWN"], 3_000)
    other = np.where(truth == "UP", "DOWN", "UP")
    stable = np.where(rng.random(3_000) < 0.10, other, truth)
    shadow = np.where(rng.random(3_000) < 0.05, other, truth)
    at = now()
    ids = [f"p{n}" for n in range(3_000)]
    core = pd.DataFrame(
        {
            "prediction_id": ids,
            "prediction": stable,
            "version": rollout.stable,
            "latency_ms": 5.0,
            "at": at,
            "arm": "stable",
            "share": 0.0,
        }
    )
    ws.lake.predictions("electricity").append(core, private=())
    ws.lake.shadows("electricity").append(
        pd.DataFrame(
            {"prediction_id": ids, "version": rollout.candidate, "at": at, "prediction": shadow, "latency_ms": 9.0}
        )
    )
    ws.lake.outcomes("electricity").append(pd.DataFrame({"prediction_id": ids, "outcome": truth}))
    found = ws.rollouts.analyse("electricity")
    assert (found.decision, found.acted) == ("advance", "advanced")
    assert found.evidence["wrong"]["high"] < 0


def test_a_replay_asks_the_candidate_for_what_was_logged(ws):
    """In a process of its own; each request once; a candidate that cannot answer has failed them all."""
    rows = read_frame("electricity").tail(900).drop(columns=["class", "at"])
    ws.deployments.open("electricity").predict(rows)
    given = {"waive": "a test", "plan": "replay,canary:5", "metrics": ["errors"], "automation": "auto"}
    ws.rollouts.start("electricity", "electricity/2", **given)
    found = ws.rollouts.analyse("electricity")
    assert found.is_clean, found.failure
    assert (found.decision, found.acted) == ("advance", "advanced")
    answers = ws.lake.shadows("electricity").window()[0].to_pandas()
    assert len(answers) == len(rows)
    assert answers["failure"].isna().all()

    ws.rollouts.abort("electricity", note="once more")
    ws.deployments.open("electricity").predict(rows.head(500))
    shutil.rmtree(ws.packages.folder(ws.models.resolve("electricity/2").package))
    ws.rollouts.start("electricity", "electricity/2", **given)
    worse = ws.rollouts.analyse("electricity")
    assert (worse.decision, worse.acted) == ("roll back", "rolled-back")


def test_a_holdback_goes_on_with_the_test_until_outcomes_are_final(ws):
    """Promoted, some units stay with the previous version; what turns out late leads back while that is kept."""
    given = {"waive": "a test", "automation": "guard", "holdback": 0.2, "keep_previous": "1h", "horizon": "1h"}
    history = {"prediction_id": ["before"], "outcome": ["UP"]}
    ws.lake.outcomes("electricity").append(pd.DataFrame(history))
    rollout = ws.rollouts.start("electricity", "electricity/2", plan="blue-green", metrics=["wrong"], **given)
    assert (rollout.status, rollout.share_at(now())) == ("promoted", 0.8)
    with ws.store.write() as session:  # it began two hours ago, and the horizon of its first hour is over
        begun = rollout.started_at - timedelta(hours=2)
        session.replace(replace(rollout, started_at=begun), expecting={"status": rollout.status})
    at = begun + timedelta(minutes=10)
    units = [f"u{n}" for n in range(2_000)]
    arms = [rollout.arm_of(unit, now()).value for unit in units]
    ids = [f"p{n}" for n in range(len(units))]
    core = {"prediction_id": ids, "prediction": "UP", "version": "v", "latency_ms": 5.0, "at": at, "arm": arms}
    core |= {"share": 0.8, "stratum": rollout.stratum_at(at), "unit": units}
    ws.lake.predictions("electricity").append(pd.DataFrame(core), private=())
    early = ws.rollouts.analyse("electricity")
    assert (early.decision, early.acted) == ("hold", ""), early.sentence

    chance = np.random.default_rng(5).random(len(units))
    wrong = chance < np.where(np.array(arms) == "candidate", 0.3, 0.1)
    ws.lake.outcomes("electricity").append(
        pd.DataFrame({"prediction_id": ids, "outcome": np.where(wrong, "DOWN", "UP")})
    )
    late = ws.rollouts.analyse("electricity")
    assert (late.decision, late.acted) == ("roll back", "rolled-back"), late.sentence
    assert ws.models.resolve("electricity@champion").ref == "electricity/1"


def test_a_retraining_brings_its_candidate_to_traffic_instead_of_promoting_it(ws):
    """With the plan of the deployment, and no further by itself than the policy goes."""
    path = ws.folder / "nbprod.toml"
    told = path.read_text().replace('autonomy = "auto"', 'autonomy = "guard"\nrollout = true')
    path.write_text(told + '\n[rollouts.electricity]\nplan = "shadow,canary:10:100"\nautomation = "auto"\n')
    ws = open_workspace(ws.folder)
    done = ws.retraining.start("electricity", because="it is June", until=parse_utc("1997-07-01T00:00:00Z"))
    assert done.outcome == "passed", done.sentence
    assert not done.promoted
    rollout = ws.rollouts.get("electricity")
    assert (done.rollout, done.candidate) == (rollout.id, rollout.candidate)
    assert (rollout.plan, rollout.automation, rollout.reason) == ("shadow,canary:10:100", "guard", "it is June")
    assert ws.models.resolve(done.candidate).approval == "approved"
    assert ws.models.resolve("electricity@champion").ref == "electricity/1"
