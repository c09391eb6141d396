"""What a window says of a deployment: quality, drift, predictions and performance, in one verdict with reasons."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import reduce
from typing import Any

import numpy as np
import pandas as pd

from nbprod.domain.advice import Verdict, next_step
from nbprod.domain.check import CheckOutcome, CheckResult
from nbprod.domain.markup import card
from nbprod.domain.monitor import ESTIMATED, REFERENCE, MonitorPolicy, contradicted_metrics, contradiction_sentence
from nbprod.domain.names import nearest
from nbprod.domain.plain import listed, plain
from nbprod.errors import SettingsError
from nbprod.monitors.budget import LARGEST, budget_check, share_of_level
from nbprod.monitors.diagnosis import agreements, change_onset, concept, estimates, of_same_version, worst_segment
from nbprod.monitors.findings import PART, Findings, all_checks
from nbprod.monitors.judging import (
    agreement_check,
    agreement_sentence,
    column_checks,
    performance_checks,
    verdict_of,
    verdict_sentence,
    volume_check,
)
from nbprod.monitors.performance import ScoredRows, judged_metric, performance
from nbprod.monitors.reference import OUTPUTS, MonitorReference
from nbprod.monitors.window import MonitoredWindow
from nbprod.statistics import (
    Agreement,
    ConceptDrift,
    Impact,
    Interval,
    Profile,
    SegmentDrop,
    compare_together,
    metric,
    outcome_delays,
    rank_columns,
    ranking_sentence,
)
from nbprod.statistics.comparison import DriftComparison
from nbprod.visible import escape

__all__ = ["Assessment", "assess"]

EVENT_TIME = "nbprod event time"  #: a name no input has


@dataclass(frozen=True, kw_only=True)
class Assessment:
    """The verdict of one window.

    Attributes
    ----------
    start
        Of the window.
    policy
        What it was judged by.
    metric
        The one that is judged.
    comparison
        The columns side by side, as `nbprod.statistics.compare` gave them; ``None`` with too few rows.
    usual
        Metrics of the reference with intervals.
    performance
        Realised metrics of the window, as far as outcomes allow.
    estimated
        Metrics expected of the window's rows, whether their outcomes have come or not.
    agreement
        The judged metric as estimated and as realised, on the rows with outcomes; the others are among the checks.
    began
        Since when a column or the metric is different, where that can be told.
    concept
        Whether and since when the loss rose above the reference's.
    segment
        The smallest part of the rows that explains a loss.
    ranking
        Inputs by impact: the change, times how much the model relies on the column.
    untested
        Inputs of which the model has seen a single value.
    labels
        How many outcomes have come, in words.
    beside
        What was found of KPIs, of the server and of batch jobs.
    """

    deployment: str
    start: datetime
    policy: MonitorPolicy
    metric: str
    verdict: Verdict
    sentence: str
    rows: int
    outcomes: int
    checks: tuple[CheckResult, ...]
    changed: tuple[str, ...] = ()
    comparison: DriftComparison | None = None
    usual: Mapping[str, Interval] = field(default_factory=dict)
    performance: Mapping[str, Interval] = field(default_factory=dict)
    estimated: Mapping[str, Interval] = field(default_factory=dict)
    agreement: Agreement | None = None
    began: Mapping[str, datetime] = field(default_factory=dict)
    concept: ConceptDrift | None = None
    segment: SegmentDrop | None = None
    ranking: tuple[Impact, ...] = ()
    untested: frozenset[str] = frozenset()
    labels: str = ""
    beside: tuple[Findings, ...] = ()

    @property
    def metrics(self) -> dict[str, float]:
        """Each metric of the window: realised, ``estimated_`` and ``reference_``; KPIs and health likewise."""
        sides = (("", self.performance), (ESTIMATED, self.estimated), (REFERENCE, self.usual))
        own = {prefix + name: one.value for prefix, side in sides for name, one in side.items()}
        return own | {name: value for one in self.beside for name, value in one.metrics.items()}

    @property
    def contradicted(self) -> tuple[str, ...]:
        """The metrics whose outcomes contradict the estimate."""
        return contradicted_metrics(self.checks)

    @property
    def where(self) -> list[dict[str, Any]]:
        """The conditions of the segment, as plain values; none where no segment explains a loss."""
        return [] if self.segment is None else plain([*self.segment.conditions])

    @property
    def next_step(self) -> str:
        """What to do about it."""
        return next_step(self.deployment, self.verdict, self.checks)

    @property
    def reasons(self) -> tuple[str, ...]:
        """What explains the verdict, a sentence each: what matters, since when, where, and what is known."""
        found = []
        tested = [one for one in self.ranking if one.name not in self.untested]
        if any(one.impact > 0 for one in tested):
            found.append(ranking_sentence(tested))
        if new := [name for name in self.changed if name in self.untested]:
            found.append(
                f"{listed(new)} had a single value in the reference, so what the model does with others is not known."
            )
        if self.concept is not None and self.concept.detected:
            found.append(self.concept.sentence)
        if self.segment is not None:
            found.append(_located(self.segment))
        if self.agreement is not None:
            found.append(agreement_sentence(self.agreement))
        if others := [name for name in self.contradicted if name != self.metric]:
            found.append(contradiction_sentence(others))
        return (*found, self.labels) if self.labels else tuple(found)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, the same for the same rows, policy and seed."""
        return {
            "format": "nbprod-verdict-1",
            "deployment": self.deployment,
            "verdict": self.verdict.value,
            "sentence": self.sentence,
            "next_step": self.next_step,
            "reasons": list(self.reasons),
            "rows": self.rows,
            "outcomes": self.outcomes,
            "changed": list(self.changed),
            "contradicted": list(self.contradicted),
            **{
                side: {name: one.to_dict() for name, one in metrics.items()}
                for side, metrics in (
                    ("performance", self.performance),
                    ("estimated", self.estimated),
                    ("reference", self.usual),
                )
            },
            "ranking": [{"name": one.name, "impact": one.impact} for one in self.ranking],
            "columns": {} if self.comparison is None else self.comparison.to_dict()["columns"],
        }

    def __repr__(self) -> str:
        return f"<Assessment {self.verdict}: {self.sentence}>"

    def _repr_html_(self) -> str:
        failed = [check for check in self.checks if check.outcome is CheckOutcome.FAILED]
        reasons = "".join(f"<p>{escape(reason)}</p>" for reason in self.reasons)
        step = "".join(
            f"<code>{escape(part)}</code>" if n % 2 else escape(part)
            for n, part in enumerate(self.next_step.split("`"))
        )
        head = f"<p><strong>{escape(self.verdict.capitalize())}: {escape(self.sentence)}.</strong></p>"
        rows = [(f"{check.name} {check.subject}".strip(), check.sentence) for check in failed]
        failures = card(f"{self.rows:,} predictions, {self.outcomes:,} with an outcome", rows) if rows else ""
        return f"{head}{reasons}<p><strong>Next:</strong> {step}</p>{failures}"


