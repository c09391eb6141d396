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
    assert "none" not in estimator.expected.calibration.calibration.methods
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


def test_intervals_hold_as_many_realised_metrics_as_they_promise():
    """Ninety windows of a drifting world whose concept stays, a model that is too bold, and six metrics.

    Metrics of a window go together, so the share has the standard error of ninety windows: 2.3 points.
    """
    names = ("accuracy", "precision", "recall", "f1", "roc_auc", "brier")
    held = []
    for seed in range(6):
        estimator = PerformanceEstimator.fit(
            scored(3000, seed=100 + seed, blunt=2.0), target="y", prediction="y_pred", probability="y_prob"
        )
        for number in range(15):
            current = scored(500, shift=np.sin(number), seed=1000 + 20 * seed + number, blunt=2.0)
            found = estimator.check(current)
            held += [[found[name].realised in found[name].estimated for name in names]]
    share = float(np.mean(held))
    assert abs(share - 0.95) < 0.02 + 2 * 0.023, share


def test_features_correct_what_the_probability_alone_cannot_tell():
    """The model never saw ``hidden``, the window has more of it: a calibration of its probability cannot know."""

    def world(rows, share, seed):
        random = np.random.default_rng(seed)
        x, hidden = random.normal(size=rows), (random.uniform(size=rows) < share).astype(float)
        chance = 1 / (1 + np.exp(-(2 * x - 3 * hidden)))
        p = 1 / (1 + np.exp(-(2 * x - 0.9)))
        y = (random.uniform(size=rows) < chance).astype(int)
        return pd.DataFrame({"x": x, "hidden": hidden, "y": y, "y_pred": (p > 0.5).astype(int), "y_prob": p})

    reference, current = world(5000, 0.3, 0), world(5000, 0.8, 1)
    columns = {"target": "y", "prediction": "y_pred", "probability": "y_prob"}
    with_features = PerformanceEstimator.fit(reference, **columns).check(current)["precision"]
    without = PerformanceEstimator.fit(reference, features=[], **columns).check(current)["precision"]
    assert abs(with_features.difference.value) < 0.03
    assert abs(without.difference.value) > 0.1
    assert with_features.realised in with_features.estimated


def test_a_window_without_a_feature_has_the_plain_calibration():
    estimator = fitted()
    current = scored(500, seed=11)
    plain = PerformanceEstimator.fit(
        scored(6000, seed=1), target="y", prediction="y_pred", probability="y_prob", features=[]
    )
    blind = estimator.estimate(current.drop(columns="x"))["accuracy"].value
    assert blind == pytest.approx(plain.estimate(current)["accuracy"].value, abs=1e-12)
