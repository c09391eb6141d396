"""From numbers to checks, from checks to one verdict, and the verdict in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from nbprod.domain.advice import Verdict
from nbprod.domain.check import Cause, CheckOutcome, CheckResult, Need
from nbprod.domain.monitor import AGREEMENT, MonitorPolicy
from nbprod.domain.plain import listed
from nbprod.monitors.performance import judge_performance, judged_metric
from nbprod.monitors.reference import OUTPUTS
from nbprod.statistics import Agreement, ColumnComparison, ColumnVerdict, Comparison, ConceptDrift, Interval, metric

__all__ = [
    "agreement_check",
    "agreement_sentence",
    "column_checks",
    "performance_checks",
    "verdict_of",
    "verdict_sentence",
]

DOUBT = 0.05  #: what is significant at this level and not at the budget's is a doubt: it neither alarms nor settles
MOST_WINDOWS = 12  #: more rows than this many windows have are not worth waiting for


def performance_checks(
    before: Mapping[str, Interval],
    after: Mapping[str, Interval],
    expected: Mapping[str, Interval],
    policy: MonitorPolicy,
    task: str,
    level: float,
    outcomes: int,
    agreed: Agreement | None = None,
) -> Sequence[CheckResult]:
    """Performance as realised; the estimate may alarm in its place while outcomes are missing.

    Where outcomes contradict the estimate, its sentence says so.
    """
    realised = judge_performance(before, after, policy, task=task, level=level, outcomes=outcomes)
    if judged_metric(policy, task) not in expected:
        return [realised]
    estimated = judge_performance(before, expected, policy, task=task, level=level, estimated=True)
    if agreed is not None and not agreed.holds:
        estimated = replace(
            estimated, sentence=f"{estimated.sentence}; outcomes contradict it: it is {agreed.realised:.3g}"
        )
    if judged_metric(policy, task) in after:
        # what happened is known: what was expected is told beside it and alarms no longer
        estimated = replace(estimated, outcome=CheckOutcome.PASSED)
    return [realised, estimated]


def agreement_check(found: Agreement, level: float, *, judged: bool = True) -> CheckResult:
    """Whether what came is what was estimated; it never alarms by itself, and only the judged metric leaves a doubt.

    The interval is that of the difference at 95 %: where it does not hold 0, outcomes contradict the estimate.
    """
    holds = not judged or found.p_value > min(level, DOUBT)
    return CheckResult(
        name=AGREEMENT,
        subject=found.metric,
        outcome=CheckOutcome.PASSED if holds else CheckOutcome.INCONCLUSIVE,
        sentence=agreement_sentence(found),
        value=found.difference.value,
        low=found.difference.low,
        high=found.difference.high,
        rule="as estimated",
    )


def agreement_sentence(found: Agreement) -> str:
    """What was estimated, what came, and what that says of the estimate's assumption."""
    said = f"{found.metric} was estimated at {found.estimated.value:.3g} and is {found.realised:.3g}"
    if found.holds:
        return f"{said}: the inputs predict outcomes as before."
    return f"{said}: the inputs no longer predict outcomes as before (p = {found.p_value:.1g})."


def column_checks(comparison: Comparison, began: Mapping[str, datetime]) -> list[CheckResult]:
    """A check a column; what began within the window says when."""
    most = max((column.rows_needed or 0 for column in comparison.columns.values()), default=0)
    # where windows of the reference differ so much among themselves, a longer window tells nothing
    can_wait = most <= MOST_WINDOWS * comparison.current_rows
    more = int(float(f"{max(most - comparison.current_rows, 0):.2g}")) if can_wait else None
    return [_column_check(column, began.get(column.name), more) for column in comparison.columns.values()]


def _column_check(column: ColumnComparison, began: datetime | None, more: int | None) -> CheckResult:
    """The check of one column; ``more`` is how many predictions would settle all, ``None`` where none would."""
    outcome, sentence = CheckOutcome.PASSED, column.sentence
    cause, needs = None, None
    if column.verdict is ColumnVerdict.CHANGED:
        outcome, cause = CheckOutcome.FAILED, Cause.VALUES
        sentence += f" It began about {began.day} {began:%B %Y}." if began else ""
        if column.method == "schema" or abs(column.missing_change) >= DOUBT:
            cause = Cause.SOURCE
    elif _is_doubtful(column):
        outcome = CheckOutcome.INCONCLUSIVE
        sentence += " The evidence is too weak for an alarm within the budget of false alarms."
    elif column.verdict is ColumnVerdict.INCONCLUSIVE:
        outcome, needs = CheckOutcome.INCONCLUSIVE, Need.REFERENCE if more is None else Need.PREDICTIONS
    return CheckResult(
        name="prediction" if column.name in OUTPUTS else "drift",
        subject=column.name,
        outcome=outcome,
        sentence=sentence,
        value=column.effect,
        low=column.low,
        high=column.high,
        rule=f"below {column.threshold:.3g} {column.effect_unit}".rstrip(),
        cause=cause,
        needs=needs,
        needed=more if needs is Need.PREDICTIONS else None,
    )


