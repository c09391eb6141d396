"""The pages of rollouts: all of them, and of one its answer, its evidence, its verdicts and who moved it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from math import isfinite, nan
from pathlib import Path
from typing import Any

from markupsafe import Markup

from nbprod.clock import parse_utc
from nbprod.domain.rollout import Rollout, RolloutAnalysis
from nbprod.domain.rollout_plan import StepKind
from nbprod.errors import NbprodError
from nbprod.pages.evidence import evidence_chart
from nbprod.pages.layout import figure
from nbprod.pages.rollout_words import moves_of, rules, share_chart, standing, step_rows, told
from nbprod.recording.reading import read_records
from nbprod.site.facts import Facts
from nbprod.site.places import Places, folder_name

__all__ = ["rollout_row", "rollout_values"]

MOST_VERDICTS = 200
Looks = Mapping[str, Sequence[tuple[datetime, float, float]]]
PAIRED = {StepKind.SHADOW, StepKind.REPLAY}


def rollout_row(facts: Facts, places: Places, rollout: Rollout) -> dict[str, Any]:
    """One rollout with its links and its answer."""
    newest = next((one for one in facts.analyses if one.rollout == rollout.id), None)
    exposure = facts.exposures.get(rollout.id)
    return {
        "rollout": rollout,
        "page": places.to(rollout.id, f"{rollout.candidate} for {rollout.deployment}"),
        "deployment": places.to(f"deployment {rollout.deployment}", rollout.deployment),
        "candidate": places.to(rollout.candidate),
        "stable": places.to(rollout.stable),
        "exposure": exposure,
        "sentence": standing(rollout, at=facts.as_of, exposure=exposure, newest=newest),
    }


def rollout_values(facts: Facts, places: Places, rollout: Rollout, runs_folder: Path) -> dict[str, Any]:
    """What the page of one rollout says.

    Parameters
    ----------
    facts
        All records.
    places
        As seen from the page.
    rollout
        Its subject.
    runs_folder
        Where the analyses' runs are, whose records hold the evidence over time.
    """
    analyses = [one for one in facts.analyses if one.rollout == rollout.id]
    events = [event for event in facts.events if event.subject == rollout.deployment]
    moves = moves_of(rollout, events)
    return {
        **rollout_row(facts, places, rollout),
        "groups": _groups(rollout, analyses, places, runs_folder),
        "picture": figure(
            "Steps over time",
            lambda width: share_chart(rollout, moves, until=rollout.ended_at or facts.as_of, width=width),
        )
        if moves
        else Markup(),
        "steps": step_rows(rollout, moves),
        "verdicts": [
            (one, told(one), rollout.steps[one.step], places.to(one.run_id)) for one in analyses[:MOST_VERDICTS]
        ],
        "verdict_count": len(analyses),
        "moves": [(one, [places.to(name) for name in one.evidence]) for one in reversed(moves)],
        "rules": rules(rollout),
        "alerts": [
            one
            for one in facts.alerts
            if one.deployment == rollout.deployment and (one.check, one.subject) == ("rollout", rollout.id)
        ],
    }


def _groups(
    rollout: Rollout, analyses: Sequence[RolloutAnalysis], places: Places, runs_folder: Path
) -> list[dict[str, Any]]:
    """The newest clean verdict of two arms, and that of the same requests: they are not counted alike."""
    groups = []
    for paired in (False, True):
        clean = [
            one
            for one in analyses
            if one.is_clean and one.evidence and (rollout.steps[one.step].kind in PAIRED) == paired
        ]
        if clean:
            looks = _recorded_course(runs_folder / folder_name(clean[0].run_id)) or _course_of(clean)
            groups.append(
                {
                    "paired": paired,
                    "run": places.to(clean[0].run_id),
                    "at": clean[0].at,
                    "metrics": [
                        _metric(name, found, looks, clean[0], rollout)
                        for name, found in _telling_first(clean[0].evidence)
                    ],
                }
            )
    return groups


def _telling_first(evidence: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, Mapping[str, Any]]]:
    """Metrics of which something happened before those without any event."""
    return sorted(evidence.items(), key=lambda one: not isfinite(float(one[1].get("estimate", nan))))


def _metric(
    name: str, found: Mapping[str, Any], looks: Looks, analysis: RolloutAnalysis, rollout: Rollout
) -> dict[str, Any]:
    draw = partial(
        _draw,
        name,
        looks.get(name, ()),
        rolls_back=len(analysis.evidence) / rollout.alpha,
        promotes=1 / rollout.alpha,
    )
    return {"words": str(found.get("sentence", "")), "picture": figure(name, draw, (360,))}


def _draw(
    name: str, looks: Sequence[tuple[datetime, float, float]], width: int, *, rolls_back: float, promotes: float
) -> str:
    return evidence_chart(name, looks, rolls_back=rolls_back, promotes=promotes, width=width)


def _recorded_course(folder: Path) -> Looks:
    """The evidence over time that the notebook computed from the log; nothing where it was pruned."""
    try:
        notebook = json.loads((folder / "notebook.ipynb").read_bytes())
        course = read_records(notebook, folder)["course"]
        return {
            str(name): [(parse_utc(str(one["at"])), float(one["e_harm"]), float(one["e_not_worse"])) for one in looks]
            for name, looks in course.items()
        }
    except (NbprodError, OSError, AttributeError, LookupError, TypeError, ValueError):
        return {}


def _course_of(analyses: Sequence[RolloutAnalysis]) -> Looks:
    """What each look found, as the ledger keeps it."""
    return {
        name: [
            (one.at, float(found.get("e_harm", 0)), float(found.get("e_not_worse", 0)))
            for one in reversed(analyses)
            if (found := one.evidence.get(name)) is not None
        ]
        for name in analyses[0].evidence
    }
