"""Count alerts: one cause that moves ten columns, the predictions and the accuracy, and two causes months apart.

::

    python bench/alerts.py

A year of monthly windows, 1,440 predictions each, of a logistic model with 25 inputs; outcomes are known. A cause
shifts ten inputs by a standard deviation and lets a third of the outcomes mean the opposite. Each window is judged by
the statistics of `nbprod monitor run` with default settings, and its checks go through the rule that groups alerts.
Beside the alerts stands how many checks failed: each of those was an alert of its own in nbprod 0.1.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count

import numpy as np
import pandas as pd

from nbprod.domain.alert_policy import AlertPolicy
from nbprod.domain.check import CheckOutcome
from nbprod.domain.incident import Sight, bring_in_line
from nbprod.domain.monitor import MonitorPolicy
from nbprod.monitors.assessment import assess
from nbprod.monitors.performance import ScoredRows
from nbprod.monitors.reference import MonitorReference
from nbprod.monitors.window import MonitoredWindow
from nbprod.statistics import Profile

ROWS_A_DAY, COLUMNS, MOVED = 48, 25, 10
NAMES = [f"column_{number}" for number in range(COLUMNS)]
YEAR = [datetime(2025, month, 1, tzinfo=UTC) for month in range(1, 13)] + [datetime(2026, 1, 1, tzinfo=UTC)]
#: By scenario: in which months (1 to 12) which cause holds, and the alerts there should be.
SCENARIOS = {
    "no cause": ({}, 0),
    "one cause, from April on": (dict.fromkeys(range(4, 13), (0,)), 1),
    "two causes, the first mended in June": ({4: (0,), 5: (0,), 10: (1,), 11: (1,), 12: (1,)}, 2),
    "two causes, the first never mended": (
        {**dict.fromkeys(range(3, 9), (0,)), **dict.fromkeys(range(9, 13), (0, 1))},
        2,
    ),
}


def rows(start, end, causes, rng):
    """Predictions and outcomes of a stretch of time in which causes hold."""
    size = (end - start).days * ROWS_A_DAY
    inputs = rng.normal(size=(size, COLUMNS))
    for cause in causes:
        inputs[:, cause * MOVED : (cause + 1) * MOVED] += 1.0
    weights = np.where(np.arange(COLUMNS) < 2 * MOVED, 0.7, 0.2) * np.resize([1, -1], COLUMNS)
    probability = 1 / (1 + np.exp(-inputs @ weights))
    outcome = (rng.random(size) < probability).astype(float)
    opposite = rng.random(size) < 0.33 * (0 in causes)
    frame = pd.DataFrame(inputs, columns=NAMES)
    return frame.assign(
        prediction=(probability > 0.5).astype(int),
        probability=probability,
        outcome=np.where(opposite, 1 - outcome, outcome),
        at=pd.date_range(start, periods=size, freq=timedelta(days=1) / ROWS_A_DAY),
    )


def window_of(frame, start, end, reference):
    scored = frame[["prediction", "probability", "outcome"]].assign(outcome_at=frame["at"], version="model/1")
    return MonitoredWindow(
        deployment="model",
        start=start,
        end=end,
        inputs=frame[NAMES],
        scored=ScoredRows(frame=scored, times=frame["at"]),
        earlier=ScoredRows(frame=scored.iloc[:0], times=frame["at"].iloc[:0]),
        reference=reference,
        as_of=end + timedelta(days=7),
        tables={},
    )


def main():
    usual = rows(datetime(2024, 7, 1, tzinfo=UTC), YEAR[0], (), np.random.default_rng(0))
    reference = MonitorReference(
        rows=usual,
        sealed=Profile.of(usual, time="at"),
        inputs=tuple(NAMES),
        task="classification",
        classes=(0, 1),
        time="at",
        reliance=dict.fromkeys(NAMES, 1 / COLUMNS),
    )
    policy, is_right = MonitorPolicy(), True
    print(f"{'a year of monthly windows':<40} {'failed checks':>13} {'alerts':>7} {'told':>5} {'should be':>9}")
    for number, (name, (causes, wanted)) in enumerate(SCENARIOS.items()):
        alerts, failed, told, ids = {}, 0, 0, count(1)
        rng = np.random.default_rng(number + 1)
        for month in range(1, 13):
            start, end = YEAR[month - 1], YEAR[month]
            found = assess(window_of(rows(start, end, causes.get(month, ()), rng), start, end, reference), policy)
            failed += sum(check.outcome is CheckOutcome.FAILED for check in found.checks)
            sight = Sight(
                deployment="model",
                source=f"month {month}",
                began=start,
                ended=end,
                seen_at=end + timedelta(days=7),
                checks=found.checks,
                ranked=found.changed,
            )
            standing = [alert for alert in alerts.values() if not alert.is_resolved]
            moves = bring_in_line(standing, sight, AlertPolicy(), lambda ids=ids: f"alert-{next(ids)}")
            alerts |= {move.after.id: move.after for move in moves}
            told += sum(move.change.is_told for move in moves)
        is_right &= len(alerts) == wanted
        print(f"{name:<40} {failed:>13} {len(alerts):>7} {told:>5} {wanted:>9}")
        for alert in alerts.values():
            print(f"    {alert.when(YEAR[0])}: {alert.title}, {alert.severity}, {alert.status}")
    raise SystemExit(not is_right)


if __name__ == "__main__":
    main()
