"""A run that fails at the command line: held, looked into, mended, gone on with, made again, compared, pruned."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nbprod.cli import main
from tests.integration.test_holding import write_cells

pytestmark = pytest.mark.kernel
CELLS = {
    "parameters": "n: int = 3",
    "load": "import nbprod\nimport matplotlib.pyplot as plt\nloaded = n * 2\nfigure, axes = plt.subplots()\naxes.plot([0, n])\nnbprod.record(line=figure)",
    "fit": "fitted = loaded + undefined",
    "end": "nbprod.record(fitted=fitted)",
}


def write(path, **changed):
    write_cells(path, {**CELLS, **changed})


@pytest.fixture
def place(tmp_path):
    folder = tmp_path
    (folder / "nbprod.toml").write_text("")
    (folder / "templates").mkdir()
    write(folder / "templates" / "tee.ipynb")
    return folder


@pytest.fixture
def nbprod(place, monkeypatch, capsys):
    """The command line, in this process: starting Python for each command would take most of the time."""
    monkeypatch.chdir(place)

    def run(*arguments, code=0):
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        told = capsys.readouterr()
        assert (ended.value.code or 0) == code, told.err
        return told

    return run


@pytest.fixture
def waiting(place):
    """A foreground run that has failed, and waits with its kernel."""
    command = [sys.executable, "-m", "nbprod", "run", "tee", "--hold", "10m"]
    with subprocess.Popen(
        command, cwd=place, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        while "Ctrl-C" not in (line := process.stderr.readline()):
            assert line
        yield process
        process.kill()


def test_the_way_from_a_failure_to_a_result_that_is_the_same_again(place, nbprod, waiting):
    (first,) = json.loads(nbprod("runs", "list", "--json").out)
    assert (first["status"], first["failed_cell"]) == ("failed", "fit")
    shown = json.loads(nbprod("runs", "show", first["id"], "--json").out)
    assert shown["hold"]["cell"] == "fit"
    debugging = nbprod("runs", "debug", first["id"]).out
    assert f"jupyter console --existing {shown['hold']['connection_file']}" in debugging

    write(place / "templates" / "tee.ipynb", fit="fitted = loaded + 1")
    done = nbprod("runs", "resume", first["id"], "--json")
    second = json.loads(done.out)
    assert (second["status"], second["caused_by"], second["metrics"]) == ("succeeded", first["id"], {"fitted": 7.0})
    assert "goes on in the kernel" in done.err
    assert waiting.wait(20) == 1  # nothing is held any more, so it has ended; its own run failed
    nbprod("runs", "debug", first["id"], code=4)
    report = (Path(second["folder"]) / "report.html").read_text()
    assert "kept from the run this one goes on from" in report

    again = json.loads(nbprod("runs", "reproduce", second["id"], "--json").out)
    assert again["verdict"] == "identical"
    assert {(one["kind"], one["name"]) for one in again["outputs"]} == {
        ("run", "status"),
        ("figure", "line"),
        ("metric", "fitted"),
    }

    third = json.loads(nbprod("run", "tee", "-p", "n=5", "--json").out)
    found = json.loads(nbprod("runs", "compare", first["id"], third["id"], "--json").out)
    assert found["cells"] == {"fit": "changed"}
    assert "line" in found["figures"]
    nbprod("runs", "compare", first["id"], third["id"], "--html", "compared.html")
    page = (place / "compared.html").read_text()
    assert page.count("<img") == 2
    assert "fitted = loaded + undefined" in page
    assert not re.search(r"(?:src|href)=\"(?!data:|#)", page)


def test_ctrl_c_lets_the_kernel_go_and_a_detached_run_is_released(place, waiting, nbprod, vanish):
    (newest, *_) = json.loads(nbprod("runs", "list", "--json").out)
    pid = next(
        json.loads(line)["pid"]
        for line in (Path(newest["folder"]) / "events.jsonl").read_text().splitlines()
        if '"kernel.started"' in line
    )
    waiting.send_signal(signal.SIGINT)
    assert waiting.wait(20) == 1
    assert vanish(pid, 10)
    assert json.loads(nbprod("runs", "show", newest["id"], "--json").out)["hold"] is None

    detached = json.loads(nbprod("run", "tee", "--hold", "10m", "--detach", "--json").out)
    deadline = time.monotonic() + 60
    while json.loads(nbprod("runs", "show", detached["id"], "--json").out)["hold"] is None:
        assert time.monotonic() < deadline
    nbprod("runs", "debug", detached["id"], "--release")
    while json.loads(nbprod("runs", "show", detached["id"], "--json").out)["hold"]:
        assert time.monotonic() < deadline
    nbprod("runs", "debug", detached["id"], "--release", code=3)


def test_what_differs_is_exit_code_three_and_old_runs_are_pruned(place, nbprod):
    write(place / "templates" / "tee.ipynb", fit="import os\nfitted = float(os.urandom(1)[0]) + os.getpid()")
    first = json.loads(nbprod("run", "tee", "--json").out)
    done = nbprod("runs", "reproduce", first["id"], code=3)
    assert "metric fitted  different" in re.sub(r" +", " ", done.out).replace("fitted different", "fitted  different")
    assert (
        json.loads(nbprod("runs", "prune", "--keep", "30d", "--keep-registered", "--dry-run", "--json").out)["runs"]
        == []
    )
    nbprod("runs", "prune", "--keep", "often", code=2)
    for row in json.loads(nbprod("runs", "list", "--json").out):
        assert row["files"] is None
        assert Path(row["folder"]).is_dir()