def _is_doubtful(column: ColumnComparison) -> bool:
    """Whether a column would have changed at five percent, and has not at the budget's level."""
    if column.verdict in {ColumnVerdict.CHANGED, ColumnVerdict.WATCH}:
        return False
    return column.judged(column.p_adjusted, DOUBT).verdict is ColumnVerdict.CHANGED


def verdict_of(checks: Sequence[CheckResult], comparison: Comparison, rise: ConceptDrift | None) -> Verdict:
    """The worst that was found; what is small or doubtful is watched."""
    outcomes = {check.outcome for check in checks}
    if CheckOutcome.FAILED in outcomes:
        return Verdict.ALARM
    if _watched(comparison) or _contradicted(checks) or (rise is not None and rise.detected):
        return Verdict.WATCH
    return Verdict.HEALTHY if outcomes == {CheckOutcome.PASSED} else Verdict.INCONCLUSIVE


def _watched(comparison: Comparison) -> list[str]:
    """What is significant without being an alarm: small, or too little evidence for the budget."""
    doubts = [column.name for column in comparison.columns.values() if _is_doubtful(column)]
    return [*comparison.watch, *doubts]


def _contradicted(checks: Sequence[CheckResult]) -> list[str]:
    """The judged metrics whose outcomes contradict the estimate beyond the budget of false alarms."""
    return [check.subject for check in checks if check.name == AGREEMENT and check.outcome is not CheckOutcome.PASSED]


def verdict_sentence(
    verdict: Verdict, checks: Sequence[CheckResult], comparison: Comparison, policy: MonitorPolicy
) -> str:
    """The verdict's reasons in one sentence."""
    failed = [check for check in checks if check.outcome is CheckOutcome.FAILED]
    if verdict is Verdict.ALARM:
        drifted = [check.subject for check in failed if check.name == "drift"]
        parts = [check.sentence for check in failed if check.name in {"performance", "estimated"}]
        if drifted:
            parts.insert(0, f"{listed(drifted)} changed")
        if any(check.name == "prediction" for check in failed):
            parts.append("the predictions changed")
        return "; ".join(parts)
    doubtful = [check for check in checks if check.outcome is CheckOutcome.INCONCLUSIVE]
    told = [check.sentence for check in doubtful if check.name == "performance"]
    if verdict is Verdict.INCONCLUSIVE:
        columns = [check.subject for check in doubtful if check.name in {"drift", "prediction"}]
        parts = [f"too few rows to judge {listed(columns)}"] if columns else []
        return "; ".join(parts + told)
    if verdict is Verdict.WATCH:
        watched, unlike = _watched(comparison), _contradicted(checks)
        small = f"{listed(watched)} changed, but too little or with too weak evidence for an alarm" if watched else ""
        contradicted = f"outcomes contradict the estimate of {listed(unlike)}" if unlike else ""
        found = [part for part in (small, contradicted) if part]
        if not found:
            return _errors_grew(next(check for check in checks if check.name == "performance"), policy)
        return "; ".join([*found, *told])
    return "nothing changed significantly"


def _errors_grew(judged: CheckResult, policy: MonitorPolicy) -> str:
    """The errors of the model became larger than in the reference: what that means for the judged metric."""
    chosen = metric(judged.subject)
    limit = f"{policy.max_drop:.3g}" if chosen.task == "classification" else f"{policy.max_drop:.3g} of the reference"
    looks, move = ("lower", "drop") if chosen.higher_is_better else ("higher", "rise")
    if judged.value is None or judged.value <= 0:
        return f"the model's errors grew over time, but {judged.subject} is not worse in this window"
    if judged.outcome is CheckOutcome.PASSED:
        return f"{judged.subject} is {looks}, but the {move} is within your limit of {limit}"
    return f"{judged.subject} looks {looks}; the {move} may still be under your limit of {limit}"
