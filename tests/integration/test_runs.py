"""Runs from the check of their parameters to the row in the ledger."""

from __future__ import annotations

import asyncio
import json
import os
import time
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from nbprod.domain.run import EndCause, RunStatus
from nbprod.errors import ConflictError, EnvironmentProblem, NotFoundError, ParameterError, RunFailedError
from nbprod.runs import Runs
from nbprod.store import Store
from nbprod.templates import Templates

pytestmark = pytest.mark.kernel

CELLS = {
    "parameters": "n: int = 3 # how many\nmode: str = 'ok' # what to do",
    "work": "import nbprod\nnbprod.record(twice=2 * n)",
    "end": "import time\nif mode == 'bad':\n    raise ValueError('as asked')\nif mode == 'slow':\n    print('waiting', flush=True); time.sleep(100)",
}


@pytest.fixture
def runs(tmp_path):
    (tmp_path / "nbprod.toml").write_text("[data]\nprivate = ['name']\n")
    folder = tmp_path / "templates"
    folder.mkdir()
    cells = [new_markdown_cell("# Tee\n\nA test.", id="head")]
    cells += [new_code_cell(source, id=id_) for id_, source in CELLS.items()]
    cells[1].metadata["tags"] = ["parameters"]
    nb = new_notebook(
        cells=cells, metadata={"kernelspec": {"name": "python3", "language": "python", "display_name": "Python 3"}}
    )
    nbformat.write(nb, folder / "tee.ipynb")
    return Runs(
        Store.open(str(tmp_path / "ledger.db"), tmp_path / "files", actor="ada"),
        Templates([folder]),
        tmp_path / "runs",
        root=tmp_path,
    )


def test_a_run_is_recorded_whole(runs, tmp_path):
    seen = []
    run = runs.start("tee", n=5, caused_by="alert-1", progress=seen.append)
    assert run.succeeded
    assert run.parameters == {"n": 5, "mode": "ok"}
    assert run.metrics == {"twice": 10}
    assert (run.actor, run.caused_by, run.template) == ("ada", "alert-1", "tee")
    assert run.duration.total_seconds() > 0
    folder = Path(run.folder)
    assert {path.name for path in folder.iterdir()} >= {
        "notebook.ipynb",
        "events.jsonl",
        "run.json",
        "environment.json",
        "files",
    }
    assert json.loads((folder / "run.json").read_bytes())["private"] == ["name"]
    assert "pandas" in json.loads((folder / "environment.json").read_bytes())["distributions"]
    kept = nbformat.read(folder / "notebook.ipynb", 4).metadata.papermill
    assert not {"input_path", "output_path"} & kept.keys()
    assert runs.get(run.id) == run == runs.list()[0] == runs.get(run.id[-4:])
    assert [(at.cell, at.index, at.total) for at in seen[-1:]] == [("end", 3, 4)]
    assert not list((tmp_path / "runs").glob(".*"))


@pytest.mark.parametrize("wrong", [{"m": 1}, {"n": "many"}])
def test_a_bad_parameter_is_refused_before_anything_is_written(runs, tmp_path, wrong):
    with pytest.raises(ParameterError):
        runs.start("tee", **wrong)
    assert not (tmp_path / "runs").exists()
    assert runs.list() == []


def test_a_kernel_that_is_not_installed_is_refused_before_anything_is_written(runs, tmp_path):
    nb = new_notebook(metadata={"kernelspec": {"name": "pyhton3", "display_name": "", "language": "python"}})
    nbformat.write(nb, tmp_path / "other.ipynb")
    with pytest.raises(EnvironmentProblem, match="Did you mean python3"):
        runs.start(tmp_path / "other.ipynb")
    assert runs.list() == []


def test_any_notebook_runs_in_its_own_folder(runs, tmp_path):
    (tmp_path / "deep").mkdir()
    nbformat.write(
        new_notebook(cells=[new_code_cell("import os; print(os.getcwd())")]), tmp_path / "deep" / "My Notes.ipynb"
    )
    run = runs.start(tmp_path / "deep" / "My Notes.ipynb")
    assert run.template == "my-notes"
    cell = nbformat.read(Path(run.folder) / "notebook.ipynb", 4).cells[0]
    assert cell.outputs[0].text == f"{tmp_path / 'deep'}\n"
    assert Path.cwd() != tmp_path / "deep"


def test_a_failed_run_names_its_cell_and_raises_only_when_asked(runs):
    run = runs.start("tee", mode="bad")
    assert (run.status, run.cause, run.failed_cell, run.error) == (
        RunStatus.FAILED,
        EndCause.ERROR,
        "end",
        "ValueError: as asked",
    )
    assert run.metrics == {"twice": 6}
    with pytest.raises(RunFailedError, match="in cell end") as caught:
        runs.start("tee", mode="bad", check=True)
    assert caught.value.run_id == runs.list()[0].id


