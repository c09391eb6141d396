"""From numbers to checks, from checks to one verdict, and the verdict in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from math import isfinite

from nbprod.domain.advice import Verdict
from nbprod.domain.check import Cause, CheckOutcome, CheckResult, Need
from nbprod.domain.monitor import AGREEMENT, BESIDE, MonitorPolicy
from nbprod.domain.plain import listed
from nbprod.monitors.performance import judge_performance, judged_metric, limit_of
from nbprod.monitors.reference import OUTPUTS
from nbprod.statistics import (
    Agreement,
    ColumnComparison,
    ColumnVerdict,
    ConceptDrift,
    DriftComparison,
    Interval,
    metric,
)

__all__ = [
    "agreement_check",
    "agreement_sentence",
    "column_checks",
    "performance_checks",
    "verdict_of",
    "verdict_sentence",
    "volume_check",
]

BROKEN = frozenset({"missing", "infinite"})  #: effects that speak of a source rather than of the world
DOUBT = 0.05  #: what is significant at this level and not at the budget's is a doubt: it neither alarms nor settles
LARGE_FALL = 2.0  #: a fall of so many times the limit is large: a window that would not show it says nothing
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
    doubt: str = "",
) -> Sequence[CheckResult]:
    """Performance as realised; the estimate may alarm in its place while outcomes are missing.

    Where outcomes contradict the estimate, its sentence says so.
    """
    name = judged_metric(policy, task)
    limit = abs(limit_of(before[name].value, name, policy) - before[name].value) if name in before else 0.0
    realised = judge_performance(before, after, policy, task=task, level=level, outcomes=outcomes, doubt=doubt)
    realised = _or_quiet(realised, limit)
    if name not in expected:
        return [realised]
    estimated = judge_performance(before, expected, policy, task=task, level=level, estimated=True)
    estimated = _or_quiet(estimated, limit)
    if agreed is not None and not agreed.holds:
        estimated = replace(
            estimated, sentence=f"{estimated.sentence}; outcomes contradict it: it is {agreed.realised:.3g}"
        )
    if name in after:
        # what happened is known: what was expected is told beside it and alarms no longer
        estimated = replace(estimated, outcome=CheckOutcome.PASSED)
    return [realised, estimated]


def _or_quiet(check: CheckResult, limit: float) -> CheckResult:
    """A metric that fell neither certainly nor beyond its limit has passed, if a large fall would have been seen."""
    if (
        check.outcome is not CheckOutcome.INCONCLUSIVE
        or check.value is None
        or check.low is None
        or check.high is None
    ):
        return check
    blind = check.high - check.value
    if check.low > 0 or check.value > limit or blind > LARGE_FALL * limit:
        return check
    return replace(
        check,
        outcome=CheckOutcome.PASSED,
        sentence=f"{check.sentence}; a fall under {blind:.2g} would not have been seen",
        detectable=blind,
    )


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
    estimate = f"{found.metric} was estimated at {found.estimated.value:.3g} and is {found.realised:.3g}"
    if found.holds:
        return f"{estimate}: the inputs predict outcomes as before."
    return f"{estimate}: the inputs no longer predict outcomes as before (p = {found.p_value:.1g})."


def column_checks(comparison: DriftComparison, began: Mapping[str, datetime]) -> list[CheckResult]:
    """A check a column, and one of each column with infinite values; what began within the window says when."""
    checks = [_column_check(column, comparison, began.get(column.name)) for column in comparison.columns.values()]
    infinite = [_infinite_check(column) for column in comparison.columns.values() if column.current_infinite]
    # said when it is over, so that alerts close
    whole = CheckResult(name="quality", outcome=CheckOutcome.PASSED, sentence="no value is infinite", rule="finite")
    return [*checks, *(infinite or [whole])]


def _column_check(column: ColumnComparison, comparison: DriftComparison, began: datetime | None) -> CheckResult:
    outcome, sentence = CheckOutcome.PASSED, column.sentence
    cause, needs, more = None, None, None
    if column.verdict is ColumnVerdict.CHANGED:
        outcome, cause = CheckOutcome.FAILED, Cause.VALUES
        sentence += f" It began about {began.day} {began:%B %Y}." if began else ""
        broken = any(one.name in BROKEN and one.material for one in column.effects)
        if column.method == "schema" or broken or abs(column.missing_change) >= DOUBT:
            cause = Cause.SOURCE
    elif _is_doubtful(column):
        outcome = CheckOutcome.INCONCLUSIVE
        sentence += " The evidence is too weak for an alarm within the budget of false alarms."
    elif column.verdict is ColumnVerdict.INCONCLUSIVE:
        outcome = CheckOutcome.INCONCLUSIVE
        needs, more = _waiting(column, comparison.current_rows)
        if column.significant:
            sentence += " It changed, and whether by more than is material is open."
    elif column.detectable_sentence:
        sentence += f" {column.detectable_sentence[0].upper()}{column.detectable_sentence[1:]}."
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
        needed=more,
        detectable=column.detectable if isfinite(column.detectable) else None,
        rows_needed=column.rows_needed,
    )


def _waiting(column: ColumnComparison, rows: int) -> tuple[Need | None, int | None]:
    """What a column that cannot be judged waits for, and how many more of it."""
    needed = column.rows_needed or 0
    if needed > MOST_WINDOWS * rows:
        # where windows of the reference differ so much among themselves, a longer window tells nothing
        return Need.REFERENCE, None
    return (Need.PREDICTIONS, int(float(f"{max(needed - rows, 1):.2g}"))) if needed else (None, None)


def _infinite_check(column: ColumnComparison) -> CheckResult:
    """Infinite values are a fault of where the column comes from, unless the reference has them too."""
    known = column.reference_infinite > 0
    worse = not known or (
        column.significant and any(one.name == "infinite" and one.material for one in column.effects)
    )
    before = f", before in {column.reference_infinite:.2%}" if known else ", which the reference never is"
    return CheckResult(
        name="quality",
        subject=column.name,
        outcome=CheckOutcome.FAILED if worse else CheckOutcome.PASSED,
        sentence=f"{column.name} is infinite in {column.current_infinite:.2%} of rows{before}.",
        value=column.current_infinite,
        rule="finite",
        cause=Cause.SOURCE,
    )


def _is_doubtful(column: ColumnComparison) -> bool:
    """Whether a column would have changed at five percent, and has not at the budget's level."""
    if column.significant:
        return False
    return column.judged(column.p_adjusted, DOUBT).verdict is ColumnVerdict.CHANGED


