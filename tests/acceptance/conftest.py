"""A user's desk: the command line in processes of its own, a workspace, and a table small enough to be quick."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

import nbprod
from nbprod.threads import waiting_politely

DATA = Path(nbprod.__file__).parent / "resources" / "data"
QUICK = ("-p", "folds=0", "-p", "curve=false")
SETTINGS = """
[data.small]
path = "data/small.parquet"

[data.later]
path = "data/later.parquet"

[gates.price]
metric = "accuracy"
min = 0.6
min_gain = 0.0

[monitors.price]
block = "1d"
"""


@dataclass
class Said:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Shell:
    """Runs ``nbprod`` as a user does, from a folder; a traceback is never an answer."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def __call__(self, *words: str | Path, code: int | None = 0, timeout_s: float = 240, **options: Any) -> Said:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("NBPROD_")}
        done = subprocess.run(
            [sys.executable, "-m", "nbprod", *map(str, words)],
            cwd=self.folder,
            env={**waiting_politely(clean), **clean, "NBPROD_ACTOR": "ada", **self.environment},
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
            **options,
        )
        said = Said(done.returncode, done.stdout, done.stderr)
        assert "Traceback" not in said.err, said.err
        if code is not None:
            assert said.code == code, (
                f"nbprod {' '.join(map(str, words))} ended with {said.code}\n{said.out}{said.err}"
            )
        return said

    def json(self, *words: str | Path, **options: Any) -> Any:
        """What the command answers with ``--json``."""
        return self(*words, "--json", **options).json


def listing(folder: Path) -> dict[str, int]:
    """Every file nbprod keeps, but for the ledger's own journal."""
    home = folder / ".nbprod"
    return {
        path.relative_to(home).as_posix(): path.stat().st_size
        for path in home.rglob("*")
        if path.is_file() and not path.name.startswith("ledger.db")
    }


def market(start: str, end: str, minutes: int = 60) -> pd.DataFrame:
    """Hours of the electricity market."""
    frame = pd.read_parquet(DATA / "electricity.parquet")
    since_midnight = frame["at"].dt.hour * 60 + frame["at"].dt.minute
    kept = (frame["at"] >= start) & (frame["at"] < end) & (since_midnight % minutes == 0)
    return frame[kept].reset_index(drop=True)


def new_workspace(folder: Path) -> Shell:
    """A workspace with a small table to learn from, a month after it, and a month of a changed world."""
    Shell(folder.parent)("init", folder.name)
    with (folder / "nbprod.toml").open("a") as file:
        file.write(SETTINGS)
    market("1996-05-07", "1996-07-15").to_parquet(folder / "data" / "small.parquet")
    market("1996-07-15", "1996-08-15").to_parquet(folder / "data" / "later.parquet")
    market("1997-06-01", "1997-07-01").to_parquet(folder / "data" / "changed.parquet")
    return Shell(folder)


@pytest.fixture(scope="session")
def road(tmp_path_factory):
    """The road to a model in use, walked once by the command line; what each step answered is kept."""
    shell = new_workspace(tmp_path_factory.mktemp("road") / "market")
    kept = SimpleNamespace(shell=shell, folder=shell.folder)
    kept.validated = shell.json("run", "validate_data", "-p", "data=small")
    kept.trained = shell.json("run", "train", "-p", "data=small", "-p", "model=logreg", *QUICK)
    kept.guessed = shell.json("run", "train", "-p", "data=small", "-p", "model=dummy", *QUICK)
    kept.package = shell.json("packages", "build", kept.trained["id"])
    kept.worse = shell.json("packages", "build", kept.guessed["id"])
    kept.registered = shell.json("models", "register", kept.package["digest"][:8], "price", "--note", "first")
    kept.early = shell("models", "promote", "price/1", "--expect", "none", code=3)
    shell("models", "bless", "price/1")
    kept.judged = shell.json("models", "evaluate", "price/1", "--data", "later", "--block", "1d")
    shell("models", "approve", "price/1", "--note", "good enough", "--evidence", kept.judged["run_id"])
    kept.promoted = shell.json("models", "promote", "price/1", "--expect", "none", "--reason", "the first")
    kept.deployment = shell.json("deployments", "create", "price", "--model", "price@champion")
    return kept
