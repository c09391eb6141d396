"""The demo shows what is true of the electricity market, read back by the command line alone."""

from __future__ import annotations

import json
import re
import time
from types import SimpleNamespace

import pytest

from tests.acceptance.conftest import Shell, listing

pytestmark = [pytest.mark.kernel, pytest.mark.slow, pytest.mark.timeout(1500)]

SILENT = {"vicprice", "vicdemand", "transfer"}
ACCURACY = {"02": 0.84, "03": 0.75, "04": 0.75, "05": 0.82, "06": 0.62}


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The demo's workspace after one walk, and what the records say of it."""
    place = tmp_path_factory.mktemp("demo")
    told = Shell(place)("demo", "market", timeout_s=1400)
    shell = Shell(place / "market")
    reports = {one["start"][5:7]: one for one in shell.json("monitor", "list", "electricity", "--limit", "99")}
    history = shell.json("models", "history", "electricity", "--limit", "999")[::-1]
    return SimpleNamespace(shell=shell, folder=place / "market", told=told, reports=reports, history=history)


def evaluations(demo, version):
    """The verdicts about a version, oldest first, each as recorded by its run."""
    events = [one for one in demo.history if (one["kind"], one["subject"]) == ("version.evaluated", version)]
    return [(one["data"], one["reason"]) for one in events]


def retraining(demo, month):
    """The version that was trained at the end of a month, with the checks of its evaluation."""
    line = next(line for line in demo.told.out.splitlines() if f" {month} 1997:" in line)
    found = re.search(r"retrained as (electricity/\d+), gates (\w+)", line)
    gain = re.search(r"([+-]\d\.\d+) \[([+-]\d\.\d+), ([+-]\d\.\d+)\] in accuracy", line)
    return found[1], found[2], tuple(float(number) for number in gain.groups())


def test_each_step_is_a_line_with_the_file_it_made(demo):
    lines = demo.told.out.splitlines()

    assert lines[-1].startswith("Look at it: file://")
    steps = list(zip(lines[:-1:2], lines[1:-1:2], strict=True))
    assert len(steps) >= 18
    assert all(line.lstrip()[0].isdigit() and " s  " in line for line, _ in steps)
    for _, file in steps:
        assert file.strip().startswith(str(demo.folder))


def test_the_silent_columns_are_named_in_may_and_not_before(demo):
    for month in ("02", "03", "04"):
        assert not SILENT & set(demo.reports[month]["changed"]), month
    assert set(demo.reports["05"]["changed"]) >= SILENT
    assert demo.reports["05"]["verdict"] == "alarm"


def test_the_model_decays_by_itself(demo):
    found = {month: demo.reports[month]["metrics"]["accuracy"] for month in ACCURACY}

    assert found == pytest.approx(ACCURACY, abs=0.02)
    assert all(demo.reports[month]["outcomes"] == demo.reports[month]["rows"] for month in ACCURACY)


def test_the_model_retrained_in_may_is_not_promoted(demo):
    version, outcome, (gain, _, high) = retraining(demo, "May")

    assert outcome != "passed"
    assert -0.04 < gain < 0
    assert high <= 0.005
    assert demo.shell.json("models", "show", version)["approval"] != "approved"
    promoted = [one["data"]["version"] for one in demo.history if one["kind"] == "model.promoted"]
    assert int(version.rpartition("/")[2]) not in promoted


def test_the_model_retrained_in_june_is_promoted(demo):
    version, outcome, (gain, low, _) = retraining(demo, "June")

    assert outcome == "passed"
    assert 0.17 < gain < 0.25
    assert low > 0.13
    champion = demo.shell.json("models", "show", "electricity@champion")
    assert f"electricity/{champion['number']}" == version
    assert champion["approval"] == "approved"
    assert champion["caused_by"] in {alert["id"] for alert in demo.shell.json("alerts", "list", "--limit", "99")}


def test_the_sabotaged_candidate_is_refused(demo):
    versions = demo.shell.json("models", "list", "electricity")
    [newest] = [one for one in versions if one["approval"] == "rejected" and "shuffled labels" in one["note"]]

    assert newest["aliases"] == []
    again = demo.shell("models", "promote", newest["ref"], "--expect", "none", code=3)
    assert "rejected" in again.err or "names" in again.err


