import http.server
import json
import logging
import threading
from datetime import UTC, datetime

import pytest

from nbprod.domain.alert import AlertStatus
from nbprod.domain.check import CheckOutcome, CheckResult
from nbprod.domain.monitor import MonitorReport, Verdict
from nbprod.errors import EnvironmentProblem, IllegalMoveError, SettingsError
from nbprod.monitors.alerts import Alerts
from nbprod.monitors.notify import AppriseNotifier, LogNotifier, WebhookNotifier
from nbprod.store import Store


@pytest.fixture
def store(tmp_path, empty_ledger):
    return Store.open(empty_ledger(tmp_path / "ledger.db"), tmp_path / "files", actor="ada")


@pytest.fixture
def alerts(store):
    return Alerts(store)


def report(*checks, run_id="r1"):
    return MonitorReport(
        run_id=run_id,
        deployment="churn",
        version="churn/1",
        start=datetime(2026, 1, 1, tzinfo=UTC),
        end=datetime(2026, 2, 1, tzinfo=UTC),
        verdict=Verdict.ALARM,
        sentence="…",
        rows=10,
        outcomes=0,
        checks=checks,
    )


def check(subject, outcome, name="drift"):
    return CheckResult(name=name, subject=subject, outcome=outcome, sentence=f"{subject} is {outcome}")


FAILED, PASSED, DOUBT = CheckOutcome.FAILED, CheckOutcome.PASSED, CheckOutcome.INCONCLUSIVE


def test_a_failed_check_opens_one_alert_and_repeats_it(alerts, store):
    alerts.update(report(check("age", FAILED)))
    (again,) = alerts.update(report(check("age", FAILED), run_id="r2"))

    assert (again.status, again.times_seen, again.run_id) == (AlertStatus.OPEN, 2, "r2")
    with store.read() as session:
        assert [event.kind for event in session.events(subject=again.id)] == ["alert.repeated", "alert.opened"]


def test_a_passed_check_resolves_its_alert_and_no_other(alerts):
    alerts.update(report(check("age", FAILED), check("income", FAILED)))

    (left,) = alerts.update(report(check("age", PASSED), check("income", FAILED)))

    assert left.subject == "income"
    assert [alert.subject for alert in alerts.list(status=AlertStatus.RESOLVED)] == ["age"]


def test_doubt_neither_opens_nor_closes(alerts):
    alerts.update(report(check("age", FAILED)))

    (left,) = alerts.update(report(check("age", DOUBT), check("income", DOUBT)))

    assert (left.subject, left.times_seen) == ("age", 1)


def test_a_whole_check_that_passes_resolves_its_subjects(alerts):
    """A drift check with no subject speaks of all columns."""
    alerts.update(report(check("age", FAILED), check("accuracy", FAILED, name="performance")))

    (left,) = alerts.update(report(check("", PASSED)))

    assert left.check == "performance"


def test_an_acknowledged_alert_is_repeated_and_not_opened_beside(alerts):
    (alert,) = alerts.update(report(check("age", FAILED)))
    alerts.acknowledge(alert.id, note="looking")

    alerts.update(report(check("age", FAILED)))

    (one,) = alerts.list("churn")
    assert (one.status, one.times_seen, one.note) == (AlertStatus.ACKNOWLEDGED, 2, "looking")


def test_a_resolved_alert_cannot_be_acknowledged(alerts):
    (alert,) = alerts.update(report(check("age", FAILED)))
    alerts.resolve(alert.id, note="a sensor was replaced")

    with pytest.raises(IllegalMoveError, match="resolved and cannot become acknowledged"):
        alerts.acknowledge(alert.id)


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.server.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(self.server.answer)
        self.end_headers()

    def log_message(self, *args):
        pass


@pytest.fixture
def receiver():
    server = http.server.HTTPServer(("127.0.0.1", 0), Receiver)
    server.bodies, server.answer = [], 200
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_webhook_gets_each_change_as_json(store, receiver):
    alerts = Alerts(store, [WebhookNotifier(f"http://127.0.0.1:{receiver.server_port}/hook?token=s3cret")])

    alerts.update(report(check("age", FAILED)))
    alerts.update(report(check("age", PASSED)))

    assert [(body["change"], body["subject"]) for body in receiver.bodies] == [("opened", "age"), ("resolved", "age")]


def test_a_delivery_that_fails_loses_no_alert_and_tells_no_secret(store, receiver, caplog):
    receiver.answer = 500
    alerts = Alerts(store, [WebhookNotifier(f"http://127.0.0.1:{receiver.server_port}/hook?token=s3cret")])

    (alert,) = alerts.update(report(check("age", FAILED)))

    assert alert.status is AlertStatus.OPEN
    assert "WebhookNotifier could not deliver" in caplog.text
    assert "s3cret" not in caplog.text


def test_the_log_is_warned_of_what_opened(store, caplog):
    with caplog.at_level(logging.INFO, logger="nbprod.alerts"):
        Alerts(store, [LogNotifier()]).update(report(check("age", FAILED)))

    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "opened: age is failed" in caplog.text


def test_a_webhook_that_is_no_web_address_is_refused():
    with pytest.raises(SettingsError, match="not a web address"):
        WebhookNotifier("file:///etc/passwd")


def test_an_unknown_apprise_address_is_refused_without_showing_it():
    with pytest.raises((SettingsError, EnvironmentProblem)) as caught:
        AppriseNotifier(["nonsense-s3cret"])

    assert "s3cret" not in str(caught.value)
