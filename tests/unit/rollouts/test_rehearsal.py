"""How a rollout would end on traffic like that of the past."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from nbprod.domain.rollout_plan import MetricRule, RolloutPolicy, parse_plan
from nbprod.errors import DataError
from nbprod.rollouts.rehearsal import advice, rehearse, self_test

START = datetime(2026, 3, 1, tzinfo=UTC)
POLICY = RolloutPolicy(metrics=(MetricRule(name="errors"),), plan=parse_plan("canary:5:25:50:100"))


def past(days=10, units=3_000, rate=0.05, seed=1):
    rng = np.random.default_rng(seed)
    n = days * units
    return pd.DataFrame(
        {
            "prediction_id": [f"p{k}" for k in range(n)],
            "unit": [f"u{k}" for k in range(n)],
            "arm": "stable",
            "at": pd.to_datetime([START + timedelta(days=k // units, seconds=k % units) for k in range(n)]),
            "errors": (rng.random(n) < rate).astype(float),
        }
    )


def test_equal_candidates_are_promoted_and_bad_ones_rolled_back_early():
    """With three thousand units a day and one in twenty failing."""
    equal, quarter, double, fourfold = rehearse(past(), POLICY, runs=200)
    assert equal.rolled_back <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 200)
    assert equal.promoted > 0.9
    assert quarter.promoted <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 200)
    assert fourfold.rolled_back == double.rolled_back == 1
    assert fourfold.exposed < double.exposed
    assert advice([equal], POLICY) == []


def test_rare_events_leave_it_undecided_and_that_is_said():
    """Twenty units a day and one in a hundred failing: hold is the likely end, with what would help."""
    found = rehearse(past(days=30, units=20, rate=0.01), POLICY, runs=100)
    assert found[0].undecided > 0.5
    assert "hold is the likely end" in advice(found, POLICY)[0]


def test_the_stable_version_against_itself_is_rarely_rolled_back():
    """The very analysis of a rollout, on arms that gave the same answers."""
    found = self_test(past(days=2, units=1_500), POLICY, runs=12)
    assert found.rolled_back <= 3
    assert found.blocked <= 1


def test_a_past_that_says_nothing_is_refused():
    """Too short, or without any event."""
    with pytest.raises(DataError, match="too little"):
        rehearse(past(days=1, units=50), POLICY)
    with pytest.raises(DataError, match="no event"):
        rehearse(past(rate=0), POLICY)
    with pytest.raises(DataError, match="no step"):
        rehearse(past(), RolloutPolicy(metrics=POLICY.metrics, plan=parse_plan("shadow")))
