"""Performance in a window against the reference's: realised as outcomes come, estimated until then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nbprod.domain.check import CheckOutcome, CheckResult, Need
from nbprod.domain.monitor import MonitorPolicy
from nbprod.domain.numbers import number
from nbprod.monitors.sampling import evenly_known, known_rows
from nbprod.statistics import Interval, fall_between, mature, metric, metric_interval, time_blocks

__all__ = [
    "FEWEST_OUTCOMES",
    "ScoredRows",
    "judge_performance",
    "judged_metric",
    "limit_of",
    "metric_inputs",
    "metric_names",
    "performance",
]

METRICS = {"classification": ("accuracy", "roc_auc"), "regression": ("mae", "r2")}
#: Fewer outcomes than this say nothing about a metric, whatever the interval.
FEWEST_OUTCOMES = 30
USUAL = 0.025  #: what lies outside of a 95 % interval on one side


@dataclass(frozen=True, kw_only=True)
class ScoredRows:
    """Rows with what the model said and their truth: of the reference, or of a window.

    Attributes
    ----------
    frame
        Columns ``prediction``, ``outcome``, ``probability`` of the positive class or ``probability_<class>`` of each
        where the model gives them, and perhaps ``outcome_at`` and ``version``.
    times
        The moment of each row where rows depend on time, else ``None``.
    """

    frame: pd.DataFrame
    times: Any = None

    @property
    def outcomes(self) -> int:
        """How many rows have one."""
        return int(self.frame["outcome"].notna().sum())

    def rows(self, chosen: NDArray[np.bool_]) -> ScoredRows:
        """Those where it is true."""
        times = None if self.times is None else pd.Series(self.times).reset_index(drop=True)[chosen]
        return ScoredRows(
            frame=self.frame[chosen].reset_index(drop=True),
            times=None if times is None else times.reset_index(drop=True),
        )

    def matured(self, as_of: datetime, horizon: timedelta | None) -> ScoredRows:
        """The same rows, of which those too young have no outcome yet: early ones are often of one kind."""
        if horizon is None or self.times is None or not len(self):
            return self
        final = mature(self.times, self.frame["outcome_at"], now=as_of, horizon=horizon)
        return ScoredRows(frame=self.frame.assign(outcome=self.frame["outcome"].where(final)), times=self.times)

    @property
    def even(self) -> ScoredRows:
        """The same rows, of which those have no outcome that people looked at because of what the model said."""
        return ScoredRows(frame=evenly_known(self.frame), times=self.times)

    @property
    def doubt(self) -> str:
        """Why the outcomes cannot speak for the other rows; empty where they can."""
        return known_rows(self.frame).doubt

    def __len__(self) -> int:
        return len(self.frame)


def metric_names(policy: MonitorPolicy, task: str) -> tuple[str, ...]:
    """The metrics that are told, the one that is judged first."""
    return tuple(dict.fromkeys(([policy.metric] if policy.metric else []) + list(METRICS[task])))


def judged_metric(policy: MonitorPolicy, task: str) -> str:
    """The metric that may raise an alarm."""
    return metric_names(policy, task)[0]


def performance(
    scored: ScoredRows, task: str, policy: MonitorPolicy, *, classes: list[Any] | None = None, seed: int = 0
) -> dict[str, Interval]:
    """Each metric of the task with its interval; blocks of time are resampled where times are known.

    Parameters
    ----------
    scored
        Rows with predictions and outcomes; rows without an outcome are left out, never counted as negative. Where
        outcomes came by review, each stands for the rows that were as likely to be looked at.
    task
        ``classification`` or ``regression``.
    policy
        Names the first metric and the block.
    classes
        The labels the model knows, in its order.
    """
    rows = known_rows(scored.frame)
    known, frame = rows.known, scored.frame[rows.known]
    if len(frame) < FEWEST_OUTCOMES or rows.doubt:
        return {}
    blocks = None
    if scored.times is not None and policy.block:
        blocks = time_blocks(pd.Series(scored.times).reset_index(drop=True)[known], policy.block)
    found = {}
    for name in metric_names(policy, task):
        predictions = metric_inputs(name, frame, classes)
        if predictions is not None:
            found[name] = metric_interval(
                name,
                frame["outcome"],
                predictions,
                blocks=blocks,
                classes=classes,
                weights=rows.weights,
                seed=seed,
            )
    return found


def limit_of(reference: float, name: str, policy: MonitorPolicy) -> float:
    """The value of a metric from which on it is materially worse than in the reference."""
    chosen = metric(name)
    drop = policy.max_drop if chosen.task == "classification" else policy.max_drop * abs(reference)
    return reference - drop if chosen.higher_is_better else reference + drop


def metric_inputs(name: str, frame: pd.DataFrame, classes: list[Any] | None) -> Any:
    """What a metric reads of rows with outcomes; ``None`` where it cannot be had of them."""
    if metric(name).needs != "probability":
        return frame["prediction"]
    columns = _probabilities(frame, classes)
    if not columns or frame["outcome"].nunique() < 2:
        return None
    return frame[columns[0]] if len(columns) == 1 else frame[columns].to_numpy()


def judge_performance(
    before: Mapping[str, Interval],
    after: Mapping[str, Interval],
    policy: MonitorPolicy,
    *,
    task: str,
    level: float = USUAL,
    outcomes: int = 0,
    doubt: str = "",
    estimated: bool = False,
) -> CheckResult:
    """Whether the first metric became materially worse than in the reference.

    The interval of the difference is that of `fall_between`. Failed: the drop is larger than ``max_drop`` and, if
    there were none, would be as large with a chance of at most ``level``. Passed: the interval lies below
    ``max_drop``. Else inconclusive.

    Parameters
    ----------
    before, after
        Metrics of the reference and of the window.
    policy
        Says what is material.
    task
        ``classification`` or ``regression``.
    level
        The chance of a false alarm; what is left of the budget may make it smaller than a 95 % interval does.
    outcomes
        How many have come, for the sentence where there are too few.
    doubt
        Why outcomes that came by review cannot speak for all rows.
    estimated
        Whether the window's metrics are estimates.
    """
    name, kind = judged_metric(policy, task), "estimated" if estimated else "performance"
    if name not in before or name not in after:
        missing = FEWEST_OUTCOMES - outcomes
        return CheckResult(
            name=kind,
            subject=name,
            outcome=CheckOutcome.INCONCLUSIVE,
            sentence=f"{name} cannot be told yet: {doubt or f'fewer than {FEWEST_OUTCOMES} outcomes have come'}",
            rule=f"at least {FEWEST_OUTCOMES} outcomes",
            needs=Need.OUTCOMES,
            needed=missing if missing > 0 else None,
        )
    old, new = before[name], after[name]
    fall = fall_between(old, new, higher_is_better=metric(name).higher_is_better)
    drop, low, high, chance = fall.value, fall.low, fall.high, fall.chance
    limit = abs(limit_of(old.value, name, policy) - old.value)
    scarce = ""
    if drop > limit and chance <= min(level, USUAL):
        outcome = CheckOutcome.FAILED
    elif high <= limit or drop <= 0:
        outcome = CheckOutcome.PASSED
    else:
        outcome = CheckOutcome.INCONCLUSIVE
        scarce = "; too little evidence for the budget of false alarms" if drop > limit and low > 0 else ""
    direction = "fell" if new.value < old.value else "rose"
    verb = f"is estimated to have {'fallen' if direction == 'fell' else 'risen'}" if estimated else direction
    return CheckResult(
        name=kind,
        subject=name,
        outcome=outcome,
        sentence=f"{name} {verb} from {number(old.value, 3)} in the reference to {number(new.value, 3)}"
        f" (worse by {number(drop, 3)}, 95 % between {number(low, 3)} and {number(high, 3)}){scarce}",
        value=drop,
        low=low,
        high=high,
        rule=f"worse by at most {number(limit, 3)}",
    )


def _probabilities(frame: pd.DataFrame, classes: list[Any] | None) -> list[str]:
    if "probability" in frame:
        return ["probability"]
    several = [f"probability_{name}" for name in classes or ()]
    return several if several and set(several) <= set(frame) else []
