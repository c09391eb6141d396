"""An adopted notebook still runs by hand, runs as a job, and says the same as before in both."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from nbclient import NotebookClient
from typer.testing import CliRunner

import nbprod
from nbprod.adoption import adopt
from nbprod.cli.notebooks import app
from tests.integration import strangers

pytestmark = pytest.mark.kernel

DATA = Path(nbprod.__file__).parent / "resources" / "data"


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """A folder as people have them: notebooks with their data beside them, in a workspace."""
    folder = tmp_path_factory.mktemp("desk")
    (folder / "nbprod.toml").write_text("")
    pd.read_parquet(DATA / "electricity.parquet").head(3000).to_csv(folder / "electricity.csv", index=False)
    pd.read_parquet(DATA / "bike_sharing.parquet").head(6000).to_csv(folder / "bike_sharing_hourly.csv", index=False)
    return folder


def printed(notebook):
    """What the cells printed to stdout."""
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    return "".join(output.text for output in outputs if output.output_type == "stream" and output.name == "stdout")


def executed(run):
    return nbformat.read(Path(run.folder) / "notebook.ipynb", 4)


@pytest.mark.parametrize(
    ("make", "parameters", "metrics", "models"),
    [
        (strangers.classification, {"features", "target", "test_size", "electricity_path", "seed"}, {"acc", "auc", "acc_rf"}, {"logreg", "model"}),
        (strangers.plots, {"FIGSIZE", "N_ROWS", "title", "bike_sharing_hourly_path", "seed"}, set(), set()),
        (strangers.regression, {"DATA_PATH", "TARGET", "CUTOFF", "SEED", "FEATURES", "n_estimators", "lr"}, {"rmse", "r2"}, {"model"}),
    ],
)  # fmt: skip
def test_an_adopted_notebook_says_the_same_by_hand_and_as_a_job(desk, make, parameters, metrics, models):
    path = strangers.write(make(), desk / f"{make.__name__}.ipynb")
    runs = nbprod.open(desk).runs
    before = printed(executed(runs.start(path, check=True)))
    assert before.strip()
    result = CliRunner().invoke(app, ["adopt", str(path), "--write"])
    assert result.exit_code == 0, result.output
    adopted = nbformat.read(path, 4)
    sources = [cell.source for cell in make().cells if cell.cell_type == "markdown"]
    assert [cell.source for cell in adopted.cells if cell.cell_type == "markdown"] == sources

    by_hand = NotebookClient(
        nbformat.read(path, 4), timeout=120, resources={"metadata": {"path": str(desk)}}
    ).execute()
    assert printed(by_hand) == before
    run = runs.start(path, check=True)
    assert printed(executed(run)) == before
    assert set(run.parameters) == parameters
    assert set(run.metrics) == metrics
    assert {folder.parent.name for folder in Path(run.folder).glob("files/*/model.json")} == models

    if make is strangers.regression:
        other = runs.start(path, n_estimators=3, check=True)
        assert printed(executed(other)) != before
    assert not adopt(path).is_needed
    answer = json.loads(CliRunner().invoke(app, ["adopt", str(path), "--json"]).stdout)
    assert answer["cells"] == answer["edits"] == answer["parameters"] == []


def test_on_a_terminal_each_cell_is_asked_for(tmp_path):
    path = strangers.write(
        strangers.stranger("depth = 3\nprint(depth)", "import math", "rate = 0.5\nprint(rate)"),
        tmp_path / "mine.ipynb",
    )
    person, terminal = pty.openpty()
    words = [sys.executable, "-m", "nbprod", "notebooks", "adopt", str(path)]
    with subprocess.Popen(words, stdin=terminal, stdout=terminal, stderr=terminal) as process:
        os.close(terminal)
        os.write(person, b"y\nn\ny\ny\n")  # the parameters cell, not the first cell, the second, and write it
        assert process.wait(60) == 0
    os.close(person)
    cells = {cell.id: cell.source for cell in nbformat.read(path, 4).cells}
    assert cells["parameters"].startswith("rate: float = 0.5")
    assert "depth = 3\nprint(depth)" in cells.values()
    assert "depth" not in cells["parameters"]