def assess(
    window: MonitoredWindow,
    policy: MonitorPolicy,
    *,
    seed: int = 0,
    level: float = LARGEST,
    judged: Sequence[float] = (),
    beside: Sequence[Findings] = (),
) -> Assessment:
    """Hold a window of predictions against its reference.

    Parameters
    ----------
    window
        From `load_window`.
    policy
        What is material.
    seed
        The same seed gives the same numbers.
    level
        The chance of a false alarm this look may have, from the budget: half for columns, half for performance; a
        quarter for each where there is something beside.
    judged
        What share of the outcomes was known at earlier looks at this window: all looks at its performance share the
        level.
    beside
        What was found of KPIs, of the server and of batch jobs: part of the verdict.
    """
    rows, reference = len(window), window.reference
    beside = tuple(one for one in beside if one)
    others = all_checks(beside)
    part = level * (PART if beside else 0.5)
    if rows < policy.min_rows:
        doubt = volume_check(rows, policy)
        failed = [check.sentence for check in others if check.outcome is CheckOutcome.FAILED]
        return Assessment(
            deployment=window.deployment,
            start=window.start,
            policy=policy,
            metric=judged_metric(policy, reference.task),
            verdict=Verdict.ALARM if failed else Verdict.INCONCLUSIVE,
            sentence="; ".join([*failed, doubt.sentence]),
            rows=rows,
            outcomes=window.outcomes,
            checks=(*((budget_check(level, policy.false_alarms_per_year),) if others else ()), doubt, *others),
            beside=beside,
        )
    scored = window.scored.matured(window.as_of, policy.matures_after)
    current = window.current
    usual, seen = _profiles(window, policy)
    comparison = compare_together(
        usual,
        seen,
        alpha=min(policy.alpha, part),
        seed=seed,
        lengths=sorted({1, len(seen)}),
        columns=list(seen[-1].columns),
        blocks=usual.blocks is not None and seen[-1].blocks is not None,
    )
    classes = list(reference.classes) or None
    known = ScoredRows(frame=reference.rows, times=reference.rows[reference.time] if reference.time else None)
    before = performance(known, reference.task, policy, classes=classes, seed=seed)
    after = performance(scored, reference.task, policy, classes=classes, seed=seed)
    expected = {key: one for key, one in estimates(reference, current).items() if key in before}
    began = {column: at for column in comparison.changed if (at := _column_onset(comparison, column, usual, seen))}
    name = judged_metric(policy, reference.task)
    agreement = {key: one for key, one in agreements(reference, current, scored.even).items() if key in before}
    judged_agreement = agreement.get(name)
    spent = part * share_of_level(judged, window.outcomes / rows)
    checked = [
        *performance_checks(
            before,
            after,
            expected,
            policy,
            reference.task,
            spent,
            scored.outcomes,
            judged_agreement,
            doubt=scored.doubt,
        )
    ]
    rise = concept(window, scored.even, policy)
    checks = [
        budget_check(level, policy.false_alarms_per_year),
        *column_checks(comparison, began),
        *checked,
        *(agreement_check(one, level, judged=key == name) for key, one in agreement.items()),
        *others,
    ]
    drop = _drop(name, before, after, expected)
    worse = checked[0].low is not None and checked[0].low > 0
    verdict = verdict_of(checks, comparison, rise)
    return Assessment(
        deployment=window.deployment,
        start=window.start,
        policy=policy,
        metric=name,
        verdict=verdict,
        sentence=verdict_sentence(verdict, checks, comparison, policy),
        rows=rows,
        outcomes=window.outcomes,
        checks=tuple(checks),
        changed=tuple(column for column in comparison.changed if column not in OUTPUTS),
        comparison=comparison,
        usual=before,
        performance={key: one for key, one in after.items() if key in before},
        estimated=expected,
        agreement=judged_agreement,
        began=began | ({name: rise.began_at} if rise is not None and rise.began_at is not None else {}),
        concept=rise,
        segment=worst_segment(window, scored.even, policy) if worse else None,
        ranking=_ranked(comparison, reference, drop),
        untested=reference.untested,
        labels=_labels(window, policy),
        beside=beside,
    )


