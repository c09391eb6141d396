"""An alert: something a monitor saw, once open and repeated until it goes away."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from nbprod.domain.markup import card

__all__ = ["Alert", "AlertStatus"]


class AlertStatus(StrEnum):
    """What people know about it."""

    OPEN = "open"  #: nobody has looked
    ACKNOWLEDGED = "acknowledged"  #: somebody is on it
    RESOLVED = "resolved"  #: the monitor no longer finds it, or somebody closed it


@dataclass(frozen=True, kw_only=True)
class Alert:
    """One open question about one deployment; the same check and subject never open a second one beside it."""

    id: str
    deployment: str
    check: str  #: ``drift``, ``performance``, ``prediction``, ``quality``
    subject: str  #: the column or the metric
    status: AlertStatus
    summary: str  #: one sentence
    run_id: str  #: the monitor run that saw it last
    opened_at: datetime
    last_seen_at: datetime
    times_seen: int = 1
    acknowledged_by: str | None = None
    resolved_at: datetime | None = None
    note: str = ""

    def __repr__(self) -> str:
        return f"<Alert {self.id} {self.status} {self.deployment} {self.check} {self.subject}>"

    def _repr_html_(self) -> str:
        return card(
            f"Alert {self.id}",
            [
                ("status", self.status),
                ("summary", self.summary),
                ("seen", f"{self.times_seen} times since {self.opened_at:%Y-%m-%d}"),
                ("run", self.run_id),
            ],
        )
