"""Packages of the models that the template trains, on the electricity data and on rows with gaps."""

from __future__ import annotations

import itertools
from functools import cache

import numpy as np
import pandas as pd
import pytest

from nbprod.datasets import read_frame
from nbprod.exports import Exports
from nbprod.models import Models
from nbprod.training import make_estimator, make_pipeline, prepare
from tests.unit.conftest import empty_ledger
from tests.unit.packages.conftest import built, fitted, saved, shared_packages, shared_store, stage_run

__all__ = ["built", "empty_ledger", "fitted", "saved", "shared_packages", "shared_store"]


@pytest.fixture(scope="session")
def electricity():
    rows = prepare(read_frame("electricity"), target="class", time="at", end="1996-09-01")
    return rows.features.tail(3000).reset_index(drop=True), rows.target.tail(3000).reset_index(drop=True)


@pytest.fixture(scope="session")
def gaps():
    """Numbers with and without gaps, whole numbers, true or false, and words."""
    random = np.random.default_rng(4)
    rows = 2400
    frame = pd.DataFrame(
        {
            "load": random.normal(size=rows),
            "hour": random.integers(0, 24, rows),
            "price": random.gamma(2.0, size=rows),
            "place": random.choice(["north", "south", "west"], rows),
            "holiday": random.random(rows) > 0.7,
        }
    )
    frame.loc[random.random(rows) < 0.2, "load"] = np.nan
    score = frame["load"].fillna(1.5) + (frame["place"] == "west") - frame["price"] / 3 + random.normal(size=rows) / 2
    return frame, pd.Series(np.where(score > 0, "UP", "DOWN"), name="class")


@pytest.fixture(scope="session")
def shared_models(shared_store):
    return Models(shared_store, None)


@pytest.fixture(scope="session")
def version(shared_models, built):
    """An approved version of a forest, which is the champion; tests only read it."""
    made = shared_models.register(built("binary"), model="electricity_eu", note="tried in May")
    shared_models.approve(made, note="good enough")
    made = shared_models.bless_recorded(made, made.registered_at)
    shared_models.promote(made, expect=None)
    return shared_models.resolve(made)


@pytest.fixture(scope="session")
def exports(shared_models, shared_packages):
    return Exports(shared_models, shared_packages)


@pytest.fixture(scope="session")
def register(shared_store, shared_packages, shared_models, fitted, saved, tmp_path_factory):
    """Seal a fitted model with the rows it was not trained on, and register it."""
    count = itertools.count(1000)  # the runs of `built` are numbered from 1

    def make(name, model, inputs, target, **options):
        run = stage_run(
            shared_store,
            tmp_path_factory.mktemp("runs"),
            fitted,
            saved,
            model=model,
            number=next(count),
            inputs=inputs,
            target=target,
            **options,
        )
        return shared_models.register(shared_packages.build(run), model=name)

    return make


@pytest.fixture(scope="session")
def trained(register, electricity, gaps):
    """A version of a model the template trains, by its short name and the data."""

    @cache
    def version(name, data):
        frame, target = electricity if data == "electricity" else gaps
        half = len(frame) // 2
        pipeline = make_pipeline(make_estimator(name, "classification", seed=0), frame)
        pipeline.fit(frame[:half], target[:half])
        return register(f"{name}-{data}", pipeline, frame[half:], target[half:])

    return version
