"""What the log of a rollout says."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from nbprod.domain.rollout import bucket_of
from nbprod.domain.rollout_plan import MetricRule, RolloutPolicy, parse_plan
from nbprod.errors import DataError
from nbprod.rollouts.analysis import analyse, analyse_pairs

NOW = datetime(2026, 3, 1, tzinfo=UTC)
CANARY = parse_plan("canary:10:50")
ERRORS = RolloutPolicy(metrics=(MetricRule(name="errors"),))


def a_log(rng, units=4_000, share=0.1, ratio=1.0, rate=0.1, requests=1, name="errors"):
    """Requests of units assigned by bucket, an event a request with a chance that depends on the arm."""
    unit = np.repeat([f"u{n}" for n in range(units)], requests)
    theirs = np.array([bucket_of("salt", one) < share for one in unit])
    event = rng.random(len(unit)) < np.where(theirs, rate * ratio, rate)
    return pd.DataFrame(
        {
            "unit": unit,
            "arm": np.where(theirs, "candidate", "stable"),
            "share": share,
            "stratum": f"0:{share}",
            "at": [NOW + timedelta(seconds=n) for n in range(len(unit))],
            name: event.astype(float),
        }
    )


def test_four_times_the_errors_are_rolled_back():
    """Within a few hundred units of the candidate."""
    found = analyse(a_log(np.random.default_rng(1), ratio=4.0), ERRORS, CANARY[0], is_last=False)
    assert found.decision == "roll back"
    assert "errors" in found.sentence
    assert found.evidence["errors"]["low"] > 1


def test_an_equal_candidate_is_promoted_in_the_last_step_and_advances_before():
    """Enough evidence of not being worse; what comes next depends on the step."""
    log = a_log(np.random.default_rng(2), units=12_000, share=0.5)
    assert analyse(log, ERRORS, CANARY[1], is_last=True).decision == "promote"
    assert analyse(log, ERRORS, CANARY[1], is_last=False).decision == "advance"


def test_a_step_without_harm_advances_after_its_units():
    """200 units met the candidate: too few for proof, enough to let a few more meet it; in the last step it holds."""
    log = a_log(np.random.default_rng(3), units=2_400, rate=0.02)
    assert analyse(log, ERRORS, CANARY[0], is_last=False).decision == "advance"
    assert analyse(log, ERRORS, CANARY[0], is_last=True).decision == "hold"
    assert analyse(log.head(500), ERRORS, CANARY[0], is_last=False).decision == "hold"


def test_a_unit_counts_once_however_often_it_comes_back():
    """Ten of a unit's requests fail: one event."""
    log = pd.concat([a_log(np.random.default_rng(4), units=50)] * 10, ignore_index=True).assign(errors=1.0)
    assert analyse(log, ERRORS, CANARY[0], is_last=False).verdicts["errors"].events == 50


def test_arms_that_were_not_given_their_shares_block_every_decision():
    """Half of the candidate's units are missing from the log: whatever the errors say."""
    log = a_log(np.random.default_rng(5), units=20_000, ratio=4.0)
    lost = log["arm"].eq("candidate") & (np.arange(len(log)) % 2 == 0)
    found = analyse(log[~lost], ERRORS, CANARY[0], is_last=False)
    assert found.decision == "blocked"


def test_requests_without_a_unit_count_by_themselves_and_that_is_said():
    """Evidence may then be too strong."""
    log = a_log(np.random.default_rng(6)).assign(unit=None)
    found = analyse(log, ERRORS, CANARY[0], is_last=False)
    assert sum(found.units.values()) == len(log)
    assert "name no unit" in found.remarks[0]


def test_outcomes_that_are_not_known_yet_count_for_nobody():
    """Not yet labelled is never right or wrong."""
    log = a_log(np.random.default_rng(7))
    log["errors"] = log["errors"].where(np.arange(len(log)) % 2 == 0)
    found = analyse(log, ERRORS, CANARY[0], is_last=False)
    assert found.verdicts["errors"].events == int(np.nansum(log["errors"]))


def test_a_mean_decides_too():
    """A cost that is a tenth higher, where a twentieth is tolerated; and one that is the same."""
    rng = np.random.default_rng(8)
    policy = RolloutPolicy(metrics=(MetricRule(name="cost", margin=1.05),))
    log = a_log(rng, units=20_000, share=0.5).drop(columns="errors")
    cost = rng.gamma(4, 10, len(log))
    higher = log.assign(cost=np.where(log["arm"] == "candidate", cost * 1.1, cost))
    assert analyse(higher, policy, CANARY[1], is_last=True).decision == "roll back"
    assert analyse(log.assign(cost=cost), policy, CANARY[1], is_last=True).decision == "promote"


def test_an_ab_test_promotes_only_what_is_better():
    """Equal is not enough; half the errors are."""
    half = parse_plan("ab:50")[0]
    rng = np.random.default_rng(9)
    same = a_log(rng, units=12_000, share=0.5)
    better = a_log(rng, units=12_000, share=0.5, ratio=0.5)
    assert analyse(same, ERRORS, half, is_last=True).decision == "hold"
    assert analyse(better, ERRORS, half, is_last=True).decision == "promote"


def test_after_a_promotion_only_harm_is_looked_for():
    """A holdback goes on with the test."""
    log = a_log(np.random.default_rng(10), units=12_000, share=0.9)
    assert analyse(log, ERRORS, CANARY[1], is_last=True, is_promoted=True).decision == "hold"
    worse = a_log(np.random.default_rng(10), units=12_000, share=0.9, ratio=3.0)
    assert analyse(worse, ERRORS, CANARY[1], is_last=True, is_promoted=True).decision == "roll back"


def test_a_metric_that_is_not_in_the_log_is_named():
    """With what to do about it."""
    policy = RolloutPolicy(metrics=(MetricRule(name="cost"),))
    with pytest.raises(DataError, match="cost"):
        analyse(a_log(np.random.default_rng(11)), policy, CANARY[0], is_last=False)


def pairs(n, *, worse=0, better=0, failed=0, known=True):
    wrong = np.zeros(n)
    stable = np.zeros(n)
    wrong[:worse] = 1
    stable[worse : worse + better] = 1
    fails = np.arange(n) >= n - failed
    return pd.DataFrame(
        {
            "failed": fails,
            "stable_failed": False,
            "differs": (wrong != stable),
            "wrong": wrong if known else np.nan,
            "stable_wrong": stable if known else np.nan,
        }
    )


def test_a_shadow_advances_when_it_is_no_worse_and_is_rolled_back_when_it_is():
    """On the same requests."""
    assert analyse_pairs(pairs(3_000, worse=30, better=60), ERRORS).decision == "advance"
    assert analyse_pairs(pairs(3_000, worse=60, better=20), ERRORS).decision == "roll back"
    assert analyse_pairs(pairs(3_000, failed=60), ERRORS).decision == "roll back"
    assert analyse_pairs(pairs(40), ERRORS).decision == "hold"


def test_a_shadow_without_outcomes_advances_after_enough_answers():
    """It answered as many requests as a step needs, and failed in none; quality is not judged, and that is said."""
    found = analyse_pairs(pairs(300, known=False), ERRORS)
    assert found.decision == "advance"
    assert analyse_pairs(pairs(100, known=False), ERRORS).decision == "hold"
    assert "cannot be seen" in found.remarks[0]
