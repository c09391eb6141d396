"""What a window says of a deployment: quality, drift, predictions and performance, in one verdict with reasons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from nbprod.domain.check import CheckOutcome, CheckResult
from nbprod.domain.markup import card
from nbprod.domain.monitor import MonitorPolicy, Verdict
from nbprod.monitors.performance import Scored, judge_performance, performance
from nbprod.monitors.window import OUTPUTS, MonitoredWindow
from nbprod.statistics import Profile, compare
from nbprod.statistics.comparison import ColumnComparison, ColumnVerdict, Comparison
from nbprod.statistics.interval import Interval

__all__ = ["Assessment", "assess"]


@dataclass(frozen=True, kw_only=True)
class Assessment:
    """The verdict of one window.

    Attributes
    ----------
    comparison
        The columns side by side, as `nbprod.statistics.compare` gave them; ``None`` with too few rows.
    performance
        Realised metrics with intervals, of the reference and of the window.
    """

    verdict: Verdict
    sentence: str
    rows: int
    outcomes: int
    checks: tuple[CheckResult, ...]
    changed: tuple[str, ...] = ()
    comparison: Comparison | None = None
    performance: Mapping[str, tuple[Interval, Interval]] = field(default_factory=dict)

    @property
    def metrics(self) -> dict[str, float]:
        """Each metric of the window, and of the reference with ``reference_`` before its name."""
        found = {name: after.value for name, (_, after) in self.performance.items()}
        return found | {f"reference_{name}": before.value for name, (before, _) in self.performance.items()}

    def __repr__(self) -> str:
        return f"<Assessment {self.verdict}: {self.sentence}>"

    def _repr_html_(self) -> str:
        telling = [check for check in self.checks if check.outcome is not CheckOutcome.PASSED] or self.checks
        return card(
            f"{self.verdict.capitalize()}: {self.sentence}",
            [
                ("rows", f"{self.rows:,}, {self.outcomes:,} with an outcome"),
                *(
                    (f"{check.name} {check.subject}".strip(), f"{check.outcome}: {check.sentence}")
                    for check in telling
                ),
            ],
        )


def assess(window: MonitoredWindow, policy: MonitorPolicy, *, seed: int = 0) -> Assessment:
    """Hold a window of predictions against its reference.

    Parameters
    ----------
    window
        From `load_window`.
    policy
        What is material.
    seed
        The same seed gives the same numbers.
    """
    rows, task = len(window.current), window.task
    if rows < policy.min_rows:
        sentence = f"only {rows} predictions in this window; {policy.min_rows} are needed to say anything"
        doubt = CheckResult(name="volume", outcome=CheckOutcome.INCONCLUSIVE, sentence=sentence, value=rows)
        return Assessment(
            verdict=Verdict.INCONCLUSIVE, sentence=sentence, rows=rows, outcomes=window.outcomes, checks=(doubt,)
        )
    comparison = _compared(window, policy, seed)
    checks = [_column_check(column) for column in comparison.columns.values()]
    classes = list(window.classes) or None
    before = performance(_scored(window.reference, window.time), task, policy, classes=classes, seed=seed)
    after = performance(_scored(window.current, "at"), task, policy, classes=classes, seed=seed)
    checks.append(judge_performance(before, after, policy, task=task))
    verdict = _verdict(checks, comparison)
    return Assessment(
        verdict=verdict,
        sentence=_sentence(verdict, checks),
        rows=rows,
        outcomes=window.outcomes,
        checks=tuple(checks),
        changed=tuple(name for name in comparison.changed if name not in OUTPUTS),
        comparison=comparison,
        performance={name: (before[name], after[name]) for name in before if name in after},
    )


def _compared(window: MonitoredWindow, policy: MonitorPolicy, seed: int) -> Comparison:
    """Inputs and outputs side by side; by blocks of time where the reference has times."""
    sides = set(window.current.columns) & set(window.reference.columns)
    names = [name for name in (policy.columns or window.inputs) if name in sides]
    names += [name for name in OUTPUTS if name in sides]
    if window.time and policy.block:
        # both sides need the moments under one name
        before = window.reference[names].assign(at=window.reference[window.time])
        reference = Profile.of(before, columns=names, time="at", block=policy.block)
        current = Profile.of(window.current[[*names, "at"]], grid=reference, columns=names)
    else:
        reference = Profile.of(window.reference[names])
        current = Profile.of(window.current[names], grid=reference)
    return compare(reference, current, alpha=policy.alpha, seed=seed)


def _scored(frame: pd.DataFrame, time: str | None) -> Scored:
    columns = [name for name in ("prediction", "probability", "outcome") if name in frame]
    return Scored(frame=frame[columns], times=frame[time] if time else None)


def _column_check(column: ColumnComparison) -> CheckResult:
    outcome = {
        ColumnVerdict.CHANGED: CheckOutcome.FAILED,
        ColumnVerdict.INCONCLUSIVE: CheckOutcome.INCONCLUSIVE,
    }.get(column.verdict, CheckOutcome.PASSED)
    return CheckResult(
        name="prediction" if column.name in OUTPUTS else "drift",
        subject=column.name,
        outcome=outcome,
        sentence=column.sentence,
        value=column.effect,
        low=column.low,
        high=column.high,
        rule=f"below {column.threshold:.3g} {column.effect_unit}",
    )


def _verdict(checks: Sequence[CheckResult], comparison: Comparison) -> Verdict:
    outcomes = {check.outcome for check in checks}
    if CheckOutcome.FAILED in outcomes:
        return Verdict.ALARM
    if comparison.watch:
        return Verdict.WATCH
    return Verdict.HEALTHY if outcomes == {CheckOutcome.PASSED} else Verdict.INCONCLUSIVE


def _sentence(verdict: Verdict, checks: Sequence[CheckResult]) -> str:
    failed = [check for check in checks if check.outcome is CheckOutcome.FAILED]
    if verdict is Verdict.ALARM:
        drifted = [check.subject for check in failed if check.name == "drift"]
        parts = [check.sentence for check in failed if check.name == "performance"]
        if drifted:
            parts.insert(0, f"{_and(drifted)} changed")
        if any(check.name == "prediction" for check in failed):
            parts.append("the predictions changed")
        return "; ".join(parts)
    if verdict is Verdict.INCONCLUSIVE:
        doubtful = [check for check in checks if check.outcome is CheckOutcome.INCONCLUSIVE]
        unclear = [check.subject for check in doubtful if check.name != "performance"]
        parts = [f"too few rows to judge {_and(unclear)}"] if unclear else []
        return "; ".join(parts + [check.sentence for check in doubtful if check.name == "performance"])
    if verdict is Verdict.WATCH:
        return "something changed significantly, but by less than what is material"
    return "nothing changed significantly"


def _and(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
