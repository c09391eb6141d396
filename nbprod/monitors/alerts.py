"""Alerts: one a cause, told once, repeated while the monitor sees it, resolved when it no longer does."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from nbprod import clock
from nbprod.domain.alert import Alert, AlertChange, AlertStatus, Severity
from nbprod.domain.alert_policy import AlertPolicy
from nbprod.domain.check import CheckResult
from nbprod.domain.delivery import Delivery, DeliveryStatus
from nbprod.domain.duration import parse_duration
from nbprod.domain.incident import MACHINE, Sight, bring_in_line
from nbprod.domain.monitor import MonitorReport
from nbprod.domain.status import check_move
from nbprod.errors import SettingsError
from nbprod.monitors.alert_settings import AlertSettings
from nbprod.monitors.messages import digest_delivery, digest_id
from nbprod.monitors.outbox import Outbox
from nbprod.settings import Settings, actor
from nbprod.store import Session, Store

__all__ = ["Alerts"]

UNRESOLVED = [status for status in AlertStatus if status is not AlertStatus.RESOLVED]


class Alerts:
    """The alerts of a workspace.

    Parameters
    ----------
    store
        The ledger they are kept in, with the messages about them.
    settings
        ``[alerts]`` and ``[channels.NAME]``: how they are grouped, and who is told when.
    catch_up
        Brings in reports whose process was killed before it had kept them; called before messages are delivered.

    Raises
    ------
    SettingsError
        A setting of alerts or channels cannot be used.
    """

    def __init__(self, store: Store, settings: Settings, *, catch_up: Callable[[], object] | None = None) -> None:
        self._store = store
        self._settings = AlertSettings.read(settings)
        self._outbox = Outbox(store, self._settings.channels)
        self._catch_up = catch_up

    def list(
        self, deployment: str | None = None, *, status: AlertStatus | None = None, limit: int | None = 50
    ) -> builtins.list[Alert]:
        """Alerts, newest first."""
        where = {name: value for name, value in (("deployment", deployment), ("status", status)) if value is not None}
        with self._store.read() as session:
            return session.list(Alert, where=where, limit=limit)

    def get(self, alert_id: str) -> Alert:
        """One alert.

        Raises
        ------
        NotFoundError
            There is none of that id.
        """
        with self._store.read() as session:
            return session.get(Alert, alert_id)

    def policy(self, deployment: str) -> AlertPolicy:
        """How the alerts of a deployment are grouped and told, as ``nbprod.toml`` says."""
        return self._settings.policy(deployment)

    def record(self, session: Session, report: MonitorReport) -> None:
        """Bring the alerts of a deployment in line with a report, in the transaction that keeps the report.

        Failed checks open, join or repeat an alert, passed ones end its parts; the messages about it are written in
        the same transaction. Call `deliver` after it.
        """
        self._see(
            session,
            Sight(
                deployment=report.deployment,
                source=report.run_id,
                began=report.start,
                ended=report.end,
                seen_at=clock.now(),
                checks=report.checks,
                ranked=report.changed,
                contradicted=dict.fromkeys(report.contradicted, report.contradiction),
            ),
        )

    def see(self, deployment: str, checks: Sequence[CheckResult], *, source: str) -> Sequence[Alert]:
        """Do as :meth:`record` with checks of this very moment that come from elsewhere, and deliver.

        Parameters
        ----------
        deployment
            Its name.
        checks
            What was seen.
        source
            Who saw it: a server.

        Returns
        -------
        list of Alert
            Those that are open after it, newest first.
        """
        at = clock.now()
        sight = Sight(deployment=deployment, source=source, began=at, ended=at, seen_at=at, checks=tuple(checks))
        with self._store.write() as session:
            self._see(session, sight)
        self.send()
        return self.list(deployment, status=AlertStatus.OPEN)

    def acknowledge(self, alert_id: str, *, note: str = "") -> Alert:
        """Say that somebody is on it: nobody is told again unless it gets worse."""
        return self._decide(alert_id, AlertStatus.ACKNOWLEDGED, AlertChange.ACKNOWLEDGED, note=note)

    def snooze(self, alert_id: str, *, until: datetime | str, note: str = "") -> Alert:
        """Be told of it again at a moment, if it is still there; what makes it worse is told before.

        Parameters
        ----------
        alert_id
            Its id.
        until
            A moment, ISO 8601 where it is text, UTC where it names no zone; or a length from now: ``3d``.
        note
            Why.

        Raises
        ------
        SettingsError
            That is no moment to come.
        """
        at = _until(until)
        return self._decide(alert_id, AlertStatus.SNOOZED, AlertChange.SNOOZED, note=note, until=at)

    def resolve(self, alert_id: str, *, note: str = "") -> Alert:
        """Close it by hand; the monitor opens a new one if it sees the same again."""
        after = self._decide(alert_id, AlertStatus.RESOLVED, AlertChange.RESOLVED, note=note)
        self.send()
        return after

    def deliveries(
        self, alert_id: str | None = None, *, status: DeliveryStatus | None = None, limit: int | None = 50
    ) -> builtins.list[Delivery]:
        """Messages about alerts, newest first, and whether their channel has taken them."""
        where = {name: value for name, value in (("alert", alert_id), ("status", status)) if value is not None}
        with self._store.read() as session:
            return session.list(Delivery, where=where, limit=limit)

    def deliver(self, *, now: datetime | None = None) -> builtins.list[Delivery]:
        """Do what is due: reports a killed process left behind, ends of snoozes, escalations, the digest, messages.

        ``nbprod schedule run-due`` calls it, and so does whatever else changes an alert; nothing runs in between.

        Parameters
        ----------
        now
            Taken for the present moment; for rehearsals and tests.

        Returns
        -------
        list of Delivery
            The messages that were tried, as they stand now.
        """
        if self._catch_up is not None:
            self._catch_up()
        return self.send(now=now)

    def send(self, *, now: datetime | None = None) -> builtins.list[Delivery]:
        """Do as :meth:`deliver` without looking for reports."""
        at = now or clock.now()
        with self._store.read() as session:
            standing = session.list(Alert, {"status": UNRESOLVED}, limit=None)
        if standing:
            self._advance(standing, at)
        return self._outbox.send(at)

    def _see(self, session: Session, sight: Sight) -> None:
        where = {"deployment": sight.deployment, "status": UNRESOLVED}
        standing = session.list(Alert, where, limit=None)
        policy = self.policy(sight.deployment)
        for move in bring_in_line(standing, sight, policy, lambda: clock.time_id("alert", sight.seen_at)):
            self._keep(session, move.before, move.after, move.change, at=sight.seen_at, evidence=(sight.source,))

    def _advance(self, standing: Sequence[Alert], now: datetime) -> None:
        """Wake, escalate and sum up what is due at a moment; each once, whoever looks."""
        due = [alert for alert in standing if self._woken(alert, now) or self._escalated(alert, now)]
        moment = self._settings.general.digest_at(now)
        standing = [alert for alert in standing if moment is not None and alert.opened_at < moment]
        if not due and not standing:
            return
        with self._store.write() as session:
            for alert in due:
                current = session.get(Alert, alert.id)
                if woken := self._woken(current, now):
                    self._keep(session, current, woken, AlertChange.WOKE, at=now)
                elif escalated := self._escalated(current, now):
                    self._keep(session, current, escalated, AlertChange.ESCALATED, at=now)
            if moment is not None and standing:
                self._sum_up(session, standing, moment, now)

    def _woken(self, alert: Alert, now: datetime) -> Alert | None:
        if alert.status is not AlertStatus.SNOOZED or alert.snoozed_until is None or alert.snoozed_until > now:
            return None
        return replace(
            alert,
            status=AlertStatus.OPEN,
            status_at=now,
            status_by=MACHINE,
            snoozed_until=None,
            escalated_at=None,
            revision=alert.revision + 1,
        )

    def _escalated(self, alert: Alert, now: datetime) -> Alert | None:
        policy = self.policy(alert.deployment)
        at = policy.escalates_at(alert)
        if at is None or at > now or alert.severity is Severity.INFO:
            return None
        owner = policy.escalate_owner or alert.owner
        return replace(alert, escalated_at=now, owner=owner, revision=alert.revision + 1)

    def _sum_up(self, session: Session, standing: Sequence[Alert], moment: datetime, now: datetime) -> None:
        """Add the digest of a day for each channel that has none yet and is told of one of the alerts."""
        for name, channel in self._settings.channels.items():
            told = [
                alert
                for alert in standing
                if name in self._settings.told(self.policy(alert.deployment))
                and alert.severity.rank >= channel.at_least.rank
            ]
            if told and session.find(Delivery, digest_id(moment, name)) is None:
                session.add(digest_delivery(told, name, moment=moment, now=now))

    def _decide(
        self,
        alert_id: str,
        status: AlertStatus,
        change: AlertChange,
        *,
        note: str,
        until: datetime | None = None,
    ) -> Alert:
        at = clock.now()
        with self._store.write() as session:
            before = session.get(Alert, alert_id)
            check_move(f"Alert {alert_id}", before.status, status)
            is_over = status is AlertStatus.RESOLVED
            after = replace(
                before,
                status=status,
                note=note or before.note,
                acknowledged_by=actor() if status is AlertStatus.ACKNOWLEDGED else before.acknowledged_by,
                resolved_at=at if is_over else None,
                status_at=at,
                status_by=actor(),
                snoozed_until=until,
                revision=before.revision + 1,
            )
            self._keep(session, before, after, change, at=at, reason=note)
        return after

    def _keep(
        self,
        session: Session,
        before: Alert | None,
        after: Alert,
        change: AlertChange,
        *,
        at: datetime,
        reason: str = "",
        evidence: Sequence[str] = (),
    ) -> None:
        """Write an alert, what happened to it, and the messages about it: in one transaction."""
        if before is None:
            session.add(after)
        else:
            session.replace(after, expecting={"status": before.status, "revision": before.revision})
        session.event(
            f"alert.{change}",
            after.id,
            reason=reason or ("" if change in {AlertChange.ACKNOWLEDGED, AlertChange.SNOOZED} else after.summary),
            evidence=evidence,
            data={
                "deployment": after.deployment,
                "check": after.check,
                "subject": after.subject,
                "severity": after.severity,
                "parts": [part.label for part in after.standing],
                **({"until": after.snoozed_until.isoformat()} if after.snoozed_until else {}),
            },
            at=at,
        )
        if not change.is_told or (after.status is AlertStatus.SNOOZED and change is AlertChange.GREW):
            return
        policy = self.policy(after.deployment)
        names = policy.escalate_to if change is AlertChange.ESCALATED else ()
        due_at = policy.send_at(after.severity, at)
        self._outbox.put(session, after, change, self._settings.told(policy, names), due_at=due_at, now=at)


def _until(value: datetime | str) -> datetime:
    """The moment a text or a moment stands for."""
    at = clock.now()
    try:
        if isinstance(value, str):
            until = at + parse_duration(value) if value[-1:] in "smhdw" else clock.parse_utc(value)
        else:
            until = clock.parse_utc(value.isoformat())
    except ValueError:
        raise SettingsError(f"{value!r} is not a moment", hint="Write 2026-12-01T09:00, or a length: 3d.") from None
    if until <= at:
        raise SettingsError(f"{value} is over", hint="Give a moment to come, or a length from now: 3d.")
    return until
