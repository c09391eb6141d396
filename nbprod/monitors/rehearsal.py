"""What a monitor would have said: on its own reference, where every alarm is false, and on past windows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from nbprod.domain.monitor import MonitorPolicy, Verdict, Window
from nbprod.monitors.assessment import assess
from nbprod.monitors.window import OUTPUTS, load_window
from nbprod.statistics import FalseAlarms, calibrate_false_alarms
from nbprod.statistics.sequential import AlarmBudget

__all__ = ["Rehearsed", "calibrate", "rehearse"]


@dataclass(frozen=True, kw_only=True)
class Rehearsed:
    """What the monitor would have said of one past window."""

    start: datetime
    end: datetime
    verdict: Verdict
    rows: int
    outcomes: int
    changed: tuple[str, ...]
    sentence: str


def calibrate(
    lake: str,
    deployment: str,
    policy: MonitorPolicy,
    against: Mapping[str, Any],
    *,
    days: int,
    per_year: float,
    seed: int = 0,
) -> FalseAlarms:
    """Take windows out of the reference and count the alarms the present configuration raises on them.

    Parameters
    ----------
    lake, deployment, policy
        As for a window.
    against
        ``package``, or ``reference``, ``task`` and ``target``, as for `load_window`.
    days
        Length of a window.
    per_year
        How many false alarms a year one is willing to have.
    seed
        The same seed takes the same windows.

    Raises
    ------
    DataError
        The reference is too short to take such windows out.
    """
    moment = datetime.fromisoformat("2000-01-01T00:00:00+00:00")  # no window is read, only the reference
    window = load_window(lake, deployment, start=moment, end=moment + timedelta(days=1), **against)
    columns = [*(policy.columns or window.inputs), *(name for name in OUTPUTS if name in window.reference)]
    return calibrate_false_alarms(
        window.reference,
        time=window.time if policy.block else None,
        block=policy.block or "1d",
        blocks=days,
        alpha=policy.alpha,
        budget=AlarmBudget(per_year=per_year, looks_per_year=365.0 / days),
        columns=columns,
        seed=seed,
    )


def rehearse(
    lake: str,
    deployment: str,
    policy: MonitorPolicy,
    against: Mapping[str, Any],
    whole: Window,
    *,
    length: timedelta,
    delay: timedelta,
) -> Iterator[Rehearsed]:
    """Look at past windows one after the other, each with the outcomes that had come by then.

    Parameters
    ----------
    lake, deployment, policy, against
        As for `calibrate`.
    whole
        The past that is replayed.
    length
        Of a window; the last one may be cut short and is left out.
    delay
        How long after a window's end the monitor looks.
    """
    start = whole.start
    while start + length <= whole.end:
        end = start + length
        window = load_window(lake, deployment, start=start, end=end, as_of=end + delay, **against)
        found = assess(window, policy)
        yield Rehearsed(
            start=start,
            end=end,
            verdict=found.verdict,
            rows=found.rows,
            outcomes=found.outcomes,
            changed=found.changed,
            sentence=found.sentence,
        )
        start = end
