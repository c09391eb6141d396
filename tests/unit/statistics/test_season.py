"""A week with noise of known size: faults of known size are found, incidents forgiven."""

import numpy as np
import pytest

from nbprod.statistics import unusual_level, unusual_share

DAYS = 57
WEEK = np.array([1.0, 1.0, 1.0, 1.0, 1.0, 0.5, 0.4])


def levels(rng, *, days=DAYS, growth=0.0):
    """The newest first."""
    back = np.arange(days)
    return np.exp(np.log(WEEK[back % 7]) + rng.normal(0, 0.1, days) - growth * back / 7)


def shares(rng, *, share=0.005, spread=0.15, requests=20_000):
    totals = rng.poisson(requests * WEEK[np.arange(DAYS) % 7])
    return rng.binomial(totals, share * np.exp(rng.normal(0, spread, DAYS))), totals


def test_what_is_usual_on_a_sunday_is_that_of_sundays():
    values = WEEK[np.arange(DAYS) % 7] * 100

    found = unusual_level(values[0], values[1:])

    assert found.usual == pytest.approx(100)
    assert found.weeks == 4
    assert unusual_level(40.0, values[1:], both=True).p_value < 1e-6


def test_a_doubled_level_and_a_doubled_share_are_found():
    rng = np.random.default_rng(3)
    events, totals = shares(rng, spread=0.05)
    values = levels(rng)

    assert unusual_level(2 * values[0], values[1:]).p_value < 1e-4
    assert unusual_share(2 * events[0], totals[0], events[1:], totals[1:]).p_value < 1e-5


def test_one_incident_before_hides_no_fault():
    """A day on which a fifth of all requests failed, a week ago, is no part of what is usual."""
    rng = np.random.default_rng(4)
    events, totals = shares(rng, spread=0.05)
    events[7] = totals[7] // 5
    values = levels(rng)
    values[7] *= 30

    share = unusual_share(2 * events[0], totals[0], events[1:], totals[1:])

    assert share.usual == pytest.approx(0.005, rel=0.15)
    assert share.p_value < 1e-4
    assert unusual_level(2 * values[0], values[1:]).p_value < 1e-3


@pytest.mark.parametrize("days", [0, 6, 13])
def test_two_weeks_say_nothing_yet(days):
    """What is usual, and how much that varies, needs a week before the weeks before."""
    assert unusual_level(1.0, np.ones(days)) is None
    assert unusual_share(1.0, 10.0, np.ones(days), np.full(days, 10.0)) is None


def test_unknown_days_are_left_out_and_an_unknown_value_is_not_judged():
    values = levels(np.random.default_rng(5))
    values[[3, 14, 20]] = np.nan

    assert unusual_level(values[0], values[1:]).weeks == 4
    assert unusual_level(float("nan"), values[1:]) is None
    assert unusual_share(0.0, 0.0, np.ones(56), np.full(56, 10.0)) is None


def test_errors_where_there_never_were_any_are_found():
    found = unusual_share(30.0, 10_000.0, np.zeros(56), np.full(56, 10_000.0))

    assert found.usual < 1e-4
    assert found.p_value < 1e-6
