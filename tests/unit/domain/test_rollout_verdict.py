"""What may be done with a candidate by the recorded verdict."""

from datetime import timedelta

import pytest

from nbprod.domain.rollout import RolloutAnalysis, RolloutDecision, RolloutStatus
from nbprod.domain.rollout_verdict import Act, verdict_of
from tests.unit.domain.test_rollout import HOUR, NOW, a_rollout


def said(decision, *, step=1, failure=""):
    return RolloutAnalysis(
        run_id="run", rollout="r1", at=NOW, step=step, decision=decision, failure=failure, sentence="because"
    )


def allowed(rollout, analysis, now=NOW):
    return {str(act) for act, may in verdict_of(rollout, analysis).may(now).items() if may}


@pytest.mark.parametrize(
    ("decision", "acts"),
    [
        ("promote", {"keep", "advance", "promote"}),
        ("advance", {"keep", "advance"}),
        ("hold", {"keep"}),
        ("blocked", {"keep"}),
        ("roll back", {"rollback"}),
    ],
)
def test_a_decision_allows_what_it_says(decision, acts):
    """In the step it was made for, while the lease lasts; afterwards nothing but the way back."""
    canary = a_rollout(step=1)
    assert allowed(canary, said(RolloutDecision(decision))) == acts
    assert allowed(canary, said(RolloutDecision(decision)), NOW + HOUR) == {"rollback"}


def test_a_notebook_that_was_not_clean_or_spoke_of_another_step_means_hold():
    """As none at all."""
    canary = a_rollout(step=1)
    assert allowed(canary, None) == {"keep"}
    assert allowed(canary, said(RolloutDecision.PROMOTE, step=0)) == {"keep"}
    assert allowed(canary, said(RolloutDecision.PROMOTE, failure="it raised")) == {"keep"}
    paused = a_rollout(step=1, status=RolloutStatus.PAUSED)
    assert allowed(paused, said(RolloutDecision.PROMOTE)) == {"keep"}


def test_an_end_counts_more_than_any_analysis():
    """Promoted, the candidate may have everything, however late it is asked; rolled back or aborted, nothing."""
    promoted = a_rollout(step=4, status=RolloutStatus.PROMOTED, holdback=0.1)
    assert allowed(promoted, said(RolloutDecision.HOLD), NOW + 9 * HOUR) == {"keep", "advance", "promote"}
    assert verdict_of(promoted, None).share_at(NOW + 9 * HOUR) == pytest.approx(0.9)
    assert allowed(promoted, said(RolloutDecision.ROLL_BACK)) == {"rollback"}  # by its holdback
    for status in (RolloutStatus.ROLLED_BACK, RolloutStatus.ABORTED):
        ended = a_rollout(step=1, status=status, ended_because="the guard took it out")
        assert allowed(ended, said(RolloutDecision.PROMOTE)) == {Act.ROLLBACK}
        assert verdict_of(ended, None).sentence == "the guard took it out"


def test_the_share_ends_with_its_lease():
    """As the router has it."""
    canary = a_rollout(step=2)
    verdict = verdict_of(canary, None)
    for moment in (NOW, NOW + HOUR):
        assert verdict.share_at(moment) == canary.share_at(moment)
    assert verdict.lease_left(NOW + HOUR / 2) == HOUR / 2
    assert verdict.lease_left(NOW + 2 * HOUR) == timedelta(0)
