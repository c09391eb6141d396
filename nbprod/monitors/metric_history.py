"""Performance over time: realised and estimated, in parts of this window and of the ones before."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd

from nbprod.domain.monitor import MonitorPolicy
from nbprod.monitors.diagnosis import estimates, same_version
from nbprod.monitors.performance import FEWEST_OUTCOMES, ScoredRows, judged_metric, metric_inputs
from nbprod.monitors.sampling import known_rows
from nbprod.monitors.window import MonitoredWindow
from nbprod.statistics import Interval, metric

__all__ = ["MetricPeriod", "metric_history"]

PARTS = 4  #: of a window


@dataclass(frozen=True, kw_only=True)
class MetricPeriod:
    """A part of a window."""

    start: datetime
    end: datetime
    rows: int
    outcomes: int
    realised: float | None  #: ``None`` while too few outcomes are known
    estimated: Interval | None  #: ``None`` where it cannot be, or where another version answered

    @property
    def middle(self) -> datetime:
        """Where it stands on a time axis."""
        return self.start + (self.end - self.start) / 2


def metric_history(window: MonitoredWindow, policy: MonitorPolicy) -> list[MetricPeriod]:
    """Quarters of the window and of those before it, oldest first, with the metric that is judged.

    Parameters
    ----------
    window
        With its history.
    policy
        Names the metric, and the horizon from which on outcomes count.
    """
    periods = []
    name, length = judged_metric(policy, window.reference.task), (window.end - window.start) / PARTS
    own = same_version(window.earlier, window.scored)
    classes = list(window.reference.classes) or None
    first = 0
    if len(window.earlier):
        first = int((pd.Series(window.earlier.times).min() - pd.Timestamp(window.start)) // length)
    for number in range(first, PARTS):
        start = window.start + number * length
        end = window.start + (number + 1) * length
        scored = window.earlier if number < 0 else window.scored
        here = _between(scored, start, end)
        if not len(here):
            continue
        inside = (window.scored.times >= start) & (window.scored.times < end)
        rows = window.current[inside.to_numpy()] if number >= 0 else _between(own, start, end).frame
        expected = estimates(window.reference, rows)
        periods.append(
            MetricPeriod(
                start=start,
                end=end,
                rows=len(here),
                outcomes=here.outcomes,
                realised=_realised_metric(here.matured(window.as_of, policy.matures_after), name, classes),
                estimated=expected.get(name),
            )
        )
    return periods


def _between(scored: ScoredRows, start: datetime, end: datetime) -> ScoredRows:
    times = pd.Series(scored.times)
    return scored.rows(((times >= start) & (times < end)).to_numpy())


def _realised_metric(scored: ScoredRows, name: str, classes: list[Any] | None) -> float | None:
    rows = known_rows(scored.frame)
    known = scored.frame[rows.known]
    is_enough = len(known) >= FEWEST_OUTCOMES and not rows.doubt
    predictions = metric_inputs(name, known, classes) if is_enough else None
    if predictions is None:
        return None
    return metric(name)(known["outcome"], predictions, classes=classes, weights=rows.weights)
