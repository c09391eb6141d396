"""A year of daily checks with a weekly season and autocorrelation: false alarms against a budget of two.

Run: python bench/statistics_daily.py [years]
"""

from __future__ import annotations

import sys
import warnings

import numpy as np
import pandas as pd

from nbprod.statistics import AlarmBudget, Profile, compare

DAYS, ROWS = 365, 48
BUDGET = AlarmBudget(per_year=2, looks_per_year=DAYS)


def autoregressive(random, count, memory):
    noise = random.normal(size=count) * np.sqrt(1 - memory**2)
    values = np.empty(count)
    values[0] = random.normal()
    for place in range(1, count):
        values[place] = memory * values[place - 1] + noise[place]
    return values


def world(seed, history):
    """Ten columns over history and a year: seasons of a week, days that wander, rows of a day that hang together."""
    random = np.random.default_rng(seed)
    days = history + DAYS
    at = pd.date_range("2025-01-06", periods=days * ROWS, freq=f"{24 * 60 // ROWS}min")
    weekday = np.repeat(np.arange(days) % 7, ROWS)
    columns = {"at": at}
    for number in range(7):
        memory = (0.0, 0.3, 0.6)[number % 3]
        level = np.repeat(autoregressive(random, days, memory), ROWS) * 0.5
        season = random.normal(size=7)[weekday] * 0.5
        within = autoregressive(random, days * ROWS, 0.8)
        values = level + season + within
        columns[f"x{number}"] = np.exp(values) if number % 2 else values
    for number in range(3):
        level = np.repeat(autoregressive(random, days, 0.3), ROWS) * 0.4 + random.normal(size=7)[weekday] * 0.3
        drawn = level[:, None] * np.array([1.0, -1.0, 0.5]) + random.gumbel(size=(days * ROWS, 3))
        columns[f"c{number}"] = np.array(["a", "b", "c"])[drawn.argmax(axis=1)]
    return pd.DataFrame(columns)


def year(seed, history, *, columns_by_rows):
    frame = world(seed, history)
    reference = Profile.of(frame[: history * ROWS], time="at")
    changed = significant = by_rows = 0
    for day in range(DAYS):
        window = frame[(history + day) * ROWS : (history + day + 1) * ROWS]
        current = Profile.of(window, grid=reference)
        found = compare(reference, current, alpha=BUDGET.alpha)
        significant += bool(found.significant)
        changed += bool(found.changed)
        if columns_by_rows:
            by_rows += bool(compare(reference, current, blocks=False).changed)
    return changed, significant, by_rows


def main(years: int) -> None:
    warnings.simplefilter("ignore")
    print("| days of history | years | alarms a year | significant a year | compared by rows, alpha 5 % |")
    print("| ---: | ---: | ---: | ---: | ---: |")
    for history in (56, 90, 180, 365):
        runs = np.array([year(seed, history, columns_by_rows=seed < 2) for seed in range(years)])
        mean = runs.mean(axis=0)
        rows = runs[:2, 2].mean()
        print(f"| {history} | {years} | {mean[0]:.2f} | {mean[1]:.2f} | {rows:.0f} |", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
