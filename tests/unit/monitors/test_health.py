"""A server with a week whose truth is known: faults are told with their hour, a quiet year is quiet."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from nbprod.domain.advice import Verdict, next_step
from nbprod.domain.check import CheckOutcome
from nbprod.domain.monitor import MonitorPolicy
from nbprod.domain.objective import Objectives
from nbprod.errors import SettingsError
from nbprod.lake import Lake
from nbprod.monitors.assessment import assess
from nbprod.monitors.health import judge_health, judge_series
from nbprod.monitors.health_series import HealthSeries, read_health
from nbprod.monitors.job_health import judge_jobs
from tests.unit.monitors.conftest import days as rows_of_days
from tests.unit.monitors.conftest import window_of

BEGIN = datetime(2026, 1, 5, tzinfo=UTC)
A_DAY, DAYS = 288, 58
EDGES = np.array([0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, np.inf])


def served(days=DAYS, *, seed=0, since=DAYS - 1, errors=1.0, slower=0, quiet=1.0, down=False, memory=1.0):
    """Days of a server with its week; from one day on it fails more often, answers later, or is gone."""
    rng = np.random.default_rng(seed)
    bins = days * A_DAY
    day = np.arange(bins) // A_DAY
    hour = np.arange(bins) % A_DAY / 12
    bad = day >= since
    rate = 170 * np.where(day % 7 >= 5, 0.4, 1.0) * (0.3 + np.sin(np.pi * hour / 24) ** 2)
    requests = rng.poisson(rate * np.where(bad, quiet, 1.0)).astype(float)
    failed = rng.binomial(requests.astype(int), 0.005 * np.where(bad, errors, 1.0)).astype(float)
    shares = np.array([0.02, 0.3, 0.4, 0.2, 0.06, 0.015, 0.004, 0.001])
    up = np.where(bad & down & (hour >= 12), 0.0, 5.0)
    requests, failed = requests * (up > 0), failed * (up > 0)
    latencies = requests[:, None] * shares
    if slower:
        late = np.r_[np.zeros(slower), shares[:-slower]]
        late[-1] += shares[-slower:].sum()
        latencies[bad] = requests[bad][:, None] * late
    return HealthSeries(
        start=BEGIN,
        requests=requests,
        errors=failed,
        refused=np.zeros(bins),
        latencies=latencies,
        bounds=EDGES,
        up_minutes=up,
        cpu_s=requests * 0.002,
        starts=np.zeros(bins),
        memory=np.full(bins, 3e8) * np.where(bad, memory, 1.0),
        queue=rng.poisson(1.0, bins).astype(float),
        lag_s=rng.random(bins),
        versions={"model/1": requests},
    )


def judged(series, *, last=1, objectives=None, level=2 / 365):
    end = BEGIN + timedelta(days=len(series) // A_DAY)
    return judge_series(series, start=end - timedelta(days=last), end=end, level=level, objectives=objectives)


def failed(found):
    return {check.subject for check in found.checks if check.outcome is CheckOutcome.FAILED}


@pytest.fixture(scope="module")
def usual():
    return judged(served())


def test_a_usual_day_passes_every_signal_and_says_what_was_seen(usual):
    assert failed(usual) == set()
    assert {"requests", "error_share", "p50_ms", "p99_ms"} <= set(usual.metrics)
    assert usual.metrics["p99_ms"] == pytest.approx(
        100 * 2 ** (2 / 3), rel=0.03
    )  # of 1.5 % between, the first two thirds
    assert dict(usual.lines)["predictions by version"].startswith("model/1: ")
    assert "usually" in next(check.sentence for check in usual.checks if check.subject == "errors")


@pytest.mark.parametrize(
    ("fault", "subject"),
    [
        ({"errors": 2.0}, {"errors"}),
        ({"slower": 1}, {"p50", "p95", "p99"}),
        ({"quiet": 0.3}, {"requests"}),
        ({"down": True}, {"down", "requests"}),
        ({"memory": 2.0}, {"memory"}),
    ],
    ids=["errors", "latency", "traffic", "outage", "memory"],
)
def test_a_fault_of_one_day_is_found_and_nothing_else(fault, subject):
    found = judged(served(**fault))

    assert subject - {"requests"} <= failed(found) <= subject
    assert failed(found)
    said = next(check.sentence for check in found.failed)
    assert "at these hours of the week (from Tue 03 Mar 2026 00:00)" in said


def test_a_month_says_on_which_day_it_began():
    found = judged(served(DAYS + 14, since=DAYS + 10, errors=3.0), last=14)

    assert failed(found) == {"errors"}
    assert "in 4 of 14 days, first from Sat 14 Mar 2026" in found.failed[0].sentence


def test_without_weeks_before_nothing_is_judged_and_nothing_alarms():
    found = judged(served(8, errors=50.0, since=7))

    assert failed(found) == set()
    assert {check.value for check in found.checks} == {None}
    assert all("known after three weeks" in check.sentence for check in found.checks)


def test_an_objective_alarms_by_its_burn_rate_and_says_what_is_used():
    kept = judged(served(), objectives=Objectives(availability=0.99, latency_ms=200, latency=0.98))
    broken = judged(served(errors=20.0), objectives=Objectives(availability=0.99, latency_ms=50, latency=0.9))
    burning = next(check for check in broken.failed if check.subject == "availability")

    assert failed(kept) == set()
    assert [check.rule for check in kept.checks if check.name == "objective"] == [
        "0.99 of requests without an error of the server",
        "0.98 of answers within 200 ms",
    ]
    assert next(check.value for check in kept.checks if check.subject == "availability") == pytest.approx(
        0.5, abs=0.05
    )
    assert "over 6 h" in burning.sentence
    assert "of the error budget is used" in burning.sentence
    assert burning.name == "objective"


def test_health_is_part_of_the_verdict_also_where_there_are_few_predictions(reference):
    window = window_of(rows_of_days(10, seed=2), reference)
    sick = judged(served(errors=3.0))

    found = assess(window, MonitorPolicy(), beside=[sick])
    few = assess(window, MonitorPolicy(min_rows=10**6), beside=[sick])

    assert found.verdict is few.verdict is Verdict.ALARM
    assert "requests that the server failed" in found.sentence
    assert found.metrics["p99_ms"] == sick.metrics["p99_ms"]
    assert "Look at the server" in next_step("model", found.verdict, found.checks)
    assert assess(window, MonitorPolicy(), beside=[judged(served(8))]).verdict is Verdict.HEALTHY


def test_minutes_of_two_servers_come_back_as_what_they_counted(tmp_path):
    """Written as servers write them, read as stretches of five minutes."""
    lake = Lake(tmp_path)
    for server, code in (("a", "200"), ("b", "500")):
        for minute in range(10):
            rows = [
                ("nbprod_requests_total", f"code={code},route=/predict", 6.0),
                ("nbprod_requests_total", "code=200,route=/metrics", 50.0),
                ("nbprod_request_seconds_bucket", "le=0.01,route=/predict", 3.0),
                ("nbprod_request_seconds_bucket", "le=0.1,route=/predict", 6.0),
                ("nbprod_request_seconds_bucket", "le=+Inf,route=/predict", 6.0),
                ("nbprod_memory_bytes", "", 1e8 + minute),
                ("nbprod_predictions_total", "arm=stable,version=model/2", 6.0),
            ]
            lake.health("model").append(
                {
                    "at": [BEGIN + timedelta(minutes=minute)] * len(rows),
                    "seconds": [60.0] * len(rows),
                    "server": [server] * len(rows),
                    **dict(zip(("name", "labels", "value"), map(list, zip(*rows, strict=True)), strict=True)),
                }
            )
    found = read_health(str(tmp_path), "model", BEGIN, BEGIN + timedelta(minutes=20))

    assert found.requests.tolist() == [60.0, 60.0, 0.0, 0.0]
    assert found.errors.tolist() == [30.0, 30.0, 0.0, 0.0]
    assert found.latencies[0].tolist() == [30.0, 30.0, 0.0]
    assert found.up_minutes.tolist() == [5.0, 5.0, 0.0, 0.0]
    assert found.memory[:2].tolist() == [1e8 + 4, 1e8 + 9]
    assert found.quantile_ms(0, 4, 0.5) == pytest.approx(10.0)
    assert found.versions["model/2"].sum() == 120
    assert {code: counts.sum() for code, counts in found.codes.items()} == {"200": 60, "500": 60}
    assert read_health(str(tmp_path), "other", BEGIN, BEGIN + timedelta(minutes=20)) is None
    assert not judge_health(str(tmp_path), "other", start=BEGIN, end=BEGIN + timedelta(days=1))


def test_what_was_logged_is_told_where_no_server_told_anything(tmp_path):
    """Of a model served elsewhere: by version, how fast, how soon in the table; and nothing is judged."""
    core = {
        "prediction_id": [f"p{n}" for n in range(100)],
        "version": ["model/1"] * 60 + ["model/2"] * 40,
        "at": [BEGIN] * 100,
        "logged_at": [BEGIN + timedelta(seconds=30)] * 100,
        "latency_ms": [float(n + 1) for n in range(100)],
        "prediction": [1.0] * 100,
    }
    Lake(tmp_path).predictions("model").append(pd.DataFrame(core), pd.DataFrame({"x": [0.0] * 100}), private=())

    found = judge_health(str(tmp_path), "model", start=BEGIN, end=BEGIN + timedelta(days=1))

    assert not found
    assert dict(found.lines)["logged by version"] == "model/1: 60, model/2: 40"
    median, late = (float(part.split()[2]) for part in dict(found.lines)["logged latency"].split(", ")[::2])
    assert (median, late) == pytest.approx((50, 99), rel=0.06)
    assert "logged latency" in found._repr_html_()


def job(day, *, hour=3, rows=1000, rejected=2, minutes=5.0, status="succeeded"):
    started = BEGIN + timedelta(days=day, hours=hour)
    return {
        "id": f"run-{day}",
        "started": started.isoformat(),
        "ended": (started + timedelta(minutes=minutes)).isoformat(),
        "status": status,
        "rows": rows if status == "succeeded" else None,
        "rejected": rejected,
    }


USUAL = [job(day, rows=1000 + 37 * (day % 5), rejected=day % 3, minutes=5 + day % 4 / 4) for day in range(30)]


def batch(*jobs, rules=None):
    start = BEGIN + timedelta(days=30)
    return judge_jobs(
        [*USUAL, *jobs], rules, deployment="model", start=start, end=start + timedelta(days=1), level=0.05
    )


def test_a_usual_batch_job_passes():
    found = batch(job(30))

    assert failed(found) == set()
    assert found.metrics["job_rows"] == 1000


@pytest.mark.parametrize(
    ("jobs", "rules", "subject"),
    [
        ([], None, {"in time"}),
        ([job(30, status="failed")], None, {"ran", "in time"}),
        ([job(30, rows=90)], None, {"rows"}),
        ([job(30, minutes=60)], None, {"time"}),
        ([job(30, rejected=400)], None, {"rejected"}),
        ([job(30, minutes=9)], {"longest": "8m"}, {"time"}),
        ([job(30, rejected=30)], {"max_rejected": 0.02}, {"rejected"}),
        ([job(30)], {"every": "6h"}, {"in time"}),
    ],
)
def test_a_batch_job_is_held_against_its_rules_or_what_is_usual(jobs, rules, subject):
    assert failed(batch(*jobs, rules=rules)) == subject


def test_one_that_failed_and_was_made_good_is_told_without_an_alarm():
    found = batch(job(30, hour=2, status="failed"), job(30))

    assert failed(found) == set()
    assert "1 of 2 jobs failed" in found.checks[0].sentence


def test_no_job_ever_is_no_section_unless_one_was_promised():
    start = BEGIN + timedelta(days=30)
    when = {"deployment": "model", "start": start, "end": start + timedelta(days=1)}

    assert not judge_jobs([], {}, **when)
    assert failed(judge_jobs([], {"every": "6h"}, **when)) == {"in time"}
    with pytest.raises(SettingsError):
        judge_jobs([], {"every": "often"}, **when)
