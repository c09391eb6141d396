"""Where alerts go: the log always, a webhook and apprise addresses when asked for."""

from __future__ import annotations

import json
import logging
import urllib.error
import urllib.request
from collections.abc import Sequence
from typing import Protocol
from urllib.parse import urlsplit

from nbprod.clock import format_utc
from nbprod.domain.alert import Alert
from nbprod.errors import EnvironmentProblem, SettingsError
from nbprod.settings import Settings

__all__ = ["AppriseNotifier", "LogNotifier", "Notifier", "WebhookNotifier", "notifiers_of"]

log = logging.getLogger("nbprod.alerts")


class Notifier(Protocol):
    """Delivers one alert."""

    def send(self, alert: Alert, change: str) -> None:
        """Deliver an alert that was ``opened``, ``repeated`` or ``resolved``."""


class LogNotifier:
    """Writes alerts to the logger ``nbprod.alerts``."""

    def send(self, alert: Alert, change: str) -> None:
        """Log one line; what opened is a warning."""
        level = logging.WARNING if change == "opened" else logging.INFO
        log.log(level, "alert %s %s: %s", alert.id, change, alert.summary)


class WebhookNotifier:
    """Posts alerts as JSON.

    Parameters
    ----------
    url
        An ``http`` or ``https`` address.

    Raises
    ------
    SettingsError
        The address is of another kind.
    """

    def __init__(self, url: str) -> None:
        if urlsplit(url).scheme not in {"http", "https"}:
            raise SettingsError("notify.webhook is not a web address", hint="It starts with https:// or http://.")
        self._url = url

    def send(self, alert: Alert, change: str) -> None:
        """Post the alert; waits at most ten seconds."""
        body = {
            "change": change,
            "id": alert.id,
            "deployment": alert.deployment,
            "check": alert.check,
            "subject": alert.subject,
            "status": alert.status.value,
            "summary": alert.summary,
            "run": alert.run_id,
            "opened_at": format_utc(alert.opened_at),
            "last_seen_at": format_utc(alert.last_seen_at),
            "times_seen": alert.times_seen,
        }
        request = urllib.request.Request(  # noqa: S310 — the scheme was checked
            self._url, data=json.dumps(body).encode(), headers={"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=10):  # noqa: S310
            pass


class AppriseNotifier:
    """Sends alerts to apprise addresses (mail, chat, pagers).

    Raises
    ------
    EnvironmentProblem
        The extra is not installed.
    SettingsError
        An address is of no kind apprise knows.
    """

    def __init__(self, addresses: Sequence[str]) -> None:
        try:
            import apprise  # an extra, and slow to import
        except ImportError as problem:
            raise EnvironmentProblem(
                "notify.apprise needs apprise, which is not installed", hint='pip install "nbprod[notify]"'
            ) from problem
        self._target = apprise.Apprise()
        for number, address in enumerate(addresses, 1):
            if not self._target.add(address):
                # the address itself holds credentials, so only its place is told
                raise SettingsError(f"notify.apprise: address {number} is of no kind apprise knows")

    def send(self, alert: Alert, change: str) -> None:
        """Send one message.

        Raises
        ------
        OSError
            An address did not take it.
        """
        if not self._target.notify(title=f"{alert.deployment}: alert {change}", body=alert.summary):
            raise OSError("an apprise address did not take the message")


def notifiers_of(settings: Settings) -> list[Notifier]:
    """The notifiers a workspace asks for, the log first."""
    found: list[Notifier] = [LogNotifier()]
    if settings["notify.webhook"]:
        found.append(WebhookNotifier(settings["notify.webhook"]))
    if settings["notify.apprise"]:
        found.append(AppriseNotifier(settings["notify.apprise"]))
    return found
