"""How a rollout moves: by people's pauses, and by an analysis as far as automation lets it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from nbprod.domain.rollout import Rollout, RolloutAnalysis, RolloutDecision, RolloutStatus, obeyed
from nbprod.domain.rollout_plan import Automation
from nbprod.errors import IllegalMoveError

__all__ = ["obey_analysis", "paused", "resumed", "what_moved"]


def paused(rollout: Rollout, at: datetime) -> Rollout:
    """With its step and share kept; only what runs can be paused."""
    if rollout.status is not RolloutStatus.RUNNING:
        raise IllegalMoveError(f"rollout {rollout.id} is {rollout.status} and cannot be paused")
    return replace(rollout.renewed(at), status=RolloutStatus.PAUSED)


def resumed(rollout: Rollout, at: datetime) -> Rollout:
    """Running again after a pause."""
    if rollout.status is not RolloutStatus.PAUSED:
        raise IllegalMoveError(f"rollout {rollout.id} is {rollout.status} and cannot be resumed")
    return replace(rollout.renewed(at), status=RolloutStatus.RUNNING)


def obey_analysis(before: Rollout, analysis: RolloutAnalysis, at: datetime) -> Rollout:
    """What becomes of a rollout by an analysis; a promoted one with a holdback can still be rolled back by it."""
    if before.status is RolloutStatus.PROMOTED:  # a holdback goes on with the test
        worse = analysis.decision is RolloutDecision.ROLL_BACK and before.keeps_previous_at(at)
        acts = before.automation in {Automation.GUARD, Automation.AUTO}
        return before.ended(RolloutStatus.ROLLED_BACK, at, analysis.sentence) if worse and acts else before
    return obeyed(before, analysis.decision, at, analysis.sentence)


def what_moved(before: Rollout, after: Rollout) -> str:
    """What an analysis did, in a word; empty where it did nothing."""
    if after.status is not before.status:
        return str(after.status)
    if after.step != before.step:
        return "advanced"
    return "renewed" if after.lease_until != before.lease_until else ""
