"""Notebook jobs side by side with papermill and nbclient: time of a notebook, of a sweep, of saving, and memory.

``python bench/jobs.py [--rounds N] [--only NAME]``. The two sides take turns, so that a busy machine slows both; the
table gives medians and their ratio. Everything nbprod does is recorded (folder, journal, ledger row, metrics), and
every setting is the default.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import nbformat
import psutil
from nbformat.v4 import new_code_cell, new_notebook

KERNELSPEC = {"name": "python3", "language": "python", "display_name": "Python 3"}
SKLEARN = """import pandas as pd
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
X, y = make_classification(1000, 10, random_state=seed)
X_train, X_test, y_train, y_test = train_test_split(pd.DataFrame(X), y, random_state=seed)
score = LogisticRegression().fit(X_train, y_train).score(X_test, y_test)
print(score)"""
EVIDENTLY = "import evidently\n" + SKLEARN
RECORD = "import nbprod\nnbprod.record(score=score)"


def write_notebook(path: Path, *sources: str) -> Path:
    cells = [new_code_cell("seed: int = 0", metadata={"tags": ["parameters"]})]
    cells += [new_code_cell(source) for source in sources]
    nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": KERNELSPEC}), path)
    return path


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def service(folder: Path):
    from nbprod.runs import Runs
    from nbprod.settings import Settings
    from nbprod.store import Store
    from nbprod.templates import Templates

    (folder / "nbprod.toml").write_text("")
    settings = Settings.load(folder)
    return Runs(
        Store.open(str(folder / "ledger.db"), folder / "files"),
        Templates(),
        folder / "runs",
        root=folder,
        settings=settings,
    )


def papermill(path: Path, seed: int) -> None:
    import papermill

    papermill.execute_notebook(path, path.with_suffix(".out.ipynb"), parameters={"seed": seed}, progress_bar=False)


def single(folder: Path, name: str, source: str, rounds: int) -> tuple[str, float, float]:
    ours = write_notebook(folder / f"{name}.ipynb", source, RECORD)
    theirs = write_notebook(folder / f"{name}-plain.ipynb", source)
    runs = service(folder)
    assert runs.start(ours, seed=0, check=True).succeeded  # warm: imports of both processes are paid
    papermill(theirs, 0)
    a, b = [], []
    for seed in range(1, rounds + 1):
        b.append(timed(lambda seed=seed: papermill(theirs, seed)))
        a += [timed(lambda seed=seed: runs.start(ours, seed=seed, check=True)) for _ in range(3)]
    return f"one notebook, {name}", statistics.median(b), statistics.median(a)


def sweep(folder: Path, size: int, rounds: int) -> tuple[str, float, float]:
    """The imports of the fork server are in the time: it is stopped before."""
    from nbprod.kernels.warm import servers

    ours = write_notebook(folder / "swept.ipynb", EVIDENTLY, RECORD)
    theirs = write_notebook(folder / "swept-plain.ipynb", EVIDENTLY)
    runs = service(folder)
    papermill(theirs, 0)
    some = max(2, min(rounds, 4))
    before = [timed(lambda seed=seed: papermill(theirs, seed)) for seed in range(some)]
    servers.stop()
    took = timed(lambda: runs.sweep(str(ours), {"seed": list(range(size))}))
    after = [timed(lambda seed=seed: papermill(theirs, seed)) for seed in range(some)]
    return f"sweep of {size} (papermill: {2 * some} of them, scaled)", statistics.mean(before + after) * size, took


PIPELINE = """
[pipelines.weekly.steps.validate]
template = "validate_data"
parameters = { data = "rows.csv", target = "bought" }

[pipelines.weekly.steps.train]
template = "train"
needs = ["validate"]
parameters = { data = "rows.csv", target = "bought", model = "logreg", curve = false }

