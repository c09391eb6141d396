"""Two models on the same requests."""

import math

import numpy as np
import pytest
from scipy import integrate, stats

from nbprod.errors import DataError, SettingsError
from nbprod.statistics import paired_loss_verdict, paired_verdict


def answers(worse, better, equal):
    """Whether each model was wrong, for given numbers of requests."""
    stable = [False] * worse + [True] * better + [False] * equal
    candidate = [True] * worse + [False] * better + [False] * equal
    return np.array(stable), np.array(candidate)


def simulated(rng, worse, better, rows, runs):
    draws = rng.choice(3, size=(runs, rows), p=[worse, better, 1 - worse - better])
    return draws == 1, draws == 0


def test_harm_is_the_average_likelihood_over_the_worse_half():
    """Against numerical integration over the half of the beta distribution in which the candidate is worse."""
    prior = stats.beta(2, 2)
    whole = integrate.quad(lambda p: 2 * prior.pdf(p) * p**30 * (1 - p) ** 12 * 2**42, 0.5, 1)[0]
    assert paired_verdict(*answers(30, 12, 100)).e_harm == pytest.approx(whole)


def test_requests_that_both_answer_alike_say_nothing_of_harm():
    """A thousand more of them change no evidence of harm."""
    few, many = paired_verdict(*answers(20, 10, 0)), paired_verdict(*answers(20, 10, 1_000))
    assert few.e_harm == pytest.approx(many.e_harm)
    assert many.difference.high < few.difference.high


@pytest.mark.parametrize(("worse", "better", "mistake"), [(0.03, 0.03, "roll back"), (0.04, 0.03, "promote")])
def test_mistakes_are_rare_over_all_looks(worse, better, mistake):
    """Equal models are rarely rolled back, models worse by the margin rarely promoted, in six looks."""
    stable, candidate = simulated(np.random.default_rng(7), worse, better, 3_000, 60)
    ended = [
        any(paired_verdict(s[:n], c[:n], margin=0.01).decision == mistake for n in range(500, 3_001, 500))
        for s, c in zip(stable, candidate, strict=True)
    ]
    assert np.mean(ended) <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 60)


def test_the_interval_holds_the_true_difference():
    """Of 200 runs at most alpha and its error miss it."""
    stable, candidate = simulated(np.random.default_rng(8), 0.05, 0.03, 1_500, 200)
    missed = [0.02 not in paired_verdict(s, c).difference for s, c in zip(stable, candidate, strict=True)]
    assert np.mean(missed) <= 0.05


def test_a_better_candidate_is_promoted_after_few_requests():
    """Two points better with 6 % of the requests answered differently: a thousand or so, where A/B takes six times."""
    stable, candidate = simulated(np.random.default_rng(9), 0.02, 0.04, 1_500, 40)
    ended = [paired_verdict(s, c).decision for s, c in zip(stable, candidate, strict=True)]
    assert ended.count("promote") > 30


def test_losses_are_compared_in_their_own_unit():
    """An error of five units less is found, and its interval is in units."""
    rng = np.random.default_rng(10)
    stable = np.abs(rng.normal(0, 30, 8_000))
    verdict = paired_loss_verdict(stable, np.maximum(stable - 5, 0), largest=100, margin=2)
    assert verdict.decision == "promote"
    assert -6 < verdict.difference.low < verdict.difference.high < 0
    assert paired_loss_verdict(stable, stable + 5, largest=100, margin=2).decision == "roll back"


def test_no_request_is_hold():
    """Nothing answered by both decides nothing."""
    verdict = paired_verdict([], [])
    assert verdict.decision == "hold"
    assert (verdict.difference.low, verdict.difference.high) == (-1, 1)
    assert paired_loss_verdict([], [], largest=1, margin=0.1).decision == "hold"


def test_what_is_not_paired_is_refused():
    """Different numbers of answers, a margin of nothing, losses that are no numbers."""
    with pytest.raises(DataError):
        paired_verdict([True], [True, False])
    with pytest.raises(SettingsError):
        paired_verdict([True], [True], margin=0)
    with pytest.raises(DataError):
        paired_loss_verdict([math.nan], [1.0], largest=2, margin=0.1)
