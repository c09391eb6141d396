"""Packages in clean forks: as isolated as a new interpreter, and much sooner there."""

import os
import signal
import subprocess
import sys
import textwrap

import pandas as pd
import pytest

from nbprod.errors import NotFoundError, PackageError, SchemaError
from nbprod.kernels.forked_module import run_forked
from nbprod.kernels.warm import servers
from nbprod.packages import isolation, predict_isolated
from nbprod.threads import waiting_politely

pytestmark = pytest.mark.kernel
MODULE = "nbprod.packages.isolation"


@pytest.fixture
def server(monkeypatch):
    """A fork server for the environment of this process; a new interpreter would be an error."""

    def refuse(*_, **__):
        raise AssertionError("a new interpreter was started")

    found = servers.get(waiting_politely(os.environ))
    found.prepare(["pandas", "sklearn", "skops.io"])
    monkeypatch.setattr(isolation.subprocess, "run", refuse)
    yield found
    servers.stop()


def test_isolated_predictions_equal_those_made_here(server, packages, stage):
    """In a fork, with the frame's own index; the package's blessing is made there too."""
    package = packages.build(stage())
    loaded = packages.load(package)
    rows = loaded.reference().set_index(pd.Index(range(100, 300)))
    pd.testing.assert_frame_equal(predict_isolated(package.folder, rows), loaded.predict(rows))
    assert packages.bless(package).passed


def test_what_goes_wrong_there_is_told_here(server, packages, stage, tmp_path):
    package = packages.build(stage())
    rows = packages.load(package).reference().drop(columns="hour")
    with pytest.raises(SchemaError, match="hour is missing"):
        predict_isolated(package.folder, rows)
    with pytest.raises(NotFoundError, match="no package folder"):
        predict_isolated(tmp_path / "none", rows)
    with pytest.raises(PackageError, match=r"took longer than 0\.0001 s"):
        predict_isolated(package.folder, rows, timeout_s=0.0001)


def test_a_process_that_is_killed_is_told_by_its_signal_and_harms_no_other(tmp_path, monkeypatch):
    """A module that ends by a signal, one that exits, and one that prints: each tells how it ended."""
    (tmp_path / "ending.py").write_text(
        textwrap.dedent("""
            import os, sys
            def main(arguments):
                if arguments == ["killed"]:
                    os.kill(os.getpid(), 9)
                print("said", file=sys.stderr)
                return 7
        """)
    )
    env = waiting_politely({**os.environ, "PYTHONPATH": str(tmp_path)})
    try:
        servers.get(env).prepare(["json"])
        assert run_forked("ending", ["killed"], env=env, timeout_s=30) == (-signal.SIGKILL, "")
        assert run_forked("ending", [], env=env, timeout_s=30) == (7, "said\n")
    finally:
        servers.stop()


def test_without_a_fork_server_a_new_interpreter_does_it():
    servers.stop()
    assert run_forked(MODULE, ["x"], env=waiting_politely(os.environ), timeout_s=30) is None


def test_inside_a_warm_kernel_its_guard_forks_and_nobody_else_may_ask(execute):
    """The kernel gets an answer from a fork; a process that the notebook starts does not."""
    ask = f"""
        import os, subprocess, sys
        from nbprod.kernels.forked_module import run_forked
        from nbprod.threads import waiting_politely
        ask = lambda: run_forked({MODULE!r}, ["none", "in", "out", "--answer", "answer.json"],
                                 env=waiting_politely(os.environ), timeout_s=60)
        print(ask(), ask(), "NotFoundError" in open("answer.json").read(), os.getpid() == os.getppid())
    """
    other = """
        pid = os.fork()
        if pid == 0:
            os._exit(0 if ask() is None else 1)
        print(os.waitpid(pid, 0)[1])
        os.environ["OMP_NUM_THREADS"] = "3"
        print(ask())
    """
    nb, _ = execute(textwrap.dedent(ask), textwrap.dedent(other), preload=("pandas",))
    text = ["".join(output.get("text", "") for output in cell.outputs) for cell in nb.cells]
    assert text == ["(1, '') (1, '') True False\n", "0\nNone\n"]


def test_the_answer_is_the_same_by_hand():
    """The module that is executed in a fork is the one a terminal executes."""
    done = subprocess.run(
        [sys.executable, "-m", MODULE, "none", "a", "b"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "NotFoundError" in done.stdout