def _located(found: SegmentDrop) -> str:
    share = "more than all" if found.explains > 1 else f"{found.explains:.0%}"
    return f"Rows where {found.segment} ({found.share:.0%} of all) account for {share} of the additional errors."


def _profiles(window: MonitoredWindow, policy: MonitorPolicy) -> tuple[Profile, list[Profile]]:
    """The stored profile of the reference, and on its grids those of the windows before and of this one."""
    reference, current = window.reference, window.current
    usual = reference.profile(policy.block)
    for name in policy.columns:
        if name not in reference.inputs:
            raise SettingsError(
                f"The monitor of {window.deployment} is to watch {name}, which its model does not read",
                hint=nearest(name, reference.inputs),
            )
    names = [name for name in (policy.columns or reference.inputs) if name in current and name in usual.columns]
    names += [name for name in OUTPUTS if name in current and name in usual.columns]
    by_blocks = usual.blocks is not None and bool(policy.block)
    if not by_blocks:
        usual = replace(usual, blocks=None)  # the grid's blocks would be looked for in the window too

    def profiled(rows: pd.DataFrame, times: pd.Series[Any]) -> Profile:
        if not by_blocks:
            return Profile.of(rows[names], grid=usual)
        timed = rows[names].assign(**{EVENT_TIME: times.to_numpy()})
        return Profile.of(timed, grid=usual, columns=names, time=EVENT_TIME, block=policy.block)

    return usual, [*(profiled(*rows) for rows in _earlier(window)), profiled(current, window.scored.times)]


def _earlier(window: MonitoredWindow) -> Iterator[tuple[pd.DataFrame, pd.Series[Any]]]:
    """Rows of the windows before, oldest first, that the same version answered; those without a row are left out."""
    before = window.before
    if not len(before):
        return
    own = of_same_version(window.earlier, window.scored)
    times = pd.Series(window.earlier.times)
    ago = (pd.Timestamp(window.start) - times).dt.total_seconds().to_numpy(dtype=np.float64)
    back = ago / (window.end - window.start).total_seconds()
    numbers = np.ceil(back).astype(np.int64)  # of the window just before this one: 1
    for number in sorted(set(numbers[own].tolist()), reverse=True):
        chosen = own & (numbers == number)
        yield before[chosen].reset_index(drop=True), times[chosen].reset_index(drop=True)


def _column_onset(comparison: DriftComparison, column: str, usual: Profile, seen: list[Profile]) -> datetime | None:
    """When a column became different, within the windows that were taken together for its verdict."""
    return change_onset(column, usual, reduce(Profile.merge, seen[-comparison.columns[column].windows :]))


def _drop(
    name: str, before: Mapping[str, Interval], after: Mapping[str, Interval], expected: Mapping[str, Interval]
) -> float | None:
    now = after.get(name) or expected.get(name)
    if now is None or name not in before:
        return None
    off = before[name].value - now.value
    return off if metric(name).higher_is_better else -off


def _ranked(comparison: DriftComparison, reference: MonitorReference, drop: float | None) -> tuple[Impact, ...]:
    inputs = {name: column for name, column in comparison.columns.items() if name not in OUTPUTS}
    loss = drop if drop is not None and drop > 0 else None
    return tuple(rank_columns(replace(comparison, columns=inputs), reference.importances, loss=loss))


def _labels(window: MonitoredWindow, policy: MonitorPolicy) -> str:
    if policy.matures_after is None:
        return f"The outcome of {window.outcomes / len(window):.0%} of the predictions is known."
    found = outcome_delays(
        window.scored.times, window.scored.frame["outcome_at"], now=window.as_of, horizon=policy.matures_after
    )
    usual = next((age for age, share in found.delays if share >= 0.5), None)
    delay = f" Half of the outcomes come within {usual.total_seconds() / 86_400:.3g} days." if usual else ""
    return found.sentence + delay