[pipelines.weekly.steps.evaluate]
template = "evaluate"
parameters = { candidate = "{train.package}", data = "rows.csv" }
"""


def pipeline(folder: Path, rounds: int, *, is_first: bool) -> tuple[str, float, float]:
    """Three templates that need each other; the package is built in between.

    The first pipeline of a process has the imports of the fork server in its time: it is stopped before.

    papermill executes the same three notebooks with the same parameters; the package for the third is there already.
    """
    import numpy as np
    import pandas as pd

    import nbprod
    from nbprod.kernels.warm import servers
    from nbprod.scaffold import create_workspace

    place = folder / "workspace"
    create_workspace(place)
    random = np.random.default_rng(0)
    frame = pd.DataFrame(random.normal(size=(1000, 6)), columns=[f"x{number}" for number in range(6)])
    frame["bought"] = np.where(frame.x0 + random.normal(size=1000) > 0, "yes", "no")
    frame.to_csv(place / "rows.csv", index=False)
    with (place / "nbprod.toml").open("a") as file:
        file.write(PIPELINE)
    workspace = nbprod.open(place)

    def ours() -> None:
        if is_first:
            servers.stop()
        done = workspace.pipelines.run("weekly")
        assert str(done.status) == "succeeded", done

    def theirs() -> None:
        import papermill

        for name, given in values.items():
            path = place / "templates" / f"{name}.ipynb"
            papermill.execute_notebook(
                path, folder / "out.ipynb", parameters=given, progress_bar=False, cwd=str(place)
            )

    ours()
    package = workspace.packages.list()[0]
    data = {"data": str(place / "rows.csv")}
    values = {
        "validate_data": {**data, "target": "bought"},
        "train": {**data, "target": "bought", "model": "logreg", "curve": False},
        "evaluate": {**data, "candidate": str(workspace.packages.folder(package))},
    }
    theirs()
    a, b = [], []
    for _ in range(max(1, rounds // 2)):
        b.append(timed(theirs))
        # a run that repeats an earlier one is not skipped: only resumed pipelines leave steps out
        a.append(timed(ours))
    which = "first in its process" if is_first else "as every later one"
    return f"pipeline of three templates, {which}", statistics.median(b), statistics.median(a)


def cells(folder: Path, name: str, source: str, rounds: int) -> tuple[str, float, float]:
    from nbclient import NotebookClient

    from nbprod.notebook.execution import Execution

    def notebook():
        made = [new_code_cell(source, id=f"c{number}") for number in range(200)]
        return new_notebook(cells=made, metadata={"kernelspec": KERNELSPEC})

    def theirs() -> None:
        nb = notebook()
        NotebookClient(nb, kernel_name="python3").execute()
        nbformat.write(nb, folder / "theirs.ipynb")

    def ours() -> None:
        place = Path(tempfile.mkdtemp(dir=folder))
        Execution(notebook(), folder=place, kernel_name="python3", cwd=place, env=dict(os.environ)).run()

    theirs()
    ours()
    a, b = [], []
    for _ in range(rounds):
        b.append(timed(theirs))
        a.append(timed(ours))
    return f"200 cells, {name} (nbclient; both cold)", statistics.median(b), statistics.median(a)


def memory(folder: Path) -> tuple[str, float, float]:
    """PSS of eight kernels that have imported the libraries, in MB; ours with the fork server."""
    from nbprod.kernels.live import LiveKernel

    def up(preload):
        kernels = [
            LiveKernel("python3", cwd=folder, env=dict(os.environ), preload=preload, log=folder / "log")
            for _ in range(8)
        ]
        for kernel in kernels:
            kernel.client.execute("import pandas, sklearn.linear_model, matplotlib.pyplot")
        for kernel in kernels:
            while not any(message["msg_type"] == "execute_reply" for _, message in kernel.receive(1)):
                pass
        me = psutil.Process()
        total = sum(child.memory_full_info().pss for child in me.children(recursive=True)) / 1e6
        for kernel in kernels:
            kernel.close()
        return total

    from nbprod.kernels.warm import servers

    servers.stop()
    cold = up(None)
    warm = up(["pandas", "sklearn.linear_model", "matplotlib.pyplot"])
    return "memory of 8 kernels, MB", cold, warm


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        benches: dict[str, Callable[[], tuple[str, float, float]]] = {
            "sklearn": lambda: single(folder, "pandas + scikit-learn", SKLEARN, chosen.rounds),
            "evidently": lambda: single(folder, "with evidently", EVIDENTLY, chosen.rounds),
            "sweep20": lambda: sweep(folder, 20, chosen.rounds),
            "sweep60": lambda: sweep(folder, 60, chosen.rounds),
            "pipeline1": lambda: pipeline(folder / "first", chosen.rounds, is_first=True),
            "pipeline2": lambda: pipeline(folder / "later", chosen.rounds, is_first=False),
            "trivial": lambda: cells(folder, "trivial", "1", chosen.rounds),
            "large": lambda: cells(folder, "50 kB each", "print('x' * 50_000)", chosen.rounds),
            "memory": lambda: memory(folder),
        }
        print(f"Python {sys.version.split()[0]}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")
        print("| what | theirs | nbprod | ratio |\n| --- | --- | --- | --- |")
        for key, bench in benches.items():
            if chosen.only in key:
                what, theirs, ours = bench()
                print(f"| {what} | {theirs:.2f} | {ours:.2f} | {theirs / ours:.2f}x |", flush=True)


if __name__ == "__main__":
    main()
