import json
import logging
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from nbprod import clock
from nbprod.domain.alert import AlertStatus, Severity
from nbprod.domain.check import CheckOutcome, CheckResult
from nbprod.domain.delivery import DeliveryStatus
from nbprod.domain.monitor import MonitorReport, Verdict
from nbprod.errors import IllegalMoveError, NotFoundError, SettingsError
from nbprod.monitors import outbox
from nbprod.monitors.alerts import Alerts
from nbprod.settings import Settings
from nbprod.store import Store

FILE = '[channels.file]\nkind = "file"\npath = "told.jsonl"\n'
FAILED, PASSED = CheckOutcome.FAILED, CheckOutcome.PASSED


@pytest.fixture
def store(tmp_path, empty_ledger):
    return Store.open(empty_ledger(tmp_path / "ledger.db"), tmp_path / "files", actor="ada")


@pytest.fixture
def made(tmp_path, store, monkeypatch):
    """Makes the service of a workspace with these settings."""
    monkeypatch.setenv("NBPROD_ACTOR", "ada")

    def make(settings=FILE):
        (tmp_path / "nbprod.toml").write_text(settings)
        return Alerts(store, Settings.load(tmp_path))

    return make


@pytest.fixture
def alerts(made):
    return made()


@pytest.fixture
def told(tmp_path):
    """The messages that have arrived in the file."""

    def read():
        path = tmp_path / "told.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    return read


def report(*checks, run_id="r1", start=datetime(2026, 1, 1, tzinfo=UTC), days=31):
    return MonitorReport(
        run_id=run_id,
        deployment="churn",
        version="churn/1",
        start=start,
        end=start + timedelta(days=days),
        verdict=Verdict.ALARM,
        sentence="…",
        rows=10,
        outcomes=0,
        checks=checks,
    )


def check(subject, outcome=FAILED, name="drift"):
    return CheckResult(name=name, subject=subject, outcome=outcome, sentence=f"{subject} is {outcome}")


def see(alerts, *checks, deliver=True, **window):
    """One report, as a monitor keeps it."""
    with alerts._store.write() as session:
        alerts.record(session, report(*checks, **window))
    if deliver:
        alerts.send()
    return alerts.list("churn")


def test_a_failed_check_opens_one_alert_and_repeats_it(alerts, store, told):
    see(alerts, check("age"))
    (again,) = see(alerts, check("age"), run_id="r2")

    assert (again.status, again.times_seen, again.run_id) == (AlertStatus.OPEN, 2, "r2")
    with store.read() as session:
        events = session.events(subject=again.id)
    assert [event.kind for event in events] == ["alert.repeated", "alert.opened"]
    assert events[0].evidence == ("r2",)
    assert [message["change"] for message in told()] == ["opened"]
    assert store.verify()[0] == 2


def test_what_moved_together_is_one_message_with_its_parts(alerts, told):
    see(alerts, *(check(f"c{n}") for n in range(10)), check("accuracy", name="performance"))

    (message,) = told()
    assert message["when"].startswith("January 2026, seen ")
    assert message["title"].startswith("January 2026, seen ")
    assert (message["check"], message["severity"], len(message["parts"])) == ("performance", "critical", 11)


def test_what_joins_an_alert_is_told_once(alerts, told):
    see(alerts, check("age"))
    for number in range(3):
        see(alerts, check("age"), check("income"), run_id=f"r{number}")

    assert [message["change"] for message in told()] == ["opened", "grew"]
    assert [part["subject"] for part in told()[-1]["parts"]] == ["age", "income"]


def test_who_decided_what_when_and_why_is_kept(alerts, store):
    (alert,) = see(alerts, check("age"))
    before = clock.now()

    acknowledged = alerts.acknowledge(alert.id, note="looking")
    snoozed = alerts.snooze(alert.id, until="3d")
    resolved = alerts.resolve(alert.id, note="a sensor was replaced")

    assert (acknowledged.status, acknowledged.status_by, acknowledged.note) == ("acknowledged", "ada", "looking")
    assert acknowledged.status_at >= before
    assert before + timedelta(days=2, hours=23) < snoozed.snoozed_until < clock.now() + timedelta(days=3)
    assert (resolved.status, resolved.note, resolved.snoozed_until) == ("resolved", "a sensor was replaced", None)
    with store.read() as session:
        kinds = [(event.kind, event.actor, event.reason) for event in session.events(subject=alert.id)[:3]]
    assert kinds == [
        ("alert.resolved", "ada", "a sensor was replaced"),
        ("alert.snoozed", "ada", ""),
        ("alert.acknowledged", "ada", "looking"),
    ]


