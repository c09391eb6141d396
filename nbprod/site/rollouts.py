"""The pages of rollouts: all of them, and of one its answer, its evidence, its verdicts and who moved it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from markupsafe import Markup

from nbprod.domain.rollout import Rollout
from nbprod.errors import NbprodError
from nbprod.pages.evidence import EvidenceGroup, evidence_groups
from nbprod.pages.layout import figure
from nbprod.pages.rollout_words import RolloutMove, moves_of, rules, share_chart, standing, step_rows, told
from nbprod.recording.reading import read_records
from nbprod.site.facts import Facts
from nbprod.site.places import Places, folder_name

__all__ = ["rollout_row", "rollout_values"]

MOST_VERDICTS = 200


def rollout_row(facts: Facts, places: Places, rollout: Rollout) -> dict[str, Any]:
    """One rollout with its links and its answer."""
    newest = next((one for one in facts.analyses if one.rollout == rollout.id), None)
    exposure = facts.exposures.get(rollout.id)
    return {
        "rollout": rollout,
        "page": places.to(rollout.id, rollout.candidate),
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
    moves = moves_of(rollout, [event for event in facts.events if event.subject == rollout.deployment])
    draw = partial(_steps, rollout, moves, facts)
    return {
        **rollout_row(facts, places, rollout),
        "groups": [_group(one, places) for one in evidence_groups(rollout, analyses, partial(_course, runs_folder))],
        "picture": figure("Steps over time", draw) if moves else Markup(),
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


def _group(group: EvidenceGroup, places: Places) -> dict[str, Any]:
    return {
        "is_paired": group.is_paired,
        "run": places.to(group.analysis.run_id),
        "at": group.analysis.at,
        "metrics": [{"words": one.words, "picture": figure(one.name, one.chart, (360,))} for one in group.metrics],
    }


def _steps(rollout: Rollout, moves: Sequence[RolloutMove], facts: Facts, width: int) -> str:
    return share_chart(rollout, moves, until=rollout.ended_at or facts.as_of, width=width)


def _course(runs_folder: Path, run_id: str) -> Any:
    """The evidence over time that a notebook computed from the log; nothing where it was pruned."""
    folder = runs_folder / folder_name(run_id)
    try:
        return read_records(json.loads((folder / "notebook.ipynb").read_bytes()), folder)["course"]
    except (NbprodError, OSError, AttributeError, LookupError, TypeError, ValueError):
        return None
