"""A run is made again from its own record, and what comes out is held against it."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from nbprod.runs import Runs
from nbprod.store import Store
from nbprod.templates import Templates

pytestmark = pytest.mark.kernel
CELLS = {
    "parameters": "from nbprod import Dataset\ndata: Dataset = 'rows.csv'\nseed: int = 0\nnoise: float = 0.0",
    "work": """import random, time, pathlib, os
import helper
import nbprod
random.seed(seed)
values = [float(line) for line in open(data)]
nbprod.record(mean=sum(values) / len(values) + noise * time.time_ns() * 1e-24, drawn=random.random(), took_s=time.time())
pathlib.Path(os.environ['NBPROD_RUN'], 'files', 'note.txt').write_text(helper.WORD)
""",
}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reproducing")
    (folder / "nbprod.toml").write_text("")
    (folder / "templates").mkdir()
    (folder / "helper.py").write_text("WORD = 'a'\n")
    cells = [new_code_cell(source, id=id_) for id_, source in CELLS.items()]
    cells[0].metadata["tags"] = ["parameters"]
    spec = {"name": "python3", "language": "python", "display_name": "Python 3"}
    nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": spec}), folder / "templates" / "tee.ipynb")
    return folder


@pytest.fixture
def runs(place, tmp_path):
    from nbprod.datasets import open_dataset

    rows = tmp_path / "rows.csv"
    rows.write_text("x\n1\n2\n".replace("x\n", ""))

    def resolve(parameter, value):
        return str(rows), open_dataset(str(rows)).fingerprint

    store = Store.open(str(tmp_path / "ledger.db"), tmp_path / "files", actor="ada")
    return Runs(store, Templates([place / "templates"]), tmp_path / "runs", root=place, resolve=resolve)


def test_a_run_is_made_again_and_each_output_judged(runs, place):
    first = runs.start("tee", seed=3)
    assert first.succeeded, first.error
    (place / "templates" / "tee.ipynb").rename(place / "gone.ipynb")  # the run's own notebook is what counts
    try:
        found = runs.reproduce(first)
    finally:
        (place / "gone.ipynb").rename(place / "templates" / "tee.ipynb")
    judged = {(output.kind, output.name): output.likeness.value for output in found.outputs}
    assert judged == {
        ("run", "status"): "identical",
        ("metric", "mean"): "identical",
        ("metric", "drawn"): "identical",
        ("metric", "took_s"): "not compared",
        ("file", "note.txt"): "identical",
    }
    assert (found.verdict, found.is_same, found.obstacles) == ("identical", True, ())
    assert runs.get(found.again).caused_by == first.id


def test_a_small_difference_is_told_from_a_large_one(runs):
    first = runs.start("tee", noise=1.0)
    again = runs.reproduce(first, tolerance=1e-3)
    assert (again.verdict, again.is_same) == ("within tolerance", True)
    again = runs.reproduce(first, tolerance=0.0)
    assert (again.verdict, again.is_same) == ("different", False)


def test_changed_data_or_code_is_said_and_nothing_is_executed(runs, place, tmp_path):
    first = runs.start("tee")
    (tmp_path / "rows.csv").write_text("1\n5\n")
    (place / "helper.py").write_text("WORD = 'b'\n")
    found = runs.reproduce(first)
    assert found.again is None
    assert found.verdict == "not reproduced"
    assert found.obstacles == ("the data of data changed since", "the local module helper changed since")
    assert len(runs.list()) == 1
    anyway = runs.reproduce(first, anyway=True)
    assert anyway.verdict == "different"
    assert len(anyway.obstacles) == 2
    (place / "helper.py").write_text("WORD = 'a'\n")


def test_a_tampered_or_pruned_record_is_not_reproduced(runs):
    first = runs.start("tee")
    path = Path(first.folder) / "notebook.ipynb"
    nb = json.loads(path.read_text())
    nb["cells"][-1]["source"] = "pass"
    path.write_text(json.dumps(nb))
    assert runs.reproduce(first).obstacles[0] == "the notebook in the run's folder is not the one that was run"
    runs.prune(timedelta(0))
    found = runs.reproduce(first.id)
    assert (found.again, "pruned" in found.obstacles[0]) == (None, True)
