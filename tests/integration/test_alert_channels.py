"""Each channel of alerts against a real receiver on this machine."""

from __future__ import annotations

import hashlib
import hmac
import http.server
import json
import logging
import socket
import sys
import threading
import time
from email import message_from_bytes, policy

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

import nbprod
from nbprod import clock
from nbprod.domain.alert import AlertStatus
from nbprod.domain.check import CheckOutcome, CheckResult
from nbprod.monitors import webhook


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((self.path, dict(self.headers), body))
        self.send_response(self.server.answer)
        if self.server.answer == 307:
            self.send_header("Location", f"http://127.0.0.1:{self.server.server_port}/elsewhere")
        self.end_headers()

    def log_message(self, *args):
        pass


@pytest.fixture
def receiver():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    server.got, server.answer = [], 200
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def free_port():
    """A port nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


class Mailbox:
    def __init__(self):
        self.mails, self.logins, self.answer = [], [], "250 OK"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802 — aiosmtpd calls it so
        if self.answer.startswith("250"):
            self.mails.append(message_from_bytes(envelope.original_content, policy=policy.default))
        return self.answer

    def __call__(self, server, session, envelope, mechanism, data):
        self.logins.append((data.login, data.password))
        return AuthResult(success=data.password == b"s3cret")


@pytest.fixture
def mailbox():
    box = Mailbox()
    # no TLS: the server is on this machine
    box.port = free_port()
    controller = Controller(box, "127.0.0.1", box.port, authenticator=box, auth_require_tls=False)
    controller.start()
    yield box
    controller.stop()


@pytest.fixture
def opened(tmp_path):
    def opened(settings):
        (tmp_path / "nbprod.toml").write_text(settings)
        return nbprod.open(tmp_path)

    return opened


def see(ws, subject="age", outcome=CheckOutcome.FAILED, name="drift"):
    check = CheckResult(name=name, subject=subject, outcome=outcome, sentence=f"{subject} is <b>{outcome}</b>")
    ws.alerts.see("churn", [check], source="server")
    (alert,) = ws.alerts.list("churn", limit=1)
    return alert


def hook(port, more="allow_private = true"):
    return f'[channels.team]\nkind = "webhook"\nurl = "http://127.0.0.1:{port}/hook?token=s3cret"\n{more}\n'


def waiting(ws, channel):
    return [one for one in ws.alerts.deliveries(status="waiting") if one.channel == channel]


def test_a_webhook_gets_signed_json_with_the_key_of_the_message(opened, receiver, monkeypatch):
    monkeypatch.setenv("TEAM_KEY", "shared")
    ws = opened(hook(receiver.server_port, 'allow_private = true\nsecret = "env:TEAM_KEY"'))
    alert = see(ws)

    ((path, headers, body),) = receiver.got
    stamp = headers["X-Nbprod-Timestamp"]
    expected = hmac.new(b"shared", stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    assert headers["X-Nbprod-Signature"] == f"sha256={expected}"
    assert abs(int(stamp) - time.time()) < 300
    assert path == "/hook?token=s3cret"
    message = json.loads(body)
    assert headers["Idempotency-Key"] == message["key"] == f"{alert.id}.0.team"
    assert (message["change"], message["subject"], message["when"]) == ("opened", "age", alert.when())


def test_a_webhook_to_this_machine_is_refused_unless_it_is_meant(opened, receiver):
    ws = opened(hook(receiver.server_port, ""))
    alert = see(ws)

    (one,) = waiting(ws, "team")
    assert "private network" in one.error
    assert "s3cret" not in one.error
    assert receiver.got == []
    assert alert.status is AlertStatus.OPEN


def test_a_redirection_is_not_followed_and_an_answer_that_is_none_is_tried_again(opened, receiver, caplog):
    ws = opened(hook(receiver.server_port))
    receiver.answer = 307
    see(ws)
    assert (waiting(ws, "team")[0].error, len(receiver.got)) == ("it answered 307", 1)

    receiver.answer = 200
    (sent,) = ws.alerts.deliver(now=waiting(ws, "team")[0].due_at)

    keys = [headers["Idempotency-Key"] for _, headers, _ in receiver.got]
    assert keys == [sent.id, sent.id]
    assert sent.sent_at
    assert waiting(ws, "team") == []
    assert "s3cret" not in caplog.text


def test_a_name_that_leads_elsewhere_the_second_time_leads_nowhere(opened, receiver, monkeypatch):
    """DNS rebinding: what is connected to is what was checked."""
    real, asked = socket.getaddrinfo, []

    def rebound(host, *args, **more):
        if host != "hooks.example.org":
            return real(host, *args, **more)
        asked.append(host)
        return real("127.0.0.1" if len(asked) == 1 else "192.0.2.1", *args, **more)

    monkeypatch.setattr(socket, "getaddrinfo", rebound)
    ws = opened(hook(receiver.server_port).replace("127.0.0.1", "hooks.example.org"))
    see(ws)

    assert (len(asked), len(receiver.got)) == (1, 1)
    assert receiver.got[0][1]["Host"].startswith("hooks.example.org:")


def test_an_answer_that_drips_is_cut(opened, monkeypatch):
    monkeypatch.setattr(webhook, "LIMIT_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip():
            connection, _ = listener.accept()
            with connection:
                try:
                    while True:
                        connection.sendall(b"H")
                        time.sleep(0.05)
                except OSError:
                    pass

        thread = threading.Thread(target=drip)
        thread.start()
        ws = opened(hook(listener.getsockname()[1]))
        see(ws)
        thread.join(30)

    assert not thread.is_alive()
    assert waiting(ws, "team")[0].attempts == 1


def mail(port, more=""):
    return (
        f'[channels.boss]\nkind = "mail"\nhost = "127.0.0.1"\nport = {port}\ntls = "none"\n'
        f'from = "nbprod <nbprod@example.org>"\nto = ["a@example.org", "b@example.org"]\n{more}'
    )


def test_a_mail_says_first_when_it_happened_and_logs_in_with_a_referenced_password(opened, mailbox, monkeypatch):
    monkeypatch.setenv("MAIL_PASSWORD", "s3cret")
    ws = opened(mail(mailbox.port, 'user = "nbprod"\npassword = "env:MAIL_PASSWORD"\n'))
    alert = see(ws, "<b>\nage\u202e")

    (got,) = mailbox.mails
    assert mailbox.logins == [(b"nbprod", b"s3cret")]
    assert got["Subject"].startswith(f"{alert.when()}: churn drift <b> age")
    assert got["Message-ID"] == f"<{alert.id}.0.boss@nbprod>"
    assert got["To"] == "a@example.org, b@example.org"
    assert got.get_content_type() == "text/plain"
    assert f"nbprod alerts show {alert.id}" in got.get_content()
    assert "\u202e" not in got.get_content() + got["Subject"]


def test_a_mail_that_is_refused_is_tried_again_and_repeats_nothing_of_the_server(opened, mailbox):
    ws = opened(mail(mailbox.port))
    mailbox.answer = "451 4.3.0 see s3cret"
    see(ws)
    assert waiting(ws, "boss")[0].error == "it answered 451"

    mailbox.answer = "250 OK"
    ws.alerts.deliver(now=waiting(ws, "boss")[0].due_at)

    assert len(mailbox.mails) == 1


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")  # apprise imports it
def test_a_chat_gets_a_message_by_apprise(opened, receiver):
    pytest.importorskip("apprise")
    logging.getLogger("apprise").setLevel(logging.CRITICAL)
    ws = opened(f'[channels.chat]\nkind = "chat"\naddresses = ["json://127.0.0.1:{receiver.server_port}/x"]\n')
    alert = see(ws)
    deadline = time.monotonic() + 120
    while not receiver.got and time.monotonic() < deadline:  # it goes on by itself where apprise loads slowly
        time.sleep(0.05)

    ((_, _, body),) = receiver.got
    message = json.loads(body)
    assert message["title"].startswith(f"{alert.when()}: churn drift age")
    assert f"Message {alert.id}.0.chat" in message["message"]


def test_a_chat_without_its_extra_says_which_and_waits(opened, monkeypatch):
    monkeypatch.setitem(sys.modules, "apprise", None)
    ws = opened('[channels.chat]\nkind = "chat"\naddresses = ["json://s3cret"]\n')
    see(ws)

    (one,) = waiting(ws, "chat")
    assert 'pip install "nbprod[notify]"' in one.error
    assert "s3cret" not in one.error


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")
def test_an_address_apprise_does_not_know_is_told_by_its_place_alone(opened):
    pytest.importorskip("apprise")
    logging.getLogger("apprise").setLevel(logging.CRITICAL)
    ws = opened('[channels.chat]\nkind = "chat"\naddresses = ["nonsense-s3cret"]\n')
    see(ws)

    assert waiting(ws, "chat")[0].error == "address 1 is of no kind apprise knows"


def test_every_channel_hears_of_one_alert_and_the_bad_ones_keep_none_from_it(opened, receiver, mailbox, tmp_path):
    away = mail(free_port()).replace("channels.boss", "channels.away")
    ws = opened(hook(receiver.server_port) + mail(mailbox.port) + away + '[channels.kept]\nkind = "file"\n')
    alert = see(ws)

    assert (len(receiver.got), len(mailbox.mails)) == (1, 1)
    assert json.loads((tmp_path / "alerts.jsonl").read_text())["id"] == alert.id
    assert [(one.channel, one.error) for one in ws.alerts.deliveries(status="waiting")] == [
        ("away", "ConnectionRefusedError")
    ]
    assert clock.now() < waiting(ws, "away")[0].due_at
