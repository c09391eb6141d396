"""Expected metrics and their variances are those of outcomes drawn with the same chances."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, brier_score_loss, f1_score, log_loss, precision_score, recall_score
from sklearn.metrics import roc_auc_score as auc

from nbprod.statistics.linearised import expected_metrics

NAMES = ("accuracy", "precision", "recall", "f1", "roc_auc", "log_loss", "brier")


def rows(count, classes=2, seed=0):
    """Chances, the model's own probabilities and its answers."""
    random = np.random.default_rng(seed)
    chance = random.dirichlet(np.ones(classes), count)
    raw = random.dirichlet(np.ones(classes), count) * 0.3 + chance * 0.7
    return chance, raw, raw.argmax(axis=1)


def test_expected_metrics_equal_scikit_learns_on_rows_weighted_by_their_chance():
    """Each row stands twice, once for each outcome, with the chance of it as its weight."""
    chance, raw, said = rows(200)
    found = expected_metrics(chance, raw, said, NAMES)

    truth, weight = np.repeat([0, 1], 200), np.r_[chance[:, 0], chance[:, 1]]
    twice, probability = np.r_[said, said], np.r_[raw[:, 1], raw[:, 1]]
    for name, score in (
        ("accuracy", accuracy_score),
        ("precision", precision_score),
        ("recall", recall_score),
        ("f1", f1_score),
    ):
        assert found[name].value == pytest.approx(score(truth, twice, sample_weight=weight), abs=1e-9), name
    for name, score in (("roc_auc", auc), ("log_loss", log_loss), ("brier", brier_score_loss)):
        assert found[name].value == pytest.approx(score(truth, probability, sample_weight=weight), abs=1e-9), name


def test_accuracy_varies_as_a_sum_of_coins():
    chance, raw, said = rows(50)
    right = chance[np.arange(50), said]
    found = expected_metrics(chance, raw, said, ("accuracy",))["accuracy"]
    assert found.variance == pytest.approx((right * (1 - right)).sum() / 50**2, rel=1e-6)


@pytest.mark.parametrize("classes", [2, 3])
def test_variances_are_those_of_drawn_outcomes(classes):
    from nbprod.statistics.metrics import METRICS

    chance, raw, said = rows(400, classes, seed=3)
    found = expected_metrics(chance, raw, said, NAMES)
    random = np.random.default_rng(4)
    drawn = (random.random((300, 400, 1)) > np.cumsum(chance, axis=1)[:, :-1]).sum(axis=2)
    for name in ("f1", "roc_auc", "log_loss"):
        guess = said if METRICS[name].needs == "label" else raw
        values = [METRICS[name](codes, guess, classes=list(range(classes))) for codes in drawn]
        # a standard deviation from 300 draws has a relative error of 1 / sqrt(600) = 4 %
        assert np.sqrt(found[name].variance) == pytest.approx(np.std(values), rel=0.15), name


def test_a_class_that_is_never_answered_moves_nothing_by_its_precision():
    chance, raw, _ = rows(60, 3)
    found = expected_metrics(chance, raw, np.zeros(60, dtype=np.int64), ("precision", "f1"))
    assert np.isfinite(found["precision"].variance)
    assert found["precision"].variance < 0.01
