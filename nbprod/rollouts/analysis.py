"""What the log of a rollout says: every metric of both arms by unit, and the decision that follows from its rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from nbprod.domain.markup import card
from nbprod.domain.rollout import Arm, RolloutDecision
from nbprod.domain.rollout_plan import MetricRule, RolloutPolicy, RolloutStep, StepKind
from nbprod.errors import DataError
from nbprod.statistics import (
    ArmTotals,
    MeanDifference,
    MeanStratum,
    PairedVerdict,
    RateVerdict,
    SampleRatio,
    Stratum,
    combine_verdicts,
    mean_difference,
    paired_verdict,
    rate_verdict,
    sample_ratio,
)
from nbprod.statistics.event_rates import rare_evidence

__all__ = ["MeanVerdict", "RolloutFinding", "analyse", "analyse_pairs"]

NEEDED = ("unit", "arm", "share", "stratum", "at")


@dataclass(frozen=True, kw_only=True)
class MeanVerdict:
    """A metric that is a mean: cost, revenue, a KPI; each side's evidence is all or nothing."""

    gap: MeanDifference
    tolerated: float  #: how much worse still counts as not worse, in the metric's unit
    better: str
    alpha: float

    @property
    def e_harm(self) -> float:
        """``1 / alpha`` where the interval lies on the worse side of zero."""
        low, _ = self._worse
        return 1 / self.alpha if low > 0 else 0.0

    @property
    def e_not_worse(self) -> float:
        """``1 / alpha`` where the interval lies below what is tolerated."""
        _, high = self._worse
        return 1 / self.alpha if high < self.tolerated else 0.0

    @property
    def is_better(self) -> bool:
        """Whether the interval lies on the better side of zero."""
        return self._worse[1] < 0

    @property
    def sentence(self) -> str:
        """The finding in words."""
        return f"{self.gap.sentence}; up to {self.tolerated:.3g} worse is tolerated"

    @property
    def _worse(self) -> tuple[float, float]:
        gap = self.gap.difference
        return (gap.low, gap.high) if self.better == "lower" else (-gap.high, -gap.low)


Verdict = RateVerdict | MeanVerdict | PairedVerdict


@dataclass(frozen=True, kw_only=True)
class RolloutFinding:
    """What one look at the log came to."""

    decision: RolloutDecision
    sentence: str
    verdicts: Mapping[str, Verdict]  #: by metric
    ratios: Mapping[str, SampleRatio]  #: by stratum
    units: Mapping[str, int]  #: by arm
    requests: int
    remarks: tuple[str, ...] = ()
    notes: Mapping[str, str] = field(default_factory=dict)

    @property
    def evidence(self) -> dict[str, dict[str, Any]]:
        """What is kept by metric: evidence of both sides, the estimate, and what they say in words."""
        return {name: {**_numbers(one), "sentence": one.sentence} for name, one in self.verdicts.items()}

    def __repr__(self) -> str:
        return f"<RolloutFinding {self.decision}: {self.sentence}>"

    def _repr_html_(self) -> str:
        lines = [(name, verdict.sentence) for name, verdict in self.verdicts.items()]
        counts = ", ".join(f"{count:,} {arm}" for arm, count in self.units.items())
        return card(
            f"{self.decision}: {self.sentence}",
            [*lines, ("units", counts), *(("note", remark) for remark in self.remarks)],
        )


def analyse(
    log: pd.DataFrame,
    policy: RolloutPolicy,
    step: RolloutStep,
    *,
    is_last: bool,
    is_promoted: bool = False,
) -> RolloutFinding:
    """Hold the two arms of a rollout against its rules.

    Parameters
    ----------
    log
        A row a request since the rollout began: ``unit``, ``arm``, ``share`` (from 0 to 1), ``stratum``, ``at``, and
        a column for each metric: whether the event happened (``NaN``: not known yet), or a number whose mean counts.
        Requests without a unit are units of their own.
    policy
        As fixed when the rollout began.
    step
        The one it is in.
    is_last
        Whether a promotion is what comes next.
    is_promoted
        Whether the candidate has been promoted, and a holdback is what it is compared with.

    Raises
    ------
    DataError
        A column is missing.
    """
    if missing := [name for name in (*NEEDED, *(one.name for one in policy.metrics)) if name not in log.columns]:
        raise DataError(
            f"the log of the rollout has no column {missing[0]!r}",
            hint="A metric that nbprod does not count needs a cell that adds its column to the log.",
        )
    rows = log[log["arm"].isin([Arm.STABLE.value, Arm.CANDIDATE.value])].sort_values("at", kind="stable")
    rows = rows.assign(unit=rows["unit"].where(rows["unit"].notna(), [f"\x00{n}" for n in range(len(rows))]))
    alpha, remarks = policy.alpha, _remarks(log)
    ratios = _ratios(rows)
    verdicts = {rule.name: _verdict(rows, rule, alpha, len(policy.metrics)) for rule in policy.metrics}
    combined = combine_verdicts(verdicts, ratios=ratios, alpha=alpha)
    first = rows.drop_duplicates("unit")
    units = {arm.value: int((first["arm"] == arm.value).sum()) for arm in (Arm.STABLE, Arm.CANDIDATE)}
    in_step = rows.loc[rows["share"].eq(step.share) & rows["arm"].eq(Arm.CANDIDATE.value), "unit"].nunique()
    decision, sentence = _decide(combined, verdicts, policy, step, in_step, is_last=is_last, is_promoted=is_promoted)
    return RolloutFinding(
        decision=decision,
        sentence=sentence,
        verdicts=verdicts,
        ratios=ratios,
        units=units,
        requests=len(rows),
        remarks=remarks,
    )


