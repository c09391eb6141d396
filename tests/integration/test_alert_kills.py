"""Alerts when the process that makes them is killed: nothing is lost, and what comes twice has the same key."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from datetime import timedelta

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

import nbprod
from nbprod import clock
from nbprod.domain.deployment import Deployment

#: A monitor of the workspace's own: it finds the same thing each time, at once.
PARAMETERS = """
from datetime import datetime
deployment: str = ""
lake: str = ""
package: str | None = None
reference: str | None = None
task: str | None = None
target: str | None = None
start: datetime = datetime(1997, 5, 1)
end: datetime = datetime(1997, 6, 1)
as_of: datetime | None = None
block: str = "1d"
metric: str = ""
max_drop: float = 0.05
min_rows: int = 100
alpha: float = 0.01
columns: list[str] = []
false_alarms_per_year: float = 2.0
level: float = 0.05
horizon: str = ""
judged: list[float] = []
rich: str = "auto"
"""
WORK = """
from nbprod import record
from nbprod.domain.check import CheckOutcome, CheckResult
failed = [CheckResult(name="drift", outcome=CheckOutcome.FAILED, sentence=f"{one} changed", subject=one) for one in ("age", "income")]
record(verdict="alarm", sentence="age and income changed", rows=10, outcomes=0, checks=failed, changed=["age", "income"], tables={})
"""
KILL = """
import os, signal, sys
import nbprod
from nbprod.domain.check import CheckOutcome, CheckResult
from nbprod.monitors.alerts import Alerts
from nbprod.monitors.channels import FileChannel
from nbprod.monitors.outbox import Outbox
from nbprod.monitors.service import Monitors

def killing(owner, name, *, after):
    whole = getattr(owner, name)
    def killed(*given, **named):
        if after:
            whole(*given, **named)
        os.kill(os.getpid(), signal.SIGKILL)
    setattr(owner, name, killed)

place, step = sys.argv[1:]
ws = nbprod.open(place)
if step == "before the report":
    killing(Monitors, "_keep", after=False)
elif step == "between report and alert":
    killing(Alerts, "record", after=True)
elif step == "before sending":
    killing(Outbox, "send", after=False)
elif step == "after sending":
    killing(FileChannel, "send", after=True)
if step in {"before the report", "between report and alert"}:
    ws.monitors.run("churn", start="1997-12-01", end="1998-01-01")
else:
    ws.alerts.see("churn", [CheckResult(name="drift", subject="age", outcome=CheckOutcome.FAILED, sentence="age changed")], source="server")
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    place = tmp_path_factory.mktemp("killed")
    (place / "templates").mkdir()
    cells = [
        new_code_cell(PARAMETERS.strip(), id="parameters", metadata={"tags": ["parameters"]}),
        new_code_cell(WORK.strip(), id="work"),
    ]
    nbformat.write(new_notebook(cells=cells), place / "templates" / "monitor.ipynb")
    (place / "nbprod.toml").write_text(
        '[kernels]\nwarm = false\n[channels.file]\nkind = "file"\npath = "told.jsonl"\n'
    )
    with nbprod.open(place).store.write() as session:
        session.add(Deployment(name="churn", model=None, created_at=clock.now(), created_by="ada", reference="x"))
    return place


@pytest.fixture
def workspace(place):
    """As it was before any look."""
    (place / "told.jsonl").unlink(missing_ok=True)
    ws = nbprod.open(place)
    for alert in ws.alerts.list():
        if not alert.is_resolved:
            ws.alerts.resolve(alert.id)
    (place / "told.jsonl").unlink(missing_ok=True)
    return ws


def killed(place, step):
    done = subprocess.run(
        [sys.executable, "-c", KILL, str(place), step], capture_output=True, check=False, timeout=200
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()


def told(place):
    path = place / "told.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.mark.kernel
@pytest.mark.parametrize("step", ["before the report", "between report and alert"])
def test_a_monitor_that_is_killed_after_its_notebook_loses_neither_report_nor_alert(workspace, place, step):
    before = len(workspace.monitors.list("churn"))
    killed(place, step)
    assert (len(workspace.monitors.list("churn")), told(place)) == (before, [])

    workspace.alerts.deliver()
    workspace.alerts.deliver()

    report, *_ = workspace.monitors.list("churn")
    assert len(workspace.monitors.list("churn")) == before + 1
    (message,) = told(place)
    assert (message["run"], message["title"].split(", seen")[0]) == (report.run_id, "December 1997")
    assert [part["subject"] for part in message["parts"]] == ["age", "income"]
    workspace.store.verify()


def test_a_message_whose_process_was_killed_before_it_sent_is_sent_by_the_next(workspace, place):
    killed(place, "before sending")
    assert told(place) == []

    workspace.schedules.run_due()

    assert [message["change"] for message in told(place)] == ["opened"]


def test_a_message_whose_process_was_killed_after_it_had_sent_comes_again_with_the_same_key(workspace, place):
    killed(place, "after sending")
    assert len(told(place)) == 1
    assert workspace.alerts.deliver() == []  # it may still be on its way

    workspace.alerts.deliver(now=clock.now() + timedelta(minutes=2))

    first, again = told(place)
    assert first["key"] == again["key"]
    workspace.alerts.deliver(now=clock.now() + timedelta(days=1))
    assert len(told(place)) == 2
