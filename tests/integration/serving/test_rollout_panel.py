"""The panel of a rollout, clicked as people do: each click is the call of Python, with who and why."""

import time

import pytest

from nbprod.clock import now
from nbprod.errors import NotFoundError
from tests.unit.pages.conftest import active


@pytest.fixture
def panel(workspace):
    made = workspace.rollout("power")
    yield made
    made.close()
    made.thread.join(10)


def click(panel, label, *, why="a reason", who="ben"):
    panel.note.value, panel.who.value = why, who
    panel.buttons[label].click()
    return panel.said.value


def moved(workspace):
    rollout = workspace.rollouts.get("power")
    return [(event.kind, event.actor, event.reason) for event in reversed(workspace.rollouts.history(rollout))]


def test_a_rollout_is_started_and_moved_by_clicks_that_show_their_call(workspace, panel):
    """From nothing to a promotion and back; the ledger has who and why, and the call shown is the one made."""
    assert "No version was rolled out to power yet" in panel.body.value
    assert set(panel.version.options) == {"power/2", "power/3"}
    panel.note.value, panel.who.value = "faster", "ana"
    panel.version.value, panel.plan.value = "power/2", "canary:10:50:100"
    panel.start.click()
    rollout = workspace.rollouts.get("power")
    assert (rollout.candidate, rollout.plan, rollout.reason) == ("power/2", "canary:10:50:100", "faster")
    assert "ws.rollouts.start(&#x27;power&#x27;, &#x27;power/2&#x27;, plan=" in panel.said.value
    assert "power/2 answers 10 % of the units, power/1 the others" in panel.body.value
    assert panel.starting.layout.display == "none"

    said = click(panel, "Pause", why="a holiday")
    call = f"ws.rollouts.pause('{rollout.id}', note='a holiday', actor='ben')"
    assert call.replace("'", "&#x27;") in said
    assert panel.buttons["Pause"].disabled
    click(panel, "Resume")
    click(panel, "Advance", why="so far so good")
    assert workspace.rollouts.get("power").current.share == 0.5
    assert "▸ canary 50 %" in panel.body.value
    click(panel, "Promote", why="good enough")
    assert workspace.models.resolve("power@champion").ref == "power/2"
    click(panel, "Roll back", why="people complained")
    assert workspace.models.resolve("power@champion").ref == "power/1"
    assert moved(workspace) == [
        ("rollout.started", "ana", "faster"),
        ("rollout.paused", "ben", "a holiday"),
        ("rollout.resumed", "ben", "a reason"),
        ("rollout.advanced", "ben", "so far so good"),
        ("rollout.promoted", "ben", "good enough"),
        ("rollout.rolled-back", "ben", "people complained"),
    ]
    assert "people complained" in panel.body.value
    assert panel.starting.layout.display == ""


def test_nothing_is_done_without_a_note_and_what_is_refused_is_said(workspace, panel):
    """A blank note makes no call; the last step cannot be advanced; a plan that is none changes nothing."""
    panel.note.value, panel.plan.value = "why not", "canary:200"
    panel.start.click()
    assert "shares that cannot be used" in panel.said.value
    assert workspace.rollouts.list() == []
    panel.plan.value = "canary:5"
    panel.start.click()
    assert "Say why first" in click(panel, "Abort", why="  ")
    assert workspace.rollouts.get("power").is_open
    assert panel.buttons["Advance"].disabled
    panel.act("Advance")
    assert "Say why first" in panel.said.value
    panel.note.value = "on"
    panel.act("Advance")
    assert "last step" in panel.said.value
    click(panel, "Abort", why="enough")
    assert workspace.rollouts.get("power").status == "aborted"


def test_the_twin_is_plain_html_and_foreign_words_stay_words(workspace, panel):
    """What is saved with the notebook has no script and asks for nothing."""
    panel.note.value, panel.plan.value = "<img src=x onerror=alert(1)>", "ab:50"
    panel.start.click()
    twin = panel._repr_mimebundle_()["text/html"]
    assert active(twin) == []
    assert "&lt;img src=x" in twin
    assert "http" not in twin.replace("http://www.w3.org/2000/svg", "")
    assert panel.said.value.count("<img") == 0


def test_it_follows_what_others_do(workspace):
    """Somebody else moves the rollout, and the panel says so by itself."""
    rollout = workspace.rollouts.start("power", "power/3", plan="canary:5:50", reason="try")
    panel = workspace.rollout("power")
    panel.poll_s = 0.05
    workspace.rollouts.advance(rollout.id, note="meanwhile", actor="cleo")
    deadline = time.monotonic() + 20
    while "cleo" not in panel.body.value:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert "power/3 answers 50 % of the units" in panel.body.value
    panel.close()
    panel.thread.join(10)
    assert not panel.thread.is_alive()


def test_whom_a_candidate_reached_is_counted_in_the_log(workspace):
    """Requests of its arm, of all from the start to the end."""
    rollout = workspace.rollouts.start("power", "power/2", plan="canary:50")
    assert workspace.rollouts.exposure(rollout).requests == 0
    row = {"load": 0.5, "hour": 3, "place": "north", "kind": "a", "holiday": True}
    answers = workspace.deployments.open("power").predict([row] * 4)
    core = {name: answers[name] for name in ("prediction_id", "prediction")}
    core["prediction_id"] = [f"more-{name}" for name in core["prediction_id"]]
    facts = {"at": [now()] * 4, "version": ["power/2"] * 4, "latency_ms": [1.0] * 4}
    arms = {"arm": ["candidate", "stable", "candidate", "candidate"], "share": [0.5] * 4}
    workspace.lake.predictions("power").append({**core, **facts, **arms}, private=())
    assert workspace.rollouts.exposure(rollout).sentence == "reached 3 of 8 requests"


def test_a_deployment_nobody_knows_has_no_panel(workspace):
    with pytest.raises(NotFoundError):
        workspace.rollout("pwoer")
