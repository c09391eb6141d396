"""Measure the ledger with 100,000 runs: list the newest 50, filter, resolve an alias.

::

    python bench/ledger.py [RUNS]

Each figure is the median of 21 calls through the public services, each call opening its own connection, as a command
does; the worst is beside it. The bar is 50 ms.
"""

from __future__ import annotations

import platform
import sqlite3
import statistics
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from nbprod.clock import now, time_id
from nbprod.domain.package import ModelPackage
from nbprod.domain.run import Run, RunStatus
from nbprod.lake import Lake
from nbprod.models import Models
from nbprod.store import Store

BAR_MS = 50
CALLS = 21


def fill(store, runs):
    start = now() - timedelta(seconds=runs)
    with store.write() as session:
        for number in range(runs):
            at = start + timedelta(seconds=number)
            session.add(
                Run(
                    id=f"{time_id('train', at)}{number:06x}",
                    template=("train", "evaluate", "score", "monitor")[number % 4],
                    source="templates/train.ipynb",
                    template_digest="0" * 64,
                    status=RunStatus.FAILED if number % 50 == 0 else RunStatus.SUCCEEDED,
                    folder=f"runs/{number}",
                    created_at=at,
                    started_at=at,
                    ended_at=at,
                    parameters={"data": "electricity", "seed": number, "target": "class"},
                    metrics={"roc_auc": 0.9, "log_loss": 0.3, "accuracy": 0.85},
                )
            )


def release(models, versions):
    current = None
    for number in range(1, versions + 1):
        package = ModelPackage(
            digest=f"{number:064x}", folder="p", run_id=None, task="classification", format="skops", target="class",
            created_at=now(), size_bytes=1,
        )  # fmt: skip
        version = models.register(package, "electricity")
        models.approve(version, "bench")
        models.promote(models.bless_recorded(version, now()), expect=current)
        current = version


def timed(call):
    call()
    taken = []
    for _ in range(CALLS):
        began = time.perf_counter()
        call()
        taken.append((time.perf_counter() - began) * 1000)
    return statistics.median(taken), max(taken)


def main():
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory() as folder:
        store = Store.open(f"sqlite:///{folder}/ledger.db", Path(folder, "files"))
        models = Models(store, Lake(Path(folder, "lake")))
        began = time.perf_counter()
        fill(store, runs)
        release(models, 20)
        print(f"filled with {runs:,} runs and 20 versions in {time.perf_counter() - began:.1f} s")
        print(f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {platform.platform()}\n")

        def listed(**how):
            with store.read() as session:
                assert len(session.list(Run, **how)) == 50

        def added():
            with store.write() as session:
                session.event("bench", "ledger")

        questions = {
            "list the newest 50": listed,
            "filter by status": lambda: listed(where={"status": "failed"}),
            "filter by template and status": lambda: listed(where={"template": "train", "status": "succeeded"}),
            "filter by template and a window": lambda: listed(
                where={"template": "score"}, since=now() - timedelta(seconds=runs // 2)
            ),
            "resolve an alias": lambda: models.resolve("electricity@champion"),
            "champion as of a moment": lambda: models.champion_at("electricity", now()),
            "history of a model": lambda: models.history("electricity", limit=50),
            "add an event, on the disk": added,
        }
        print(f"| what | median ms | worst ms | within {BAR_MS} ms |\n| --- | --- | --- | --- |")
        for name, call in questions.items():
            median, worst = timed(call)
            print(f"| {name} | {median:.1f} | {worst:.1f} | {'yes' if median <= BAR_MS else 'NO'} |")


if __name__ == "__main__":
    main()
