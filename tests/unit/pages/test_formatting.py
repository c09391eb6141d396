from datetime import UTC, datetime, timedelta, timezone

import pytest

from nbprod.domain.alert import AlertStatus
from nbprod.domain.check import CheckOutcome
from nbprod.domain.monitor import Verdict
from nbprod.domain.run import RunStatus
from nbprod.domain.version import Approval
from nbprod.pages.formatting import duration, moment, number, plural, shown, size, tone


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.004, "4 ms"),
        (0.4, "0.4 s"),
        (9.96, "10 s"),
        (59.6, "1 min 00 s"),
        (185, "3 min 05 s"),
        (7800, "2 h 10 min"),
        (356400, "4 d 3 h"),
        (None, "—"),
        (float("nan"), "—"),
    ],
)
def test_durations_are_said_in_fitting_units(seconds, said):
    assert duration(seconds) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.93124, "0.9312"),
        (17664.0, "17,664"),
        (None, "—"),
        (float("nan"), "not a number"),
        (True, "True"),
        (-2.5, "-2.5"),
    ],
)
def test_numbers_are_said_with_four_digits(value, said):
    assert number(value) == said


def test_moments_are_said_in_utc():
    assert moment(datetime(2026, 1, 1, 1, tzinfo=timezone(timedelta(hours=2)))) == "2025-12-31 23:00 UTC"
    assert moment(None) == "—"
    assert moment(datetime(2026, 1, 1, tzinfo=UTC)) == "2026-01-01 00:00 UTC"


@pytest.mark.parametrize(("count", "said"), [(812, "812 B"), (14_200, "14 kB"), (3.2e6, "3.2 MB"), (2.1e9, "2.1 GB")])
def test_sizes(count, said):
    assert size(count) == said


def test_counts():
    assert [plural(n, "alert") for n in (0, 1, 1200)] == ["no alerts", "1 alert", "1,200 alerts"]


def test_a_long_parameter_is_cut_with_a_mark():
    assert shown("x" * 500) == "x" * 400 + "… (500 characters)"
    assert shown([1, None, True, {"a": 0.5}]) == "1, none, yes, a: 0.5"


@pytest.mark.parametrize("enum", [RunStatus, CheckOutcome, Verdict, AlertStatus, Approval])
def test_every_status_has_a_tone_and_doubt_is_never_good(enum):
    tones = {status: tone(status) for status in enum}
    assert set(tones.values()) <= {"good", "watch", "bad", "calm"}
    assert all(tone != "good" for status, tone in tones.items() if status in {"inconclusive", "pending", "lost"})