def volume_check(rows: int, policy: MonitorPolicy) -> CheckResult:
    """That a window has too few predictions to be judged."""
    return CheckResult(
        name="volume",
        outcome=CheckOutcome.INCONCLUSIVE,
        sentence=f"only {rows} predictions in this window; at least {policy.min_rows} are needed",
        value=rows,
        rule=f"at least {policy.min_rows:,} predictions",
        needs=Need.PREDICTIONS,
        needed=policy.min_rows - rows,
    )


def verdict_of(checks: Sequence[CheckResult], comparison: DriftComparison, rise: ConceptDrift | None) -> Verdict:
    """The worst that was found; what is small or doubtful is watched."""
    outcomes = {check.outcome for check in checks}
    if CheckOutcome.FAILED in outcomes:
        return Verdict.ALARM
    if _watched(comparison) or _contradicted(checks) or (rise is not None and rise.detected):
        return Verdict.WATCH
    # outcomes that have not come are nothing that was found, and no column that cannot be judged
    doubtful = [
        check
        for check in checks
        if check.outcome is CheckOutcome.INCONCLUSIVE
        and not (check.name in {"performance", *BESIDE} and check.value is None)
    ]
    return Verdict.INCONCLUSIVE if doubtful else Verdict.HEALTHY


def _watched(comparison: DriftComparison) -> list[str]:
    """What is significant without being an alarm: small, or too little evidence for the budget."""
    doubts = [column.name for column in comparison.columns.values() if _is_doubtful(column)]
    return [*comparison.watch, *doubts]


def _contradicted(checks: Sequence[CheckResult]) -> list[str]:
    """The judged metrics whose outcomes contradict the estimate beyond the budget of false alarms."""
    return [check.subject for check in checks if check.name == AGREEMENT and check.outcome is not CheckOutcome.PASSED]


def verdict_sentence(
    verdict: Verdict, checks: Sequence[CheckResult], comparison: DriftComparison, policy: MonitorPolicy
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
        parts += [check.sentence.removesuffix(".") for check in failed if check.name in {"quality", *BESIDE}]
        return "; ".join(parts)
    doubtful = [check for check in checks if check.outcome is CheckOutcome.INCONCLUSIVE]
    performance = [check.sentence for check in doubtful if check.name == "performance"]
    performance += [check.sentence for check in doubtful if check.name in BESIDE and check.value is not None]
    if verdict is Verdict.INCONCLUSIVE:
        columns = [check.subject for check in doubtful if check.name in {"drift", "prediction"}]
        found = [name for name in columns if comparison.columns[name].significant]
        few = [name for name in columns if name not in found]
        parts = [f"{listed(found)} changed, and may or may not have by what is material"] if found else []
        parts += [f"too few rows to judge {listed(few)}"] if few else []
        return "; ".join(parts + performance)
    if verdict is Verdict.WATCH:
        watched, unlike = _watched(comparison), _contradicted(checks)
        small = f"{listed(watched)} changed, but too little or with too weak evidence for an alarm" if watched else ""
        contradicted = f"outcomes contradict the estimate of {listed(unlike)}" if unlike else ""
        found = [part for part in (small, contradicted) if part]
        if not found:
            return _errors_grew(next(check for check in checks if check.name == "performance"), policy)
        return "; ".join([*found, *performance])
    blind = max(comparison.columns.values(), key=lambda column: column.rows_needed or 0, default=None)
    unseen = [f"{blind.name}: {blind.detectable_sentence}"] if blind is not None and blind.detectable_sentence else []
    return "; ".join(["nothing changed significantly", *unseen, *performance])


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