def analyse_pairs(pairs: pd.DataFrame, policy: RolloutPolicy, *, margin: float = 0.01) -> RolloutFinding:
    """Hold a candidate that answered beside, or on logged inputs, against the stable version on the same requests.

    Parameters
    ----------
    pairs
        A row a request that both were asked, in the order in which outcomes became final: ``failed`` and
        ``stable_failed``; ``wrong`` and ``stable_wrong``, ``NaN`` while no outcome is known; ``differs``.
    policy
        As fixed when the rollout began.
    margin
        How much larger the share of wrong answers may be.
    """
    verdicts: dict[str, Verdict] = {
        "errors": paired_verdict(pairs["stable_failed"], pairs["failed"], margin=margin, alpha=policy.alpha)
    }
    known = pairs[pairs["wrong"].notna() & pairs["stable_wrong"].notna()]
    if len(known):
        verdicts["wrong"] = paired_verdict(
            known["stable_wrong"].astype(bool), known["wrong"].astype(bool), margin=margin, alpha=policy.alpha
        )
    combined = combine_verdicts(verdicts, alpha=policy.alpha)
    decision, sentence = RolloutDecision.HOLD, combined.sentence
    differs = pairs["differs"].mean() if len(pairs) else 0.0
    if combined.decision == "roll back":
        decision = RolloutDecision.ROLL_BACK
    elif combined.decision == "promote" or ("wrong" not in verdicts and len(pairs) >= policy.step_units):
        decision = RolloutDecision.ADVANCE
        sentence = f"the candidate answered {len(pairs):,} requests and failed in none more than the stable version"
    remark = f"{differs:.1%} of {len(pairs):,} answers differ; what answers cause cannot be seen without giving them"
    return RolloutFinding(
        decision=decision,
        sentence=sentence,
        verdicts=verdicts,
        ratios={},
        units={Arm.SHADOW.value: len(pairs)},
        requests=len(pairs),
        remarks=(remark,),
    )


def _verdict(rows: pd.DataFrame, rule: MetricRule, alpha: float, metrics: int) -> Verdict:
    known = rows[rows[rule.name].notna()]
    values = known[rule.name].astype(np.float64)
    if set(values.unique()) <= {0.0, 1.0}:
        # a unit counts once, by its first event: under equal rates its arm is then as likely as its share
        events = known[values.eq(1.0).to_numpy()].drop_duplicates("unit")
        events = events.assign(theirs=events["arm"].eq(Arm.CANDIDATE.value))
        counted = events.groupby(["stratum", "share"], sort=False)["theirs"].agg(["size", "sum"]).reset_index()
        strata = [
            Stratum(share=float(share), events=int(size), candidate_events=int(theirs))
            for share, size, theirs in zip(counted["share"], counted["size"], counted["sum"], strict=True)
        ]
        found = rate_verdict(strata, margin=rule.margin, alpha=alpha, higher_is_better=rule.better == "higher")
        if rule.better == "higher" or not rule.negligible:
            return found
        met = known.loc[known["arm"].eq(Arm.CANDIDATE.value), "unit"].nunique()
        rare = rare_evidence(int(events["theirs"].sum()), met, rule.negligible)
        # against both together, a ratio beyond the margin and a share that matters, the average is evidence too
        average = (found.e_not_worse + rare) / 2
        decision = "promote" if found.decision == "hold" and average >= 1 / alpha else found.decision
        return replace(found, e_not_worse=average, decision=decision)
    # an interval is evidence of one strength: as much as harm in one of several metrics needs
    return _mean_verdict(known.assign(value=values), rule, alpha / metrics)


