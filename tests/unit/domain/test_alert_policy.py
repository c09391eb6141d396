from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbprod.domain.alert import Alert, AlertStatus, Severity
from nbprod.domain.alert_policy import AlertPolicy, is_web_address
from nbprod.errors import SettingsError

WARNING, CRITICAL = Severity.WARNING, Severity.CRITICAL
moments = st.integers(0, 8_000_000).map(lambda minutes: datetime(2020, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes))
hours = st.times().map(lambda at: f"{at.hour:02d}:{at.minute:02d}")


def policy(**settings):
    return AlertPolicy.parse("[alerts]", settings)


def berlin(text):
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Europe/Berlin")).astimezone(UTC)


@pytest.mark.parametrize(
    ("now", "sent"),
    [
        ("2026-11-27T21:59", "2026-11-27T21:59"),
        ("2026-11-27T22:00", "2026-11-28T07:00"),
        ("2026-11-28T03:00", "2026-11-28T07:00"),
        ("2026-11-28T07:00", "2026-11-28T07:00"),
        ("2026-03-28T23:00", "2026-03-29T07:00"),  # the clocks go forward in that night
    ],
)
def test_what_comes_in_quiet_hours_is_sent_at_their_end(now, sent):
    quiet = policy(quiet="22:00-07:00", timezone="Europe/Berlin")

    assert quiet.send_at(WARNING, berlin(now)) == berlin(sent)
    assert quiet.send_at(CRITICAL, berlin(now)) == berlin(now)
    assert policy(quiet="22:00-07:00", wakes="never").send_at(CRITICAL, berlin(now)) >= berlin(now)


@given(now=moments, start=hours, end=hours, zone=st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kolkata"]))
def test_a_message_waits_for_less_than_a_day_and_is_then_sent(now, start, end, zone):
    if start == end:
        return
    quiet = policy(quiet=f"{start}-{end}", timezone=zone)
    sent = quiet.send_at(WARNING, now)

    assert now <= sent <= now + timedelta(hours=25)
    if sent != now:
        local = sent.astimezone(ZoneInfo(zone))
        assert f"{local:%H:%M}" == end or local.date() != now.date()  # an hour that clocks skip has no such time
        assert quiet.send_at(CRITICAL, now) == now


@given(now=moments, digest=hours)
def test_a_digest_is_of_the_newest_moment_of_its_time(now, digest):
    moment = policy(digest=digest, timezone="Europe/Berlin").digest_at(now)

    assert moment <= now < moment + timedelta(hours=26)
    assert f"{moment:%H:%M}" == digest
    assert policy().digest_at(now) is None


def test_an_alert_nobody_looks_at_is_escalated_once():
    opened = datetime(2026, 11, 27, 9, tzinfo=UTC)

    def alert(**changes):
        usual = {"id": "a", "deployment": "d", "check": "drift", "subject": "x", "summary": "", "run_id": "r"}
        times = {"opened_at": opened, "last_seen_at": opened, "status": AlertStatus.OPEN}
        return Alert(**{**usual, **times, **changes})

    late = policy(escalate="4h")
    assert late.escalates_at(alert()) == opened + timedelta(hours=4)
    assert late.escalates_at(alert(status_at=opened + timedelta(hours=1))) == opened + timedelta(hours=5)
    assert late.escalates_at(alert(status=AlertStatus.ACKNOWLEDGED)) is None
    assert late.escalates_at(alert(escalated_at=opened)) is None
    assert policy().escalates_at(alert()) is None


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"quiet": "22-7"}, "quiet"),
        ({"quiet": "22:00-22:00"}, "quiet"),
        ({"quiet": "22:00-24:00"}, "quiet"),
        ({"timezone": "Mars"}, "timezone"),
        ({"timezone": "../etc/passwd"}, "timezone"),
        ({"digest": "8"}, "digest"),
        ({"wakes": "always"}, "wakes"),
        ({"group": "a week"}, "length of time"),
        ({"escalate": 4}, "escalate"),
        ({"runbook": "javascript:alert(1)"}, "runbook is not a web address"),
        ({"runbooks": {"drift": "file:///etc/passwd"}}, "runbooks is not a web address"),
        ({"severities": {"drift": "bad"}}, "severities"),
        ({"channels": "team"}, "channels"),
        ({"quite": "22:00-07:00"}, "quiet"),
    ],
)
def test_settings_that_cannot_be_used_are_refused_by_name(settings, told):
    with pytest.raises(SettingsError) as caught:
        policy(**settings)

    assert told in str(caught.value)


@pytest.mark.parametrize(
    "text", ["", "ftp://x", "https://", "http://a b", "https://x/\u202e", "https://x\n", "http://[", 3, "//x"]
)
def test_only_web_addresses_are_linked_to(text):
    assert not is_web_address(text)
    assert is_web_address("https://wiki.example.org/drift?x=1")
