"""Realised performance in a window against the reference's, as soon as outcomes have come."""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot
from typing import Any

import pandas as pd

from nbprod.domain.check import CheckOutcome, CheckResult
from nbprod.domain.monitor import MonitorPolicy
from nbprod.statistics.blocks import time_blocks
from nbprod.statistics.bootstrap import metric_interval
from nbprod.statistics.interval import Interval
from nbprod.statistics.metrics import metric

__all__ = ["Scored", "judge_performance", "performance"]

METRICS = {"classification": ("accuracy", "roc_auc"), "regression": ("mae", "r2")}
#: Fewer outcomes than this say nothing about a metric, whatever the interval.
FEWEST_OUTCOMES = 30


@dataclass(frozen=True, kw_only=True)
class Scored:
    """Rows with their truth: of the reference, or of a window.

    Attributes
    ----------
    frame
        Columns ``prediction``, ``outcome``, and ``probability`` of the positive class where the model gives one.
    times
        The moment of each row where rows depend on time, else ``None``.
    """

    frame: pd.DataFrame
    times: Any = None


def performance(
    scored: Scored, task: str, policy: MonitorPolicy, *, classes: list[Any] | None = None, seed: int = 0
) -> dict[str, Interval]:
    """Each metric of the task with its interval; blocks of time are resampled where times are known.

    Parameters
    ----------
    scored
        Rows with predictions and outcomes; rows without an outcome are left out, never counted as negative.
    task
        ``classification`` or ``regression``.
    policy
        Names the first metric and the block.
    classes
        The labels the model knows, in its order.
    """
    known = scored.frame["outcome"].notna().to_numpy()
    frame = scored.frame[known]
    if len(frame) < FEWEST_OUTCOMES:
        return {}
    blocks = None
    if scored.times is not None and policy.block:
        blocks = time_blocks(pd.Series(scored.times).reset_index(drop=True)[known], policy.block)
    names = dict.fromkeys(([policy.metric] if policy.metric else []) + list(METRICS[task]))
    found = {}
    for name in names:
        chosen = metric(name)
        column = "probability" if chosen.needs == "probability" else "prediction"
        if column in frame and not (chosen.needs == "probability" and frame["outcome"].nunique() < 2):
            found[name] = metric_interval(
                name, frame["outcome"], frame[column], blocks=blocks, classes=classes, seed=seed
            )
    return found


def judge_performance(
    before: dict[str, Interval], after: dict[str, Interval], policy: MonitorPolicy, *, task: str
) -> CheckResult:
    """Whether the first metric became materially worse than in the reference.

    The interval of the difference combines the two intervals without assuming symmetry (MOVER: Zou and Donner 2008,
    *Construction of confidence limits about effect measures*, eq. 7). Failed: the drop is larger than ``max_drop``
    and its interval lies above zero. Passed: the interval lies below ``max_drop``. Else inconclusive.
    """
    name = policy.metric or METRICS[task][0]
    if name not in before or name not in after:
        return CheckResult(
            name="performance",
            subject=name,
            outcome=CheckOutcome.INCONCLUSIVE,
            sentence=f"{name} cannot be told yet: fewer than {FEWEST_OUTCOMES} outcomes have come",
        )
    old, new = before[name], after[name]
    drop = old.value - new.value if metric(name).higher_is_better else new.value - old.value
    worse_old, worse_new = (old.value - old.low, new.high - new.value)
    better_old, better_new = (old.high - old.value, new.value - new.low)
    if not metric(name).higher_is_better:
        worse_old, worse_new = old.high - old.value, new.value - new.low
        better_old, better_new = old.value - old.low, new.high - new.value
    low, high = drop - hypot(worse_old, worse_new), drop + hypot(better_old, better_new)
    limit = policy.max_drop if task == "classification" else policy.max_drop * abs(old.value)
    if drop > limit and low > 0:
        outcome = CheckOutcome.FAILED
    elif high <= limit or drop <= 0:
        outcome = CheckOutcome.PASSED
    else:
        outcome = CheckOutcome.INCONCLUSIVE
    direction = "fell" if new.value < old.value else "rose"
    return CheckResult(
        name="performance",
        subject=name,
        outcome=outcome,
        sentence=f"{name} {direction} from {old.value:.3g} in the reference to {new.value:.3g}"
        f" (worse by {drop:.3g}, 95 % between {low:.3g} and {high:.3g})",
        value=drop,
        low=low,
        high=high,
        rule=f"worse by at most {limit:.3g}",
    )
