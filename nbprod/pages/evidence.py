"""The evidence of a rollout as pages and panels show it: by metric over time, beside the lines where it decides."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from nbprod.clock import parse_utc
from nbprod.domain.rollout import Rollout, RolloutAnalysis
from nbprod.domain.rollout_plan import StepKind
from nbprod.pages.trends import Limit, Series, trend

__all__ = ["EvidenceGroup", "MetricEvidence", "evidence_chart", "evidence_groups"]

LEAST, MOST = -2.0, 4.0  #: powers of ten that are drawn; what lies beyond decides no more
PAIRED = {StepKind.SHADOW, StepKind.REPLAY}

Look = tuple[datetime, float, float]  # the evidence of harm, and of not being worse


@dataclass(frozen=True, kw_only=True)
class MetricEvidence:
    """One metric of one analysis."""

    name: str
    words: str  #: what was found, with its interval
    looks: tuple[Look, ...]
    rolls_back: float
    promotes: float

    def chart(self, width: int = 360) -> str:
        """Its picture."""
        return evidence_chart(self.name, self.looks, rolls_back=self.rolls_back, promotes=self.promotes, width=width)


@dataclass(frozen=True, kw_only=True)
class EvidenceGroup:
    """The newest clean analysis of one way to compare: two arms, or the same requests."""

    is_paired: bool
    analysis: RolloutAnalysis
    metrics: tuple[MetricEvidence, ...]  #: those of which something happened first


def evidence_groups(
    rollout: Rollout, analyses: Sequence[RolloutAnalysis], recorded: Callable[[str], Any]
) -> list[EvidenceGroup]:
    """What the newest clean analyses found.

    Parameters
    ----------
    rollout
        Their subject.
    analyses
        All of them, newest first.
    recorded
        By the id of an analysis' run, the evidence over time that its notebook recorded as ``course``; anything else
        where there is none: then each analysis is one look.
    """
    groups = []
    for is_paired in (False, True):
        clean = [
            one
            for one in analyses
            if one.is_clean and one.evidence and (rollout.steps[one.step].kind in PAIRED) is is_paired
        ]
        if clean:
            looks = _course(recorded(clean[0].run_id)) or _seen(clean)
            metrics = (_metric(name, found, looks, clean[0], rollout) for name, found in clean[0].evidence.items())
            told = sorted(
                metrics, key=lambda one: not math.isfinite(_number(clean[0].evidence[one.name], "estimate"))
            )
            groups.append(EvidenceGroup(is_paired=is_paired, analysis=clean[0], metrics=tuple(told)))
    return groups


def _metric(
    name: str,
    found: Mapping[str, Any],
    looks: Mapping[str, tuple[Look, ...]],
    analysis: RolloutAnalysis,
    rollout: Rollout,
) -> MetricEvidence:
    return MetricEvidence(
        name=name,
        words=str(found.get("sentence", "")),
        looks=looks.get(name, ()),
        rolls_back=len(analysis.evidence) / rollout.alpha,
        promotes=1 / rollout.alpha,
    )


def _course(record: Any) -> dict[str, tuple[Look, ...]]:
    try:
        return {
            str(name): tuple(
                (parse_utc(str(one["at"])), float(one["e_harm"]), float(one["e_not_worse"])) for one in looks
            )
            for name, looks in record.items()
        }
    except (AttributeError, LookupError, TypeError, ValueError):  # a notebook of somebody's own may record anything
        return {}


def _seen(analyses: Sequence[RolloutAnalysis]) -> dict[str, tuple[Look, ...]]:
    return {
        name: tuple(
            (one.at, _number(found, "e_harm"), _number(found, "e_not_worse"))
            for one in reversed(analyses)
            if (found := one.evidence.get(name)) is not None
        )
        for name in analyses[0].evidence
    }


def _number(found: Mapping[str, Any], name: str) -> float:
    try:
        return float(found[name])
    except (LookupError, TypeError, ValueError):
        return math.nan


def evidence_chart(
    metric: str, looks: Sequence[Look], *, rolls_back: float, promotes: float, width: int = 360
) -> str:
    """Draw how strong the evidence was at each look, on an axis of powers of ten.

    Parameters
    ----------
    metric
        Its name.
    looks
        Moment, evidence of harm, evidence of not being worse; oldest first.
    rolls_back
        From how much evidence of harm on the candidate goes.
    promotes
        From how much evidence of not being worse on it may go on.
    width
        In pixels.
    """
    moments = [at for at, _, _ in looks]
    return trend(
        f"Evidence in {metric}",
        [
            Series(name="of harm", x=moments, y=[_power(harm) for _, harm, _ in looks]),
            Series(name="of not being worse", x=moments, y=[_power(fine) for _, _, fine in looks]),
        ],
        limits=[
            Limit(y=_power(rolls_back), label=f"harm: rolls back at {rolls_back:,.3g}"),
            Limit(y=_power(promotes), label=f"not worse: goes on at {promotes:,.3g}"),
        ],
        named=_odds,
        width=width,
        height=230,
    )


def _power(evidence: float) -> float:
    return max(min(math.log10(evidence), MOST), LEAST) if evidence > 0 else LEAST


def _odds(power: float) -> str:
    """A power of ten as the evidence it stands for: ``20``, ``1/50``; at the edges of the axis what it is beyond."""
    if power >= MOST:
        return f"{10**MOST / 1000:.0f}k+"
    if power <= LEAST:
        return f"<1/{10**-LEAST:.0f}"
    value = 10 ** abs(power)
    written = f"{value:.1f}".removesuffix(".0") if value < 10 else f"{value:,.0f}"
    return written if power >= 0 else f"1/{written}"
