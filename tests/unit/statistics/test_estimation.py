"""Performance is estimated again to the digit, and says when its assumption fails."""

from functools import cache

import numpy as np
import pandas as pd
import pytest

from nbprod.errors import DataError, SettingsError
from nbprod.statistics import METRICS, Interval, PerformanceEstimator
from nbprod.statistics.calibration import Calibration


def scored(rows, shift=0.0, *, concept=0.0, seed=0, blunt=1.0):
    """Rows of a logistic world and a model that knows it; ``blunt`` makes its probabilities too bold or too shy."""
    random = np.random.default_rng(seed)
    x = random.normal(shift, 1, rows)
    chance = 1 / (1 + np.exp(-2 * x))
    y = (random.uniform(size=rows) < 1 / (1 + np.exp(-2 * (x + concept)))).astype(int)
    p = chance**blunt / (chance**blunt + (1 - chance) ** blunt)
    return pd.DataFrame({"x": x, "y": y, "y_pred": (p > 0.5).astype(int), "y_prob": p})


@cache
def fitted(**options):
    reference = scored(6000, seed=1, **options)
    return PerformanceEstimator.fit(reference, target="y", prediction="y_pred", probability="y_prob")


def test_realised_metrics_equal_the_metrics_themselves():
    current = scored(500, seed=4)
    found = fitted().check(current)
    assert found["roc_auc"].realised == METRICS["roc_auc"](current["y"], current["y_prob"])
    assert found["f1"].realised == METRICS["f1"](current["y"], current["y_pred"])


def test_concept_drift_breaks_the_assumption_and_is_named():
    agreement = fitted().check(scored(3000, concept=1.5, seed=5))["accuracy"]
    assert not agreement.holds
    assert agreement.p_value < 1e-6
    assert agreement.realised < agreement.estimated.low
    assert agreement.difference.high < 0
    assert "not as estimated" in repr(agreement)


def test_estimates_by_chunk_and_without_answers():
    estimator = PerformanceEstimator.fit(scored(2000), target="y", probability="y_prob")
    current = scored(300, seed=8)
    found = estimator.estimate_chunks(current, np.repeat(["b", "a", "c"], 100))
    assert list(found) == ["a", "b", "c"]
    assert isinstance(found["a"]["accuracy"], Interval)
    assert found["b"]["accuracy"] == estimator.estimate(current[:100])["accuracy"]


def test_same_seed_gives_the_same_estimates():
    current = scored(300, seed=9)
    assert fitted().estimate(current) == fitted.__wrapped__().estimate(current)


def test_unusable_input_is_refused():
    with pytest.raises(DataError, match="one class"):
        PerformanceEstimator.fit(scored(200).assign(y=1), target="y", probability="y_prob")
    with pytest.raises(DataError, match="10 rows with an outcome"):
        PerformanceEstimator.fit(scored(10), target="y", probability="y_prob")
    with pytest.raises(DataError, match="Did you mean y_prob"):
        PerformanceEstimator.fit(scored(100), target="y", probability="y_porb")
    with pytest.raises(SettingsError, match="without predictions"):
        PerformanceEstimator.fit(scored(100), target="y")
    with pytest.raises(DataError, match="no rows"):
        fitted().estimate(scored(10).iloc[:0])
    with pytest.raises(DataError, match="no column 'y_pred'"):
        fitted().estimate(scored(10).drop(columns="y_pred"))


def test_calibration_is_monotone():
    current = scored(3000, blunt=3.0)
    raw = np.column_stack([1 - current["y_prob"], current["y_prob"]])
    for method in ("none", "platt", "isotonic"):
        found = Calibration.fit(raw, current["y"].to_numpy(), method)
        order = np.argsort(raw[:, 1])
        assert (np.diff(found(raw)[order, 1]) >= -1e-12).all()


def test_platt_equals_scikit_learns_logistic_regression_on_plenty_of_rows():
    from scipy.special import logit
    from sklearn.linear_model import LogisticRegression

    current = scored(5000, blunt=2.0)
    raw = np.column_stack([1 - current["y_prob"], current["y_prob"]])
    found = Calibration.fit(raw, current["y"].to_numpy(), "platt")
    model = LogisticRegression(C=1e9, tol=1e-10).fit(logit(np.clip(raw[:, 1:], 1e-6, 1 - 1e-6)), current["y"])
    assert found(raw)[:, 1] == pytest.approx(
        model.predict_proba(logit(np.clip(raw[:, 1:], 1e-6, 1 - 1e-6)))[:, 1], abs=2e-3
    )