def test_the_new_champion_is_ahead_of_the_retired_one_on_later_months(demo):
    champion = demo.shell.json("models", "show", "electricity@champion")
    event, reason = evaluations(demo, f"electricity/{champion['number']}")[-1]

    assert event["outcome"] == "passed"
    assert "better" in reason
    line = next(line for line in demo.told.out.splitlines() if "against the retired" in line)
    gain, low = (float(part) for part in line.partition("better: ")[2].replace("[", "").split(",")[0].split()[:2])
    assert gain == pytest.approx(0.04, abs=0.015)
    assert low > 0


def test_traffic_promotes_the_better_version_and_takes_the_one_with_the_wrong_unit_out(demo):
    """A shadow, a canary, a roll back that nobody had to ask for, and an A/B; counted in what was answered."""
    ab, bad, better = demo.shell.json("rollouts", "list", "electricity-desk")
    verdicts = demo.shell.json("rollouts", "analyses", better["id"])[::-1]

    assert better["status"] == "promoted"
    assert [one["acted"] for one in verdicts][:2] == ["advanced", "advanced"]
    assert verdicts[-1]["acted"] == "promoted"
    assert bad["status"] == "rolled-back"
    assert ab["status"] in {"aborted", "rolled-back"}
    assert "worse in wrong" in bad["ended_because"]
    assert demo.shell.json("deployments", "show", "electricity-desk")["model"] == better["candidate"]
    line = next(line for line in demo.told.out.splitlines() if "prices in another unit" in line)
    reached, requests = (
        int(part.replace(",", "")) for part in re.search(r"reached ([\d,]+) of ([\d,]+)", line).groups()
    )
    assert 0 < reached < 0.35 * requests
    assert requests % 320 == 0
    for one in (ab, bad, better):
        page = (demo.folder / "site" / "rollouts" / one["id"] / "index.html").read_text()
        assert "Evidence in wrong" in page
    assert (
        f"Reached</dt><dd>{reached:,} of {requests:,} requests"
        in (demo.folder / "site" / "rollouts" / bad["id"] / "index.html").read_text()
    )


def test_the_site_is_there_and_in_order(demo):
    assert (demo.folder / "site" / "index.html").stat().st_size > 1000
    assert demo.shell.json("site", "check") == []


def test_a_second_walk_is_quick_and_changes_nothing(demo):
    before, runs = listing(demo.folder), demo.shell.json("runs", "list", "--limit", "999")
    site = {path: path.stat().st_mtime_ns for path in (demo.folder / "site").rglob("*")}
    began = time.monotonic()
    again = Shell(demo.folder.parent)("demo", "market")
    seconds = time.monotonic() - began

    assert again.out == demo.told.out
    assert listing(demo.folder) == before
    assert demo.shell.json("runs", "list", "--limit", "999") == runs
    assert {path: path.stat().st_mtime_ns for path in (demo.folder / "site").rglob("*")} == site
    assert seconds < 10


def test_a_month_the_demo_was_stopped_in_is_not_predicted_twice(demo):
    memory = demo.folder / ".nbprod" / "demo.json"
    steps = json.loads(memory.read_text())
    memory.write_text(
        json.dumps([step for step in steps if step["name"] != "1997-02"])
    )  # as if stopped before its end

    Shell(demo.folder.parent)("demo", "market")

    months = [
        one for one in demo.shell.json("monitor", "list", "electricity", "--limit", "99") if one["start"][5:7] == "02"
    ]
    assert len(months) == 2
    assert {one["rows"] for one in months} == {one["outcomes"] for one in months} == {demo.reports["02"]["rows"]}


def test_the_demo_leaves_other_workspaces_alone(tmp_path):
    Shell(tmp_path)("init", "mine")

    answer = Shell(tmp_path)("demo", "mine", code=3)

    assert "is a workspace of yours, not the demo's" in answer.err
    assert Shell(tmp_path / "mine").json("runs", "list") == []
