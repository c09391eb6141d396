from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbprod.clock import format_utc, now, parse_utc, time_id


@given(st.datetimes(timezones=st.just(UTC)))
def test_moments_survive_their_text(at):
    assert parse_utc(format_utc(at)) == at


@given(st.datetimes(), st.datetimes())
def test_the_text_sorts_as_the_moments_do(a, b):
    a, b = a.replace(tzinfo=UTC), b.replace(tzinfo=UTC)

    assert (a < b) == (format_utc(a) < format_utc(b))


def test_other_zones_become_utc():
    at = datetime(2026, 1, 1, 12, tzinfo=timezone(timedelta(hours=2)))

    assert format_utc(at) == "2026-01-01T10:00:00.000000Z"


def test_a_moment_without_zone_is_refused():
    with pytest.raises(ValueError, match="no time zone"):
        format_utc(datetime(2026, 1, 1))  # noqa: DTZ001 — the point of the test


def test_now_is_aware():
    assert now().tzinfo is UTC


def test_ids_sort_by_time_and_name_the_noun():
    at = datetime(2026, 11, 20, 9, 44, 13, tzinfo=UTC)

    assert time_id("train", at).startswith("20261120T094413Z-train-")
    assert time_id("train", at) != time_id("train", at) or time_id("train", at) != time_id("train", at)
