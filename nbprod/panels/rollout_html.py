"""The panel of a rollout as plain HTML: what the live widget shows, and its twin where there is no kernel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from nbprod.domain.exposure import Exposure
from nbprod.domain.rollout import Rollout, RolloutAnalysis, RolloutStatus
from nbprod.pages.evidence import EvidenceGroup
from nbprod.pages.formatting import moment
from nbprod.pages.rollout_words import RolloutMove, share_chart, standing, step_rows, told
from nbprod.visible import escape

__all__ = ["RolloutStanding", "draw"]

EDGES = {
    RolloutStatus.PROMOTED: "#2e7d4f",
    RolloutStatus.ROLLED_BACK: "#b3261e",
    RolloutStatus.ABORTED: "#9a6700",
    RolloutStatus.PAUSED: "#9a6700",
}
CALM = "#2f6f8f"
MOST_ROWS = 8
CELL = "text-align:left;vertical-align:top;padding:1px 14px 1px 0"


@dataclass(frozen=True, kw_only=True)
class RolloutStanding:
    """What is known of the newest rollout of a deployment at one moment."""

    deployment: str
    at: datetime
    rollout: Rollout | None  #: none was started yet
    analyses: Sequence[RolloutAnalysis] = ()  #: newest first
    moves: Sequence[RolloutMove] = ()  #: oldest first
    groups: Sequence[EvidenceGroup] = ()
    exposure: Exposure | None = None

    @property
    def sentence(self) -> str:
        """How it stands, in words."""
        if self.rollout is None:
            return f"No version was rolled out to {self.deployment} yet."
        newest = self.analyses[0] if self.analyses else None
        return standing(self.rollout, at=self.at, exposure=self.exposure, newest=newest)


def draw(shown: RolloutStanding) -> str:
    """The whole panel, everything in it escaped; nothing in it is loaded from anywhere."""
    rollout = shown.rollout
    title = f"Rollout to {shown.deployment}" + (f": {rollout.candidate}, {rollout.status}" if rollout else "")
    parts = [f'<div style="padding:2px 0"><strong>{escape(title)}</strong><br>{escape(shown.sentence)}</div>']
    if rollout is not None:
        parts += [
            _steps(rollout, shown),
            *map(_evidence, shown.groups),
            _verdicts(shown.analyses),
            _moves(shown.moves),
        ]
    parts.append(f'<div style="opacity:.75;padding:2px 0"><small>As of {moment(shown.at)}</small></div>')
    edge = EDGES.get(rollout.status, CALM) if rollout else CALM
    style = f"border-left:3px solid {edge};padding:2px 0 2px 10px;margin:4px 0;line-height:1.45"
    return f'<div class="nbp-panel" role="group" aria-label="A rollout" style="{style}">{"".join(parts)}</div>'


def _steps(rollout: Rollout, shown: RolloutStanding) -> str:
    rows = step_rows(rollout, shown.moves)
    signs = ["▸" if row["is_now"] else "✓" if row["is_reached"] else "·" for row in rows]
    words = " → ".join(f"{sign} {row['step']}" for sign, row in zip(signs, rows, strict=True))
    picture = share_chart(rollout, shown.moves, until=rollout.ended_at or shown.at, width=640) if shown.moves else ""
    return f'<div style="padding:2px 0">{escape(words)}</div><div style="max-width:640px">{picture}</div>'


def _evidence(group: EvidenceGroup) -> str:
    how = "the same requests, answered by both" if group.is_paired else "units in two arms"
    figures = "".join(
        "<figure style='display:inline-block;margin:4px 16px 8px 0;max-width:380px;vertical-align:top'>"
        f"{metric.chart()}<figcaption style='font-size:90%;opacity:.8'>{escape(f'{metric.name}: {metric.words}')}"
        "</figcaption></figure>"
        for metric in group.metrics
    )
    said = f"Evidence from {how}, as of {moment(group.analysis.at)}"
    return f'<div style="padding:2px 0">{escape(said)}</div><div class="nbp-pictures">{figures}</div>'


def _verdicts(analyses: Sequence[RolloutAnalysis]) -> str:
    rows = [
        (moment(one.at), str(one.decision), told(one), one.acted or "nothing", one.run_id)
        for one in analyses[:MOST_ROWS]
    ]
    return _table(("Verdict at", "Decision", "In words", "It did", "Run"), rows)


def _moves(moves: Sequence[RolloutMove]) -> str:
    rows = [(moment(one.at), one.what, one.by, one.why) for one in list(reversed(moves))[:MOST_ROWS]]
    return _table(("Moved at", "What", "Who", "Why"), rows)


def _table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return ""
    head = "".join(f'<th style="{CELL};font-weight:500;opacity:.75">{escape(name)}</th>' for name in names)
    body = "".join(
        "<tr>" + "".join(f'<td style="{CELL}">{escape(value)}</td>' for value in row) + "</tr>" for row in rows
    )
    table = f'<table style="border-collapse:collapse"><tr>{head}</tr>{body}</table>'
    return (
        f'<div style="overflow-x:auto;margin:4px 0" role="group" aria-label="{names[0]}" tabindex="0">{table}</div>'
    )
