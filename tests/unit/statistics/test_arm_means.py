"""Means of two arms."""

import math

import numpy as np
import pytest
from scipy import stats

from nbprod.errors import SettingsError
from nbprod.statistics import ArmTotals, MeanStratum, mean_difference


def totals(values):
    return ArmTotals(
        units=len(values),
        total=float(np.sum(values)),
        squares=float(np.sum(np.square(values))),
        nonzero=int(np.count_nonzero(values)),
    )


def test_the_estimate_is_the_difference_of_means_and_wider_than_a_single_look():
    """The interval of one look that may be repeated is wider than Welch's, and not by more than half as much again."""
    rng = np.random.default_rng(1)
    one, other = rng.normal(0, 1, 3_000), rng.normal(0.2, 1.5, 2_000)
    found = mean_difference([MeanStratum(stable=totals(one), candidate=totals(other))]).difference
    welch = stats.ttest_ind(other, one, equal_var=False).confidence_interval(0.95)
    assert found.value == pytest.approx(other.mean() - one.mean())
    assert 1 < (found.high - found.low) / (welch.high - welch.low) < 1.8


def test_a_small_arm_is_not_looked_at():
    """Nine events in one arm: nothing is said, since a normal approximation would be wrong."""
    one, other = np.r_[np.ones(200), np.zeros(3_800)], np.r_[np.ones(9), np.zeros(91)]
    verdict = mean_difference([MeanStratum(stable=totals(one), candidate=totals(other))])
    assert not verdict.is_enough
    assert math.isinf(verdict.difference.low)


def test_equal_arms_are_rarely_told_apart_at_a_tenth_of_the_traffic():
    """At a hundred looks of a 10 % arm: at most alpha and its error, which fails without the guard."""
    rng = np.random.default_rng(2)
    runs, looks, found = 300, 60, 0
    for _ in range(runs):
        given = rng.random((looks, 200)) < 0.1
        event = rng.random((looks, 200)) < 0.05
        theirs, n = (given & event).sum(1).cumsum(), given.sum(1).cumsum()
        others, m = (~given & event).sum(1).cumsum(), (~given).sum(1).cumsum()
        arms = [
            MeanStratum(
                stable=ArmTotals(
                    units=int(m[k]), total=float(others[k]), squares=float(others[k]), nonzero=int(others[k])
                ),
                candidate=ArmTotals(
                    units=int(n[k]), total=float(theirs[k]), squares=float(theirs[k]), nonzero=int(theirs[k])
                ),
            )
            for k in range(looks)
        ]
        found += any(
            0 not in mean_difference([one]).difference for one in arms if min(one.candidate.units, one.stable.units)
        )
    assert found / runs <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)


def test_a_baseline_that_moves_between_strata_is_no_difference():
    """Pooled, the candidate would look worse; by stratum it does not."""
    rng = np.random.default_rng(3)
    early = MeanStratum(stable=totals(rng.normal(0, 1, 9_500)), candidate=totals(rng.normal(0, 1, 500)))
    late = MeanStratum(stable=totals(rng.normal(2, 1, 5_000)), candidate=totals(rng.normal(2, 1, 5_000)))
    assert 0 in mean_difference([early, late]).difference


def test_what_cannot_be_used_is_refused():
    """A horizon of no units."""
    with pytest.raises(SettingsError):
        mean_difference([], horizon=0)
    assert mean_difference([]).units == 0
