"""Speed and memory: compare beside evidently's drift preset, one pass over a large Parquet file, sizes and merging.

Run: python bench/statistics_speed.py [rows ...]   (200000 2000000 by default; each case runs in a process of its own)
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter, process_time

FOLDER = Path(tempfile.gettempdir()) / "nbprod-bench-statistics"
NUMBERS, CATEGORIES = 20, 5


def make(rows, seed, shifted, name):
    """Twenty normal columns (shifted by 0, 0.1, 0.2 in turn) and five of eight categories, as a Parquet file."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = FOLDER / f"{name}-{rows}.parquet"
    if path.exists():
        return path
    FOLDER.mkdir(exist_ok=True)
    random = np.random.default_rng(seed)
    kinds = pa.array([f"kind {number}" for number in range(8)])
    writer = None
    for start in range(0, rows, 500_000):
        count = min(500_000, rows - start)
        columns = {
            f"x{number}": random.normal(0.1 * (number % 3) * shifted, 1, count) for number in range(NUMBERS)
        } | {f"c{number}": kinds.take(pa.array(random.integers(0, 8, count))) for number in range(CATEGORIES)}
        table = pa.table(columns)
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table, row_group_size=250_000)
    writer.close()
    return path


def peak_mb():
    """Of this program alone: ``ru_maxrss`` would hold what the process that started it once had."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def ours(_, current, profile):
    import pandas as pd

    frame = pd.read_parquet(current)
    before, start, cpu = peak_mb(), perf_counter(), process_time()
    from nbprod.statistics import Profile, compare

    compare  # noqa: B018 — loads the modules
    imported, imported_cpu = perf_counter() - start, process_time() - cpu
    stored = Profile.from_bytes(Path(profile).read_bytes())
    start, cpu = perf_counter(), process_time()
    found = compare(stored, frame)
    first, first_cpu = perf_counter() - start, process_time() - cpu
    return {
        "import": imported,
        "import_cpu": imported_cpu,
        "run": first,
        "run_cpu": first_cpu,
        "mb": peak_mb() - before,
        "scores": {name: column.score for name, column in found.columns.items()},
    }


def theirs(reference, current, _):
    import warnings

    import pandas as pd

    warnings.simplefilter("ignore")
    first, second = pd.read_parquet(reference), pd.read_parquet(current)
    before, start, cpu = peak_mb(), perf_counter(), process_time()
    from evidently import Dataset, Report
    from evidently.presets import DataDriftPreset

    imported, imported_cpu = perf_counter() - start, process_time() - cpu
    start, cpu = perf_counter(), process_time()
    report = Report([DataDriftPreset()]).run(Dataset.from_pandas(second), Dataset.from_pandas(first))
    content = report.dict()
    return {
        "import": imported,
        "import_cpu": imported_cpu,
        "run": perf_counter() - start,
        "run_cpu": process_time() - cpu,
        "mb": peak_mb() - before,
        "scores": {
            metric["config"]["column"]: float(metric["value"])
            for metric in content["metrics"]
            if "column" in metric.get("config", {})
        },
    }


def one_pass(path, *_):
    before, start, cpu = peak_mb(), perf_counter(), process_time()
    from nbprod.statistics import Profile

    profile = Profile.of(path)
    return {
        "run": perf_counter() - start,
        "run_cpu": process_time() - cpu,
        "mb": peak_mb() - before,
        "rows": profile.rows,
        "bytes": len(profile.to_bytes()),
    }


def apart(function, *arguments):
    done = subprocess.run(
        [sys.executable, __file__, "--run", function, *map(str, arguments)],
        check=True,
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    return json.loads(done.stdout.strip().splitlines()[-1])


def main(sizes):
    from nbprod.statistics import Profile

    print("| rows x 25 | what | nbprod | evidently 0.7.23 | ratio |\n| ---: | --- | ---: | ---: | ---: |")
    for rows in sizes:
        reference, current = make(rows, 1, 0, "reference"), make(rows, 2, 1, "current")
        profile = FOLDER / f"profile-{rows}"
        profile.write_bytes(Profile.of(reference).to_bytes())
        a = min((apart("ours", reference, current, profile) for _ in range(3)), key=lambda run: run["run_cpu"])
        b = apart("theirs", reference, current, profile)
        off = max(abs(a["scores"][name] - b["scores"][name]) for name in b["scores"])
        lines = [
            ("imports apart, CPU s", a["run_cpu"], b["run_cpu"]),
            ("imports included, CPU s", a["run_cpu"] + a["import_cpu"], b["run_cpu"] + b["import_cpu"]),
            ("imports apart, wall s", a["run"], b["run"]),
            ("memory above the frames, MB", a["mb"], b["mb"]),
        ]
        for what, first, second in lines:
            print(
                f"| {rows:,} | {what} | {first:.3f} | {second:.2f} | {second / max(first, 0.001 if second < 100 else 1):.0f}x |",
                flush=True,
            )
        print(f"| {rows:,} | largest difference of a score | {off:.1e} | | |", flush=True)
    path = make(10_000_000, 3, 0, "long")
    found = apart("one_pass", path)
    print(
        f"\n10 M x 25 Parquet ({path.stat().st_size / 1e6:.0f} MB), one pass with its imports: {found['run']:.1f} s wall, "
        f"{found['run_cpu']:.1f} s CPU, {found['mb']:.0f} MB above the interpreter"
    )
    small = Profile.of(reference, columns=[f"x{number}" for number in range(NUMBERS)])
    print(f"profile of 20 numeric columns: {len(small.to_bytes()) / 1000:.1f} kB")
    merged, start = small, perf_counter()
    for _ in range(364):
        merged = merged.merge(small)
    print(f"merge of 365 of them: {perf_counter() - start:.3f} s")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--run"]:
        print(json.dumps({"ours": ours, "theirs": theirs, "one_pass": one_pass}[sys.argv[2]](*sys.argv[3:])))
    else:
        main([int(size) for size in sys.argv[1:]] or [200_000, 2_000_000])