def test_a_resolved_alert_cannot_be_acknowledged(alerts):
    (alert,) = see(alerts, check("age"))
    alerts.resolve(alert.id)

    with pytest.raises(IllegalMoveError, match="resolved and cannot become acknowledged"):
        alerts.acknowledge(alert.id)
    with pytest.raises(NotFoundError):
        alerts.snooze("none", until="3d")


@pytest.mark.parametrize("until", ["tomorrow", "", "1997-01-01", "3y", datetime(1997, 1, 1, tzinfo=UTC)])
def test_a_snooze_ends_at_a_moment_to_come(alerts, until):
    (alert,) = see(alerts, check("age"))

    with pytest.raises(SettingsError):
        alerts.snooze(alert.id, until=until)
    assert alerts.get(alert.id).status is AlertStatus.OPEN


def test_a_snoozed_alert_is_silent_wakes_once_and_is_told(alerts, told):
    (alert,) = see(alerts, check("age"))
    alerts.snooze(alert.id, until=clock.now() + timedelta(days=2))
    see(alerts, check("age"), check("income"))
    assert [message["change"] for message in told()] == ["opened"]

    for _ in range(2):
        alerts.deliver(now=clock.now() + timedelta(days=3))

    assert [message["change"] for message in told()] == ["opened", "woke"]
    assert (alerts.get(alert.id).status, alerts.get(alert.id).status_by) == (AlertStatus.OPEN, "nbprod")


def test_quiet_hours_hold_back_and_say_at_their_end_what_became_of_it(made, told):
    """Both ends lie in the next hours, wherever the clock stands."""
    now = clock.now()
    start, end = now - timedelta(hours=1), now + timedelta(hours=2)
    alerts = made(f'{FILE}[alerts]\nquiet = "{start:%H:%M}-{end:%H:%M}"\n')
    see(alerts, check("age"))
    see(alerts, check("age", PASSED))
    see(alerts, check("accuracy", name="performance"))
    assert [message["check"] for message in told()] == ["performance"]

    alerts.deliver(now=now + timedelta(hours=3))

    assert [(message["check"], message["changes"]) for message in told()[1:]] == [("drift", ["opened", "resolved"])]


def test_nobody_looks_so_others_are_told_and_own_it(made, told, store):
    boss = '[channels.boss]\nkind = "file"\npath = "boss.jsonl"\n'
    policy = '[alerts]\nescalate = "4h"\nescalate_to = ["boss"]\nescalate_owner = "boss"\nowner = "maria"\nchannels = ["file"]\n'
    alerts = made(FILE + boss + policy)
    (alert,) = see(alerts, check("age"))
    assert alerts.deliver(now=clock.now() + timedelta(hours=3)) == []

    for _ in range(2):
        alerts.deliver(now=clock.now() + timedelta(hours=5))

    assert sorted((one.channel, one.changes) for one in alerts.deliveries(alert.id)) == [
        ("boss", ("escalated",)), ("file", ("opened",)), ("log", ("escalated",)), ("log", ("opened",))
    ]  # fmt: skip
    assert (alerts.get(alert.id).owner, [m["owner"] for m in told()]) == ("boss", ["maria"])
    with store.read() as session:
        assert len(session.events(kind="alert.escalated")) == 1


def test_a_digest_names_once_a_day_what_stands(made, told):
    alerts = made(f'{FILE}[alerts]\ndigest = "08:00"\n')
    see(alerts, check("age"))
    see(alerts, check("accuracy", name="performance"), start=datetime(2025, 1, 1, tzinfo=UTC))
    assert [message["change"] for message in told()] == ["opened", "opened"]

    tomorrow = (clock.now() + timedelta(days=1)).replace(hour=9)
    for _ in range(2):
        alerts.deliver(now=tomorrow)

    (digest,) = told()[2:]
    assert digest["title"] == f"{tomorrow:%Y-%m-%d}: 2 alerts not resolved"
    assert [one["title"] for one in digest["alerts"]] == ["performance accuracy", "drift age"]
    for alert in alerts.list():
        alerts.resolve(alert.id)
    before = len(told())
    alerts.deliver(now=tomorrow + timedelta(days=1))
    assert len(told()) == before


