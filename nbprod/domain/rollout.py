"""A rollout: a candidate version that meets the traffic of a deployment step by step, and what may become of it.

Shares are leases: `Rollout.share_at` is what routers obey, and it is zero once no clean analysis has renewed it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from nbprod.domain.duration import parse_duration
from nbprod.domain.markup import card
from nbprod.domain.rollout_plan import Automation, MetricRule, RolloutStep, StepKind, parse_plan
from nbprod.errors import IllegalMoveError

__all__ = [
    "Arm",
    "Rollout",
    "RolloutAnalysis",
    "RolloutDecision",
    "RolloutStatus",
    "bucket_of",
    "obeyed",
]

BUCKETS = float(2**64)


class RolloutStatus(StrEnum):
    """Where a rollout stands."""

    RUNNING = "running"
    PAUSED = "paused"  #: its share stays; nothing moves by itself but a roll back
    PROMOTED = "promoted"  #: the candidate is the stable version; the previous one may be kept for a while
    ROLLED_BACK = "rolled-back"  #: by a verdict, a guard, or after the promotion
    ABORTED = "aborted"  #: by a person, or because its longest duration was over


class RolloutDecision(StrEnum):
    """What an analysis notebook records; nothing else moves a rollout by itself."""

    PROMOTE = "promote"
    ADVANCE = "advance"  #: to the next step
    HOLD = "hold"
    ROLL_BACK = "roll back"
    BLOCKED = "blocked"  #: nothing may be concluded: arms were not given their shares


class Arm(StrEnum):
    """Whose answer a unit is given."""

    STABLE = "stable"
    CANDIDATE = "candidate"
    SHADOW = "shadow"  #: asked beside; nobody is given its answer


@dataclass(frozen=True, kw_only=True)
class Rollout:
    """One candidate and one deployment, from start to end."""

    id: str
    deployment: str
    candidate: str  #: ``electricity/2``
    stable: str  #: ``electricity/1``: what answered before it started
    alias: str | None  #: that a promotion moves: ``electricity@champion``; ``None``: the deployment itself
    status: RolloutStatus
    plan: str  #: as people write it
    metrics: tuple[MetricRule, ...]
    alpha: float
    slow_ms: float
    horizon: str
    longest: str
    lease: str
    step_units: int
    keep_previous: str
    holdback: float
    automation: Automation
    salt: str  #: of the hash that assigns units
    started_at: datetime
    started_by: str
    reason: str
    waive: str = ""  #: why it may be promoted although the gates do not say yes
    step: int = 0  #: place in the plan
    step_since: datetime
    lease_until: datetime
    ended_at: datetime | None = None
    ended_because: str = ""
    previous_until: datetime | None = None  #: after a promotion: until then the previous version stays loaded

    @property
    def steps(self) -> tuple[RolloutStep, ...]:
        """All steps of the plan."""
        return parse_plan(self.plan)

    @property
    def current(self) -> RolloutStep:
        """The step it is in."""
        return self.steps[self.step]

    @property
    def is_open(self) -> bool:
        """Whether it may still move."""
        return self.status in {RolloutStatus.RUNNING, RolloutStatus.PAUSED}

    def share_at(self, now: datetime) -> float:
        """The candidate's share of the units at a moment: zero once its lease is over, or it was rolled back."""
        if self.status is RolloutStatus.PROMOTED:
            return 1 - self.holdback if self.previous_until is not None and now < self.previous_until else 1.0
        return self.current.share if self.is_open and now < self.lease_until else 0.0

    def has_shadow_at(self, now: datetime) -> bool:
        """Whether the candidate answers beside at a moment."""
        return self.is_open and self.current.kind is StepKind.SHADOW and now < self.lease_until

    def keeps_previous_at(self, now: datetime) -> bool:
        """Whether the version that was stable must still be loaded at a moment."""
        return self.is_open or (self.previous_until is not None and now < self.previous_until)

    def arm_of(self, unit: str, now: datetime) -> Arm:
        """Whose answer a unit is given at a moment."""
        return Arm.CANDIDATE if bucket_of(self.salt, unit) < self.share_at(now) else Arm.STABLE

    def stratum_at(self, now: datetime) -> str:
        """What is compared within: the step and the day, in which shares stayed the same."""
        return f"{self.step}:{100 * self.share_at(now):g}:{now:%Y-%m-%d}"

    def renewed(self, now: datetime) -> Rollout:
        """With its share for another lease."""
        return replace(self, lease_until=now + parse_duration(self.lease))

    def advanced(self, now: datetime) -> Rollout:
        """In the next step.

        Raises
        ------
        IllegalMoveError
            It is over, or there is no further step: it can only be promoted.
        """
        self._check_open("advanced")
        if self.step + 1 >= len(self.steps) or self.steps[self.step + 1].share == 1:
            raise IllegalMoveError(
                f"rollout {self.id} is in its last step, {self.current}", hint="It can be promoted or aborted."
            )
        return replace(self.renewed(now), step=self.step + 1, step_since=now)

    def ended(self, status: RolloutStatus, now: datetime, because: str) -> Rollout:
        """Over, for a reason.

        Raises
        ------
        IllegalMoveError
            It was over before; after a promotion it can still be rolled back while the previous version is kept.
        """
        if not (
            status is RolloutStatus.ROLLED_BACK
            and self.status is RolloutStatus.PROMOTED
            and self.keeps_previous_at(now)
        ):
            self._check_open(status.value)
        kept = now + parse_duration(self.keep_previous) if status is RolloutStatus.PROMOTED else None
        return replace(self, status=status, ended_at=now, ended_because=because, previous_until=kept)

    def _check_open(self, move: str) -> None:
        if not self.is_open:
            raise IllegalMoveError(
                f"rollout {self.id} is {self.status} and cannot be {move}",
                hint="Start a new one: nbprod rollouts start.",
            )

    def __repr__(self) -> str:
        return f"<Rollout {self.id} {self.deployment}: {self.candidate}, {self.status}, {self.current}>"

    def _repr_html_(self) -> str:
        return card(
            f"Rollout of {self.candidate} to {self.deployment}",
            [
                ("status", self.status),
                ("step", f"{self.step + 1} of {len(self.steps)}: {self.current}"),
                ("plan", self.plan),
                ("instead of", self.stable),
                ("started", f"{self.started_at:%Y-%m-%d %H:%M} by {self.started_by}: {self.reason}"),
                ("ended", self.ended_because or None),
            ],
        )


