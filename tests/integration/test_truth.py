"""However a notebook ends, the record says what happened, where and why."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import nbformat
import pytest

from nbprod.domain.execution import Limits
from nbprod.domain.run import EndCause, RunStatus
from nbprod.notebook.execution import Execution
from nbprod.notebook.journal import fold, read_events

pytestmark = pytest.mark.kernel

ENDS = {
    "1 / 0": (EndCause.ERROR, "ZeroDivisionError: division by zero"),
    "import nothing_of_that_name": (EndCause.ERROR, "ModuleNotFoundError: No module named 'nothing_of_that_name'"),
    "import sys; sys.exit(0)": (EndCause.EXITED, "SystemExit: 0"),
    "import sys; sys.exit(3)": (EndCause.EXITED, "SystemExit: 3"),
    "exit()": (EndCause.EXITED, "The cell asked its kernel to end (exit or quit)"),
    "import os; os._exit(0)": (EndCause.EXITED, "The kernel ended itself with status 0"),
    "import os; os._exit(3)": (EndCause.EXITED, "The kernel ended itself with status 3"),
    "import os; os.kill(os.getpid(), 9)": (EndCause.KILLED, "The kernel was killed by SIGKILL"),
    "import ctypes; ctypes.string_at(0)": (EndCause.KILLED, "The kernel was killed by SIGSEGV"),
}


def statuses(nb):
    return [cell.metadata.papermill.status for cell in nb.cells]


@pytest.mark.parametrize("preload", [None, ()], ids=["cold", "warm"])
@pytest.mark.parametrize("source", ENDS)
def test_a_cell_that_did_not_finish_is_failed_and_the_ones_after_it_pending(execute, tmp_path, source, preload):
    cause, error = ENDS[source]
    nb, result = execute("print('before')", source, "print('after')", preload=preload)
    assert (result.status, result.cause, result.failed_cell, result.error) == (RunStatus.FAILED, cause, "c1", error)
    assert statuses(nb) == ["completed", "failed", "pending"]
    assert nb.cells[0].outputs[0].text == "before\n"
    saved = nbformat.read(tmp_path / "notebook.ipynb", 4)
    nbformat.validate(saved)
    assert statuses(saved) == statuses(nb)
    assert saved.metadata.nbprod.partial is True
    assert saved.metadata.nbprod.cause == cause
    assert saved.metadata.papermill.exception is True


def test_a_notebook_that_finished_is_whole_and_says_so(execute, tmp_path):
    nb, result = execute("x = 2", "x * 21")
    assert result.status is RunStatus.SUCCEEDED
    assert statuses(nb) == ["completed", "completed"]
    assert nb.cells[1].outputs[0].data["text/plain"] == "42"
    assert nb.metadata.nbprod.partial is False
    assert result == fold(event for _, event in read_events(tmp_path))
    assert all(cell.cpu_s is not None and cell.peak_memory_mb > 10 for cell in result.cells)


def test_a_missing_kernel_is_named_and_no_cell_is_completed(tmp_path, notebook):
    nb = notebook("1")
    execution = Execution(nb, folder=tmp_path, kernel_name="no-such", cwd=tmp_path, env=dict(os.environ))
    result = execution.run()
    assert (result.status, result.cause) == (RunStatus.FAILED, EndCause.START)
    assert "no-such" in result.error
    assert statuses(nb) == ["pending"]


@pytest.mark.parametrize(
    ("source", "stages"),
    [
        ("import time; time.sleep(60)", ["interrupt"]),
        ("while True: pass", ["interrupt"]),
        (
            "import time\nwhile True:\n    try:\n        time.sleep(60)\n    except BaseException:\n        pass",
            ["interrupt", "terminate"],
        ),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSTOP)", ["interrupt", "terminate", "kill"]),
        ("import re; re.match('(a+)+$', 'a' * 60 + 'b')", None),  # holds the interpreter's lock
    ],
    ids=["sleeping", "busy", "deaf", "stopped", "holding the lock"],
)
def test_a_cell_past_its_deadline_is_stopped_by_stages(execute, tmp_path, source, stages):
    began = time.monotonic()
    nb, result = execute(source, "1", cell_timeout_s=0.5, grace_s=0.5)
    assert time.monotonic() - began < 15
    assert (result.cause, result.failed_cell) == (EndCause.TIMEOUT, "c0")
    assert result.error == "The cell did not end within 0.5 s"
    assert statuses(nb) == ["failed", "pending"]
    taken = [event["stage"] for _, event in read_events(tmp_path) if event["kind"] == "run.stopping"]
    assert taken == stages or (stages is None and taken[0] == "interrupt")


def test_the_whole_run_has_a_deadline_too(execute):
    nb, result = execute("import time", "for _ in range(600): time.sleep(0.1)", run_timeout_s=2.5)
    assert (result.cause, result.error) == (EndCause.TIMEOUT, "The run did not end within 2.5 s")
    assert "completed" not in statuses(nb)[1:]


def test_an_allocation_beyond_the_limit_is_told_from_other_errors(execute):
    _, result = execute("x = bytearray(2_000_000_000)", memory_mb=600)
    assert result.cause is EndCause.OUT_OF_MEMORY


def test_children_count_towards_the_memory_limit(execute):
    """The kernel itself stays small; the watch over the whole tree ends the run."""
    child = "x = bytearray(350_000_000); import time; time.sleep(60)"
    source = f"import subprocess, sys\nfor _ in range(2): subprocess.Popen([sys.executable, '-c', {child!r}])\ninput_ = 1\nimport time; time.sleep(60)"
    _, result = execute(source, memory_mb=500)
    assert result.cause is EndCause.OUT_OF_MEMORY
    assert "the limit is 500 MB" in result.error


PLAIN = [sys.executable, "-m", "papermill", "--engine", "nbprod", "--log-level", "ERROR", "in.ipynb", "out.ipynb"]


@pytest.mark.parametrize("source", ["import sys; sys.exit(0)", "import os; os._exit(0)", "1 / 0"])
def test_plain_papermill_fails_when_the_notebook_did(tmp_path, notebook, source):
    nbformat.write(notebook("1", source, "3"), tmp_path / "in.ipynb")
    done = subprocess.run(PLAIN, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    by_id = {cell.id: cell for cell in nbformat.read(tmp_path / "out.ipynb", 4).cells}
    assert [by_id[name].metadata.papermill.status for name in ("c0", "c1", "c2")] == [
        "completed",
        "failed",
        "pending",
    ]
    assert fold(event for _, event in read_events(tmp_path / "out.nbprod")).failed_cell == "c1"


def test_an_error_that_was_announced_does_not_fail_plain_papermill(tmp_path, notebook):
    nb = notebook("1 / 0", "print('on')")
    nb.cells[0].metadata["tags"] = ["raises-exception"]
    nbformat.write(nb, tmp_path / "in.ipynb")
    done = subprocess.run(PLAIN, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    saved = nbformat.read(tmp_path / "out.ipynb", 4)
    assert statuses(saved) == ["completed", "completed"]
    assert "ZeroDivisionError" in saved.cells[0].outputs[0].text
    kept = nbformat.read(tmp_path / "out.nbprod" / "notebook.ipynb", 4)
    assert kept.cells[0].outputs[0].ename == "ZeroDivisionError"


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 1)])
def test_a_signal_to_plain_papermill_ends_in_order(tmp_path, notebook, vanish, signum, code):
    nbformat.write(
        notebook("1", "import time; print('here', flush=True); time.sleep(60)", "3"), tmp_path / "in.ipynb"
    )
    process = subprocess.Popen(PLAIN, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    events = wait_for(tmp_path / "out.nbprod", "cell.output")
    process.send_signal(signum)
    assert process.wait(15) == code
    saved = nbformat.read(tmp_path / "out.ipynb", 4)
    assert statuses(saved) == ["completed", "failed", "pending"]
    assert saved.metadata.nbprod.status == "cancelled"
    assert saved.cells[1].outputs[0].text == "here\n"
    assert vanish(next(event["pid"] for event in events if event["kind"] == "kernel.started"), 5)


def test_a_link_in_place_of_the_output_is_refused_and_its_target_untouched(tmp_path, notebook):
    nbformat.write(notebook("1"), tmp_path / "in.ipynb")
    (tmp_path / "precious").write_text("keep")
    (tmp_path / "out.ipynb").symlink_to(tmp_path / "precious")
    done = subprocess.run(PLAIN, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "is not a plain file" in done.stderr
    assert (tmp_path / "precious").read_text() == "keep"


RUNNER = """
import json, os, sys
from pathlib import Path
from nbformat.v4 import new_code_cell, new_notebook
from nbprod.notebook.execution import Execution
folder = Path(sys.argv[1])
nb = new_notebook(cells=[new_code_cell(source, id=f"c{n}") for n, source in enumerate(json.loads(sys.argv[2]))])
Execution(nb, folder=folder, kernel_name="python3", cwd=folder, env=dict(os.environ)).run()
"""
STATES = {
    "sleeping": "time.sleep(100)",
    "holding the lock": "import re; re.match('(a+)+$', 'a' * 60 + 'b')",
    "stopped": "os.kill(os.getpid(), signal.SIGSTOP)",
}


@pytest.mark.parametrize("state", STATES)
def test_nothing_of_a_run_outlives_a_killed_runner(tmp_path, vanish, state):
    """Not the kernel, whatever it does, and not a child that detached itself."""
    leave = (
        "import os, signal, subprocess, time\n"
        "child = subprocess.Popen(['setsid', 'sleep', '300'], start_new_session=True)\n"
        "print(child.pid, flush=True); time.sleep(0.3)"
    )
    process = subprocess.Popen([sys.executable, "-c", RUNNER, str(tmp_path), json.dumps([leave, STATES[state]])])
    events = wait_for(tmp_path, "cell.started", times=2)
    kernel = next(event["pid"] for event in events if event["kind"] == "kernel.started")
    child = int(next(event["text"] for event in events if event["kind"] == "cell.output"))
    time.sleep(0.3)
    process.kill()
    process.wait()
    assert vanish(kernel, 15)
    assert vanish(child, 15)


def wait_for(folder, kind, times=1):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        events = [event for _, event in read_events(folder)]
        if sum(event["kind"] == kind for event in events) >= times:
            return events
        time.sleep(0.05)
    raise AssertionError(f"no {kind} in {events}")


def test_limits_are_off_by_default():
    assert (Limits().cell_timeout_s, Limits().run_timeout_s, Limits().memory_mb) == (0, 0, 0)


ODD = {
    "shown": (
        "from IPython.display import Image\nImage('missing.png')",
        "FileNotFoundError: No such file or directory: 'missing.png'",
    ),
    "represented": ("class A:\n    def __repr__(self): raise ValueError('no words')\nA()", "ValueError: no words"),
    "group": (
        "raise ExceptionGroup('several', [ValueError('a')])",
        "ExceptionGroup: several (1 sub-exception): ValueError: a",
    ),
    "magic": ("%nosuchmagic", "UsageError: Line magic function `%nosuchmagic` not found."),
    "caused": (
        "try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    raise KeyError('outer') from e",
        "KeyError: 'outer'",
    ),
    "empty": ("assert False", "AssertionError"),
}


@pytest.mark.parametrize("kind", ODD)
def test_every_kind_of_error_shows_its_own_type_and_message(execute, kind):
    """In the result, and as an output of the cell that a reader of the notebook finds."""
    source, error = ODD[kind]
    nb, result = execute(source, preload=())
    assert (result.cause, result.error) == (EndCause.ERROR, error)
    assert "error" in {output.output_type for output in nb.cells[0].outputs}


def test_a_cell_tagged_may_exit_ends_the_run_well(execute, notebook, tmp_path):
    """The cells behind it are skipped, and nothing is called a failure; without the tag it is one."""
    import os

    from nbprod.domain.run import CellStatus
    from nbprod.notebook.execution import Execution

    for tags, status in ((["may-exit"], "succeeded"), ([], "failed")):
        nb = notebook("print('nothing to do')", "import sys\nsys.exit(0)", "print('never')")
        nb.cells[1].metadata["tags"] = tags
        folder = tmp_path / status
        folder.mkdir()
        how = {"kernel_name": "python3", "cwd": folder, "env": dict(os.environ), "preload": ()}
        result = Execution(nb, folder=folder, **how).run()
        assert str(result.status) == status
        assert not nb.cells[2].outputs
        if tags:
            assert result.cause is result.failed_cell is None
            assert [cell.status for cell in result.cells] == [CellStatus.COMPLETED] * 2 + [CellStatus.SKIPPED]


def test_the_kernel_python_is_this_interpreter(tmp_path):
    """Jupyter reads the name so, and notebooks of other tools carry it."""
    from nbprod.kernels.live import check_kernel

    assert (check_kernel("python"), check_kernel("python3")) == ("python3", "python3")
