"""Seconds to keep a fitted model so that it can be deployed: nbprod (save, build, register) beside MLflow (log, register).

The same pipelines on the same rows of ``electricity``, each tool in a warm process of its own environment; what is
timed first is not counted. Run with ``python bench/packages.py``; MLflow's environment is made under the temporary
folder and kept for the next time.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import pandas as pd

REPEATS = 5
ROWS = 17_568  # the first year
TEST_ROWS = 4_000
MLFLOW = "3.17.2"
TARGET = "class"

MODELS = """
import resource
import time

from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

MODELS = {
    "logistic regression": lambda: make_pipeline(StandardScaler(), LogisticRegression()),
    "gradient boosting": lambda: make_pipeline(StandardScaler(), HistGradientBoostingClassifier(max_iter=100)),
    "forest of 50 trees": lambda: make_pipeline(StandardScaler(), RandomForestClassifier(50, max_depth=12, random_state=1)),
}


def clocks():
    # wall seconds, and seconds of processors used by this process and those it waited for
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return time.perf_counter(), sum(one.ru_utime + one.ru_stime for one in used)
"""

THEIRS = (
    MODELS
    + """
import json, logging, statistics, sys, time, warnings
import pandas as pd, mlflow, mlflow.sklearn
from mlflow.models import infer_signature

warnings.filterwarnings("ignore")
logging.getLogger("mlflow").setLevel(logging.ERROR)
train, test, target, repeats, folder = sys.argv[1:6]
train, test, repeats = pd.read_parquet(train), pd.read_parquet(test), int(repeats)
mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
mlflow.set_experiment(mlflow.create_experiment("bench", artifact_location=f"file://{folder}/artifacts") and "bench")
pins = ["scikit-learn", "pandas", "numpy", "scipy", "skops"]
found = {}
for name, make in MODELS.items():
    X, y = train.drop(columns=target), train[target]
    held = test.drop(columns=target)
    model = make().fit(X, y)
    for way, options in {"as it is": {}, "with pip_requirements given": {"pip_requirements": pins}}.items():
        seconds = []
        for number in range(repeats + 1):
            start = clocks()
            with mlflow.start_run():
                mlflow.sklearn.log_model(
                    model, name="model", registered_model_name="bench", serialization_format="cloudpickle",
                    signature=infer_signature(held, model.predict(held)), input_example=held.head(5), **options,
                )
            seconds.append([after - before for before, after in zip(start, clocks())])
        found[f"{name} | {way}"] = seconds[1:]