def test_a_channel_is_told_from_its_severity_on(made, told):
    alerts = made(FILE + 'at_least = "critical"\n')
    see(alerts, check("age"))
    see(alerts, check("age"), check("accuracy", name="performance"))

    assert [message["change"] for message in told()] == ["raised"]


class Raising:
    at_least = Severity.INFO

    def send(self, delivery):
        raise RuntimeError("https://user:s3cret@example.org")


class Slow(Raising):
    def __init__(self):
        self.began, self.may_end = threading.Event(), threading.Event()

    def send(self, delivery):
        self.began.set()
        self.may_end.wait()


def test_a_channel_that_raises_is_tried_again_later_and_tells_no_secret(alerts, caplog):
    alerts._outbox._channels["file"] = Raising()
    (alert,) = see(alerts, check("age"))

    (one,) = alerts.deliveries(alert.id, status=DeliveryStatus.WAITING)
    assert (one.channel, one.attempts, one.error) == ("file", 1, "RuntimeError")
    assert "s3cret" not in caplog.text
    assert alerts.deliver() == []  # not before its time
    (again,) = alerts.deliver(now=one.due_at)
    assert (again.id, again.attempts, again.status) == (one.id, 2, DeliveryStatus.WAITING)


def test_a_channel_that_never_ends_keeps_nobody_waiting(alerts, monkeypatch):
    monkeypatch.setattr(outbox, "LIMIT_S", 0.05)
    slow = alerts._outbox._channels["file"] = Slow()
    try:
        (alert,) = see(alerts, check("age"))  # returns while the channel still works

        assert slow.began.wait(60)
        waiting = {one.channel: one.error for one in alerts.deliveries(alert.id, status=DeliveryStatus.WAITING)}
        assert waiting["file"] == "it has not answered yet"
    finally:
        slow.may_end.set()


def test_a_message_is_written_with_its_alert_and_sent_by_whoever_comes_next(alerts, made, told):
    """As if the process had been killed right after the alert was kept."""
    (alert,) = see(alerts, check("age"), deliver=False)
    assert told() == []

    made().deliver()

    assert [message["key"] for message in told()] == [f"{alert.id}.0.file"]


def test_of_several_who_deliver_at_once_one_sends_each_message(made, told, store):
    alerts = made()
    for subject in "abc":
        with store.write() as session:
            alerts.record(session, replace(report(check(subject)), deployment=subject))

    threads = [threading.Thread(target=made().send) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(message["subject"] for message in told()) == ["a", "b", "c"]
    assert {one.status for one in alerts.deliveries()} == {DeliveryStatus.SENT}


def test_an_alert_that_cannot_be_kept_leaves_no_message(alerts, store):
    def killed():
        with store.write() as session:
            alerts.record(session, report(check("age")))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        killed()

    assert (alerts.list(), alerts.deliveries()) == ([], [])


def test_a_message_for_a_channel_that_is_gone_waits_for_its_return(alerts, made, told, caplog):
    see(alerts, check("age"), deliver=False)

    made("").deliver()
    assert "alerts wait for the channel file" in caplog.text

    made().deliver()
    assert len(told()) == 1


def test_a_line_that_a_power_cut_left_does_not_swallow_the_next(alerts, tmp_path):
    (tmp_path / "told.jsonl").write_text('{"key": "a')
    see(alerts, check("age"))

    first, second = (tmp_path / "told.jsonl").read_text().splitlines()
    assert first == '{"key": "a'
    assert json.loads(second)["subject"] == "age"


def test_the_log_is_always_told(made, caplog):
    alerts = made("")
    with caplog.at_level(logging.INFO, logger="nbprod.alerts"):
        see(alerts, check("age"))
        see(alerts, check("age", PASSED))

    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert caplog.records[0].message.startswith("January 2026, seen")
    assert "age is failed" in caplog.text


def test_what_a_server_sees_is_of_now(alerts):
    (alert,) = alerts.see("live", [check("log", name="serving")], source="server")

    assert alert.severity is Severity.CRITICAL
    assert f"{alert.opened_at:%H:%M} UTC" in alert.happened
    assert alerts.see("live", [check("log", PASSED, name="serving")], source="server") == []
