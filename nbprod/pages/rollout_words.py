"""A rollout in words and in one picture: where it stands, whom it reached, who moved it; for pages and panels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from nbprod.domain.event import Event
from nbprod.domain.exposure import Exposure
from nbprod.domain.rollout import Rollout, RolloutAnalysis, RolloutDecision, RolloutStatus
from nbprod.domain.rollout_plan import StepKind
from nbprod.pages.formatting import duration, moment
from nbprod.pages.timelines import Lane, Span, lanes

__all__ = ["RolloutMove", "moves_of", "rules", "share_chart", "standing", "step_rows", "told"]

MOVED = {"advanced": "advanced", "promoted": "promoted", "rolled-back": "rolled back", "aborted": "aborted"}


@dataclass(frozen=True, kw_only=True)
class RolloutMove:
    """Something that changed a rollout: who, why, and in which step it was afterwards."""

    at: datetime
    what: str
    by: str  #: a person, a schedule, ``guard``, or the analysis
    why: str
    step: int
    evidence: tuple[str, ...]


def standing(
    rollout: Rollout, *, at: datetime, exposure: Exposure | None = None, newest: RolloutAnalysis | None = None
) -> str:
    """Where a rollout stands at a moment, the answer first.

    Parameters
    ----------
    rollout
        As the ledger has it.
    at
        The moment the sentence speaks of.
    exposure
        Whom the candidate reached.
    newest
        What was concluded last; told of rollouts that are open.
    """
    said = [_state(rollout, at)]
    if exposure is not None and exposure.requests:
        said.append(f"It {'has ' if rollout.is_open else ''}{exposure.sentence}.")
    if newest is not None and rollout.is_open:
        said.append(f"The newest verdict is {newest.decision}: {_ended(told(newest))}")
    return " ".join(said)


def _state(rollout: Rollout, at: datetime) -> str:
    candidate, stable, step = rollout.candidate, rollout.stable, rollout.current
    because = f": {_alone(rollout.ended_because)}" if rollout.ended_because else ""
    if rollout.status is RolloutStatus.PROMOTED:
        return _ended(f"{candidate} took over from {stable}{because}")
    if rollout.status is RolloutStatus.ROLLED_BACK:
        return _ended(f"{candidate} was taken out, and {stable} answers everybody{because}")
    if rollout.status is RolloutStatus.ABORTED:
        return _ended(f"It was ended without a decision, and {stable} answers everybody{because}")
    if at >= rollout.lease_until:
        return (
            f"No clean analysis renewed the share of {candidate} until {moment(rollout.lease_until)}: "
            f"{stable} answers everybody again."
        )
    paused = " It is paused." if rollout.status is RolloutStatus.PAUSED else ""
    if step.kind in {StepKind.SHADOW, StepKind.REPLAY}:
        return f"{candidate} is asked beside {stable}, and nobody is given its answers.{paused}"
    return f"{candidate} answers {100 * rollout.share_at(at):g} % of the units, {stable} the others.{paused}"


def told(analysis: RolloutAnalysis) -> str:
    """What an analysis concluded, in words that do not repeat its decision."""
    return _alone(analysis.sentence)


def _alone(sentence: str) -> str:
    word, colon, rest = sentence.partition(": ")
    return rest if colon and word in set(RolloutDecision) else sentence


def _ended(sentence: str) -> str:
    return sentence if sentence.endswith((".", "!", "?")) else f"{sentence}."


def moves_of(rollout: Rollout, events: Sequence[Event]) -> list[RolloutMove]:
    """What moved it, oldest first, from the events of its deployment."""
    moves: list[RolloutMove] = []
    step = 0
    for event in sorted(events, key=lambda one: one.number):
        noun, _, verb = event.kind.partition(".")
        if noun != "rollout" or event.data.get("rollout") != rollout.id:
            continue
        acted = event.data.get("acted")
        if verb == "analysed" and acted not in MOVED:
            continue
        what = MOVED[str(acted)] if verb == "analysed" else verb.replace("-", " ")
        step += what == "advanced"
        moves.append(
            RolloutMove(
                at=event.at,
                what=what,
                by="the analysis" if verb == "analysed" else event.actor,
                why=_alone(event.reason),
                step=step,
                evidence=tuple(event.evidence),
            )
        )
    return moves


def step_rows(rollout: Rollout, moves: Sequence[RolloutMove]) -> list[dict[str, Any]]:
    """The plan: each step, from when until when it lasted, and who ended it; those not reached say so."""
    rows = []
    for place, step in enumerate(rollout.steps):
        came = next((one for one in moves if one.step == place), None)
        left = next((one for one in moves if one.step > place), None)
        end = left or (moves[-1] if moves and not rollout.is_open and place == rollout.step else None)
        reached = place <= rollout.step and came is not None
        rows.append(
            {
                "number": place + 1,
                "step": str(step) if step.share < 1 else "promotion",
                "since": came.at if came and reached else None,
                "until": end.at if end and reached else None,
                "took": duration((end.at - came.at).total_seconds()) if came and end and reached else "",
                "end": f"{end.what} by {end.by}" if end and reached else "",
                "is_now": rollout.is_open and place == rollout.step,
                "is_reached": reached or (step.share == 1 and rollout.status is RolloutStatus.PROMOTED),
            }
        )
    return rows


def share_chart(rollout: Rollout, moves: Sequence[RolloutMove], *, until: datetime, width: int = 720) -> str:
    """What the candidate was given when: a span for each step."""
    rows = [row for row in step_rows(rollout, moves) if row["since"] is not None]
    spans = [Span(start=row["since"], end=row["until"], label=row["step"]) for row in rows]
    if rollout.status is RolloutStatus.PROMOTED and rollout.ended_at is not None and rollout.ended_at < until:
        spans.append(Span(start=rollout.ended_at, end=None, label="promoted"))
    lane = Lane(label=f"What {rollout.candidate} was given", spans=spans)
    return lanes(f"Steps of the rollout of {rollout.candidate}", [lane], until=until, width=width)


def rules(rollout: Rollout) -> list[tuple[str, str]]:
    """What was fixed when it started, by name."""
    margins = [f"{one.name} ({one.margin:g} times; {one.better} is better)" for one in rollout.metrics]
    return [
        ("plan", rollout.plan),
        ("metrics and margins", ", ".join(margins)),
        ("alpha, over all looks", f"{rollout.alpha:g}"),
        ("slow from", f"{rollout.slow_ms:g} ms"),
        ("outcomes count", f"{rollout.horizon} after the prediction" if rollout.horizon else "as soon as they come"),
        ("a share lasts", f"{rollout.lease} without a clean analysis"),
        ("ends undecided after", rollout.longest),
        ("units before a step ends", f"{rollout.step_units:,}"),
        ("previous version is kept", rollout.keep_previous),
        ("holdback", f"{100 * rollout.holdback:g} %" if rollout.holdback else ""),
        ("without a person", _AUTOMATION[str(rollout.automation)]),
        ("gates waived because", rollout.waive),
    ]


_AUTOMATION: Mapping[str, str] = {
    "human": "human: nothing but a shadow",
    "advise": "advise: verdicts are shown, a person acts",
    "guard": "guard: rolled back by itself, promoted by a person",
    "auto": "auto: advanced, promoted and rolled back by itself",
}
