"""How alerts are grouped, told and escalated: settings, and what they say of a moment, without clock or ledger."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, time, timedelta
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from nbprod.domain.alert import Alert, AlertStatus, Severity
from nbprod.domain.check import Cause, CheckResult
from nbprod.domain.duration import parse_duration
from nbprod.domain.settings_table import SettingsTable
from nbprod.errors import SettingsError

__all__ = ["AlertPolicy", "is_web_address"]

#: Checks whose failure means that answers are worse or not given.
CRITICAL = frozenset({"performance", "serving"})
NEVER = "never"
HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")


@dataclass(frozen=True, kw_only=True)
class AlertPolicy:
    """What holds for the alerts of a deployment: ``[alerts]``, and ``[alerts.NAME]`` where it says otherwise."""

    group: timedelta = timedelta(days=7)  #: what begins within this of each other is one alert
    quiet: tuple[time, time] | None = None  #: from when to when nothing is sent; it waits for the end
    timezone: str = "UTC"  #: of quiet hours and digest
    wakes: Severity | None = Severity.CRITICAL  #: from this severity on quiet hours do not hold; ``None``: always
    escalate: timedelta | None = None  #: after this time without anybody's looking, others are told
    escalate_to: tuple[str, ...] = ()  #: the channels of those others; empty: the same ones
    escalate_owner: str = ""  #: who owns it then
    digest: time | None = None  #: when a day's summary of what stands is sent
    channels: tuple[str, ...] = ()  #: those that are told; empty: all
    owner: str = ""
    runbook: str = ""  #: address of what to do
    runbooks: Mapping[str, str] = field(default_factory=dict)  #: the same by check: ``drift``, ``performance``
    severities: Mapping[str, Severity] = field(default_factory=dict)  #: by check, in place of the usual ones

    @classmethod
    def parse(cls, name: str, content: Mapping[str, Any]) -> AlertPolicy:
        """Read the settings of a deployment.

        Parameters
        ----------
        name
            The table they are from, for errors: ``[alerts.churn]``.
        content
            Texts and lists by key, what holds for all and what holds for this one together.

        Raises
        ------
        SettingsError
            A key is unknown or a value cannot be used.
        """
        table = SettingsTable(name, content)
        table.refuse_unknown(field.name for field in fields(cls))
        given = {key: value for key, value in content.items() if value not in ("", [])}  # empty: as if left out
        table = SettingsTable(name, given)
        values: dict[str, Any] = {key: table.text(key, "") for key in ("owner", "escalate_owner") if key in given}
        for key in ("group", "escalate"):
            if key in given:
                values[key] = parse_duration(table.text(key, ""))
        for key in ("channels", "escalate_to"):
            values[key] = tuple(table.texts(key, "A list of channels' names."))
        if "timezone" in given:
            values["timezone"] = _zone(table)
        if "quiet" in given:
            values["quiet"] = _quiet(table)
        if "digest" in given:
            values["digest"] = _hour(table, "digest", table.text("digest", ""))
        if "wakes" in given:
            never = given["wakes"] == NEVER
            values["wakes"] = None if never else table.choice("wakes", Severity.CRITICAL)
        if "runbook" in given:
            values["runbook"] = _address(table, "runbook", given["runbook"])
        books = table.table("runbooks", 'runbooks = { drift = "https://…" }')
        values["runbooks"] = {check: _address(table, "runbooks", address) for check, address in books.items()}
        values["severities"] = _severities(table)
        return cls(**values)

    def severity_of(self, check: CheckResult) -> Severity:
        """How much depends on a failed check.

        What realised outcomes or the server say is critical, and so is a broken source: missing or infinite values.
        Changed values and what is only estimated are a warning.
        """
        if check.name in self.severities:
            return self.severities[check.name]
        is_critical = check.name in CRITICAL or check.cause is Cause.SOURCE
        return Severity.CRITICAL if is_critical else Severity.WARNING

    def runbook_of(self, check: str) -> str:
        """The address of what to do about a check."""
        return self.runbooks.get(check, self.runbook)

    def send_at(self, severity: Severity, now: datetime) -> datetime:
        """When something of a severity may be sent: now, or when the quiet hours end."""
        if self.quiet is None or (self.wakes is not None and severity.rank >= self.wakes.rank):
            return now
        start, end = self.quiet
        local = now.astimezone(ZoneInfo(self.timezone))
        at = local.time().replace(tzinfo=None)
        is_quiet = start <= at < end if start < end else at >= start or at < end
        if not is_quiet:
            return now
        day = local.date() + timedelta(days=at >= end)
        return datetime.combine(day, end, ZoneInfo(self.timezone)).astimezone(UTC)

    def escalates_at(self, alert: Alert) -> datetime | None:
        """When others are told of an alert nobody has looked at; ``None`` for never."""
        if self.escalate is None or alert.escalated_at is not None or alert.status is not AlertStatus.OPEN:
            return None
        return (alert.status_at or alert.opened_at) + self.escalate

    def digest_at(self, now: datetime) -> datetime | None:
        """The newest moment of the daily summary, in its zone; ``None`` where there is none."""
        if self.digest is None:
            return None
        zone = ZoneInfo(self.timezone)
        today = datetime.combine(now.astimezone(zone).date(), self.digest, zone)
        return today if today <= now else datetime.combine(today.date() - timedelta(days=1), self.digest, zone)


def is_web_address(text: str) -> bool:
    """Whether a text is an address a page may link to: ``http`` or ``https``, and nothing hidden in it."""
    if not isinstance(text, str) or not text.isprintable() or " " in text:
        return False
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)


def _address(table: SettingsTable, key: str, value: Any) -> str:
    if not is_web_address(value):
        raise SettingsError(f"{table.name} {key} is not a web address", hint="It starts with https:// or http://.")
    return str(value)


def _zone(table: SettingsTable) -> str:
    name = table.text("timezone", "UTC")
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise table.error("timezone", 'A name of the IANA data base: "Europe/Berlin".') from None
    return name


def _hour(table: SettingsTable, key: str, text: str) -> time:
    match = HOURS.fullmatch(text)
    if not match:
        raise table.error(key, 'A time of the day: "08:00".')
    return time(int(match[1]), int(match[2]))


def _quiet(table: SettingsTable) -> tuple[time, time]:
    first, _, last = table.text("quiet", "").partition("-")
    hours = _hour(table, "quiet", first.strip()), _hour(table, "quiet", last.strip())
    if hours[0] == hours[1]:
        raise table.error("quiet", 'From when to when: "22:00-07:00".')
    return hours


def _severities(table: SettingsTable) -> dict[str, Severity]:
    given = table.table("severities", 'severities = { drift = "info" }')
    try:
        return {check: Severity(value) for check, value in given.items()}
    except ValueError:
        raise table.error("severities", f"By check, one of {', '.join(Severity)}.") from None
