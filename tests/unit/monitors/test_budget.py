from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbprod.domain.monitor import MonitorPolicy, MonitorReport, Verdict, Window
from nbprod.monitors.budget import LARGEST, SMALLEST, budget_check, earlier_shares, look_level, share_of_level

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
POLICY = MonitorPolicy(false_alarms_per_year=2.0)


def looked(window, level, version="m/1"):
    return MonitorReport(
        run_id="r",
        deployment="d",
        version=version,
        start=window.start,
        end=window.end,
        verdict=Verdict.HEALTHY,
        sentence="",
        rows=1,
        outcomes=0,
        checks=() if level is None else (budget_check(level, 2.0),),
    )


def walk(windows, policy=POLICY):
    reports = []
    for window in windows:
        reports.append(looked(window, look_level(window, reports, policy, version="m/1")))
    return [report.level for report in reports]


def daily(count, length=1):
    return [Window(start=BEGIN + n * DAY, end=BEGIN + (n + length) * DAY) for n in range(count)]


def test_a_quarter_of_days_spends_its_part_of_the_budget_evenly():
    levels = walk(daily(91))

    assert sum(levels) == pytest.approx(2.0 * 91 / 365)
    assert max(levels) == pytest.approx(min(levels))


def test_months_have_the_largest_level():
    months = [Window(start=BEGIN + n * 30 * DAY, end=BEGIN + (n + 1) * 30 * DAY) for n in range(12)]

    assert walk(months) == [LARGEST] * 12


def test_a_month_looked_at_every_day_costs_no_more_than_days_do():
    levels = walk(daily(336, length=30))

    assert sum(levels) <= 2.0 + 1e-9
    assert levels[-1] == pytest.approx(2 / 365)


def test_the_same_window_again_has_its_level_and_spends_nothing():
    first, second = daily(2)
    level = look_level(first, [], POLICY, version="m/1")
    again = [looked(first, level), looked(first, level), looked(first, level)]

    assert look_level(first, again, POLICY, version="m/1") == level
    assert look_level(second, again, POLICY, version="m/1") == pytest.approx(level)


def test_another_version_on_the_same_window_is_another_look():
    [window] = daily(1)
    spent = [looked(window, look_level(window, [], POLICY, version="m/1"))]

    assert look_level(window, spent, POLICY, version="m/2") == SMALLEST


def test_reports_without_a_budget_spent_nothing():
    first, second = daily(2)

    assert look_level(second, [looked(first, None)], POLICY) == pytest.approx(2 / 365)


spans = st.tuples(st.integers(0, 400), st.integers(1, 40)).map(
    lambda span: Window(start=BEGIN + span[0] * DAY, end=BEGIN + sum(span) * DAY)
)


@given(st.lists(spans, unique=True, max_size=40), st.sampled_from([0.1, 2.0, 50.0]))
def test_whatever_the_windows_their_levels_stay_within_the_budget(windows, per_year):
    levels = walk(windows, MonitorPolicy(false_alarms_per_year=per_year))
    days = {window.start + n * DAY for window in windows for n in range((window.end - window.start).days)}

    assert sum(levels) <= per_year * len(days) / 365 + len(levels) * SMALLEST + 1e-9
    assert all(SMALLEST <= level <= LARGEST for level in levels)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_all_looks_at_one_windows_outcomes_spend_its_level_once(shares):
    shares = sorted(shares)
    spent = {share: share_of_level(shares[:place], share) for place, share in enumerate(shares)}

    assert sum(spent.values()) <= 1 + 1e-9
    assert min(spent.values()) >= 0
    assert share_of_level([], 1.0) == 1.0


def test_a_look_with_the_outcomes_it_had_is_the_same_look():
    assert share_of_level([0.2, 0.6, 0.6], 0.6) == share_of_level([0.2], 0.6)


def test_earlier_looks_are_those_at_the_same_window_and_version():
    first, second = daily(2)
    looks = [
        replace(looked(first, 0.05), rows=100, outcomes=25),
        replace(looked(first, 0.05), rows=100, outcomes=50),
        replace(looked(first, 0.05, version="m/2"), rows=100, outcomes=75),
        replace(looked(second, 0.05), rows=100, outcomes=80),
        replace(looked(first, None), rows=100, outcomes=10),
    ]

    assert earlier_shares(first, looks, version="m/1") == (0.25, 0.5)
