from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbprod.domain.alert import Alert, AlertPart, AlertStatus, Severity, event_time, parts_sentence
from nbprod.domain.delivery import wait_after


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("began", "ended", "told"),
    [
        ("1997-12-01", "1998-01-01", "December 1997"),
        ("1997-05-01", "1997-07-01", "May to June 1997"),
        ("1997-12-01", "1998-02-01", "December 1997 to January 1998"),
        ("1997-05-03", "1997-05-04", "3 May 1997"),
        ("1997-05-03T06:00", "1997-05-03T18:00", "3 May 1997"),
        ("1997-05-03", "1997-05-10", "3 to 9 May 1997"),
        ("1997-05-30", "1997-06-02", "30 May to 1 June 1997"),
        ("1997-12-30", "1998-01-02", "30 December 1997 to 1 January 1998"),
        ("2026-11-27T09:05", "2026-11-27T09:05", "27 November 2026 09:05 UTC"),
    ],
)
def test_event_time_is_said_as_people_say_it(began, ended, told):
    assert event_time(at(began), at(ended)) == told


@given(st.integers(0, 60_000).map(lambda hours: at("1980-01-01") + timedelta(hours=hours)), st.integers(0, 20_000))
def test_event_time_names_the_years_it_touches(began, hours):
    length = timedelta(hours=hours)
    told = event_time(began, began + length)

    last = began + max(length - timedelta(microseconds=1), timedelta(0))
    assert str(last.year) in told
    assert str(began.year) in told


def an_alert(**changes):
    return Alert(
        **{
            "id": "a1",
            "deployment": "churn",
            "check": "performance",
            "subject": "accuracy",
            "status": AlertStatus.OPEN,
            "summary": "accuracy <fell>",
            "run_id": "r",
            "opened_at": at("2026-11-27T09:00"),
            "last_seen_at": at("2026-11-27T09:00"),
            "began": at("1997-12-01"),
            "ended": at("1998-01-01"),
            **changes,
        }
    )


def a_part(check, subject, **changes):
    usual = {"sentence": f"{subject}!", "severity": Severity.WARNING, "run_id": "r", "began": None, "first_end": None}
    times = {"last_end": None, "first_seen_at": at("2026-11-27"), "last_seen_at": at("2026-11-27")}
    return AlertPart(check=check, subject=subject, **{**usual, **times, **changes})


def test_event_time_comes_first_and_then_when_it_was_seen():
    assert an_alert().when(at("2026-12-01")) == "December 1997, seen 27 Nov"
    assert an_alert().when(at("2027-01-01")) == "December 1997, seen 27 Nov 2026"
    assert an_alert(began=None, ended=None).when(at("2026-12-01")) == "seen 27 Nov"
    assert repr(an_alert()).startswith("<Alert December 1997, seen 27 Nov")
    assert "<strong>December 1997, seen 27 Nov" in an_alert()._repr_html_()


def test_a_card_escapes_and_lists_the_parts():
    parts = [a_part("drift", f"<b>{number}") for number in range(20)]
    shown = an_alert(parts=tuple(parts), runbook="https://x/<i>", note="<script>")._repr_html_()

    assert "<b>" not in shown
    assert "<script>" not in shown
    assert "<i>" not in shown
    assert "7 more" in shown


def test_an_alert_without_parts_is_its_own_part():
    """So wrote nbprod 0.1; a resolved one is over."""
    (part,) = an_alert().parts
    assert (part.key, part.sentence, part.is_over) == (("performance", "accuracy"), "accuracy <fell>", False)
    assert not an_alert(status=AlertStatus.RESOLVED, resolved_at=at("2026-11-28")).standing


def test_parts_are_listed_by_check():
    parts = [a_part("drift", name) for name in "abcde"] + [a_part("serving", "")]
    assert parts_sentence(parts) == "drift (a, b, c and 2 more), serving"


def test_attempts_wait_longer_and_never_give_up():
    waits = [wait_after(number) for number in range(1, 2000)]

    assert waits[:3] == [timedelta(minutes=1), timedelta(minutes=2), timedelta(minutes=4)]
    assert waits == sorted(waits)
    assert waits[-1] == timedelta(hours=6)
