"""What is watched of regressions, of several classes, of rows without time, and of tables with awkward names."""

from dataclasses import replace
from datetime import timedelta
from functools import lru_cache

import numpy as np
import pandas as pd
import pytest

from nbprod.domain.monitor import MonitorPolicy, Verdict
from nbprod.lake import Lake
from nbprod.monitors.assessment import assess
from nbprod.monitors.diagnosis import agreements, estimates
from nbprod.monitors.performance import ScoredRows
from nbprod.monitors.reference import MonitorReference
from nbprod.monitors.window import MonitoredWindow, load_window
from nbprod.statistics import Profile
from tests.unit.monitors.conftest import BEGIN

POLICY = MonitorPolicy()


def rows_of(task, rows, *, seed, wide=1.0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=rows) * wide
    frame = pd.DataFrame({"x": x})
    if task == "regression":
        return frame.assign(prediction=3 * x, outcome=3 * x + rng.normal(size=rows) * (0.2 + np.abs(x)))
    score = np.column_stack([np.exp(2 * x), np.ones(rows), np.exp(-2 * x)])
    chance = score / score.sum(axis=1, keepdims=True)
    names = np.array(["high", "mid", "low"])
    drawn = (rng.random((rows, 1)) > np.cumsum(chance, axis=1)[:, :-1]).sum(axis=1)
    shares = {f"probability_{name}": chance[:, n] for n, name in enumerate(names)}
    return frame.assign(prediction=names[chance.argmax(axis=1)], outcome=names[drawn], **shares)


@lru_cache
def usual(task):
    """The reference of a task; what estimates without outcomes is learned from it once."""
    before = rows_of(task, 3000, seed=1)
    classes = ("high", "mid", "low") * (task != "regression")
    return MonitorReference(rows=before, sealed=Profile.of(before), inputs=("x",), task=task, classes=classes)


def held(task, current, *, outcomes):
    times = pd.Series(pd.date_range(BEGIN, periods=len(current), freq="10min"))
    scored = current.drop(columns="x").assign(outcome_at=times + pd.Timedelta("1D"), version="m/1")
    if not outcomes:
        scored = scored.assign(outcome=None, outcome_at=pd.NaT)
    none = ScoredRows(frame=scored.iloc[:0], times=times.iloc[:0])
    return MonitoredWindow(
        deployment="m", start=BEGIN, end=BEGIN + timedelta(days=14), inputs=current[["x"]],
        scored=ScoredRows(frame=scored, times=times), earlier=none, reference=usual(task),
        as_of=BEGIN + timedelta(days=30), tables={},
    )  # fmt: skip


@pytest.mark.parametrize("task", ["regression", "classification"])
@pytest.mark.parametrize("told", [0, 20, 1500])
def test_rows_whose_answer_is_missing_are_not_estimated_and_few_say_nothing(task, told):
    current = rows_of(task, 1500, seed=2)
    made = [name for name in current if name.startswith("prob")] or ["prediction"]
    current.loc[told:, made] = np.nan

    found = held(task, current, outcomes=True)

    assert bool(estimates(found.reference, found.current)) is (told == 1500)
    metric = "mae" if task == "regression" else "accuracy"
    assert (metric in agreements(found.reference, found.current, found.scored)) is (told == 1500)


@pytest.mark.parametrize("told", [0, 20, 3000])
def test_an_estimator_needs_enough_rows_with_a_probability(told):
    rows = rows_of("classification", 3000, seed=1)
    rows.loc[told:, "probability_mid"] = np.nan
    reference = MonitorReference(rows=rows, inputs=("x",), task="classification", classes=("high", "mid", "low"))

    assert (reference.estimator is not None) is (told == 3000)


def test_blocks_of_another_length_are_counted_from_the_kept_rows(reference):
    weekly = reference.profile("1w")

    assert reference.profile("1d") is reference.sealed
    assert weekly.blocks.block == "1w"
    assert replace(weekly, blocks=None) == replace(reference.sealed, blocks=None)
    assert reference.profile("") is reference.sealed


def test_without_blocks_rows_are_taken_one_by_one(reference):
    current = rows_of("regression", 1500, seed=3)
    found = assess(held("regression", current, outcomes=True), replace(POLICY, block=""))

    assert found.comparison.blocks is None
    assert found.changed == ()


def test_an_input_may_be_called_as_one_of_our_columns(tmp_path):
    rng = np.random.default_rng(0)
    times = pd.date_range(BEGIN, periods=200, freq="1h")
    frame = pd.DataFrame({"at": rng.normal(size=200), "version": rng.choice(["old", "new"], 200)})
    made = pd.DataFrame({"prediction_id": [f"p{n}" for n in range(200)], "prediction": 1.5, "at": times})
    Lake(tmp_path).predictions("m").append(made.assign(version="m/1"), frame, private=())
    table = tmp_path / "reference.parquet"
    frame.assign(prediction=1.5, outcome=rng.normal(size=200)).drop(columns="at").to_parquet(table)

    window = load_window(
        str(tmp_path),
        "m",
        start=BEGIN,
        end=BEGIN + timedelta(days=4),
        reference=str(table),
        task="regression",
        history=2,
    )

    assert set(window.inputs["version"]) == {"old", "new"}
    assert set(window.scored.frame["version"]) == {"m/1"}
    assert window.inputs["at"].dtype == "float64"
    assert (len(window), len(window.earlier)) == (96, 0)
    assert list(window.scored.times) == list(times[:96])


def test_a_deployment_that_never_predicted_has_an_empty_window(tmp_path, reference):
    table = tmp_path / "reference.parquet"
    reference.rows.to_parquet(table)

    window = load_window(str(tmp_path), "m", start=BEGIN, end=BEGIN + timedelta(days=4), reference=str(table))

    assert (len(window), window.outcomes) == (0, 0)
    assert assess(window, POLICY).verdict is Verdict.INCONCLUSIVE
