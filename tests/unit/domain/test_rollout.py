"""What may become of a rollout."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbprod.domain.rollout import (
    Arm,
    Rollout,
    RolloutDecision,
    RolloutStatus,
    bucket_of,
    obeyed,
)
from nbprod.domain.rollout_plan import Automation, RolloutPolicy, plan_text
from nbprod.errors import IllegalMoveError

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def a_rollout(**changes):
    policy = RolloutPolicy.parse("churn", {"plan": "shadow,canary:5:25:50:100", "automation": "auto"})
    rules = {name: getattr(policy, name) for name in policy.__dataclass_fields__ if name != "plan"}
    facts = {
        "id": "r1",
        "deployment": "churn",
        "candidate": "churn/2",
        "stable": "churn/1",
        "alias": "churn@champion",
        "status": RolloutStatus.RUNNING,
        "plan": plan_text(policy.plan),
        "salt": "s",
        "started_at": NOW,
        "started_by": "ana",
        "reason": "",
        "step_since": NOW,
        "lease_until": NOW + HOUR,
    }
    return Rollout(**{**rules, **facts, **changes})


@given(st.text(max_size=20), st.lists(st.floats(0, 1), min_size=2, max_size=6))
def test_a_share_that_rises_moves_nobody_back(unit, shares):
    """Once with the candidate, a unit stays with it at every larger share."""
    place = bucket_of("salt", unit)
    given_ = [place < share for share in sorted(shares)]
    assert given_ == sorted(given_)


def test_buckets_are_even_and_differ_between_rollouts():
    """A tenth of the units below 0.1; another salt gives others."""
    places = [bucket_of("one", str(n)) for n in range(20_000)]
    assert sum(place < 0.1 for place in places) == pytest.approx(2_000, abs=150)
    both = sum(place < 0.1 and bucket_of("two", str(n)) < 0.1 for n, place in enumerate(places))
    assert both == pytest.approx(200, abs=60)


def test_a_share_ends_with_its_lease():
    """Not renewed, traffic is the stable version's again; renewed, it is the candidate's as before."""
    canary = a_rollout(step=2)
    assert canary.share_at(NOW) == 0.25
    assert canary.share_at(NOW + HOUR) == 0
    assert all(canary.arm_of(str(n), NOW + HOUR) is Arm.STABLE for n in range(100))
    assert canary.renewed(NOW + HOUR).share_at(NOW + HOUR) == 0.25


def test_a_shadow_answers_nobody():
    """It is asked beside while its lease lasts, with a share of nothing."""
    shadow = a_rollout()
    assert shadow.share_at(NOW) == 0
    assert shadow.has_shadow_at(NOW)
    assert not shadow.has_shadow_at(NOW + HOUR)


def test_strata_change_with_the_step_the_share_and_the_day():
    """Within one, shares were the same."""
    canary = a_rollout(step=1)
    assert canary.stratum_at(NOW) == "1:5:2026-03-01"
    assert canary.stratum_at(NOW + HOUR) == "1:0:2026-03-01"
    assert canary.renewed(NOW + 24 * HOUR).stratum_at(NOW + 24 * HOUR) == "1:5:2026-03-02"


def test_automatic_steps_end_in_a_promotion():
    """Advance, advance, advance, then only a promotion is left; the previous version is kept for a while."""
    rollout = a_rollout()
    for _ in range(3):
        rollout = obeyed(rollout, RolloutDecision.ADVANCE, NOW, "")
    assert rollout.current.share == 0.5
    with pytest.raises(IllegalMoveError, match="last step"):
        obeyed(rollout, RolloutDecision.ADVANCE, NOW, "")
    promoted = obeyed(rollout, RolloutDecision.PROMOTE, NOW, "no worse")
    assert promoted.status is RolloutStatus.PROMOTED
    assert promoted.share_at(NOW) == 1
    assert promoted.keeps_previous_at(NOW + 23 * HOUR)
    assert not promoted.keeps_previous_at(NOW + 24 * HOUR)


def test_a_holdback_stays_with_the_previous_version_for_a_while():
    """A tenth of the units, as long as the previous version is kept."""
    promoted = replace(a_rollout(step=3), holdback=0.1).ended(RolloutStatus.PROMOTED, NOW, "")
    assert promoted.share_at(NOW) == 0.9
    assert promoted.share_at(NOW + 25 * HOUR) == 1


@pytest.mark.parametrize(
    ("automation", "decision", "status", "step", "is_renewed"),
    [
        (Automation.HUMAN, RolloutDecision.PROMOTE, "running", 1, True),
        (Automation.ADVISE, RolloutDecision.ADVANCE, "running", 1, True),
        (Automation.ADVISE, RolloutDecision.ROLL_BACK, "running", 1, False),
        (Automation.GUARD, RolloutDecision.PROMOTE, "running", 1, True),
        (Automation.GUARD, RolloutDecision.ROLL_BACK, "rolled-back", 1, False),
        (Automation.AUTO, RolloutDecision.HOLD, "running", 1, True),
        (Automation.AUTO, RolloutDecision.ADVANCE, "running", 2, True),
        (Automation.AUTO, RolloutDecision.PROMOTE, "promoted", 1, False),
        (Automation.AUTO, RolloutDecision.ROLL_BACK, "rolled-back", 1, False),
        (Automation.AUTO, RolloutDecision.BLOCKED, "running", 1, False),
    ],
)
def test_a_decision_is_obeyed_as_far_as_automation_lets_it(automation, decision, status, step, is_renewed):
    """Each degree with each decision: what moves, and whether the share is renewed."""
    later = NOW + HOUR / 2
    after = obeyed(a_rollout(step=1, automation=automation), decision, later, "because")
    assert (after.status.value, after.step) == (status, step)
    assert (after.lease_until > NOW + HOUR) is is_renewed


def test_a_paused_rollout_moves_by_a_roll_back_alone():
    """Its share is renewed, its step stays."""
    paused = a_rollout(step=1, status=RolloutStatus.PAUSED)
    assert obeyed(paused, RolloutDecision.PROMOTE, NOW, "").status is RolloutStatus.PAUSED
    assert obeyed(paused, RolloutDecision.ADVANCE, NOW, "").step == 1
    assert obeyed(paused, RolloutDecision.ROLL_BACK, NOW, "").status is RolloutStatus.ROLLED_BACK


def test_what_is_undecided_for_too_long_ends():
    """After its longest duration a rollout that would be held goes back to stable."""
    late = NOW + timedelta(days=14)
    after = obeyed(a_rollout(step=1), RolloutDecision.HOLD, late, "too few outcomes")
    assert after.status is RolloutStatus.ABORTED
    assert after.share_at(late) == 0
    assert "undecided" in after.ended_because


def test_what_is_over_stays_over():
    """Nothing moves it, but a roll back while the previous version of a promotion is kept."""
    aborted = a_rollout(step=1).ended(RolloutStatus.ABORTED, NOW, "no")
    assert obeyed(aborted, RolloutDecision.PROMOTE, NOW, "") is aborted
    with pytest.raises(IllegalMoveError):
        aborted.ended(RolloutStatus.PROMOTED, NOW, "")
    promoted = a_rollout(step=3).ended(RolloutStatus.PROMOTED, NOW, "")
    assert promoted.ended(RolloutStatus.ROLLED_BACK, NOW + HOUR, "worse").share_at(NOW + HOUR) == 0
    with pytest.raises(IllegalMoveError):
        promoted.ended(RolloutStatus.ROLLED_BACK, NOW + 25 * HOUR, "too late")
