"""Two arms by how often an event happens: evidence that holds whenever one looks."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from nbprod.errors import DataError, SettingsError
from nbprod.statistics import HarmProcess, Stratum, rate_verdict
from nbprod.statistics.event_rates import HARMFUL, log_evidence, rare_evidence

RUNS = 1_500


def looked_at(rng, share, ratio, *, rate=0.05, looks=100, per_look=200, runs=RUNS):
    """Events of each arm up to each look, shape (runs, looks)."""
    units = rng.binomial(per_look, share, (runs, looks))
    theirs = rng.binomial(units, rate * ratio)
    return theirs.cumsum(1), (theirs + rng.binomial(per_look - units, rate)).cumsum(1)


def test_evidence_is_the_average_likelihood_ratio_of_independent_arms():
    """Against scipy: given the total, the candidate's events are binomial with the chance that a ratio implies."""
    strata = [Stratum(share=0.1, events=57, candidate_events=9), Stratum(share=0.5, events=20, candidate_events=14)]

    def likelihood(ratio):
        return math.prod(
            stats.binom.pmf(one.candidate_events, one.events, one.share * ratio / (one.share * ratio + 1 - one.share))
            for one in strata
        )

    verdict = rate_verdict(strata, margin=1.25)
    assert verdict.e_harm == pytest.approx(np.mean([likelihood(r) for r in HARMFUL]) / likelihood(1))
    better = np.geomspace(0.4, 0.98 * 1.25, 25)
    assert verdict.e_not_worse == pytest.approx(np.mean([likelihood(r) for r in better]) / likelihood(1.25))


@given(st.floats(0.02, 0.98), st.integers(1, 60), st.data())
def test_the_estimate_is_the_odds_of_the_arms(share, events, data):
    """With one share the ratio is that of events by unit, and the interval holds it."""
    theirs = data.draw(st.integers(0, events))
    ratio = rate_verdict([Stratum(share=share, events=events, candidate_events=theirs)]).rate_ratio
    expected = math.inf if theirs == events else theirs / (events - theirs) * (1 - share) / share
    assert ratio.value == pytest.approx(expected, rel=1e-6)
    assert ratio.low <= ratio.value <= ratio.high


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5])
def test_equal_arms_are_rarely_rolled_back_however_often_one_looks(share):
    """Ville's inequality: at most alpha over a hundred looks together."""
    theirs, events = looked_at(np.random.default_rng(3), share, 1.0)
    harm, _ = log_evidence(theirs, events[..., None], np.array([share]), margin=1.25)
    assert (harm.max(axis=1) >= math.log(20)).mean() <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / RUNS)


@pytest.mark.parametrize("ratio", [1.25, 1.5])
def test_a_candidate_worse_by_the_margin_is_rarely_promoted(ratio):
    """At the margin and beyond it, over a hundred looks together."""
    theirs, events = looked_at(np.random.default_rng(4), 0.3, ratio)
    _, not_worse = log_evidence(theirs, events[..., None], np.array([0.3]), margin=1.25)
    assert (not_worse.max(axis=1) >= math.log(20)).mean() <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / RUNS)


def test_a_world_that_changes_with_the_ramp_does_not_look_like_harm():
    """Events become three times as frequent in both arms when the share rises: pooled, that is Simpson's paradox."""
    rng = np.random.default_rng(5)
    first = looked_at(rng, 0.05, 1.0, looks=30)
    second = looked_at(rng, 0.5, 1.0, rate=0.15, looks=30)
    theirs = np.concatenate([first[0], first[0][:, -1:] + second[0]], axis=1)
    events = np.stack(
        [np.c_[first[1], np.repeat(first[1][:, -1:], 30, 1)], np.c_[np.zeros((RUNS, 30)), second[1]]], axis=-1
    )
    harm, _ = log_evidence(theirs, events, np.array([0.05, 0.5]), margin=1.25)
    assert (harm.max(axis=1) >= math.log(20)).mean() <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / RUNS)


def test_the_interval_holds_the_true_ratio_at_all_looks():
    """Of 80 runs with a ratio of 1.4, at most alpha and its error miss it at any of five looks."""
    rng = np.random.default_rng(6)
    theirs, events = looked_at(rng, 0.2, 1.4, looks=5, per_look=1_000, runs=80)
    missed = 0
    for run in range(80):
        intervals = (
            rate_verdict([Stratum(share=0.2, events=int(n), candidate_events=int(s))]).rate_ratio
            for s, n in zip(theirs[run], events[run], strict=True)
        )
        missed += any(1.4 not in interval for interval in intervals)
    assert missed / 80 <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 80)


