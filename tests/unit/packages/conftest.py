import contextlib
import io
import json
import shutil
from functools import cache, partial

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from nbprod import clock
from nbprod.domain.run import Run, RunStatus
from nbprod.packages import Packages
from nbprod.recording import save_model
from nbprod.store import Store

NOTEBOOK = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def make_rows(rows=300, seed=3):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "load": rng.normal(size=rows),
            "hour": rng.integers(0, 24, rows),
            "place": rng.choice(["north", "south", "west"], rows),
            "kind": pd.Categorical(rng.choice(["a", "b"], rows)),
            "holiday": rng.random(rows) > 0.7,
        }
    )
    frame.loc[5, "load"] = np.nan
    return frame


def targets(frame, task):
    noise = np.random.default_rng(9).normal(size=len(frame))
    score = frame["load"].fillna(0) + noise + (frame["place"] == "west")
    if task == "regression":
        return pd.Series(score * 10, name="demand")
    if task == "three":
        return pd.Series(np.select([score < -0.5, score > 0.7], ["low", "high"], "mid"), name="level")
    return pd.Series(np.where(score > 0, "UP", "DOWN"), name="class")


def pipeline(task):
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    prepared = ColumnTransformer(
        [("numbers", numbers, ["load", "hour"]), ("rest", OneHotEncoder(handle_unknown="ignore"), ["place", "kind"])]
    )
    last = {"binary": RandomForestClassifier(5, random_state=1), "three": LogisticRegression(), "regression": Ridge()}
    return make_pipeline(prepared, last[task])


@pytest.fixture(scope="session")
def fitted():
    """Fitted pipelines by task, made once."""
    frame = make_rows()
    return {task: pipeline(task).fit(frame, targets(frame, task)) for task in ("binary", "three", "regression")}


@pytest.fixture(scope="session")
def saved(tmp_path_factory, fitted):
    """The folder of a run that saved the usual model of a task, made once; it is copied, never changed."""

    @cache
    def folder(task, private):
        made = tmp_path_factory.mktemp("saved") / "run"
        save(made, task, fitted[task], private=private)
        return made

    return folder


@pytest.fixture
def store(tmp_path, empty_ledger):
    return Store.open(empty_ledger(tmp_path / "ledger.db"), tmp_path / "files", actor="tester")


@pytest.fixture
def packages(store):
    return Packages(store)


@pytest.fixture
def stage(store, tmp_path, fitted, saved):
    """Make a finished run whose notebook called ``save_model``."""
    return partial(stage_run, store, tmp_path / "runs", fitted, saved)


@pytest.fixture(scope="session")
def shared_store(tmp_path_factory, empty_ledger):
    root = tmp_path_factory.mktemp("shared")
    return Store.open(empty_ledger(root / "ledger.db"), root / "files", actor="tester")


@pytest.fixture(scope="session")
def shared_packages(shared_store):
    """Where the packages of ``built`` are; tests only read them."""
    return Packages(shared_store)


@pytest.fixture(scope="session")
def built(tmp_path_factory, shared_store, shared_packages, fitted, saved):
    """The package of the usual run of a task, built once; tests only read it."""

    @cache
    def package(task="binary"):
        number = list(fitted).index(task)
        return shared_packages.build(
            stage_run(shared_store, tmp_path_factory.mktemp("runs"), fitted, saved, task, number=number)
        )

    return package


def save(folder, task, model, *, run_id="", private=(), trusted=(), inputs=None, target=None, **options):
    """Do what the notebook of a run does: call ``save_model``."""
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(
        json.dumps({"id": run_id, "template": "train", "private": list(private), "trusted": list(trusted)})
    )
    frame = make_rows(200, seed=11) if inputs is None else inputs
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(io.StringIO()):
        patch.setenv("NBPROD_RUN", str(folder))
        save_model(model, inputs=frame, target=targets(frame, task) if target is None else target, **options)


def stage_run(
    store,
    runs,
    fitted,
    saved,
    task="binary",
    *,
    model=None,
    number=0,
    status=RunStatus.SUCCEEDED,
    metrics=None,
    private=(),
    inputs=None,
    **options,
):
    """Enter a finished run into the ledger and leave its folder as its notebook did."""
    run_id = f"20261120T094413Z-train-000{number}"
    folder = runs / run_id
    if model is None and inputs is None and not options:
        shutil.copytree(saved(task, tuple(private)), folder)
    else:
        save(folder, task, model or fitted[task], run_id=run_id, private=private, inputs=inputs, **options)
    (folder / "notebook.ipynb").write_text(json.dumps(NOTEBOOK))
    (folder / "run.json").write_text(json.dumps({"id": run_id, "template": "train", "private": list(private)}))
    at = clock.parse_utc("2026-11-20T09:44:13Z")
    run = Run(
        id=run_id, template="train", source="templates/train.ipynb",
        template_digest="0" * 64, status=status, folder=str(folder), created_at=at, ended_at=at,
        parameters={"data": "electricity", "seed": 7}, metrics={"roc_auc": 0.81} if metrics is None else metrics,
        data={"data": "f" * 64},
    )  # fmt: skip
    with store.write() as session:
        session.add(run)
    return run
