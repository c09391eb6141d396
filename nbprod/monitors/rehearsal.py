"""What a monitor would have said: on its own reference, where every alarm is false, and on past windows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from nbprod.domain.check import CheckOutcome
from nbprod.domain.monitor import MonitorPolicy, MonitorReport, Window
from nbprod.monitors.assessment import assess
from nbprod.monitors.budget import LARGEST, look_level
from nbprod.monitors.reference import OUTPUTS, MonitorReference
from nbprod.monitors.window import LONG, read_window
from nbprod.statistics import FalseAlarms, calibrate_false_alarms
from nbprod.statistics.blocks import block_length_us
from nbprod.statistics.sequential import AlarmBudget

__all__ = ["RehearsalResult", "calibrate", "rehearse"]

HISTORY = 3  #: windows before each that are known too, as in the monitor's notebook


@dataclass(frozen=True, kw_only=True)
class RehearsalResult(MonitorReport):
    """The report of one past window as the monitor would have given it; no run made it."""

    spoke_at: datetime | None  #: when it would have alarmed about something it did not alarm about before
    began_at: datetime | None  #: when that began: where the window shows it, else the window's start

    @property
    def late_days(self) -> float | None:
        """From the one to the other."""
        return (self.spoke_at - self.began_at) / timedelta(days=1) if self.spoke_at and self.began_at else None


def calibrate(
    reference: MonitorReference, policy: MonitorPolicy, *, days: int, per_year: float, seed: int = 0
) -> FalseAlarms:
    """Take windows out of the reference and count the alarms the present configuration raises on them.

    Parameters
    ----------
    reference
        Where nothing happened.
    policy
        Says what is watched.
    days
        Length of a window, and from one look to the next.
    per_year
        How many false alarms a year one is willing to have.
    seed
        The same seed takes the same windows.

    Raises
    ------
    DataError
        The reference is too short to take such windows out.
    """
    rows, length = reference.rows, block_length_us(policy.block or "1d")
    budget = AlarmBudget(per_year=per_year, looks_per_year=365.0 / days)
    return calibrate_false_alarms(
        rows,
        time=reference.time if policy.block else None,
        block=policy.block or "1d",
        blocks=max(round(days * timedelta(days=1) / timedelta(microseconds=length)), 1),
        together=HISTORY + 1 if timedelta(days=days) < LONG else 1,
        alpha=min(policy.alpha, min(budget.alpha, LARGEST) / 2),
        budget=budget,
        columns=[*(policy.columns or reference.inputs), *(name for name in OUTPUTS if name in rows)],
        seed=seed,
    )


def rehearse(
    lake: str,
    deployment: str,
    policy: MonitorPolicy,
    reference: MonitorReference,
    whole: Window,
    *,
    length: timedelta,
    delay: timedelta,
) -> Iterator[RehearsalResult]:
    """Look at past windows one after the other, each with the outcomes that had come by then and its own budget.

    Parameters
    ----------
    lake, deployment
        Where the predictions are.
    policy, reference
        As for a window.
    whole
        The past that is replayed; a last window that would be cut short is left out.
    length
        Of a window.
    delay
        How long after a window's end the monitor looks.
    """
    start, looks = whole.start, list[RehearsalResult]()
    last_reported: dict[tuple[str, str], datetime] = {}  # when it last spoke of what
    while start + length <= whole.end:
        here = Window(start=start, end=start + length)
        as_of = here.end + delay
        window = read_window(
            lake, deployment, reference, start=here.start, end=here.end, as_of=as_of, history=HISTORY
        )
        found = assess(window, policy, level=look_level(here, looks, policy))
        failed = {(one.name, one.subject) for one in found.checks if one.outcome is CheckOutcome.FAILED}
        began = {one: found.began.get(one[1], here.start) for one in failed}
        # what began before it last spoke of the same thing was told then
        onsets = [at for one, at in began.items() if one not in last_reported or at > last_reported[one]]
        last_reported |= dict.fromkeys(failed, as_of)
        looks.append(
            RehearsalResult(
                run_id="",
                deployment=deployment,
                version=None,
                start=here.start,
                end=here.end,
                verdict=found.verdict,
                sentence=found.sentence,
                rows=found.rows,
                outcomes=found.outcomes,
                checks=found.checks,
                changed=found.changed,
                spoke_at=as_of if onsets else None,
                began_at=min(onsets, default=None),
            )
        )
        yield looks[-1]
        start = here.end
