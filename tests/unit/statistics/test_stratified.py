"""Figures from rows that were looked at with known chances: they cover the truth, and without correction do not."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from nbprod.errors import DataError
from nbprod.statistics import metric_interval, sampled_strata, stratified_share, stratum_weights


def reviewed(seed, rows=4000):
    """A tenth is uncertain and right in 60 %, the rest in 95 %; all uncertain ones and 3 % of the rest are seen."""
    random = np.random.default_rng(seed)
    uncertain = random.random(rows) < 0.1
    right = random.random(rows) < np.where(uncertain, 0.6, 0.95)
    chances = np.where(uncertain, 1.0, 0.03)
    known = random.random(rows) < chances
    return chances, known, right


TRUTH = 0.1 * 0.6 + 0.9 * 0.95


def test_the_corrected_share_covers_and_the_uncorrected_does_not():
    """Over 300 simulated windows the 95 % interval holds the true accuracy in at least 93 %, the plain one in none."""
    corrected, plain = [], []
    for seed in range(300):
        chances, known, right = reviewed(seed)
        corrected.append(TRUTH in stratified_share(sampled_strata(chances, known, right)))
        alone = [
            type(one)(chance=1.0, rows=known.sum(), known=known.sum(), events=right[known].sum())
            for one in sampled_strata(chances, known, right)[:1]
        ]
        plain.append(TRUTH in stratified_share(alone))
    assert np.mean(corrected) > 0.93
    assert np.mean(plain) < 0.05


def test_weighted_resampling_covers_and_plain_does_not():
    """The same of the bootstrap interval the monitors use."""
    covered, plain = [], []
    for seed in range(60):
        chances, known, right = reviewed(seed)
        truth, made = np.ones(known.sum()), right[known].astype(float)
        weights = stratum_weights(chances, known)[known]
        settings = {"seed": seed, "resamples": 200, "classes": [0.0, 1.0]}
        covered.append(TRUTH in metric_interval("accuracy", truth, made, weights=weights, **settings))
        plain.append(TRUTH in metric_interval("accuracy", truth, made, **settings))
    assert np.mean(covered) > 0.88
    assert np.mean(plain) < 0.05


def test_a_part_that_was_answered_in_part_still_stands_for_itself():
    """Half of what was sent is unanswered: the weights are by what came, and add up to all rows."""
    chances, known, right = reviewed(1)
    known &= np.random.default_rng(2).random(len(known)) < 0.5
    weights = stratum_weights(chances, known)
    assert weights.sum() == pytest.approx(len(known))
    assert not weights[~known].any()
    assert (weights[known] * right[known]).sum() / len(known) == pytest.approx(
        stratified_share(sampled_strata(chances, known, right)).value
    )


def test_a_part_nobody_looked_at_says_nothing():
    """Without one known row of a stratum no figure of all is told."""
    with pytest.raises(DataError, match="none was"):
        stratum_weights([1.0, 0.0], [True, False])
    with pytest.raises(DataError):
        stratified_share(sampled_strata([1.0, 0.0], [True, False]))


def test_a_part_without_an_error_has_an_upper_bound():
    """Thirty right of thirty do not prove that a thousand are."""
    found = stratified_share(sampled_strata(np.full(1000, 0.03), np.arange(1000) < 30, np.ones(1000)))
    assert found.value == 1
    assert 0.8 < found.low < 0.95


def test_the_weighted_area_is_scikit_learns():
    """ROC AUC with weights of rows."""
    random = np.random.default_rng(4)
    truth = random.integers(0, 2, 300)
    score = np.round(truth * 0.3 + random.random(300), 1) / 2
    weights = random.random(300) * 5
    found = metric_interval("roc_auc", truth, score, weights=weights, classes=[0, 1], resamples=5)
    assert found.value == pytest.approx(roc_auc_score(truth, score, sample_weight=weights))
