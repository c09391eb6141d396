"""Pipelines of real notebooks: references, branches, failures, resuming, kills, and what a change reached."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

import nbprod
from nbprod.domain.pipeline import StepStatus
from nbprod.domain.run import RunStatus
from nbprod.errors import ConflictError, ParameterError

pytestmark = pytest.mark.kernel

TOML = """
[kernels]
preload = []

[pipelines.weekly.inputs]
rows = 3

[pipelines.weekly.steps.make]
notebook = "make.ipynb"
parameters = { rows = "{rows}" }

[pipelines.weekly.steps.left]
notebook = "look.ipynb"
parameters = { score = "{make.metrics.score}", file = "{make.files.out.csv}", note = "{make.run} of {rows}" }

[pipelines.weekly.steps.right]
notebook = "trap.ipynb"
needs = ["make"]

[pipelines.weekly.steps.last]
notebook = "look.ipynb"
parameters = { score = "{right.metrics.passed}" }

[pipelines.careful.steps.judge]
notebook = "judge.ipynb"

[pipelines.careful.steps.after]
notebook = "make.ipynb"
needs = ["judge"]
"""
MAKE = """
import nbprod
path = nbprod.record.__module__ and __import__("pathlib").Path(__import__("os").environ["NBPROD_RUN"]) / "files" / "out.csv"
path.write_text("a\\n" + "1\\n" * rows)
nbprod.record(score=rows * 2.0)
"""
LOOK = """
import nbprod, pathlib
lines = len(pathlib.Path(file).read_text().splitlines()) if file else 0
nbprod.record(seen=score, lines=lines)
"""
TRAP = """
import nbprod, pathlib, time
if pathlib.Path("trap").exists():
    time.sleep(float(pathlib.Path("trap").read_text() or 0))
    raise ValueError("the trap is there")
