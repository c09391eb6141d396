"""The budget of false alarms: what a look may spend of it, given the looks there were."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from nbprod.domain.check import CheckOutcome, CheckResult
from nbprod.domain.monitor import BUDGET, MonitorPolicy, MonitorReport, Window

__all__ = ["LARGEST", "budget_check", "look_level"]

LARGEST = 0.05  #: the chance of a false alarm a single look has at most, however much is left
#: Of a look for which nothing is left: a gross change is still told, and a look a minute costs half an alarm a year.
SMALLEST = 1e-6
YEAR = timedelta(days=365)


def look_level(
    window: Window, earlier: Sequence[MonitorReport], policy: MonitorPolicy, *, version: str | None = None
) -> float:
    """The chance of a false alarm that a look at a window may have.

    The budget is earned by the time that was looked at, each moment once, and spent by looks: the sum of their
    chances is the expected number of false alarms, however they depend on each other. So looking more often makes
    each look stricter, and the same window looked at again has the level it had and spends nothing.

    Parameters
    ----------
    window
        What is looked at.
    earlier
        The reports of the deployment so far, in any order.
    policy
        Holds the budget.
    version
        The model version the window is held against; held against another one, the same window is another look.
    """
    spent: dict[tuple[Window, str | None], float] = {}
    for report in earlier:
        if report.level is not None:
            look = (report.window, report.version)
            spent[look] = max(spent.get(look, 0.0), report.level)
    if (window, version) in spent:
        return spent[window, version]
    earned = policy.false_alarms_per_year * (_covered([window, *(seen for seen, _ in spent)]) / YEAR)
    return min(max(earned - sum(spent.values()), SMALLEST), LARGEST)


def budget_check(level: float, per_year: float) -> CheckResult:
    """The level as a line of the report, from which later looks know what was spent."""
    return CheckResult(
        name=BUDGET,
        outcome=CheckOutcome.PASSED,
        sentence=f"the chance of a false alarm in this look is at most {level:.2g}, of {per_year:g} a year in all",
        value=level,
        rule=f"at most {per_year:g} false alarms a year",
    )


def _covered(windows: Sequence[Window]) -> timedelta:
    """How much time the windows cover together, each moment once."""
    total, reached = timedelta(), None
    for window in sorted(windows, key=lambda one: (one.start, one.end)):
        start = window.start if reached is None else max(window.start, reached)
        total += max(window.end - start, timedelta())
        reached = window.end if reached is None else max(reached, window.end)
    return total
