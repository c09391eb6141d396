"""Health alarms in a year of a weekly season without a fault, and how soon two faults are found.

A server is asked by people who have a week: nights and weekends are quiet, days differ from each other, some weeks are
busier, latency follows load, and the share of errors differs by 8 % from day to day beside chance. The monitor looks once a day with its default settings (two false alarms a
year for everything it watches, of which health has a quarter).

Run: python bench/health.py [years] [faults of each kind] [requests a day]
"""

from __future__ import annotations

import sys
from collections import Counter
from datetime import UTC, datetime, timedelta

import numpy as np

from nbprod.domain.check import CheckOutcome
from nbprod.domain.monitor import MonitorPolicy
from nbprod.monitors.health import judge_series
from nbprod.monitors.health_series import BIN, HealthSeries
from nbprod.serving.metrics import LATENCIES_S

BEGIN = datetime(2026, 1, 5, tzinfo=UTC)
DAY = timedelta(days=1)
A_DAY = DAY // BIN
HISTORY = 57  # days before the first look
LEVEL = MonitorPolicy().false_alarms_per_year / 365  # what a daily look may spend


def year_of(seed: int, days: int, *, requests_a_day: float, fault: str = "", since: int = 0) -> HealthSeries:
    """Days of a server; from a day on, the 99th percentile doubles or errors do."""
    rng = np.random.default_rng(seed)
    bins = days * A_DAY
    hour = np.arange(bins) / 12 % 24
    day = np.arange(bins) // A_DAY

    def daily(spread, again=0.5):
        """A factor for each day that remembers the day before."""
        noise = np.zeros(days)
        for place in range(1, days):
            noise[place] = again * noise[place - 1] + rng.normal(0, spread * np.sqrt(1 - again**2))
        return np.exp(noise)[day]

    weekend = np.where(day % 7 >= 5, 0.4, 1.0)
    season = weekend * (0.15 + np.exp(-((hour - 10.5) ** 2) / 8) + 0.8 * np.exp(-((hour - 16) ** 2) / 10))
    rate = season / season.mean() * requests_a_day / A_DAY * daily(0.1) * np.exp(rng.normal(0, 0.1, bins))
    requests = rng.poisson(rate)
    is_faulty = day >= since if fault else np.zeros(bins, dtype=bool)
    share = np.minimum(0.005 * daily(0.08) * np.where(is_faulty & (fault == "errors"), 2.0, 1.0), 1)
    errors = rng.binomial(requests, share)
    refused = rng.binomial(requests - errors, 0.01 * daily(0.3))
    usual = 0.012 * (1 + 0.3 * season) * daily(0.05)
    slow = np.where(is_faulty & (fault == "p99"), 2.0, 1.0)
    edges = np.array([*LATENCIES_S, np.inf])
    latencies = np.zeros((bins, len(edges)))
    for part in np.array_split(np.arange(bins), max(days // 30, 1)):
        of = np.repeat(part, requests[part])
        z = rng.normal(size=len(of))
        # a tail that doubles: the slowest two in a hundred take twice as long, the median stays
        seconds = usual[of] * np.exp(0.6 * z) * np.where(z > 2.05, slow[of], 1.0)
        np.add.at(latencies, (of, np.searchsorted(edges, seconds)), 1)
    restarts = (rng.random(bins) < 1 / (7 * A_DAY)).astype(float)
    return HealthSeries(
        start=BEGIN,
        requests=requests.astype(float),
        errors=errors.astype(float),
        refused=refused.astype(float),
        latencies=latencies,
        bounds=edges,
        up_minutes=np.where(restarts > 0, 4.0, 5.0),
        cpu_s=requests * 0.002 * daily(0.05) + rng.gamma(2, 0.05, bins),
        starts=restarts,
        memory=3e8 * daily(0.05, again=0.9) * np.exp(rng.normal(0, 0.02, bins)),
        queue=rng.poisson(rate * usual / 300 * 4).astype(float),
        lag_s=rng.gamma(2, 1.0, bins),
        versions={"model/1": requests.astype(float)},
    )


def alarms_on(series: HealthSeries, day: int) -> set[str]:
    """The signals that alarm when the day is looked at."""
    last = (day + 1) * A_DAY
    first = max(last - (HISTORY + 1) * A_DAY, 0)
    seen = {name: value[first:last] for name, value in vars(series).items() if isinstance(value, np.ndarray)}
    part = HealthSeries(
        **(vars(series) | seen | {"bounds": series.bounds, "start": BEGIN + first * BIN, "versions": {}})
    )
    found = judge_series(part, start=BEGIN + day * DAY, end=BEGIN + (day + 1) * DAY, level=LEVEL)
    return {check.subject for check in found.checks if check.outcome is CheckOutcome.FAILED}


def main(years: int, faults: int, requests_a_day: float) -> None:
    false, worst = Counter(), 0
    for seed in range(years):
        series = year_of(seed, HISTORY + 365, requests_a_day=requests_a_day)
        seen = Counter(one for day in range(HISTORY, HISTORY + 365) for one in alarms_on(series, day))
        print(f"year {seed}: {sum(seen.values())} alarms {dict(seen) or ''}", flush=True)
        worst = max(worst, sum(seen.values()))
        false += seen
    print(
        f"without a fault, {requests_a_day:,.0f} requests a day: {sum(false.values()) / years:.2f} alarms a year,"
        f" at most {worst} (seeds 0 to {years - 1}; bar: 2)"
    )
    for fault, subject in (("p99", "p99"), ("errors", "errors")):
        found = 0
        for seed in range(1000, 1000 + faults):
            since = HISTORY + seed % 7
            series = year_of(seed, since + 1, requests_a_day=requests_a_day, fault=fault, since=since)
            found += subject in alarms_on(series, since)
        print(f"{fault} doubled: found within a day in {found} of {faults} (seeds 1000 to {999 + faults}; bar: 95 %)")


if __name__ == "__main__":
    given = [float(one) for one in sys.argv[1:]]
    main(*(int(one) for one in [*given[:2], *(10, 100)[len(given[:2]) :]]), given[2] if len(given) > 2 else 50_000)