nbprod.record(passed=1.0)
"""
JUDGE = """
from nbprod.domain.check import CheckOutcome, CheckResult
import nbprod
nbprod.record(checks=[CheckResult(name="gate", outcome=CheckOutcome.FAILED, sentence="the score is too low")])
"""


def write(path: Path, parameters: str, work: str) -> None:
    cells = [new_code_cell(parameters, id="parameters", metadata={"tags": ["parameters"]})] if parameters else []
    nbformat.write(new_notebook(cells=[*cells, new_code_cell(work, id="work")]), path)


@pytest.fixture
def place(tmp_path):
    (tmp_path / "nbprod.toml").write_text(TOML)
    write(tmp_path / "make.ipynb", "rows: int = 1 # how many", MAKE)
    write(tmp_path / "look.ipynb", 'score: float = 0.0\nfile: str = ""\nnote: str = ""', LOOK)
    write(tmp_path / "trap.ipynb", "", TRAP)
    write(tmp_path / "judge.ipynb", "", JUDGE)
    return tmp_path


def test_a_failed_step_stops_only_what_needs_it_and_resume_goes_on_from_there(place):
    ws = nbprod.open(place)
    (place / "trap").write_text("")
    first = ws.pipelines.run("weekly", rows=4)

    assert first.status is RunStatus.FAILED
    assert {step.name: step.status.value for step in first.steps} == {
        "make": "succeeded", "left": "succeeded", "right": "failed", "last": "skipped",
    }  # fmt: skip
    assert "the trap is there" in first["right"].error
    assert first["last"].reason == "it needs right, which failed"
    left = ws.runs.get(first["left"].run_id)
    assert left.metrics == {"seen": 8.0, "lines": 5.0}
    assert left.parameters["note"] == f"{first['make'].run_id} of 4"
    assert left.caused_by == f"{first.id}/left"
    page = Path(first.folder, "report.html").read_text()
    assert "--resume" in page
    assert f"../../runs/{left.id}/report.html" in page
    assert "http://" not in page.replace("http://www.w3.org", "")

    (place / "trap").unlink()
    again = ws.pipelines.resume(first.id)

    assert again.succeeded
    assert again.id == first.id
    assert [again[name].run_id == first[name].run_id for name in ("make", "left", "right")] == [True, True, False]
    assert again["make"].reason == "unchanged since it succeeded"
    assert ws.runs.get(again["last"].run_id).metrics["seen"] == 1.0
    assert ws.pipelines.get("weekly") == again

    summary = ws.site.build()
    assert ws.site.check() == []
    assert f"pipelines/{first.id}/index.html" in (summary.folder / "runs" / "index.html").read_text()
    assert (
        f"pipelines/{first.id}/index.html#step-left" in (summary.folder / "runs" / left.id / "index.html").read_text()
    )

    # the same again with another code in the first step: what it reached is told, and so is what it did not
    write(place / "make.ipynb", "rows: int = 1 # how many", MAKE.replace("rows * 2.0", "rows * 3.0"))
    other = ws.pipelines.run("weekly", rows=4)

    assert other["make"].changes == "code"
    assert other["left"].reached_by == ("make",)
    assert other["left"].changes.startswith("inputs changed although its code did not: score, file, note from make")
    assert (other["right"].changes, other["last"].changes) == ("", "")
    assert "inputs changed although its code did not" in Path(other.folder, "report.html").read_text()


def test_a_check_that_says_no_stops_what_comes_after(place):
    done = nbprod.open(place).pipelines.run("careful")

    assert done["judge"].status is StepStatus.REFUSED
    assert done["judge"].error == "the score is too low"
    assert done["after"].status is StepStatus.SKIPPED
    assert done.is_refused


def test_after_kill_9_show_says_so_and_resume_needs_no_repair(place, vanish):
    (place / "trap").write_text("60")
    command = [sys.executable, "-m", "nbprod", "-w", str(place), "pipeline", "run", "weekly"]
    process = subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL)
    ws, deadline = nbprod.open(place), time.monotonic() + 60
    while time.monotonic() < deadline:
        runs = ws.pipelines.list("weekly")
        if runs and runs[0]["left"].status is StepStatus.SUCCEEDED and runs[0]["right"].status is StepStatus.RUNNING:
            break
        time.sleep(0.1)
    with pytest.raises(ConflictError, match="is running"):
        ws.pipelines.resume(runs[0].id)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()

    shown = subprocess.run([*command[:-2], "show", "weekly", "--json"], capture_output=True, text=True, check=True)
    content = json.loads(shown.stdout)
    assert content["status"] == "lost"
    assert {step["name"]: step["status"] for step in content["steps"]}["right"] == "failed"

    (place / "trap").unlink()
    resumed = subprocess.run([*command, "--resume", runs[0].id, "--json"], capture_output=True, text=True, check=True)
    steps = {step["name"]: step for step in json.loads(resumed.stdout)["steps"]}
    assert {step["status"] for step in steps.values()} == {"succeeded"}
    assert steps["left"]["run_id"] == runs[0]["left"].run_id


def test_a_request_to_end_stops_what_runs_and_leaves_the_rest_to_resume(place):
    (place / "trap").write_text("60")
    command = [sys.executable, "-m", "nbprod", "-w", str(place), "pipeline", "run", "weekly"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    ws, deadline = nbprod.open(place), time.monotonic() + 60
    while time.monotonic() < deadline:
        runs = ws.pipelines.list("weekly")
        if runs and ws.runs.list(template="trap", status="running"):
            break
        time.sleep(0.1)
    process.terminate()

    assert process.wait(timeout=30) == 143
    stopped = ws.pipelines.get("weekly")
    assert stopped.status is RunStatus.CANCELLED
    assert stopped["right"].error.startswith("cancelled")
    assert ws.runs.list(template="trap")[0].status is RunStatus.CANCELLED


def test_what_cannot_go_through_is_refused_before_anything_runs(place):
    ws = nbprod.open(place)
    with pytest.raises(ParameterError, match="'row' is not an input"):
        ws.pipelines.run("weekly", row=1)
    with pytest.raises(ParameterError, match="rows is 'many'"):
        ws.pipelines.run("weekly", rows="many")
    assert ws.pipelines.list() == []
    assert ws.runs.list() == []
