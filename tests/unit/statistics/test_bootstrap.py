"""Intervals hold the truth as often as they say, are paired, and follow blocks."""

import numpy as np
import pytest

from nbprod.errors import DataError
from nbprod.statistics import Interval, metric_interval, paired_difference


def test_interval_of_a_mean_agrees_with_the_normal_one():
    random = np.random.default_rng(0)
    y = random.integers(0, 2, 2000)
    guess = np.where(random.uniform(size=2000) < 0.8, y, 1 - y)
    found = metric_interval("accuracy", y, guess, resamples=4000)
    share = (y == guess).mean()
    half = 1.96 * np.sqrt(share * (1 - share) / 2000)
    assert found.value == share
    assert (found.low, found.high) == (pytest.approx(share - half, abs=0.002), pytest.approx(share + half, abs=0.002))


def test_named_metric_and_function_give_the_same_interval():
    random = np.random.default_rng(1)
    y, a, b = random.normal(size=(3, 200))
    blocks = np.repeat(np.arange(20), 10)
    named = paired_difference("mae", y, a, b, blocks=blocks, seed=5)
    plain = paired_difference(lambda y, p: np.abs(y - p).mean(), y, a, b, blocks=blocks, seed=5)
    assert (named.value, named.low, named.high) == pytest.approx((plain.value, plain.low, plain.high))
    auc = metric_interval("roc_auc", y > 0, a, blocks=blocks, seed=2, resamples=200)
    from sklearn.metrics import roc_auc_score

    same = metric_interval(roc_auc_score, y > 0, a, blocks=blocks, seed=2, resamples=200)
    assert (auc.value, auc.low, auc.high) == pytest.approx((same.value, same.low, same.high))


def test_many_rows_are_resampled_in_groups_of_the_same_spread():
    random = np.random.default_rng(4)
    guess = random.normal(size=40_000)
    found = metric_interval("mae", np.zeros(40_000), guess)
    assert found.high - found.low == pytest.approx(2 * 1.96 * np.abs(guess).std() / 200, rel=0.1)


def test_pairing_makes_the_interval_narrow():
    random = np.random.default_rng(2)
    y = random.normal(size=1000)
    a = y + random.normal(size=1000)
    b = a + 0.05 * np.sign(a - y)  # always a little worse
    found = paired_difference("mae", y, a, b)
    assert found.value == pytest.approx(-0.05)
    assert -0.0501 <= found.low <= found.high <= -0.0499


def test_one_block_says_nothing():
    found = metric_interval("mae", [1.0, 2.0], [1.5, 2.0], blocks=[7, 7])
    assert (found.value, found.low, found.high) == (0.25, -np.inf, np.inf)


def test_same_seed_gives_the_same_interval_and_another_one_does_not():
    y, p = np.random.default_rng(0).normal(size=(2, 50))
    assert metric_interval("rmse", y, p, seed=1) == metric_interval("rmse", y, p, seed=1)
    assert metric_interval("rmse", y, p, seed=1) != metric_interval("rmse", y, p, seed=2)


def test_lengths_must_agree():
    with pytest.raises(DataError, match="2 rows and 1 block"):
        metric_interval("mae", [1, 2], [1, 2], blocks=[1])
    with pytest.raises(DataError, match="no rows"):
        metric_interval("mae", [], [])


def test_interval_shows_itself():
    assert repr(Interval(value=0.5, low=0.25, high=0.75)) == "<Interval 0.5 [0.25, 0.75] at 95%>"
    assert Interval(value=1, low=0, high=2).to_dict() == {"value": 1, "low": 0, "high": 2, "level": 0.95}