@dataclass(frozen=True, kw_only=True)
class RolloutAnalysis:
    """What one executed analysis came to."""

    run_id: str
    rollout: str
    at: datetime
    step: int
    decision: RolloutDecision  #: ``hold`` where the notebook raised, was stopped, or recorded none
    failure: str = ""  #: why the notebook was not clean; only a clean one renews a lease
    evidence: Mapping[str, Any] = field(default_factory=dict)  #: by metric: evidence of each side, the estimate
    tables: Mapping[str, Any] = field(default_factory=dict)  #: versions of the tables it read
    sentence: str
    acted: str = ""  #: what was done with it: ``advanced``, ``promoted``, ``rolled back``; empty: nothing

    @property
    def is_clean(self) -> bool:
        """Whether the notebook ran to its end and recorded a decision."""
        return not self.failure

    def __repr__(self) -> str:
        return f"<RolloutAnalysis {self.decision} of {self.rollout}: {self.sentence}>"

    def _repr_html_(self) -> str:
        found = [(name, one.get("sentence", "")) for name, one in self.evidence.items()]
        did, run = ("it did", self.acted or "nothing"), ("run", self.run_id)
        return card(f"Verdict: {self.decision}", [("because", self.sentence), *found, did, run])


def bucket_of(salt: str, unit: str) -> float:
    """Where a unit lies between 0 and 1: the same for ever, so that a share that rises moves nobody back.

    Examples
    --------
    >>> 0 <= bucket_of("a", "user-1") < 1
    True
    """
    digest = hashlib.blake2b(f"{salt}\x00{unit}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / BUCKETS


def obeyed(rollout: Rollout, decision: RolloutDecision, now: datetime, because: str) -> Rollout:
    """What becomes of a rollout by the decision of a clean analysis, as far as its automation lets it.

    ``human`` and ``advise`` only renew the share. ``guard`` also rolls back. ``auto`` also advances and promotes. A
    paused rollout moves by nothing but a roll back. A blocked one keeps its share until its lease ends: nobody can
    say whether it does harm, so nothing renews it.

    Parameters
    ----------
    rollout
        As it is.
    decision
        Of the analysis.
    now
        When.
    because
        In words, kept with the end.
    """
    if not rollout.is_open:
        return rollout
    acts = rollout.automation in {Automation.GUARD, Automation.AUTO}
    if decision is RolloutDecision.ROLL_BACK and acts:
        return rollout.ended(RolloutStatus.ROLLED_BACK, now, because)
    if decision is RolloutDecision.BLOCKED:
        return rollout
    if decision is RolloutDecision.ROLL_BACK:
        return rollout  # nobody rolled it back yet; its share ends with its lease
    if now >= rollout.started_at + parse_duration(rollout.longest):
        return rollout.ended(RolloutStatus.ABORTED, now, f"undecided after {rollout.longest}: {because}")
    if rollout.automation is Automation.AUTO and rollout.status is RolloutStatus.RUNNING:
        if decision is RolloutDecision.PROMOTE:
            return rollout.ended(RolloutStatus.PROMOTED, now, because)
        if decision is RolloutDecision.ADVANCE:
            return rollout.advanced(now)
    return rollout.renewed(now)
