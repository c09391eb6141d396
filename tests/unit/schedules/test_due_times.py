"""When schedules are due, above all when clocks change."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbprod.domain.schedule import Schedule
from nbprod.errors import SettingsError
from nbprod.schedules.due_times import between, next_after


def a_schedule(cron, timezone="UTC", **more):
    return Schedule.parse("nightly", {"cron": cron, "timezone": timezone, "run": "train", **more})


def utc(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_a_job_in_the_hour_that_is_skipped_runs_once_right_after_the_gap():
    """On 2026-03-29 clocks in Berlin go from 02:00 to 03:00; half past two does not exist."""
    found, _ = between(
        a_schedule("30 2 * * *", "Europe/Berlin"), utc("2026-03-28T00:00"), utc("2026-03-31T00:00"), most=9
    )

    assert found == [utc("2026-03-28T01:30"), utc("2026-03-29T01:00"), utc("2026-03-30T00:30")]


def test_a_job_in_the_hour_that_comes_twice_runs_the_first_time_only():
    """On 2026-10-25 clocks in Berlin go from 03:00 to 02:00."""
    found, _ = between(
        a_schedule("30 2 * * *", "Europe/Berlin"), utc("2026-10-24T12:00"), utc("2026-10-26T12:00"), most=9
    )

    assert found == [utc("2026-10-25T00:30"), utc("2026-10-26T01:30")]
    # seen from inside the second time, the first one is over
    assert next_after(a_schedule("30 2 * * *", "Europe/Berlin"), utc("2026-10-25T01:10")) == utc("2026-10-26T01:30")


@pytest.mark.parametrize("day", ["2026-03-29", "2026-10-25"])
def test_a_job_of_every_half_hour_goes_by_elapsed_time(day):
    start = utc(day)
    found, _ = between(a_schedule("*/30 * * * *", "Europe/Berlin"), start, start + timedelta(hours=6), most=99)

    assert found == [start + timedelta(minutes=30 * n) for n in range(1, 13)]


CRONS = st.sampled_from(
    ["* * * * *", "7 * * * *", "30 2 * * *", "0 9 * * 1-5", "15 3 1 * *", "*/20 1-4 * * 0", "0 2 L * *"]
)
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"])
MOMENTS = st.integers(0, 4 * 366 * 86400).map(lambda seconds: utc("2024-01-01") + timedelta(seconds=seconds))


@given(CRONS, ZONES, MOMENTS, st.timedeltas(timedelta(0), timedelta(days=40)), st.integers(1, 30))
def test_the_newest_moments_are_the_last_of_all_of_them(cron, zone, after, length, most):
    """However far one looks back at once, the moments are those met by going from one to the next."""
    schedule, until = a_schedule(cron, zone), after + min(length, timedelta(days=2) if cron[0] == "*" else length)
    walked, at = [], after
    while (at := next_after(schedule, at)) <= until:
        walked.append(at)

    assert between(schedule, after, until, most=most) == (walked[-most:], len(walked) > most)


def test_a_year_of_minutes_is_not_walked_through():
    found, more = between(a_schedule("* * * * *"), utc("2025-01-01"), utc("2026-01-01"), most=24)

    assert (len(found), more, found[-1]) == (24, True, utc("2026-01-01"))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"cron": "61 * * * *"}, "cannot be read: Bad minute"),
        ({"cron": "* * * *"}, "does not have five fields"),
        ({"cron": "* * * * * *"}, "does not have five fields"),
        ({"cron": "0 0 * * *", "timezone": "Mars/Olympus"}, "is not known"),
        ({"cron": "0 0 * * *", "timezone": "../../etc/passwd"}, "is not known"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(content, words):
    with pytest.raises(SettingsError, match=rf"\[schedules.nightly\].*{words}"):
        next_after(Schedule.parse("nightly", {"run": "train", **content}), utc("2026-01-01"))
