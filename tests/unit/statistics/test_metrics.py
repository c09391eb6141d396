"""Every metric equals scikit-learn's."""

import numpy as np
import pytest
from sklearn import metrics as sk

from nbprod.errors import DataError, SettingsError
from nbprod.statistics import METRICS, metric

RANDOM = np.random.default_rng(3)
ROWS = 400
WEIGHTS = RANDOM.integers(0, 4, ROWS).astype(float)


def binary():
    y = RANDOM.integers(0, 2, ROWS)
    p = np.clip(np.round(0.3 * y + RANDOM.uniform(0, 0.7, ROWS), 2), 0, 1)  # rounded, so that there are ties
    return y, p


@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_binary_metrics_equal_scikit_learn(weights):
    y, p = binary()
    label = (p > 0.5).astype(int)
    expected = {
        "accuracy": sk.accuracy_score(y, label, sample_weight=weights),
        "precision": sk.precision_score(y, label, sample_weight=weights),
        "recall": sk.recall_score(y, label, sample_weight=weights),
        "f1": sk.f1_score(y, label, sample_weight=weights),
        "roc_auc": sk.roc_auc_score(y, p, sample_weight=weights),
        "log_loss": sk.log_loss(y, p, sample_weight=weights),
        "brier": sk.brier_score_loss(y, p, sample_weight=weights),
    }
    for name, value in expected.items():
        given = label if METRICS[name].needs == "label" else p
        assert metric(name)(y, given, weights=weights) == pytest.approx(value, abs=1e-12), name
        if METRICS[name].needs == "probability":
            both = np.column_stack([1 - p, p])
            assert metric(name)(y, both, weights=weights) == pytest.approx(value, abs=1e-12), name


@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_metrics_of_three_classes_equal_scikit_learn(weights):
    names = np.array(["blue", "green", "red"])
    codes = RANDOM.integers(0, 3, ROWS)
    y = names[codes]
    p = RANDOM.dirichlet([1, 1, 1], ROWS) * 0.6 + 0.4 * np.eye(3)[codes] * RANDOM.uniform(0, 1, (ROWS, 1))
    p /= p.sum(axis=1, keepdims=True)
    label = names[p.argmax(axis=1)]
    expected = {
        "accuracy": sk.accuracy_score(y, label, sample_weight=weights),
        "precision": sk.precision_score(y, label, average="macro", sample_weight=weights),
        "recall": sk.recall_score(y, label, average="macro", sample_weight=weights),
        "f1": sk.f1_score(y, label, average="macro", sample_weight=weights),
        "roc_auc": sk.roc_auc_score(y, p, multi_class="ovr", sample_weight=weights),
        "log_loss": sk.log_loss(y, p, sample_weight=weights),
        "brier": sk.brier_score_loss(y, p, sample_weight=weights),
    }
    for name, value in expected.items():
        given = label if METRICS[name].needs == "label" else p
        assert metric(name)(y, given, weights=weights) == pytest.approx(value, abs=1e-12), name


@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_regression_metrics_equal_scikit_learn(weights):
    y = RANDOM.normal(1e6, 1, ROWS)
    guess = y + RANDOM.normal(0, 0.3, ROWS)
    for name, value in {
        "mae": sk.mean_absolute_error(y, guess, sample_weight=weights),
        "rmse": sk.root_mean_squared_error(y, guess, sample_weight=weights),
        "r2": sk.r2_score(y, guess, sample_weight=weights),
    }.items():
        assert metric(name)(y, guess, weights=weights) == pytest.approx(value, abs=1e-9), name


def test_labels_of_any_type_are_understood():
    assert metric("recall")([True, False, True], [True, True, False]) == 0.5
    assert metric("recall")(np.array([True, False, None], dtype=object)[:2], [1, 0]) == 1.0
    assert metric("f1")(["no", "yes"], ["no", "yes"]) == 1.0
    assert metric("recall")([1, 0], [1.0, 0.0]) == 1.0
    assert metric("precision")(["a", "b"], ["b", "b"], classes=["b", "a"]) == 0.0


def test_undefined_metrics_are_nan():
    assert np.isnan(metric("roc_auc")([1, 1], [0.2, 0.3]))
    assert np.isnan(metric("r2")([1.0, 1.0], [1.0, 2.0]))
    assert metric("log_loss")([0, 0], [0.1, 0.1]) == pytest.approx(-np.log(0.9))
    assert metric("log_loss")([1, 1], [0.1, 0.1]) == pytest.approx(-np.log(0.1))


def test_unusable_input_is_refused():
    with pytest.raises(SettingsError, match="Did you mean accuracy"):
        metric("acuracy")
    with pytest.raises(DataError, match="2 rows, 1 predictions"):
        metric("mae")([1, 2], [1])
    with pytest.raises(DataError, match="missing values"):
        metric("accuracy")(["a", None], ["a", "b"])
    with pytest.raises(DataError, match="3 columns of probabilities for 2 classes"):
        metric("log_loss")([0, 1], np.full((2, 3), 1 / 3))
    with pytest.raises(DataError, match="none of the classes"):
        metric("brier")([0, 2], [0.1, 0.9], classes=[0, 1])


def test_direction_is_known():
    assert METRICS["roc_auc"].higher_is_better
    assert not METRICS["rmse"].higher_is_better
    assert repr(METRICS["mae"]) == "<Metric mae of numbers, lower is better>"
