"""The budget of false alarms: what a look may spend of it, given the looks there were."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from math import sqrt

from nbprod.domain.check import CheckOutcome, CheckResult
from nbprod.domain.monitor import BUDGET, MonitorPolicy, MonitorReport, Window

__all__ = ["LARGEST", "budget_check", "earlier_shares", "look_level", "share_of_level"]

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


def earlier_shares(
    window: Window, earlier: Sequence[MonitorReport], *, version: str | None = None
) -> tuple[float, ...]:
    """What share of a window's outcomes had come at each earlier look at it, for `share_of_level`; ascending."""
    return tuple(
        sorted(
            report.outcomes / report.rows
            for report in earlier
            if (report.window, report.version) == (window, version) and report.rows and report.level is not None
        )
    )


def share_of_level(judged: Sequence[float], share: float) -> float:
    r"""How much of a window's level this look at its performance may spend; all looks together spend it once.

    Columns do not change from look to look at the same window, outcomes do: they come later, and each look at more of
    them is another chance of a false alarm. By the time a share t of the outcomes is known,
    :math:`(1 + \sqrt{t}) / 2` of the level may have been spent, and a look spends what this has grown by since
    the look before it (Lan and DeMets 1983, Biometrika 70; the sum holds however the looks depend on each other). The
    first half is for what is known without outcomes: the estimate.

    Parameters
    ----------
    judged
        The shares at earlier looks at the window; a look with as many outcomes as now is this look again.
    share
        Of the outcomes that are known now, 0 to 1.

    Examples
    --------
    >>> share_of_level([], 1.0)
    1.0
    >>> share_of_level([0.0], 1.0)
    0.5
    """
    before = [one for one in judged if one < share]
    spent = (1 + sqrt(max(before))) / 2 if before else 0.0
    return (1 + sqrt(min(max(share, 0.0), 1.0))) / 2 - spent


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
