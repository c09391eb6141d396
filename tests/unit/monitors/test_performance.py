import numpy as np
import pandas as pd
import pytest

from nbprod.domain.check import CheckOutcome
from nbprod.domain.monitor import MonitorPolicy
from nbprod.monitors.performance import ScoredRows, judge_performance, performance
from nbprod.statistics.interval import Interval

POLICY = MonitorPolicy(max_drop=0.05)


def scored(accuracy, rows=2000, seed=0):
    rng = np.random.default_rng(seed)
    outcome = rng.integers(0, 2, rows)
    right = rng.random(rows) < accuracy
    return ScoredRows(frame=pd.DataFrame({"outcome": outcome, "prediction": np.where(right, outcome, 1 - outcome)}))


def judged(before, after, policy=POLICY):
    a, b = (performance(s, "classification", policy, seed=1) for s in (before, after))
    return judge_performance(a, b, policy, task="classification")


def test_a_clear_drop_fails_with_its_interval():
    check = judged(scored(0.9), scored(0.7, seed=1))

    assert check.outcome is CheckOutcome.FAILED
    assert check.low < check.value < check.high
    assert check.low > 0.1
    assert "accuracy fell from 0.9" in check.sentence


def test_no_change_passes():
    assert judged(scored(0.9), scored(0.9, seed=2)).outcome is CheckOutcome.PASSED


def test_a_small_drop_that_may_be_material_is_inconclusive():
    assert judged(scored(0.9, rows=200), scored(0.86, rows=200, seed=3)).outcome is CheckOutcome.INCONCLUSIVE


def test_rows_without_outcome_are_left_out_never_counted_as_wrong():
    full = scored(0.9)
    half = full.frame.assign(outcome=full.frame["outcome"].where(np.arange(2000) % 2 == 0))
    partial = ScoredRows(frame=half)

    before = performance(full, "classification", POLICY)["accuracy"].value
    after = performance(partial, "classification", POLICY)["accuracy"].value

    assert after == pytest.approx(before, abs=0.03)


def test_too_few_outcomes_say_nothing():
    few = ScoredRows(frame=scored(0.9, rows=20).frame)

    check = judged(scored(0.9), few)

    assert check.outcome is CheckOutcome.INCONCLUSIVE
    assert "fewer than 30 outcomes" in check.sentence


def test_the_drop_of_an_error_is_its_rise_as_a_share():
    def mae(value, half):
        return {"mae": Interval(value=value, low=value - half, high=value + half)}

    worse = judge_performance(mae(10, 0.1), mae(12, 0.1), POLICY, task="regression")
    better = judge_performance(mae(10, 0.1), mae(9, 0.1), POLICY, task="regression")

    assert (worse.outcome, worse.value) == (CheckOutcome.FAILED, 2)
    assert worse.low == pytest.approx(2 - np.hypot(0.1, 0.1))
    assert better.outcome is CheckOutcome.PASSED


def test_blocks_of_time_widen_the_interval():
    """Rows that agree within a day are fewer facts than rows."""
    rng = np.random.default_rng(0)
    days = pd.date_range("2026-01-01", periods=40 * 48, freq="30min", tz="UTC")
    good_day = np.repeat(rng.random(40) < 0.7, 48)
    frame = pd.DataFrame({"outcome": np.ones(len(days), int), "prediction": good_day.astype(int)})
    frame.loc[0, "outcome"] = 0

    alone = performance(ScoredRows(frame=frame), "classification", POLICY)["accuracy"]
    by_day = performance(ScoredRows(frame=frame, times=days), "classification", POLICY)["accuracy"]

    assert by_day.high - by_day.low > 3 * (alone.high - alone.low)
