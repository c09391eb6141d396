"""Kernels forked from a warm process: as clean as a cold one, as truthful, and never a reason to fail."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import time

import psutil
import pytest

from nbprod.domain.run import EndCause
from nbprod.kernels.provisioner import WarmProvisioner
from nbprod.kernels.warm import ForkServerClient, servers
from nbprod.notebook.journal import read_events

pytestmark = pytest.mark.kernel

PRELOAD = ("numpy", "pandas", "sklearn", "matplotlib", "pyarrow")


def origin(folder):
    """How the last kernel came to be."""
    return [event for _, event in read_events(folder) if event["kind"] == "kernel.started"][-1]


def printed(nb):
    return ["".join(output.get("text", "") for output in cell.outputs) for cell in nb.cells]


def test_the_imports_of_the_notebook_are_there_and_nothing_else_of_it(execute, tmp_path):
    source = "import sys; print('pandas' in sys.modules, 'polars' in sys.modules)\nif False:\n    import pandas, unheard_of"
    nb, _ = execute(source, preload=PRELOAD)
    assert origin(tmp_path)["warm"] is True
    assert printed(nb)[0].startswith("True")


def test_nothing_of_one_run_is_seen_by_the_next(execute, tmp_path):
    dirty = """
        import builtins, math, os, random, sys
        import numpy, pandas
        os.environ["LEFT"] = "behind"; os.chdir("/"); sys.path.insert(0, "/left")
        builtins.left = 1; math.pi = 3; pandas.left = 1; numpy.random.seed(1); random.seed(1)
        sys.modules["left"] = math; pandas.set_option("display.max_rows", 3)
    """
    clean = """
        import builtins, math, os, sys
        import numpy, pandas
        print(os.environ.get("LEFT"), os.environ["GIVEN"], os.getcwd(), "/left" in sys.path, hasattr(builtins, "left"))
        print(math.pi, hasattr(pandas, "left"), "left" in sys.modules, pandas.get_option("display.max_rows"))
        print("dirty" in dir())
    """
    execute(textwrap.dedent(dirty), "dirty = 1", preload=PRELOAD, env={"GIVEN": "first", "ONLY": "first"})
    nb, _ = execute(textwrap.dedent(clean), "print('ONLY' in os.environ)", preload=PRELOAD, env={"GIVEN": "second"})
    assert origin(tmp_path)["warm"] is True
    assert printed(nb) == [
        f"None second {tmp_path} False False\n3.141592653589793 False False 60\nFalse\n",
        "False\n",
    ]


def test_every_run_draws_random_numbers_of_its_own(execute):
    draw = "import random, uuid, tempfile\nimport numpy\nprint(random.random(), numpy.random.rand(), uuid.uuid4(), next(tempfile._get_candidate_names()))"
    draws = [printed(execute(draw, preload=PRELOAD)[0])[0].split() for _ in range(2)]
    assert not set(draws[0]) & set(draws[1])


WORK = {
    "sklearn with OpenMP": """
        from sklearn.datasets import make_classification
        from sklearn.ensemble import HistGradientBoostingClassifier
        X, y = make_classification(2000, random_state=0)
        print(HistGradientBoostingClassifier(max_iter=20, random_state=0).fit(X, y).predict_proba(X)[:5].round(6))
    """,
    "linear algebra": """
        import numpy as np
        a = np.random.default_rng(0).normal(size=(400, 400))
        print(np.linalg.svd(a @ a.T)[1][:4].round(3))
    """,
    "processes": """
        from joblib import Parallel, delayed
        from sklearn.utils import shuffle
        print(Parallel(n_jobs=2)(delayed(abs)(-i) for i in range(4)))
    """,
    "polars": """
        import polars as pl
        print(pl.DataFrame({"a": range(100_000)}).with_columns(b=pl.col("a") % 7).group_by("b").sum().sort("b"))
    """,
    "arrow": """
        import pyarrow as pa, pyarrow.compute as pc
        print(pc.sum(pa.array(range(10_000))))
    """,
}


@pytest.mark.parametrize("work", WORK)
def test_threaded_code_gives_the_same_in_a_warm_kernel_and_does_not_hang(execute, tmp_path, work):
    source = textwrap.dedent(WORK[work])
    warm_nb, result = execute(source, preload=(*PRELOAD, "joblib"), cell_timeout_s=60)
    assert result.cause is None
    assert origin(tmp_path)["warm"] is True
    cold_nb, _ = execute(source)
    assert printed(warm_nb) == printed(cold_nb) != [""]


def test_figures_are_shown_as_in_a_cold_kernel(execute):
    plot = "import matplotlib.pyplot as plt\nplt.plot([1, 2]);"
    shown = [execute(plot, preload=preload)[0].cells[0].outputs for preload in (PRELOAD, None)]
    assert [[set(output.data) for output in outputs] for outputs in shown] == [[{"image/png", "text/plain"}]] * 2


def test_a_module_that_computes_when_imported_is_refused_and_the_run_goes_on_cold(execute, tmp_path, monkeypatch):
    """OpenMP threads do not survive a fork: a kernel forked after they were started would hang for ever."""
    (tmp_path / "busy_module.py").write_text(
        "from sklearn.datasets import make_classification\n"
        "from sklearn.ensemble import HistGradientBoostingClassifier\n"
        "HistGradientBoostingClassifier(max_iter=2).fit(*make_classification(500))\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    source = WORK["sklearn with OpenMP"].replace("        ", "")
    _, result = execute(f"import busy_module\n{source}", preload=("busy_module",), cell_timeout_s=60)
    servers.stop()
    assert result.cause is None
    assert origin(tmp_path)["warm"] is False
    assert "native threads" in origin(tmp_path)["reason"]


def test_a_module_that_starts_a_thread_is_refused(execute, tmp_path, monkeypatch):
    (tmp_path / "threaded.py").write_text(
        "import threading, time\nthreading.Thread(target=time.sleep, args=(600,), name='poller', daemon=True).start()\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    _, result = execute("import threaded", preload=("threaded",))
    servers.stop()
    assert (result.cause, origin(tmp_path)["warm"]) == (None, False)
    assert origin(tmp_path)["reason"] == "importing threaded started a thread (poller)"


def test_a_changed_local_module_is_imported_anew(execute, tmp_path, monkeypatch):
    module = tmp_path / "local_module.py"
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    module.write_text("VALUE = 1\n")
    shown = []
    for value in (1, 22, 333):
        module.write_text(f"VALUE = {value}\n")
        nb, _ = execute("import local_module\nprint(local_module.VALUE)", preload=("local_module",))
        shown.append((printed(nb)[0], origin(tmp_path)["warm"]))
    servers.stop()
    assert shown == [("1\n", True), ("22\n", True), ("333\n", True)]


def test_an_environment_that_libraries_read_at_start_has_a_server_of_its_own(execute, tmp_path):
    ask = "import os, threadpoolctl, numpy\nprint(os.environ['OPENBLAS_NUM_THREADS'], {pool['num_threads'] for pool in threadpoolctl.threadpool_info()})"
    for number in ("1", "2", "1"):
        nb, _ = execute(ask, preload=("numpy",), env={"OPENBLAS_NUM_THREADS": number})
        assert printed(nb) == [f"{number} {{{number}}}\n"]
        assert origin(tmp_path)["warm"] is True


def test_a_dead_fork_server_is_replaced(execute, tmp_path):
    execute("1", preload=())
    psutil.Process(servers.get(os.environ).process.pid).kill()
    time.sleep(0.1)
    _, result = execute("1", preload=())
    assert (result.cause, origin(tmp_path)["warm"]) == (None, True)


def test_no_fork_server_at_all_is_no_reason_to_fail(execute, tmp_path, monkeypatch):
    monkeypatch.setattr("nbprod.kernels.warm.SERVER", "nbprod.no_such_module")
    servers.stop()
    _, result = execute("1", preload=())
    assert (result.cause, origin(tmp_path)["warm"]) == (None, False)
    assert origin(tmp_path)["reason"]


def test_other_systems_start_cold_by_themselves(execute, tmp_path, monkeypatch):
    monkeypatch.setattr("nbprod.kernels.warm.sys.platform", "darwin")
    servers.stop()
    _, result = execute("1", preload=())
    assert result.cause is None
    assert origin(tmp_path)["reason"] == "kernels are not forked on darwin"


def test_limits_hold_in_a_warm_kernel(execute):
    _, result = execute("import time; time.sleep(60)", preload=(), cell_timeout_s=0.3, grace_s=0.5)
    assert result.cause is EndCause.TIMEOUT
    _, result = execute("x = bytearray(3_000_000_000)", preload=(), memory_mb=800)
    assert result.cause is EndCause.OUT_OF_MEMORY


def test_nothing_outlives_a_killed_runner_with_a_warm_kernel(tmp_path, vanish):
    runner = textwrap.dedent("""
        import os, sys
        from pathlib import Path
        from nbformat.v4 import new_code_cell, new_notebook
        from nbprod.notebook.execution import Execution
        leave = "import subprocess, time; print(subprocess.Popen(['setsid', 'sleep', '300']).pid, flush=True); time.sleep(99)"
        folder = Path(sys.argv[1])
        nb = new_notebook(cells=[new_code_cell(leave, id="c0")])
        Execution(nb, folder=folder, kernel_name="python3", cwd=folder, env=dict(os.environ), preload=()).run()
    """)
    process = subprocess.Popen([sys.executable, "-c", runner, str(tmp_path)])
    child = None
    while child is None:
        time.sleep(0.1)
        child = next((int(e["text"]) for _, e in read_events(tmp_path) if e["kind"] == "cell.output"), None)
    server = next(p for p in psutil.Process(process.pid).children() if "fork_server" in " ".join(p.cmdline()))
    process.kill()
    process.wait()
    assert vanish(origin(tmp_path)["pid"], 15)
    assert vanish(child, 15)
    assert vanish(server.pid, 15)


def test_any_jupyter_client_can_use_it_through_a_kernel_specification(tmp_path):
    from jupyter_client.manager import KernelManager

    spec = {
        "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": "Warm Python",
        "language": "python",
        "metadata": {"kernel_provisioner": {"provisioner_name": "nbprod-warm", "config": {"preload": ["numpy"]}}},
    }
    folder = tmp_path / "kernels" / "warmed"
    folder.mkdir(parents=True)
    (folder / "kernel.json").write_text(json.dumps(spec))
    manager = KernelManager(kernel_name="warmed")
    manager.kernel_spec_manager.kernel_dirs = [str(tmp_path / "kernels")]
    manager.start_kernel()
    try:
        client = manager.client()
        client.start_channels()
        client.wait_for_ready(timeout=30)
        reply = client.execute_interactive("import sys; assert 'numpy' in sys.modules", timeout=20)
        assert reply["content"]["status"] == "ok"
        assert manager.provisioner.origin["warm"] is True
        client.stop_channels()
    finally:
        manager.shutdown_kernel()
    assert not manager.is_alive()


def test_a_server_asked_by_many_threads_forks_for_each(tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    mine = ForkServerClient()
    log = (tmp_path / "log").open("wb")

    def one(_):
        return mine.fork(
            ["--help"],
            preload=[],
            env=dict(os.environ),
            cwd="/",
            memory_mb=0,
            out=log.fileno(),
            err=log.fileno(),
            wait_s=30,
        )

    with ThreadPoolExecutor(8) as pool:
        forked = list(pool.map(one, range(16)))
    assert len({process.pid for process in forked}) == 16
    assert {process.wait(30) for process in forked} == {0}
    mine.stop()
    log.close()


BAD = {
    "raises": ("raise ImportError('no such symbol')", "importing bad_one raised ImportError: no such symbol"),
    "prints": ("print('hello from us')", "importing bad_one prints 'hello from us'"),
    "warns": ("import warnings\nwarnings.warn('old')", "importing bad_one prints"),
    "exits": ("import sys\nsys.exit(3)", "importing bad_one raised SystemExit: 3"),
    "ends the process": ("import os\nos._exit(3)", "importing bad_one: the process ended"),
    "hangs": ("import time\ntime.sleep(600)", "importing bad_one: it did not end within 1 s"),
    "wants a whole shell": (
        "get_ipython().events.register('pre_run_cell', print)",
        "importing bad_one raised AttributeError",
    ),
    "keeps the shell": ("SHELL = get_ipython()", "importing bad_one keeps hold of the kernel's shell"),
}


@pytest.mark.parametrize("kind", BAD)
def test_an_import_that_would_not_be_the_same_before_a_fork_is_named_and_left_out(
    execute, tmp_path, monkeypatch, kind
):
    """The run in which it is noticed has a cold kernel, the next one a warm one without that module."""
    source, reason = BAD[kind]
    (tmp_path / "bad_one.py").write_text(source)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(WarmProvisioner, "wait_s", 1.0)
    try:
        nb, _ = execute("print('here')", preload=("bad_one", "colorsys"))
        assert printed(nb) == ["here\n"]
        assert origin(tmp_path)["warm"] is False
        assert origin(tmp_path)["reason"].startswith(reason)
        nb, _ = execute(
            "import sys; print('colorsys' in sys.modules, 'bad_one' in sys.modules)", preload=("bad_one", "colorsys")
        )
        assert printed(nb) == ["True False\n"]
        assert origin(tmp_path)["warm"] is True
        assert origin(tmp_path)["left_out"]["bad_one"].startswith(reason)
    finally:
        servers.stop()


def test_a_library_that_looks_whether_it_is_in_a_notebook_finds_one(execute):
    """Plotly chooses how figures are shown, tqdm how progress is, when they are imported."""
    source = "import plotly.io, tqdm.auto\nprint(plotly.io.renderers.default, tqdm.auto.tqdm.__mro__)"
    warm, _ = execute(source, preload=("plotly.io", "tqdm.auto"))
    cold, _ = execute(source)
    assert printed(warm) == printed(cold) != [""]


def test_what_a_library_imported_before_the_fork_writes_is_shown_by_the_cell(execute, tmp_path, monkeypatch):
    """Loggers keep the stream they find when they are imported."""
    (tmp_path / "logs_there.py").write_text(
        "import logging, sys\nlog = logging.getLogger('there')\nlog.addHandler(logging.StreamHandler(sys.stderr))\nout = sys.stdout\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    use = "import logs_there, sys\nlogs_there.log.warning('a warning')\nlogs_there.out.write('and text')"
    warm, _ = execute(use + ";None", preload=("logs_there",))
    servers.stop()
    shown = {output.name: output.text for output in warm.cells[0].outputs}
    assert origin(tmp_path)["warm"] is True
    assert shown == {"stderr": "a warning\n", "stdout": "and text"}


def test_by_default_a_run_finds_imported_what_its_notebook_imports(tmp_path, notebook):
    """No setting is needed, and one process is enough for all runs with one environment."""
    import nbformat

    from nbprod.runs import Runs
    from nbprod.settings import Settings
    from nbprod.store import Store
    from nbprod.templates import Templates

    (tmp_path / "nbprod.toml").write_text("")
    nb = notebook(
        "import sys; print('mailbox' in sys.modules, 'sqlalchemy.orm' in sys.modules)",
        "import mailbox, sqlalchemy.orm",
    )
    nbformat.write(nb, tmp_path / "one.ipynb")
    store = Store.open(f"sqlite:///{tmp_path}/ledger.db", tmp_path / "files")
    runs = Runs(store, Templates(), tmp_path / "runs", root=tmp_path, settings=Settings.load(tmp_path))
    servers.stop()
    run = runs.start(tmp_path / "one.ipynb", check=True)
    first = nbformat.read(f"{run.folder}/notebook.ipynb", 4).cells[0]
    assert first.outputs[0].text == "False True\n"
    assert len(servers.known) == 1
    modes = {oct(path.stat().st_mode & 0o777) for path in (tmp_path / "runs").rglob("*") if path.is_file()}
    assert modes == {"0o600"}