def _mean_verdict(known: pd.DataFrame, rule: MetricRule, alpha: float) -> MeanVerdict:
    by_unit = known.groupby("unit", sort=False).agg(
        value=("value", "mean"), arm=("arm", "first"), stratum=("stratum", "first"), moved=("arm", "nunique")
    )
    by_unit = by_unit[by_unit["moved"] == 1]  # who changed arms when the share rose belongs to neither
    strata = [
        MeanStratum(stable=_totals(part, Arm.STABLE), candidate=_totals(part, Arm.CANDIDATE))
        for _, part in by_unit.groupby("stratum", sort=False)
    ]
    stable = by_unit.loc[by_unit["arm"] == Arm.STABLE.value, "value"].mean()
    tolerated = (rule.margin - 1) * abs(float(stable)) if np.isfinite(stable) else 0.0
    return MeanVerdict(gap=mean_difference(strata, alpha=alpha), tolerated=tolerated, better=rule.better, alpha=alpha)


def _totals(part: pd.DataFrame, arm: Arm) -> ArmTotals:
    values = part.loc[part["arm"] == arm.value, "value"].to_numpy(dtype=np.float64)
    return ArmTotals(
        units=len(values),
        total=float(values.sum()),
        squares=float((values**2).sum()),
        nonzero=int(np.count_nonzero(values)),
    )


def _ratios(rows: pd.DataFrame) -> dict[str, SampleRatio]:
    """Units by the step and share they were first seen in: their arm is then as likely as that share."""
    first = rows.drop_duplicates("unit")
    found: dict[str, SampleRatio] = {}
    for level, part in first.groupby("share", sort=True):
        share = float(str(level))
        if 0 < share < 1:
            theirs = int((part["arm"] == Arm.CANDIDATE.value).sum())
            found[f"{100 * share:g} %"] = sample_ratio([theirs, len(part) - theirs], [share, 1 - share])
    return found


def _remarks(log: pd.DataFrame) -> tuple[str, ...]:
    if not len(log) or log["unit"].notna().all():
        return ()
    without = log["unit"].isna().mean()
    said = f"{without:.0%} of the requests name no unit: each of them counts by itself"
    return (f"{said}, and evidence is too strong where requests of one person or machine resemble each other",)


def _decide(
    combined: Any,
    verdicts: Mapping[str, Verdict],
    policy: RolloutPolicy,
    step: RolloutStep,
    in_step: int,
    *,
    is_last: bool,
    is_promoted: bool,
) -> tuple[RolloutDecision, str]:
    if combined.decision == "blocked":
        return RolloutDecision.BLOCKED, combined.sentence
    if combined.decision == "roll back":
        return RolloutDecision.ROLL_BACK, combined.sentence
    if is_promoted:
        return RolloutDecision.HOLD, "promoted, and no harm seen since"
    if step.kind is StepKind.AB:
        better = [name for name, verdict in verdicts.items() if _is_better(verdict)]
        if better and combined.decision == "promote":
            return RolloutDecision.PROMOTE, f"better in {', '.join(better)}, and no worse in any other metric"
        return RolloutDecision.HOLD, "not yet shown to be better in any metric and no worse in the others"
    if combined.decision == "promote":
        return (RolloutDecision.PROMOTE if is_last else RolloutDecision.ADVANCE), combined.sentence
    if not is_last and in_step >= policy.step_units:
        return RolloutDecision.ADVANCE, f"{in_step:,} units met the candidate in this step, and no harm was seen"
    return RolloutDecision.HOLD, combined.sentence


def _is_better(verdict: Verdict) -> bool:
    if isinstance(verdict, MeanVerdict):
        return verdict.is_better
    if isinstance(verdict, RateVerdict):
        ratio = verdict.rate_ratio
        return ratio.low > 1 if verdict.higher_is_better else ratio.high < 1
    return verdict.difference.high < 0


def _numbers(verdict: Verdict) -> dict[str, float]:
    estimate = (
        verdict.gap.difference
        if isinstance(verdict, MeanVerdict)
        else verdict.rate_ratio
        if isinstance(verdict, RateVerdict)
        else verdict.difference
    )
    return {
        "e_harm": verdict.e_harm,
        "e_not_worse": verdict.e_not_worse,
        "estimate": estimate.value,
        "low": estimate.low,
        "high": estimate.high,
    }
