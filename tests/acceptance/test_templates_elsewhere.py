"""Each template runs by hand and under papermill, stock engine or ours, with no workspace around it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import nbclient
import nbformat
import pandas as pd
import pytest

from nbprod.threads import waiting_politely
from tests.acceptance.conftest import QUICK

pytestmark = pytest.mark.kernel

NAMES = ["validate_data", "train", "evaluate", "score", "monitor"]
RECORD = "application/vnd.nbprod.record+json"
FOREIGN = {name: value for name, value in os.environ.items() if not name.startswith("NBPROD_")}
ENVIRONMENT = {**waiting_politely(FOREIGN), **FOREIGN}


@pytest.fixture(scope="module")
def given(road):
    """What a person writes into each parameters cell: paths instead of names."""
    data = road.folder / "data"
    package = road.package["folder"]
    road.shell("score", "price@champion", "later", "kept.parquet", "--log", "price", "--at", "at")
    quick = dict(word.split("=") for word in QUICK if "=" in word)
    return {
        "validate_data": {"data": str(data / "small.parquet")},
        "train": {
            "data": str(data / "small.parquet"),
            "target": "class",
            "model": "logreg",
            "folds": int(quick["folds"]),
            "curve": quick["curve"] == "true",
        },
        "evaluate": {"candidate": package, "data": str(data / "later.parquet"), "block": "1d", "resamples": 200},
        "score": {"model": package, "data": str(data / "later.parquet")},
        "monitor": {
            "deployment": "price",
            "lake": str(road.folder / ".nbprod" / "lake"),
            "package": package,
            "start": "1996-07-15",
            "end": "1996-08-15",
            "rich": "never",
        },
    }


def recorded(path: Path) -> int:
    """How many values the executed notebook recorded; every code cell of it ran."""
    document = nbformat.read(path, as_version=4)
    codes = [cell for cell in document.cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in codes)
    assert not [out for cell in codes for out in cell.outputs if out.output_type == "error"]
    return sum(RECORD in out.get("data", {}) for cell in codes for out in cell.outputs)


def template(road, name: str) -> Path:
    return road.folder / "templates" / f"{name}.ipynb"


@pytest.mark.parametrize("name", NAMES)
def test_by_hand(road, given, name, tmp_path, monkeypatch):
    """A person opens the notebook, changes values in its parameters cell, and runs all cells."""
    for variable in set(os.environ) - set(FOREIGN):
        monkeypatch.delenv(variable)
    document = nbformat.read(template(road, name), as_version=4)
    [cell] = [cell for cell in document.cells if "parameters" in cell.metadata.get("tags", [])]
    dates = {"start", "end"} if name == "monitor" else set()
    for parameter, value in given[name].items():
        text = f"datetime.fromisoformat({value!r})" if parameter in dates else repr(value)
        [line] = [line for line in cell.source.splitlines() if line.startswith(f"{parameter}:")]
        annotation, _, _ = line.partition("  #")[0].partition(" = ")
        cell.source = cell.source.replace(line, f"{annotation} = {text}")

    nbclient.NotebookClient(document, timeout=200, resources={"metadata": {"path": str(tmp_path)}}).execute()

    nbformat.write(document, tmp_path / "done.ipynb")
    assert recorded(tmp_path / "done.ipynb") >= 1
    left = {path.name for path in tmp_path.iterdir()} - {"done.ipynb"}
    assert left == ({"predictions.parquet", "predictions.parquet.score.json"} if name == "score" else set())


@pytest.mark.parametrize("engine", [[], ["--engine", "nbprod"]], ids=["stock", "ours"])
@pytest.mark.parametrize("name", NAMES)
def test_under_papermill(road, given, name, engine, tmp_path):
    words = [str(word) for parameter in given[name].items() for word in ("-p", *parameter)]

    where = [str(template(road, name)), str(tmp_path / "done.ipynb"), "--cwd", str(tmp_path)]

    done = subprocess.run(
        [sys.executable, "-m", "papermill", *where, *engine, "--no-progress-bar", "-k", "python3", *words],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )

    assert done.returncode == 0, done.stderr[-2000:]
    assert recorded(tmp_path / "done.ipynb") >= 1
    if name == "score":
        assert len(pd.read_parquet(tmp_path / "predictions.parquet")) == 744