print("ANSWER " + json.dumps(found))
"""
)


def ours(
    train: pd.DataFrame, test: pd.DataFrame, folder: Path, repeats: int
) -> tuple[dict[str, list[list[float]]], list[list[float]]]:
    from nbprod import clock
    from nbprod.domain.run import Run, RunStatus
    from nbprod.lake import Lake
    from nbprod.models import Models
    from nbprod.packages import Packages
    from nbprod.recording import save_model
    from nbprod.store import Store

    store = Store.open(f"sqlite:///{folder / 'ledger.db'}", folder / "files", actor="bench")
    packages, models = Packages(store), Models(store, Lake(folder / "lake"))
    space: dict[str, object] = {}
    exec(MODELS, space)
    clocks = space["clocks"]
    found: dict[str, list[list[float]]] = {}
    blessings: list[list[float]] = []
    for name, make in space["MODELS"].items():
        model = make().fit(train.drop(columns=TARGET), train[TARGET])
        held, truth = test.drop(columns=TARGET), test[TARGET]
        seconds = []
        for number in range(repeats + 1):
            run_folder = folder / "runs" / f"{name.replace(' ', '-')}-{number}"
            run_folder.mkdir(parents=True)
            (run_folder / "run.json").write_text("{}")
            (run_folder / "notebook.ipynb").write_text(
                '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'
            )
            os.environ["NBPROD_RUN"] = str(run_folder)
            at = clock.now()
            run = Run(
                id=clock.time_id(f"train{number}"), template="train", source="train.ipynb", template_digest="0" * 64,
                status=RunStatus.SUCCEEDED, folder=str(run_folder), created_at=at, ended_at=at,
            )  # fmt: skip
            with store.write() as session:
                session.add(run)
            start = clocks()
            with contextlib.redirect_stdout(io.StringIO()):
                save_model(model, inputs=held, target=truth)
            package = packages.build(run)
            models.register(package, model="bench")
            seconds.append([after - before for before, after in zip(start, clocks(), strict=True)])
        found[name] = seconds[1:]
        start = clocks()
        packages.bless(package)
        blessings.append([after - before for before, after in zip(start, clocks(), strict=True)])
    return found, blessings


def theirs(train: Path, test: Path, folder: Path, repeats: int) -> dict[str, list[list[float]]]:
    python = Path(tempfile.gettempdir(), f"nbprod-bench-mlflow-{MLFLOW}", "bin", "python")
    if not python.exists():
        subprocess.run(
            [sys.executable, "-m", "uv", "venv", "--quiet", "--python", sys.executable, python.parent.parent],
            check=True,
        )
    pins = [f"{name}=={version(name)}" for name in ("scikit-learn", "pandas", "numpy", "scipy", "skops")]
    install = [
        sys.executable,
        "-m",
        "uv",
        "pip",
        "install",
        "--quiet",
        "--python",
        python,
        f"mlflow=={MLFLOW}",
        *pins,
    ]
    subprocess.run(install, check=True)
    ended = subprocess.run(
        [python, "-c", THEIRS, train, test, TARGET, str(repeats), folder], capture_output=True, text=True, check=False,
        env={**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"},
    )  # fmt: skip
    if ended.returncode:
        raise SystemExit(ended.stderr)
    return json.loads(
        next(line for line in ended.stdout.splitlines() if line.startswith("ANSWER ")).removeprefix("ANSWER ")
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=REPEATS)
    repeats = parser.parse_args().repeats
    source = Path(__file__).resolve().parent.parent / "nbprod" / "resources" / "data" / "electricity.parquet"
    rows = pd.read_parquet(source).drop(columns="at").head(ROWS + TEST_ROWS)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        train, test = folder / "train.parquet", folder / "test.parquet"
        rows.head(ROWS).to_parquet(train, index=False)
        rows.tail(TEST_ROWS).to_parquet(test, index=False)
        made, blessings = ours(pd.read_parquet(train), pd.read_parquet(test), folder, repeats)
        (folder / "mlflow").mkdir()
        compared = theirs(train, test, folder / "mlflow", repeats)
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, MLflow {MLFLOW}, skops {version('skops')}, "
    )
    print(f"scikit-learn {version('scikit-learn')}, pandas {version('pandas')}; medians of {repeats}\n")
    print("Wall seconds; in brackets processor seconds, which other work on the machine disturbs less.\n")
    print("| model | nbprod: save, build, register | MLflow: log, register | ratio |")
    print("| --- | ---: | ---: | ---: |")
    for label, seconds in compared.items():
        mine, other = middle(made[label.partition(" | ")[0]]), middle(seconds)
        ratios = f"{other[0] / mine[0]:.1f}x ({other[1] / mine[1]:.1f}x)"
        print(f"| {label.replace(' | ', ', MLflow ')} | {shown(mine)} | {shown(other)} | {ratios} |")
    print(f"\nBlessing in a fresh process: {', '.join(shown(one) for one in blessings)} (bar: 5 s)")


def middle(measured: list[list[float]]) -> list[float]:
    return [statistics.median(values) for values in zip(*measured, strict=True)]


def shown(measured: list[float]) -> str:
    return f"{measured[0]:.2f} ({measured[1]:.2f})"


if __name__ == "__main__":
    main()
