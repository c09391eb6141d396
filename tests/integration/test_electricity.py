"""What is true of the electricity data: the model decays by itself, and retraining helps in June, not in May."""

from __future__ import annotations

import numpy as np
import pytest

from nbprod.datasets import read_frame
from nbprod.domain.check import CheckOutcome
from nbprod.evaluation import GatePolicy, choose_rows, compare
from nbprod.statistics.predictions import Predictions
from nbprod.training import make_estimator, make_pipeline, prepare

pytestmark = pytest.mark.slow

FEATURES = ["period", "nswprice", "nswdemand", "vicprice", "vicdemand", "transfer"]
FACTS = {"candidate": "c", "champion": "d", "data": "f"}


@pytest.fixture(scope="module")
def frame():
    return read_frame("electricity")


def learned(frame, end, *, shuffled=False):
    rows = prepare(frame, target="class", time="at", end=end)
    target = rows.target.sample(frac=1, random_state=0).to_numpy() if shuffled else rows.target
    pipeline = make_pipeline(make_estimator("hgb", rows.task, seed=0), rows.features, kinds=rows.kinds)
    return pipeline.fit(rows.features, target)


@pytest.fixture(scope="module")
def champion(frame):
    """Learned from all of 1996."""
    return learned(frame, "1997-01-01")


def held(frame, candidate, champion, start, end):
    rows = choose_rows(frame, target="class", task="classification", time="at", start=start, end=end, block="1d")
    told = (Predictions.of(model, rows.frame[FEATURES]) for model in (candidate, champion))
    return compare(rows, *told, metric="accuracy")


def test_the_model_of_1996_decays_by_itself(frame, champion):
    months = {2: 0.84, 3: 0.75, 4: 0.75, 5: 0.82, 6: 0.62}
    found = {}
    for month in months:
        result = held(frame, champion, champion, f"1997-{month:02d}-01", f"1997-{month + 1:02d}-01")
        found[month] = result.measured("candidate").value

    assert found == pytest.approx(months, abs=0.01)


def test_a_model_retrained_in_mid_may_does_not_pass(frame, champion):
    result = held(frame, learned(frame, "1997-05-15"), champion, "1997-05-15", "1997-06-01")
    verdict = result.judge(GatePolicy(metric="accuracy", min_gain=0), **FACTS)

    assert -0.04 < result.measured("gain").value < 0
    assert verdict.outcome is not CheckOutcome.PASSED


def test_a_model_retrained_in_mid_june_passes_and_stays_ahead(frame, champion):
    candidate = learned(frame, "1997-06-15")
    result = held(frame, candidate, champion, "1997-06-15", "1997-07-01")
    verdict = result.judge(GatePolicy(metric="accuracy", min_gain=0), **FACTS)
    later = held(frame, candidate, champion, "1997-07-01", "1998-01-01").measured("gain")

    assert 0.17 < result.measured("gain").value < 0.24
    assert result.measured("gain").low > 0.12
    assert verdict.outcome is CheckOutcome.PASSED
    assert later.value == pytest.approx(0.04, abs=0.015)


def test_a_model_of_shuffled_labels_fails(frame, champion):
    sabotaged = learned(frame, "1997-06-15", shuffled=True)
    verdict = held(frame, sabotaged, champion, "1997-06-15", "1997-07-01").judge(
        GatePolicy(metric="accuracy", min=0.6, min_gain=0), **FACTS
    )

    assert verdict.outcome is not CheckOutcome.PASSED
    assert np.isfinite(verdict.evidence.candidate_score.value)
