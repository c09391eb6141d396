"""A pipeline fits the columns at hand, survives gaps and the unknown, and can be saved without pickle."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import skops.io

from nbprod.errors import DataError
from nbprod.training import make_estimator, make_pipeline, plain_frame

OWN = {
    "nbprod.training.parts.BooleanNumbers",
    "nbprod.training.parts.DatetimeParts",
    "nbprod.training.parts.FilledText",
}


def table(rows=120, seed=0):
    random = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "number": random.normal(size=rows),
            "whole": pd.array(random.integers(0, 9, rows), dtype="Int64"),
            "colour": pd.array(random.choice(["red", "blue", "green"], rows), dtype="string"),
            "place": random.integers(0, 40, rows).astype(str),
            "is_new": pd.array(random.random(rows) < 0.5, dtype="boolean"),
            "since": pd.date_range("2026-01-01", periods=rows, freq="7h", tz="UTC"),
            "remark": random.choice(["late and very cold again", "early and warm this time"], rows),
        }
    )
    for position, name in enumerate(frame.columns):
        frame.loc[position, name] = None
    return plain_frame(frame)


@pytest.mark.parametrize("name", ["logreg", "hgb", "forest", "knn", "sgd"])
def test_pipeline_of_every_kind_of_column_round_trips_through_skops(name):
    frame = table()
    target = np.where(frame["number"].fillna(0) > 0, "yes", "no")

    pipeline = make_pipeline(make_estimator(name, "classification", seed=0), frame).fit(frame, target)
    saved = skops.io.dumps(pipeline)
    untrusted = set(skops.io.get_untrusted_types(data=saved))
    again = skops.io.loads(saved, trusted=sorted(untrusted))

    assert not {each for each in untrusted if "partial" in each or "function" in each}
    assert {each for each in untrusted if each.startswith("nbprod")} == OWN
    assert (again.predict(frame) == pipeline.predict(frame)).all()
    assert pipeline.score(frame, target) > 0.8


@pytest.mark.parametrize("name", ["ridge", "hgb"])
def test_unknown_categories_and_new_gaps_are_predicted(name):
    frame = table()
    pipeline = make_pipeline(make_estimator(name, "regression", seed=0), frame).fit(frame, frame["number"].fillna(0))
    odd = frame.head(3).assign(colour="purple", place="nowhere", number=np.nan, is_new=pd.NA, remark=None)

    assert np.isfinite(pipeline.predict(odd)).all()


def test_nothing_to_learn_from_is_refused():
    frame = pd.DataFrame({"key": [f"k{i}" for i in range(100)]})

    with pytest.raises(DataError, match="no column is left"):
        make_pipeline(make_estimator("ridge", "regression"), frame)
