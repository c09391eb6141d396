"""Alerts: opened once, repeated while the monitor sees them, resolved when it no longer does."""

from __future__ import annotations

import builtins
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from nbprod.clock import now, time_id
from nbprod.domain.alert import Alert, AlertStatus
from nbprod.domain.check import CheckOutcome, CheckResult
from nbprod.domain.monitor import MonitorReport
from nbprod.domain.status import check_move
from nbprod.monitors.notify import Notifier
from nbprod.settings import actor
from nbprod.store import Store

__all__ = ["Alerts"]

log = logging.getLogger("nbprod.alerts")


class Alerts:
    """The alerts of a workspace.

    Parameters
    ----------
    store
        The ledger they are kept in.
    notifiers
        Where they are delivered; a delivery that fails is logged and recorded, and never loses the alert.
    """

    def __init__(self, store: Store, notifiers: Sequence[Notifier] = ()) -> None:
        self._store = store
        self._notifiers = tuple(notifiers)

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

    def update(self, report: MonitorReport) -> Sequence[Alert]:
        """Bring the alerts of a deployment in line with a report: failed checks open or repeat, passed ones resolve.

        An inconclusive check changes nothing: doubt neither opens nor closes. A subject the report does not speak of
        was not looked at, so its alert stays, unless the report's check of that kind passed as a whole.

        Returns
        -------
        list of Alert
            Those that are open after it, newest first.
        """
        contradicted = dict.fromkeys(report.contradicted, report.contradiction)
        return self.see(report.deployment, report.checks, source=report.run_id, contradicted=contradicted)

    def see(
        self,
        deployment: str,
        checks: Sequence[CheckResult],
        *,
        source: str,
        contradicted: Mapping[str, str] = MappingProxyType({}),
    ) -> Sequence[Alert]:
        """Do as :meth:`update` with checks that come from elsewhere, for instance from a server.

        Parameters
        ----------
        deployment
            Its name.
        checks
            What was seen.
        source
            Who saw it: a run, a server.
        contradicted
            By subject of an estimate that outcomes have contradicted, in which words.
        """
        moved: list[tuple[Alert, str]] = []
        seen = {(check.name, check.subject): check for check in checks}
        with self._store.write() as session:
            standing = {
                (alert.check, alert.subject): alert
                for alert in session.list(
                    Alert,
                    where={
                        "deployment": deployment,
                        "status": [AlertStatus.OPEN, AlertStatus.ACKNOWLEDGED],
                    },
                    limit=None,
                )
            }
            for key, check in seen.items():
                alert = standing.get(key)
                if check.outcome is CheckOutcome.FAILED and alert is None:
                    alert = _opened(deployment, check, source)
                    session.add(alert)
                    moved.append((alert, "opened"))
                elif check.outcome is CheckOutcome.FAILED and alert is not None:
                    again = replace(
                        alert,
                        last_seen_at=now(),
                        times_seen=alert.times_seen + 1,
                        summary=check.sentence,
                        run_id=source,
                    )
                    session.replace(again, expecting={"status": alert.status, "times_seen": alert.times_seen})
                    moved.append((again, "repeated"))
            for key, alert in standing.items():
                if _is_over(key, seen):
                    note = "the monitor no longer finds it"
                    if alert.check == "estimated" and alert.subject in contradicted:
                        note = contradicted[alert.subject]
                    over = replace(alert, status=AlertStatus.RESOLVED, resolved_at=now(), note=note)
                    session.replace(over, expecting={"status": alert.status})
                    moved.append((over, "resolved"))
            for alert, change in moved:
                session.event(
                    f"alert.{change}", alert.id, reason=alert.summary, evidence=(source,), data=_subject(alert)
                )
        self._deliver(moved)
        return self.list(deployment, status=AlertStatus.OPEN)

    def acknowledge(self, alert_id: str, *, note: str = "") -> Alert:
        """Say that somebody is on it."""
        return self._move(alert_id, AlertStatus.ACKNOWLEDGED, note)

    def resolve(self, alert_id: str, *, note: str = "") -> Alert:
        """Close it by hand; the monitor opens a new one if it sees the same again."""
        return self._move(alert_id, AlertStatus.RESOLVED, note)

    def _move(self, alert_id: str, status: AlertStatus, note: str) -> Alert:
        with self._store.write() as session:
            before = session.get(Alert, alert_id)
            check_move(f"Alert {alert_id}", before.status, status)
            after = replace(
                before,
                status=status,
                note=note or before.note,
                acknowledged_by=actor() if status is AlertStatus.ACKNOWLEDGED else before.acknowledged_by,
                resolved_at=now() if status is AlertStatus.RESOLVED else None,
            )
            session.replace(after, expecting={"status": before.status})
            session.event(f"alert.{status}", alert_id, reason=note, data=_subject(after))
        return after

    def _deliver(self, moved: Sequence[tuple[Alert, str]]) -> None:
        for alert, change in moved:
            for notifier in self._notifiers:
                try:
                    notifier.send(alert, change)
                except Exception as problem:  # noqa: BLE001 — an edge: a broken address must not lose the alert
                    # only the kind of problem: its text may hold the address and its credentials
                    name, kind = type(notifier).__name__, type(problem).__name__
                    log.warning("%s could not deliver alert %s: %s", name, alert.id, kind)


def _opened(deployment: str, check: CheckResult, source: str) -> Alert:
    moment = now()
    return Alert(
        id=time_id("alert", moment),
        deployment=deployment,
        check=check.name,
        subject=check.subject,
        status=AlertStatus.OPEN,
        summary=check.sentence,
        run_id=source,
        opened_at=moment,
        last_seen_at=moment,
    )


def _is_over(key: tuple[str, str], seen: Mapping[tuple[str, str], CheckResult]) -> bool:
    """Whether the report saw this check pass, by itself or as part of the whole (the check with no subject)."""
    check = seen.get(key) or seen.get((key[0], ""))
    return check is not None and check.outcome is CheckOutcome.PASSED


def _subject(alert: Alert) -> dict[str, str]:
    return {"deployment": alert.deployment, "check": alert.check, "subject": alert.subject}
