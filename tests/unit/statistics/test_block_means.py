"""Intervals hold the truth as often as they say, on blocks that are alike inside."""

import numpy as np
import pytest
from scipy import stats

from nbprod.statistics import Interval, effective_number, fall_between, jackknife_interval, mean_interval


def drawn(rng, blocks=20, rows=30):
    """Rows that share a block's own level."""
    number = np.repeat(np.arange(blocks), rows)
    return rng.normal(0, 1, blocks)[number] + rng.normal(0, 1, len(number)), number


def test_a_mean_is_held_as_often_as_it_says_where_rows_would_not():
    rng = np.random.default_rng(0)
    held = naive = 0
    for seed in range(150):
        values, blocks = drawn(rng)
        held += 0.0 in mean_interval(values, blocks, seed=seed, resamples=300)
        half = 1.96 * values.std() / np.sqrt(len(values))
        naive += abs(values.mean()) <= half
    assert 0.9 <= held / 150 <= 0.99
    assert naive / 150 < 0.7


def test_unknown_values_are_left_out_and_nothing_known_is_no_interval():
    values = np.array([1.0, np.nan, 3.0, np.nan])

    assert mean_interval(values, [0, 0, 1, 1]).value == 2.0
    assert np.isnan(mean_interval(values * np.nan, [0, 0, 1, 1]).value)
    assert mean_interval(values, [0, 0, 0, 0]).high == np.inf


def test_the_jackknife_of_a_mean_is_students_interval_of_the_block_means():
    rng = np.random.default_rng(1)
    values, blocks = drawn(rng)
    means = values.reshape(20, 30).mean(axis=1)
    low, high = stats.t.interval(0.95, 19, means.mean(), stats.sem(means))

    found = jackknife_interval(lambda rows: float(values[rows].mean()), blocks)

    assert (found.low, found.high) == pytest.approx((low, high))


def test_the_jackknife_holds_the_number_of_items():
    """Eight items of known shares: their effective number is in nearly all intervals."""
    rng = np.random.default_rng(2)
    shares = np.array([0.3, 0.2, 0.15, 0.1, 0.1, 0.05, 0.05, 0.05])
    truth = float(np.exp(-np.sum(shares * np.log(shares))))
    held = 0
    for _ in range(8):
        shown = rng.choice(8, 2000, p=shares)
        held += truth in jackknife_interval(lambda rows, s=shown: effective_number(s[rows]), np.arange(2000) // 100)
    assert held >= 6
    assert jackknife_interval(lambda rows: 1.0, np.zeros(5)).low == -np.inf


def test_a_fall_has_the_direction_of_what_is_worse():
    before, after = Interval(value=0.8, low=0.78, high=0.82), Interval(value=0.7, low=0.67, high=0.73)

    worse = fall_between(before, after, higher_is_better=True)
    better = fall_between(before, after, higher_is_better=False)

    assert (worse.value, better.value) == pytest.approx((0.1, -0.1))
    assert worse.high - worse.value == pytest.approx(np.hypot(0.02, 0.03))
    assert worse.chance < 1e-6 < 1 - 1e-6 < better.chance
