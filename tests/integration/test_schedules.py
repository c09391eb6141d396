"""Schedules on a real ledger: each due moment starts once, whoever looks, and none is lost in silence."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

import nbprod
from nbprod import clock
from nbprod.domain.schedule import Due, DueStatus
from nbprod.errors import ParameterError

pytestmark = pytest.mark.kernel

PROCESSES = 8
CRASH = """
import os, signal, sys
from datetime import timedelta
import nbprod
from nbprod.schedules import service
service.LEASE, service.RENEW_S = timedelta(seconds=0.5), 0.1
ws = nbprod.open(sys.argv[1])
jobs = ws.schedules._jobs
start = jobs.start
def killed(*what):
    if sys.argv[2] == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    return start(*what)
jobs.start = killed
ws.schedules.run_due()
"""


def write(path: Path, work: str) -> None:
    parameters = new_code_cell("word: str = 'a'", id="parameters", metadata={"tags": ["parameters"]})
    nbformat.write(new_notebook(cells=[parameters, new_code_cell(work, id="work")]), path)


@pytest.fixture
def place(tmp_path):
    """A workspace with one schedule that was due ten minutes ago and is not again before next year."""
    due = clock.now() - timedelta(minutes=10)
    (tmp_path / "nbprod.toml").write_text(
        f'[kernels]\nwarm = false\n[schedules.nightly]\ncron = "{due.minute} {due.hour} {due.day} {due.month} *"\n'
        'run = "job.ipynb"\nparameters = { word = "b" }\n'
    )
    write(tmp_path / "job.ipynb", "import nbprod\nnbprod.record(length=len(word))")
    return tmp_path


def seen(ws, ago=timedelta(hours=1)):
    """Let the schedule have been seen some time ago."""
    at = clock.now() - ago
    with ws.store.write() as session:
        session.add(Due(id=Due.id_of("nightly", at), schedule="nightly", due_at=at, status=DueStatus.NOTED))


def command(place, *arguments):
    return [sys.executable, "-m", "nbprod", "-w", str(place), "schedule", *arguments]


def test_eight_processes_start_a_due_moment_once(place, url):
    with (place / "nbprod.toml").open("a") as file:
        file.write(f'[store]\nledger = "{url}"\n')
    ws = nbprod.open(place)
    seen(ws)
    count = PROCESSES if url.startswith("sqlite") else PROCESSES // 2
    racing = [
        subprocess.Popen(command(place, "run-due", "--json"), stdout=subprocess.PIPE, text=True) for _ in range(count)
    ]
    dues = [due for process in racing for due in json.loads(process.communicate(timeout=120)[0])]

    assert [process.returncode for process in racing] == [0] * count
    assert [due["status"] for due in dues] == ["succeeded"]
    (run,) = ws.runs.list()
    assert (run.caused_by, run.id) == (dues[0]["id"], dues[0]["job_id"])
    assert run.metrics == {"length": 1.0}
    assert ws.store.verify()[0] > 0


def test_the_first_look_starts_nothing_and_a_rehearsal_writes_nothing(place):
    ws = nbprod.open(place)
    shown = subprocess.run(
        command(place, "run-due", "--now", "2020-01-01", "--json"), capture_output=True, check=True
    )
    assert [row["status"] for row in json.loads(shown.stdout)] == ["noted"]
    assert ws.schedules.dues() == []

    assert [due.status for due in ws.schedules.run_due().dues] == [DueStatus.NOTED]
    assert ws.schedules.run_due().dues == ()
    with (place / "nbprod.toml").open("a") as file:
        file.write('keep = "30d"\n')
    ws = nbprod.open(place)
    seen(ws, timedelta(days=31))
    ws.schedules.run_due()
    assert len(ws.schedules.dues()) == 1
    listed = json.loads(subprocess.run(command(place, "list", "--json"), capture_output=True, check=True).stdout)
    assert listed[0]["last_status"] == "noted"
    assert listed[0]["next_due"] > clock.format_utc(clock.now())
    assert ws.runs.list() == []


def test_a_process_killed_between_claim_and_start_loses_nothing(place):
    ws = nbprod.open(place)
    seen(ws)
    assert subprocess.run([sys.executable, "-c", CRASH, str(place), "before"], check=False).returncode == -9
    (claimed, _) = ws.schedules.dues()
    assert claimed.status is DueStatus.CLAIMED

    assert ws.schedules.run_due().dues == ()  # its lease holds

    time.sleep(0.6)
    (done,) = ws.schedules.run_due().dues
    assert (done.id, done.status) == (claimed.id, DueStatus.SUCCEEDED)
    assert done.reason == f"taken over: {claimed.claimed_by} vanished before it had started anything"
    assert len(ws.runs.list()) == 1


def test_a_process_killed_at_work_is_recorded_as_lost(place):
    holder = 'json.loads((pathlib.Path(os.environ["NBPROD_RUN"]) / "lease.json").read_text())["pid"]'
    write(place / "job.ipynb", f"import json, os, pathlib, time\nos.kill({holder}, 9)\ntime.sleep(60)")
    ws = nbprod.open(place)
    seen(ws)
    assert subprocess.run([sys.executable, "-c", CRASH, str(place), "at work"], check=False).returncode == -9
    time.sleep(0.6)

    (lost,) = ws.schedules.run_due().dues
    assert lost.status is DueStatus.LOST
    assert lost.job_id == ws.runs.list()[0].id
    assert "is gone" in lost.reason
    assert ws.schedules.run_due().dues == ()


def test_a_start_that_breaks_is_recorded_and_keeps_nothing_else_from_starting(place):
    """A claim that is left behind would be taken over while what waits for its turn here is started too."""
    toml = (place / "nbprod.toml").read_text()
    (place / "nbprod.toml").write_text(
        toml + toml.partition("[schedules.nightly]")[2].join(["[schedules.other]", ""])
    )
    ws = nbprod.open(place)
    seen(ws)
    at = clock.now() - timedelta(hours=1)
    with ws.store.write() as session:
        session.add(Due(id=Due.id_of("other", at), schedule="other", due_at=at, status=DueStatus.NOTED))
    start = ws.schedules._jobs.start

    def broken(schedule, cause):
        if schedule.name == "nightly":
            raise RuntimeError("out of everything")
        return start(schedule, cause)

    ws.schedules._jobs.start = broken
    found = {due.schedule: due for due in ws.schedules.run_due(jobs=1).dues}
    assert (found["nightly"].status, found["nightly"].lease_until) == (DueStatus.FAILED, None)
    assert "RuntimeError: out of everything" in found["nightly"].reason
    assert found["other"].status is DueStatus.SUCCEEDED


def test_what_waits_is_started_when_its_turn_comes(place):
    content = (place / "nbprod.toml").read_text()
    lines = [
        line if not line.startswith("cron") else 'cron = "0 * * * *"\nmissed = "all"' for line in content.splitlines()
    ]
    (place / "nbprod.toml").write_text("\n".join(lines))
    ws = nbprod.open(place)
    seen(ws, timedelta(hours=3))
    done = ws.schedules.run_due().dues

    assert [due.status for due in done] == [DueStatus.SUCCEEDED] * 3
    assert [run.caused_by for run in reversed(ws.runs.list())] == [due.id for due in done]


def test_start_works_at_once_and_a_refused_start_is_recorded(place):
    ws = nbprod.open(place)
    (done,) = ws.schedules.start("nightly").dues
    assert (done.status, done.reason) == (DueStatus.SUCCEEDED, "asked for")

    (place / "nbprod.toml").write_text((place / "nbprod.toml").read_text().replace("word =", "wort ="))
    ws = nbprod.open(place)
    with pytest.raises(ParameterError, match="'wort' is not a parameter"):
        ws.schedules.check("nightly")
    with ws.store.write() as session:  # as if that start had been long ago
        session.replace(
            Due(**{**done.__dict__, "due_at": done.due_at - timedelta(hours=2)}), expecting={"status": done.status}
        )
    shown = subprocess.run(command(place, "run-due", "--json"), capture_output=True, check=False)
    assert shown.returncode == 1
    assert "'wort' is not a parameter" in json.loads(shown.stdout)[0]["reason"]
