"""The templates do what their first cells promise: in a run, by hand with no workspace, and under plain papermill."""

from __future__ import annotations

import json

import nbclient
import nbformat
import numpy as np
import pandas as pd
import papermill
import pytest

import nbprod
from nbprod.domain.check import CheckOutcome
from nbprod.notebook.canonical import faults_in_file
from nbprod.scaffold import create_workspace
from nbprod.templates import Templates, shipped_folder

WRITTEN_HERE = ["evaluate", "score", "train", "validate_data"]
QUICK = {"folds": 0, "curve": False, "model": "tree"}


def sales(rows=600, *, seed=0):
    """A table with every kind of column, gaps, and a target of words and one of numbers."""
    random = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "day": pd.date_range("2026-01-01", periods=rows, freq="2h", tz="UTC"),
            "price": random.normal(10, 3, rows),
            "stock": pd.array(random.integers(0, 9, rows), dtype="Int64"),
            "shop": random.choice(["north", "south", "east"], rows),
            "is_holiday": pd.array(random.random(rows) < 0.2, dtype="boolean"),
            "opened": pd.Timestamp("2020-01-01") + pd.to_timedelta(random.integers(0, 2000, rows), unit="D"),
        }
    )
    for position, name in enumerate(["price", "stock", "shop", "is_holiday", "opened"]):
        frame.loc[position::50, name] = None
    pull = frame["price"].fillna(10) + (frame["shop"] == "north") * 4 + random.normal(0, 1, rows)
    return frame.assign(sold=np.where(pull > 12, "many", "few"), turnover=pull * 10)


TASKS = {
    "classification": {"target": "sold", "drop": ["turnover"], "time": "day"},
    "regression": {"target": "turnover", "drop": ["sold"], "time": "day"},
}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    folder = tmp_path_factory.mktemp("templates") / "workspace"
    create_workspace(folder)
    sales().to_parquet(folder / "data" / "sales.parquet")
    sales(200, seed=9).drop(columns=["day"]).to_csv(folder / "data" / "later.csv", index=False)
    return nbprod.open(folder)


@pytest.fixture(scope="module")
def trained(workspace):
    """A finished train run and its package, by task."""
    found = {}
    for task, given in TASKS.items():
        run = workspace.runs.start("train", data="data/sales.parquet", **given, **QUICK)
        assert run.succeeded, run.error
        found[task] = run, workspace.packages.build(run)
    return found


@pytest.mark.parametrize("name", WRITTEN_HERE)
def test_template_is_in_canonical_form_and_explains_every_parameter(name):
    template = Templates().get(name)

    assert faults_in_file(shipped_folder() / f"{name}.ipynb") == []
    assert all(parameter.help for parameter in template.parameters)


@pytest.mark.kernel
@pytest.mark.parametrize("task", TASKS)
def test_train_records_scores_beside_a_baseline_and_saves_a_model(workspace, trained, task):
    run, package = trained[task]
    results = workspace.runs.results(run)

    assert results["task"] == task
    assert list(results["comparison"].index) == ["baseline", "simple", "tree"]
    assert set(results.metrics) >= {"gain_over_baseline", "rows_learned", *(results["scores"].index)}
    assert results["gain_over_baseline"] > 0
    assert set(results.figures) >= {"comparison_picture"}
    assert all(figure.alt for figure in results.figures.values())
    assert (package.task, package.target) == (task, TASKS[task]["target"])


@pytest.mark.kernel
@pytest.mark.parametrize("task", TASKS)
def test_evaluate_holds_a_first_model_and_a_rival_against_the_gate(workspace, trained, task):
    package = trained[task][1]
    rival = workspace.runs.start(
        "train", data="data/sales.parquet", **TASKS[task], **{**QUICK, "model": "dummy"}, start="2026-01-10"
    )
    worse = workspace.packages.build(rival)
    given = {"data": "data/sales.parquet", "block": "1d", "start": "2026-02-01", "protected": ["shop"]}

    first = workspace.runs.start("evaluate", candidate=package.digest, first="hold", **given)
    second = workspace.runs.start("evaluate", candidate=worse.digest, champion=package.digest, **given)

    alone, beaten = (workspace.runs.results(run)["verdict"] for run in (first, second))
    assert (alone["comparison"], alone["outcome"]) == ("no champion yet", CheckOutcome.INCONCLUSIVE)
    assert alone["evidence"]["champion"] is None
    assert (beaten["comparison"], beaten["outcome"]) == ("compared", CheckOutcome.FAILED)
    assert beaten["evidence"]["candidate"] == worse.digest
    assert beaten["evidence"]["champion"] == package.digest
    assert beaten["evidence"]["data"] == second.data["data"]
    tables = workspace.runs.results(second).tables
    assert tables["slices"]["gain"].iloc[0] < 0
    assert "gap" in tables["groups of shop"].index
    assert len(tables["mistakes"])


@pytest.mark.kernel
@pytest.mark.parametrize("task", TASKS)
def test_score_writes_a_prediction_for_every_row(workspace, trained, task, tmp_path):
    package = trained[task][1]

    run = workspace.runs.start(
        "score", model=package.digest, data="data/later.csv", output=str(tmp_path / "p.parquet"), keep=["shop"]
    )

    assert run.succeeded, run.error
    written = pd.read_parquet(tmp_path / "p.parquet")
    assert len(written) == 200
    assert written["prediction_id"].is_unique
    assert list(written.columns[:4]) == ["prediction_id", "version", "shop", "prediction"]
    assert run.metrics["rows"] == 200


