"""Many rows, Parquet to Parquet: ``nbprod.scoring.score`` beside reading all, ``predict_proba`` and writing.

Rows made at random (numbers, whole numbers, categories, gaps), gradient boosting behind the usual preprocessing, and by
``--model`` another estimator. Each side is a fresh process with default settings, start and imports included; they take
turns, and the median counts. Memory is the largest sum of the proportional shares (PSS) of a side's processes.

    python bench/batch.py [--rows 2_000_000] [--rounds 3] [--model boosting|logistic|forest] [--seed 0]
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pyarrow as pa
import pyarrow.parquet as pq

TRAIN_ROWS = 20_000
CHUNK = 250_000
READ_ALL = """
import sys
from pathlib import Path
import numpy as np
import pandas as pd
from nbprod.packages import load_package

model = load_package(Path(sys.argv[1])).model
rows = pd.read_parquet(sys.argv[2])
found = model.predict_proba(rows)
made = pd.DataFrame({"prediction": model.classes_[np.argmax(found, axis=1)], "probability": found[:, 1]})
made.to_parquet(sys.argv[3], index=False)
"""
NBPROD = """
import sys
from nbprod.scoring import score

if __name__ == "__main__":
    print(repr(score(sys.argv[1], sys.argv[2], sys.argv[3], version="bench/1", overwrite=True)._repr_html_()))
"""


def make_rows(random: np.random.Generator, rows: int) -> pd.DataFrame:
    table = pd.DataFrame({f"number_{k}": random.normal(size=rows) * 10.0 ** (k % 4) for k in range(8)})
    table["hour"] = random.integers(0, 24, rows)
    table["size"] = random.integers(1, 500, rows)
    for name, values in (("place", 5), ("kind", 12), ("shop", 30)):
        table[name] = random.choice([f"{name} {k}" for k in range(values)], rows)
    table.loc[random.random(rows) < 0.05, "number_1"] = np.nan
    return table


def make_package(folder: Path, name: str, seed: int) -> Path:
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    from nbprod import clock
    from nbprod.domain.run import Run, RunStatus
    from nbprod.packages import Packages
    from nbprod.recording import save_model
    from nbprod.store import Store

    last = {
        "boosting": HistGradientBoostingClassifier(max_iter=100, early_stopping=False, categorical_features=None),
        "logistic": LogisticRegression(max_iter=500),
        "forest": RandomForestClassifier(100, max_depth=12, random_state=0),
    }[name]
    random = np.random.default_rng(seed)
    rows = make_rows(random, TRAIN_ROWS + 2000)
    score = (
        rows["number_0"]
        + rows["number_4"] * rows["hour"] / 12
        + (rows["place"] == "place 0")
        + random.normal(size=len(rows))
    )
    truth = pd.Series(np.where(score > 0, "up", "down"), name="class")
    numbers = [one for one in rows if pd.api.types.is_numeric_dtype(rows[one])]
    words = [one for one in rows if one not in numbers]
    prepared = ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), numbers),
            ("words", OneHotEncoder(handle_unknown="ignore", sparse_output=False), words),
        ]
    )
    model = make_pipeline(prepared, last).fit(rows[:TRAIN_ROWS], truth[:TRAIN_ROWS])
    run_folder = folder / "run"
    run_folder.mkdir()
    (run_folder / "run.json").write_text("{}")
    (run_folder / "notebook.ipynb").write_text('{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}')
    os.environ["NBPROD_RUN"] = str(run_folder)
    at = clock.now()
    run = Run(
        id=clock.time_id("train"), template="train", source="train.ipynb", template_digest="0" * 64,
        status=RunStatus.SUCCEEDED, folder=str(run_folder), created_at=at, ended_at=at,
    )  # fmt: skip
    store = Store.open(f"sqlite:///{folder / 'ledger.db'}", folder / "files", actor="bench")
    with store.write() as session:
        session.add(run)
    with contextlib.redirect_stdout(io.StringIO()):
        save_model(model, inputs=rows[TRAIN_ROWS:], target=truth[TRAIN_ROWS:])
    del os.environ["NBPROD_RUN"]
    package = Packages(store).build(run)
    print(f"certificate: {Packages(store).load(package).compiled.certificate.sentence}", file=sys.stderr)
    return Packages(store).load(package).folder


def write_rows(path: Path, rows: int, seed: int) -> None:
    random = np.random.default_rng(seed + 1)
    writer = None
    for start in range(0, rows, CHUNK):
        table = pa.Table.from_pandas(make_rows(random, min(CHUNK, rows - start)), preserve_index=False)
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table)
    writer.close()


def measured(code: str, *words: Path) -> tuple[float, float]:
    """Seconds, and MB of the largest sum of shares of its processes."""
    start = time.perf_counter()
    child = subprocess.Popen([sys.executable, "-c", code, *map(str, words)], stdout=subprocess.DEVNULL)
    process, most = psutil.Process(child.pid), 0.0
    while child.poll() is None:
        total = 0
        with contextlib.suppress(psutil.Error):
            for one in (process, *process.children(recursive=True)):
                with contextlib.suppress(psutil.Error):
                    total += one.memory_full_info().pss
        most = max(most, total / 1e6)
        time.sleep(0.05)
    seconds = time.perf_counter() - start
    if child.returncode:
        raise SystemExit(f"it ended with {child.returncode}")
    return seconds, most


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--model", choices=["boosting", "logistic", "forest"], default="boosting")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="nbprod-batch-") as name:
        folder = Path(name)
        package = make_package(folder, given.model, given.seed)
        source = folder / "rows.parquet"
        write_rows(source, given.rows, given.seed)
        ours, theirs = [], []
        for number in range(given.rounds):
            theirs.append(measured(READ_ALL, package, source, folder / "all.parquet"))
            ours.append(measured(NBPROD, package, source, folder / f"ours-{number}.parquet"))
        expected = pd.read_parquet(folder / "all.parquet")
        made = pd.read_parquet(folder / "ours-0.parquet", columns=["prediction", "probability"])
        gap = np.abs(made["probability"] - expected["probability"]).max()
        flips = int((made["prediction"] != expected["prediction"]).sum())
    seconds = [statistics.median(one[0] for one in side) for side in (ours, theirs)]
    memory = [statistics.median(one[1] for one in side) for side in (ours, theirs)]
    print(
        f"batch, {given.rows:,} rows, {given.model}, Parquet to Parquet, {os.cpu_count()} cores, median of {given.rounds}"
    )
    print("| | nbprod | read all, predict_proba, write | ratio | bar |\n| --- | --- | --- | --- | --- |")
    print(
        f"| rows a second | {given.rows / seconds[0]:,.0f} | {given.rows / seconds[1]:,.0f} | {seconds[1] / seconds[0]:.2f}x | 1.5x |"
    )
    print(f"| peak memory | {memory[0]:,.0f} MB | {memory[1]:,.0f} MB | {memory[0] / memory[1]:.2f}x | 0.25x |")
    print(f"largest difference of a probability {gap:.1e}, other labels {flips}")


if __name__ == "__main__":
    main()
