"""Many runs at a time, and runs killed at any moment."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import psutil
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from nbprod.notebook.journal import read_events
from nbprod.notebook.recovery import replayed
from tests.integration.test_truth import RUNNER

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(3600)]

PROCESS = """
import sys
from pathlib import Path
from nbprod.runs import Runs
from nbprod.store import Store
from nbprod.templates import Templates
place, numbers = Path(sys.argv[1]), sys.argv[2:]
runs = Runs(Store.open(str(place / "ledger.db"), place / "files", actor="ada"), Templates([]), place / "runs", root=place)
for number in numbers:
    assert runs.start(place / f"place-{number}" / "where.ipynb").succeeded
"""


def places(root, count):
    for number in range(count):
        (root / f"place-{number}").mkdir()
        cells = [new_code_cell(f"import os, time; time.sleep(0.2); print({number}, os.getcwd())")]
        nbformat.write(new_notebook(cells=cells), root / f"place-{number}" / "where.ipynb")


def printed(run):
    return nbformat.read(Path(run.folder) / "notebook.ipynb", 4).cells[0].outputs[0].text


def test_twenty_four_runs_six_at_a_time_in_threads_do_not_mix(runs, tmp_path):
    places(tmp_path, 24)
    before = Path.cwd()
    with ThreadPoolExecutor(6) as pool:
        done = list(pool.map(lambda number: runs.start(tmp_path / f"place-{number}" / "where.ipynb"), range(24)))

    assert [printed(run) for run in done] == [f"{number} {tmp_path}/place-{number}\n" for number in range(24)]
    assert Path.cwd() == before


def test_twenty_four_runs_in_six_processes_do_not_mix(runs, tmp_path):
    places(tmp_path, 24)
    shares = [[str(number) for number in range(24) if number % 6 == share] for share in range(6)]
    processes = [subprocess.Popen([sys.executable, "-c", PROCESS, str(tmp_path), *share]) for share in shares]

    assert [process.wait(600) for process in processes] == [0] * 6
    done = runs.list(status="succeeded", limit=99)
    assert sorted(printed(run) for run in done) == sorted(f"{n} {tmp_path}/place-{n}\n" for n in range(24))


def test_a_hundred_kernels_start_at_once(tmp_path, notebook):
    from nbprod.notebook.execution import Execution

    def one(number):
        folder = tmp_path / str(number)
        folder.mkdir()
        nb = notebook(f"import time; time.sleep(20); print({number})")
        result = Execution(
            nb, folder=folder, kernel_name="python3", cwd=folder, env=dict(os.environ), preload=()
        ).run()
        return result.cause, nb.cells[0].outputs[0].text

    with ThreadPoolExecutor(100) as pool:
        assert list(pool.map(one, range(100))) == [(None, f"{number}\n") for number in range(100)]


@pytest.mark.parametrize("seed", range(4))
def test_a_runner_killed_at_any_moment_leaves_a_truthful_record(tmp_path, vanish, seed):
    """25 kills a seed: no process stays, no cell says completed that did not end, and what was printed is there."""
    moments = random.Random(seed)
    cells = [f"import time\nfor n in range(5): print({cell}, n, flush=True); time.sleep(0.02)" for cell in range(6)]
    for attempt in range(25):
        folder = tmp_path / f"{attempt}"
        folder.mkdir()
        process = subprocess.Popen([sys.executable, "-c", RUNNER, str(folder), json.dumps(cells)])
        time.sleep(moments.uniform(0.2, 3.5))
        children = (
            [child.pid for child in psutil.Process(process.pid).children(recursive=True)]
            if process.poll() is None
            else []
        )
        process.kill()
        process.wait()
        assert all(vanish(pid, 15) for pid in children)
        if not (folder / "events.jsonl").exists():
            continue
        events = [event for _, event in read_events(folder)]
        ended = {one["cell"] for one in events if one["kind"] == "cell.ended" and one["status"] == "completed"}
        started = {one["cell"] for one in events if one["kind"] == "cell.started"}
        again = replayed(events)
        assert len(started - ended) <= 1
        for number in range(len(cells)):
            text = "".join(out["text"] for out in again.get(f"c{number}", []))
            whole = "".join(f"{number} {n}\n" for n in range(5))
            assert whole.startswith(text)
            if f"c{number}" in ended:
                assert text == whole
