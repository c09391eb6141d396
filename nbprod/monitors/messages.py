"""What people and programs are told of alerts, event time first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from nbprod.domain.alert import Alert
from nbprod.domain.delivery import Delivery, DeliveryStatus
from nbprod.domain.plain import listed, plain

__all__ = ["alert_delivery", "digest_delivery", "digest_id"]

MOST_PARTS = 20  #: lines of a message; the ledger has them all


def alert_delivery(
    alert: Alert, changes: Sequence[str], channel: str, *, due_at: datetime, now: datetime, id_: str = ""
) -> Delivery:
    """A message that says what happened to an alert.

    Parameters
    ----------
    alert
        As it is now.
    changes
        What happened since the channel heard of it last.
    channel
        Who is told.
    due_at
        When it may be sent.
    now
        The present moment.
    id_
        Of a message that waits and is said anew; by default that of a new one.
    """
    title = f"{alert.when(now)}: {alert.deployment} {alert.title} ({alert.severity}, {listed(changes)})"
    key = id_ or f"{alert.id}.{alert.revision}.{channel}"
    return Delivery(
        id=key,
        channel=channel,
        alert=alert.id,
        changes=tuple(changes),
        severity=alert.severity,
        status=DeliveryStatus.WAITING,
        created_at=now,
        due_at=due_at,
        title=title,
        text="\n".join([*_lines(alert), f"Message {key}"]),
        content={
            "change": changes[-1],
            "id": alert.id,
            "deployment": alert.deployment,
            "when": alert.when(now),
            "check": alert.check,
            "subject": alert.subject,
            "severity": alert.severity.value,
            "status": alert.status.value,
            "summary": alert.summary,
            "parts": [
                {
                    "check": part.check,
                    "subject": part.subject,
                    "severity": part.severity.value,
                    "sentence": part.sentence,
                    "is_over": part.is_over,
                }
                for part in alert.parts
            ],
            "owner": alert.owner,
            "runbook": alert.runbook,
            "note": alert.note,
            "run": alert.run_id,
            "event_start": plain(alert.began),
            "event_end": plain(alert.ended),
            "opened_at": plain(alert.opened_at),
            "last_seen_at": plain(alert.last_seen_at),
            "times_seen": alert.times_seen,
        },
    )


def digest_id(moment: datetime, channel: str) -> str:
    """The id of the daily summary of a moment: there is one a day and channel."""
    return f"digest-{moment:%Y%m%d}.{channel}"


def digest_delivery(alerts: Sequence[Alert], channel: str, *, moment: datetime, now: datetime) -> Delivery:
    """The daily summary of alerts that are not resolved, the most severe first.

    Parameters
    ----------
    alerts
        At least one.
    channel
        Who is told.
    moment
        When the summary is of.
    now
        The present moment.
    """
    ordered = sorted(alerts, key=lambda one: (-one.severity.rank, one.deployment, one.id))
    key = digest_id(moment, channel)
    lines = [
        f"- {one.when(now)}: {one.deployment} {one.title} ({one.severity}, {one.status})"
        + (f", owner {one.owner}" if one.owner else "")
        for one in ordered
    ]
    count = f"{len(lines)} alert{'s' if len(lines) > 1 else ''} not resolved"
    return Delivery(
        id=key,
        channel=channel,
        alert="",
        changes=("digest",),
        severity=max((one.severity for one in alerts), key=lambda one: one.rank),
        status=DeliveryStatus.WAITING,
        created_at=now,
        due_at=now,
        title=f"{moment:%Y-%m-%d}: {count}",
        text="\n".join([*lines, "", "nbprod alerts list", f"Message {key}"]),
        content={
            "change": "digest",
            "summary": count,
            "alerts": [
                {"id": one.id, "deployment": one.deployment, "when": one.when(now), "title": one.title}
                | {"severity": one.severity.value, "status": one.status.value, "owner": one.owner}
                for one in ordered
            ],
        },
    )


def _lines(alert: Alert) -> list[str]:
    parts = [
        f"- {part.label} ({part.severity}{', over' if part.is_over else ''}): {part.sentence}"
        for part in alert.parts[:MOST_PARTS]
    ]
    if len(alert.parts) > MOST_PARTS:
        parts.append(f"- and {len(alert.parts) - MOST_PARTS} more")
    facts = (
        ("Owner", alert.owner),
        ("Runbook", alert.runbook),
        ("Note", alert.note),
        ("Run", alert.run_id),
        ("More", f"nbprod alerts show {alert.id}"),
    )
    told = [f"{name}: {value}" for name, value in facts if value]
    return [alert.summary, "", *(parts if len(alert.parts) > 1 else []), *told]