def test_fewer_good_events_are_harm():
    """A candidate with fewer conversions is rolled back, and its ratio is below one."""
    strata = [Stratum(share=0.5, events=3_000, candidate_events=1_300)]
    verdict = rate_verdict(strata, higher_is_better=True)
    assert verdict.decision == "roll back"
    assert verdict.rate_ratio.high < 1
    assert rate_verdict(strata).decision == "promote"


def test_nothing_seen_is_hold():
    """No stratum, or no event, decides nothing."""
    assert rate_verdict([]).decision == "hold"
    nothing = rate_verdict([Stratum(share=0.1, events=0, candidate_events=0)])
    assert nothing.decision == "hold"
    assert nothing.e_harm == nothing.e_not_worse == 1
    assert (nothing.rate_ratio.low, nothing.rate_ratio.high) == (0, math.inf)


def test_all_traffic_in_one_arm_says_nothing():
    """A step with a share of one has nothing to compare with."""
    whole = Stratum(share=1.0, events=500, candidate_events=500)
    part = Stratum(share=0.1, events=57, candidate_events=9)
    assert rate_verdict([whole, part]).e_harm == pytest.approx(rate_verdict([part]).e_harm)
    assert rate_verdict([whole, part]).rate_ratio.value == pytest.approx(rate_verdict([part]).rate_ratio.value)


def test_a_guard_gives_the_same_evidence_event_by_event():
    """What a router adds up is what the notebook computes from the log."""
    guard = HarmProcess(alpha=0.05)
    for n in range(60):
        guard.add(share=0.1 if n < 30 else 0.25, is_candidate=n % 4 == 0)
    strata = [
        Stratum(share=0.1, events=30, candidate_events=8),
        Stratum(share=0.25, events=30, candidate_events=7),
    ]
    assert guard.evidence == pytest.approx(rate_verdict(strata).e_harm)
    assert guard.is_harmful == (guard.evidence >= 20)


def test_the_mixture_is_a_density_of_bets():
    """Spread evenly over the logarithm of the ratio, the evidence is near the integral it stands for."""
    strata = [Stratum(share=0.3, events=40, candidate_events=18)]

    def ratio(log):
        chance = 0.3 * math.exp(log) / (0.3 * math.exp(log) + 0.7)
        return stats.binom.pmf(18, 40, chance) / stats.binom.pmf(18, 40, 0.3)

    low, high = math.log(1.05), math.log(5)
    whole = integrate.quad(ratio, low, high)[0] / (high - low)
    assert rate_verdict(strata).e_harm == pytest.approx(whole, rel=0.05)


@pytest.mark.parametrize(
    "facts",
    [
        {"share": -0.1, "events": 1, "candidate_events": 0},
        {"share": 1.1, "events": 1, "candidate_events": 1},
        {"share": 0.5, "events": 1, "candidate_events": 2},
        {"share": 0.5, "events": 1, "candidate_events": -1},
        {"share": 0.0, "events": 1, "candidate_events": 1},
        {"share": 1.0, "events": 2, "candidate_events": 1},
    ],
)
def test_events_that_cannot_be_are_refused(facts):
    """A share that is none, more events in an arm than there are, events in an arm that was given nothing."""
    with pytest.raises((DataError, SettingsError)):
        Stratum(**facts)


@pytest.mark.parametrize("given_", [{"margin": 1.0}, {"margin": 0.8}, {"alpha": 0}, {"alpha": 1}])
def test_rules_that_decide_nothing_are_refused(given_):
    """A margin of one or less and a chance that is none."""
    with pytest.raises(SettingsError):
        rate_verdict([], **given_)


def test_a_rare_event_is_shown_to_be_rare_and_a_common_one_hardly_ever():
    """None in 500 units is below 1 %; at 1 % itself, at most one run in twenty and its error says so at any look."""
    assert rare_evidence(0, 500, 0.01) > 20
    assert rare_evidence(10, 500, 0.01) < 1
    events = (np.random.default_rng(2).random((800, 3_000)) < 0.01).cumsum(axis=1)[:, 99::100]
    found = [max(rare_evidence(int(n), 100 * (k + 1), 0.01) for k, n in enumerate(run)) >= 20 for run in events]
    assert np.mean(found) <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 800)
