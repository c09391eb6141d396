"""Estimated performance is close to what outcomes later say, for every task and metric."""

import numpy as np
import pandas as pd
import pytest

from nbprod.statistics import METRICS, PerformanceEstimator
from tests.unit.statistics.test_estimation import fitted, scored

CLASSIFICATION = {name for name, metric in METRICS.items() if metric.task == "classification"}


def test_all_classification_metrics_are_estimated_under_covariate_shift():
    estimator = fitted()
    current = scored(6000, shift=1.0, seed=2)
    found = estimator.estimate(current.drop(columns="y"))
    assert set(found) == CLASSIFICATION
    checked = estimator.check(current)
    for name, agreement in checked.items():
        assert agreement.realised == pytest.approx(found[name].value, abs=0.02), name
        assert agreement.p_value > 0.001, name
    assert sum(agreement.holds for agreement in checked.values()) >= 5


@pytest.mark.parametrize("blunt", [0.4, 3.0])
def test_probabilities_that_are_too_shy_or_too_bold_are_calibrated(blunt):
    estimator = fitted(blunt=blunt)
    assert "none" not in estimator.outlook.calibration.calibration.methods
    current = scored(6000, shift=-0.5, seed=3, blunt=blunt)
    agreement = estimator.check(current)["accuracy"]
    assert agreement.realised == pytest.approx(agreement.estimated.value, abs=0.02)


def test_three_classes_are_estimated():
    random = np.random.default_rng(0)

    def rows(n, weight):
        p = random.dirichlet(weight, n)
        y = np.array(["a", "b", "c"])[(random.uniform(size=(n, 1)) > np.cumsum(p, axis=1)[:, :2]).sum(axis=1)]
        return pd.DataFrame({"y": y, "pa": p[:, 0], "pb": p[:, 1], "pc": p[:, 2]})

    estimator = PerformanceEstimator.fit(rows(4000, [1, 1, 1]), target="y", probability=["pa", "pb", "pc"])
    for name, agreement in estimator.check(rows(4000, [2, 0.7, 0.5])).items():
        assert agreement.realised == pytest.approx(agreement.estimated.value, abs=0.03), name


def test_regression_errors_are_estimated_where_they_depend_on_the_rows():
    def rows(n, low, high, seed):
        random = np.random.default_rng(seed)
        x = random.uniform(low, high, n)
        kind = random.choice(["calm", "wild"], n)
        noise = random.normal(size=n) * np.where(kind == "wild", x, 0.2)
        return pd.DataFrame({"x": x, "kind": kind, "y": x + noise, "y_pred": x})

    estimator = PerformanceEstimator.fit(rows(1500, 0, 3, 1), target="y", prediction="y_pred")
    assert estimator.task == "regression"
    found = estimator.check(rows(1500, 2, 3, 2))
    assert set(found) == {"mae", "rmse", "r2"}
    for agreement in found.values():
        assert agreement.realised == pytest.approx(agreement.estimated.value, rel=0.15)
    assert estimator.reference["mae"] < 0.75 * found["mae"].estimated.value