@pytest.mark.kernel
@pytest.mark.parametrize("task", TASKS)
def test_validate_data_finds_what_gives_the_answer_away(workspace, task):
    part = np.random.default_rng(1).random(600)
    leaky = sales().assign(till=lambda f: f["turnover"] * part, online=lambda f: f["turnover"] * (1 - part))
    leaky["told"] = leaky["sold"].str.upper()
    leaky.to_parquet(workspace.folder / "data" / f"leaky-{task}.parquet")

    run = workspace.runs.start("validate_data", data=f"data/leaky-{task}.parquet", **TASKS[task])

    assert run.succeeded, run.error
    results = workspace.runs.results(run)
    outcomes = {check.name: check for check in results["checks"]}
    assert results["outcome"] == CheckOutcome.FAILED
    suspect = {"classification": ("leak alone", "told"), "regression": ("leak sum", "till, online")}[task]
    assert outcomes[suspect[0]].outcome is CheckOutcome.FAILED
    assert outcomes[suspect[0]].subject == suspect[1]


@pytest.mark.kernel
def test_a_model_learns_on_from_an_earlier_package(workspace, trained):
    earlier = workspace.runs.start(
        "train", data="data/sales.parquet", **TASKS["classification"], **{**QUICK, "model": "sgd"}, end="2026-02-01"
    )
    package = workspace.packages.build(earlier)

    run = workspace.runs.start(
        "train",
        data="data/sales.parquet",
        **TASKS["classification"],
        **{**QUICK, "model": "sgd", "refit": True},
        start_from=package.digest,
    )

    assert run.succeeded, run.error
    results = workspace.runs.results(run)
    assert list(results["comparison"].index) == ["baseline", "simple", "sgd", "continued"]
    assert results["kept"] in {"sgd", "continued"}
    workspace.packages.build(run)


@pytest.mark.kernel
def test_a_target_that_cannot_be_learned_ends_the_run_and_saves_nothing(workspace):
    sales().assign(sold="few").to_parquet(workspace.folder / "data" / "constant.parquet")

    run = workspace.runs.start("train", data="data/constant.parquet", **TASKS["classification"], **QUICK)

    assert (str(run.status), run.failed_cell) == ("failed", "load-data")
    assert "is few in all 600 rows; there is nothing to learn" in run.error
    assert not list((workspace.runs.folder / run.id / "files").glob("model*"))


@pytest.mark.kernel
def test_private_columns_stay_out_of_what_validation_shows(tmp_path):
    create_workspace(tmp_path / "w")
    toml = tmp_path / "w" / "nbprod.toml"
    toml.write_text(toml.read_text().replace("private = []", 'private = ["shop"]'))
    sales().to_parquet(tmp_path / "w" / "data" / "sales.parquet")
    workspace = nbprod.open(tmp_path / "w")

    run = workspace.runs.start("validate_data", data="data/sales.parquet", **TASKS["classification"])

    assert run.succeeded, run.error
    assert "north" not in (workspace.runs.folder / run.id / "notebook.ipynb").read_text()


def by_hand(notebook, folder, monkeypatch, **parameters):
    """What a person does: open the notebook, change a value, run all cells; no run, no workspace."""
    monkeypatch.delenv("NBPROD_RUN", raising=False)
    document = nbformat.read(notebook, as_version=4)
    place = next(i for i, cell in enumerate(document.cells) if "parameters" in cell.metadata.get("tags", []))
    changed = "\n".join(f"{name} = {value!r}" for name, value in parameters.items())
    document.cells.insert(place + 1, nbformat.v4.new_code_cell(changed))
    client = nbclient.NotebookClient(document, timeout=120, resources={"metadata": {"path": str(folder)}})
    client.execute()
    return document


@pytest.mark.kernel
def test_every_template_runs_by_hand_with_no_workspace(workspace, trained, tmp_path, monkeypatch):
    folder = str(workspace.packages.folder(trained["classification"][1]))
    data = str(workspace.folder / "data" / "sales.parquet")
    given = {
        "validate_data": {"data": data, **TASKS["classification"]},
        "train": {"data": data, **TASKS["classification"], **QUICK},
        "evaluate": {"candidate": folder, "data": data},
        "score": {"model": folder, "data": data},
    }

    for name, parameters in given.items():
        document = by_hand(shipped_folder() / f"{name}.ipynb", tmp_path, monkeypatch, **parameters)
        assert all(cell.execution_count for cell in document.cells if cell.cell_type == "code")

    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "predictions.parquet",
        "predictions.parquet.score.json",
    ]


@pytest.mark.kernel
@pytest.mark.parametrize("name", ["train", "validate_data"])
def test_templates_run_under_plain_papermill_with_their_defaults(name, tmp_path, monkeypatch):
    monkeypatch.delenv("NBPROD_RUN", raising=False)
    quick = {"end": "1996-08-01", "folds": 0, "model": "tree"} if name == "train" else {}

    papermill.execute_notebook(
        str(shipped_folder() / f"{name}.ipynb"),
        str(tmp_path / "out.ipynb"),
        quick,
        cwd=str(tmp_path),
        engine_name=None,
        progress_bar=False,
        kernel_name="python3",
    )

    outputs = json.loads((tmp_path / "out.ipynb").read_text())
    kinds = {kind for cell in outputs["cells"] for out in cell.get("outputs", []) for kind in out.get("data", {})}
    assert "application/vnd.nbprod.record+json" in kinds
    assert "image/svg+xml" in kinds