def test_a_run_starts_below_a_running_event_loop(runs):
    async def main():
        return runs.start("tee")

    assert asyncio.run(main()).succeeded


def test_a_detached_run_is_watched_and_cancelled(runs):
    run = runs.start("tee", mode="slow", detach=True)
    assert run.status is RunStatus.QUEUED
    kinds = []
    for event in runs.watch(run.id):
        kinds.append(event["kind"])
        if event.get("text") == "waiting\n":
            assert runs.get(run.id).status is RunStatus.RUNNING
            cancelled = runs.cancel(run.id)
    assert (cancelled.status, cancelled.failed_cell) == (RunStatus.CANCELLED, "end")
    assert kinds[0] == "run.started"
    assert kinds[-1] == "run.ended"
    with pytest.raises(ConflictError, match="already"):
        runs.cancel(run.id)


def test_a_run_whose_process_was_killed_is_lost_for_the_next_reader(runs):
    run = runs.start("tee", mode="slow", detach=True)
    for event in runs.watch(run.id):
        if event.get("text") == "waiting\n":
            os.kill(json.loads((Path(run.folder) / "lease.json").read_bytes())["pid"], 9)
            break
    time.sleep(0.2)
    found = runs.list()[0]
    assert (found.status, found.cause, found.failed_cell) == (RunStatus.LOST, EndCause.LOST, "end")
    nb = nbformat.read(Path(run.folder) / "notebook.ipynb", 4)
    nbformat.validate(nb)
    by_id = {cell.id: cell for cell in nb.cells}
    assert by_id["work"].metadata.papermill.status == "completed"
    assert by_id["end"].metadata.papermill.status == "failed"
    assert [output.get("text") or output.ename for output in by_id["end"].outputs] == ["waiting\n", "Lost"]
    assert nb.metadata.nbprod.partial is True


def test_two_runs_are_compared_by_meaning(runs):
    difference = runs.compare(runs.start("tee", n=1), runs.start("tee", n=2))
    assert difference.parameters == {"n": (1, 2)}
    assert difference.metrics == {"twice": (2, 4)}
    assert (difference.code, difference.environment) == ({}, {})
    assert "parameters n: 1 → 2" in str(difference)


def test_rows_can_be_rebuilt_from_the_folders(runs, tmp_path):
    run = runs.start("tee")
    other = Runs(
        Store.open(str(tmp_path / "new.db"), tmp_path / "files", actor="bob"),
        runs.templates,
        runs.folder,
        root=tmp_path,
    )
    assert other.list() == []
    assert other.rebuild() == (run,)
    assert other.rebuild() == ()
    assert other.get(run.id) == run


def test_an_unknown_run_is_not_found(runs):
    with pytest.raises(NotFoundError, match="No run is called 'nothing'"):
        runs.get("nothing")


COUNTED = """
import os
from pathlib import Path
count = Path("count")
attempt = len(count.read_text()) if count.exists() else 0
count.write_text("x" * (attempt + 1))
"""


@pytest.mark.parametrize(
    ("fault", "attempts"),
    [
        ("os.kill(os.getpid(), 9)", 2),
        ("raise ConnectionError('gone')", 2),
        ("assert False", 1),
        ("raise KeyError('x')", 1),
    ],
)
def test_only_what_may_pass_is_tried_again(runs, tmp_path, fault, attempts):
    cells = [new_code_cell(f"{COUNTED}\nif attempt == 0:\n    {fault}\nprint('attempt', attempt)", id="work")]
    nbformat.write(new_notebook(cells=cells), tmp_path / "flaky.ipynb")
    run = runs.start(tmp_path / "flaky.ipynb", retries=3, retry_on=("ConnectionError",))
    assert run.succeeded is (attempts == 2)
    started = [event for event in runs.watch(run) if event["kind"] == "run.started"]
    assert len(started) == attempts
    assert (tmp_path / "count").read_text() == "x" * attempts


def test_runs_in_threads_and_folders_of_their_own_do_not_mix(runs, tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    def one(number):
        folder = tmp_path / f"place-{number}"
        folder.mkdir()
        cells = [new_code_cell(f"import os, time; time.sleep(0.1); print({number}, os.getcwd())")]
        nbformat.write(new_notebook(cells=cells), folder / "where.ipynb")
        run = runs.start(folder / "where.ipynb")
        return nbformat.read(Path(run.folder) / "notebook.ipynb", 4).cells[0].outputs[0].text

    before = Path.cwd()
    with ThreadPoolExecutor(6) as pool:
        texts = list(pool.map(one, range(12)))
    assert texts == [f"{number} {tmp_path}/place-{number}\n" for number in range(12)]
    assert Path.cwd() == before
    assert len(runs.list(status="succeeded")) == 12
