"""What a kernel records is what the other process reads, parameters in and results out."""

from __future__ import annotations

import json
import os
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from nbprod.domain.execution import Limits
from nbprod.domain.markers import Secret
from nbprod.domain.parameter import bind
from nbprod.domain.record import RECORD_TYPE
from nbprod.notebook.document import dump, parse
from nbprod.notebook.execution import Execution
from nbprod.notebook.injection import inject
from nbprod.notebook.parameters import read_parameters
from nbprod.recording import read_records

pytestmark = pytest.mark.kernel

IMPORTS = """\
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Literal
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
import nbprod
from nbprod import Dataset, Model, Range, Secret"""
PARAMETERS = """\
rows: Annotated[int, Range(1, 10_000)] = 10  # how many
share: Annotated[float, Range(0, 1)] = 0.5
note: str | None = None
mode: Literal["fast", "slow"] = "fast"
names: list[str] = []
since: date = date(2020, 1, 1)
at: datetime | None = None
folder: Path = Path(".")
data: Dataset = "electricity"
old: Model | None = None
token: Secret = Secret("env:NOWHERE")
limit: float = float("inf")"""
WORK = """\
nbprod.record(given=[rows, share, note, mode, names, since, at, folder, data, old, limit], kind=type(token).__name__)
frame = pd.DataFrame({"x": np.linspace(-1, 1, 60_000), "customer": range(60_000)})
fig, ax = plt.subplots()
ax.plot([1, 2])
nbprod.record(frame=frame, missing=float("nan"), when=pd.Timestamp("2026-01-31", tz="UTC"), none=None, curve=fig)
model = LogisticRegression().fit(frame[["x"]], frame["x"] > 0)
nbprod.save_model(model, inputs=frame[["x"]], target=(frame["x"] > 0).rename("up"))
len(token.reveal())"""
GIVEN = {
    "rows": "20",
    "share": 0.25,
    "note": 'it\'s "quoted"\n%%bash',
    "mode": "slow",
    "names": ["a", "b"],
    "since": "2026-01-31",
    "at": datetime(2026, 1, 31, 9, 30, tzinfo=UTC),
    "folder": "some/where",
    "token": Secret("env:CONTRACT_TOKEN"),
}


def executed(folder: Path, **more: str):
    cells = [
        new_code_cell(source, id=id_)
        for id_, source in (("imports", IMPORTS), ("parameters", PARAMETERS), ("work", WORK))
    ]
    cells[1].metadata["tags"] = ["parameters"]
    kernel = {"name": "python3", "language": "python", "display_name": "Python 3"}
    template = new_notebook(cells=cells, metadata={"kernelspec": kernel})
    notebook = inject(template, bind(read_parameters(template), GIVEN))
    execution = Execution(
        notebook,
        folder=folder,
        kernel_name="python3",
        cwd=folder,
        env={**os.environ, "CONTRACT_TOKEN": "hunter" * 2, **more},
        limits=Limits(),
    )
    assert execution.run().cause is None, [cell.outputs for cell in notebook.cells]
    return parse(dump(notebook).decode())


def test_what_a_kernel_records_is_read_back_exactly(tmp_path):
    (tmp_path / "run.json").write_text(json.dumps({"id": "r-1", "private": ["customer"]}))
    notebook = executed(tmp_path, NBPROD_RUN=str(tmp_path))
    records = read_records(notebook, tmp_path)
    at = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)
    assert records["given"] == [
        20, 0.25, GIVEN["note"], "slow", ["a", "b"], date(2026, 1, 31), at, Path("some/where"), "electricity", None, float("inf"),
    ]  # fmt: skip
    assert records["kind"] == "Secret"
    pd.testing.assert_frame_equal(records["frame"], pd.DataFrame({"x": np.linspace(-1, 1, 60_000)}))
    assert np.isnan(records["missing"])
    assert records["when"] == pd.Timestamp("2026-01-31", tz="UTC")
    assert records["none"] is None
    assert records.figures["curve"].content.startswith("<svg")
    assert records.models["model"]["target"] == "up"
    assert len(pd.read_parquet(tmp_path / "files" / "model" / "reference.parquet")) == 60_000
    pictures = [
        output
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if any("image" in kind for kind in output.get("data", {}))
    ]
    assert len(pictures) == 1, "a recorded figure is not shown a second time"
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"hunterhunter" not in kept, "the secret is in no file of the run"


def test_the_same_notebook_works_by_hand_and_only_shows(tmp_path, monkeypatch):
    monkeypatch.delenv("NBPROD_RUN", raising=False)
    notebook = executed(tmp_path)
    said = [output["data"] for output in notebook.cells[-1].outputs if RECORD_TYPE in output.get("data", {})]
    assert "not kept: this notebook is run by hand" in said[-1]["text/plain"]
    assert not (tmp_path / "files" / "model").exists()
