"""What may be done with a candidate at a moment: the newest recorded verdict, for whoever runs the traffic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from nbprod.domain.rollout import Rollout, RolloutAnalysis, RolloutDecision, RolloutStatus

__all__ = ["Act", "RolloutVerdict", "verdict_of"]


class Act(StrEnum):
    """What somebody would do with the candidate's share of the traffic."""

    KEEP = "keep"
    ADVANCE = "advance"  #: give it the share of the next step
    PROMOTE = "promote"
    ROLLBACK = "rollback"


@dataclass(frozen=True, kw_only=True)
class RolloutVerdict:
    """Where a rollout stands, and what its newest analysis decided about the step it is in."""

    rollout: str
    deployment: str
    candidate: str
    stable: str
    status: RolloutStatus
    step: str
    place: int  #: of the step, from 1
    steps: int
    share: float  #: of the units that are the candidate's while the lease lasts, from 0 to 1
    lease_until: datetime | None  #: ``None``: the share does not end by itself
    decision: RolloutDecision  #: ``hold`` where the notebook was not clean, or nothing was decided in this step
    sentence: str
    run_id: str | None = None  #: of the executed notebook
    decided_at: datetime | None = None

    def allows(self, act: Act, now: datetime) -> bool:
        """Whether something may be done at a moment; a share that nothing renewed in time may not be kept."""
        is_over = self.lease_until is not None and now >= self.lease_until
        is_bad = (
            self.status in {RolloutStatus.ROLLED_BACK, RolloutStatus.ABORTED}
            or self.decision is RolloutDecision.ROLL_BACK
            or is_over
        )
        is_promoted = self.status is RolloutStatus.PROMOTED
        is_running = self.status is RolloutStatus.RUNNING
        match act:
            case Act.ROLLBACK:
                return is_bad
            case Act.KEEP:
                return not is_bad
            case Act.PROMOTE:
                return not is_bad and (is_promoted or (is_running and self.decision is RolloutDecision.PROMOTE))
            case Act.ADVANCE:
                goes_on = self.decision in {RolloutDecision.ADVANCE, RolloutDecision.PROMOTE}
                return not is_bad and (is_promoted or (is_running and goes_on))

    def may(self, now: datetime) -> Mapping[str, bool]:
        """What is allowed at a moment."""
        return {str(act): self.allows(act, now) for act in Act}

    def share_at(self, now: datetime) -> float:
        """The candidate's share at a moment: nothing once its lease is over or a verdict spoke against it."""
        return self.share if self.allows(Act.KEEP, now) else 0.0

    def lease_left(self, now: datetime) -> timedelta | None:
        """How long the share lasts without another clean analysis; ``None`` where it does not end by itself."""
        return None if self.lease_until is None else max(self.lease_until - now, timedelta(0))

    def __str__(self) -> str:
        where = f"{self.status}, {self.step}, step {self.place} of {self.steps}"
        return f"{self.deployment}: {self.candidate} {where}; {self.decision}: {self.sentence}"


def verdict_of(rollout: Rollout, analysis: RolloutAnalysis | None) -> RolloutVerdict:
    """The verdict that counts now.

    Parameters
    ----------
    rollout
        As it is.
    analysis
        The newest, if any; one of an earlier step decided about that step, and one that was not clean about nothing.
    """
    counts = analysis is not None and analysis.is_clean and (analysis.step == rollout.step or not rollout.is_open)
    share = 1 - rollout.holdback if rollout.status is RolloutStatus.PROMOTED else 0.0
    return RolloutVerdict(
        rollout=rollout.id,
        deployment=rollout.deployment,
        candidate=rollout.candidate,
        stable=rollout.stable,
        status=rollout.status,
        step=str(rollout.current),
        place=rollout.step + 1,
        steps=len(rollout.steps),
        share=rollout.current.share if rollout.is_open else share,
        lease_until=rollout.lease_until if rollout.is_open else None,
        decision=analysis.decision if analysis is not None and counts else RolloutDecision.HOLD,
        sentence=rollout.ended_because or (analysis.sentence if analysis is not None else "nothing was analysed yet"),
        run_id=analysis.run_id if analysis is not None else None,
        decided_at=analysis.at if analysis is not None else None,
    )
