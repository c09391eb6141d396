"""A delivery: one message for one channel, kept in the ledger until the channel has taken it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from nbprod.domain.alert import Severity

__all__ = ["Delivery", "DeliveryStatus", "wait_after"]

FIRST_WAIT = timedelta(minutes=1)
LONGEST_WAIT = timedelta(hours=6)


class DeliveryStatus(StrEnum):
    """Where a delivery stands."""

    WAITING = "waiting"  #: for its moment, or for another attempt
    SENT = "sent"  #: the channel has taken it


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """One message on its way; a channel may get it twice, each time with the same id, and never loses it."""

    id: str  #: the idempotency key: ``20261127T…-alert-7f3a.2.team``
    channel: str
    alert: str  #: id of the alert; empty: a digest
    changes: tuple[str, ...]  #: what happened since the channel heard last: ``opened``, ``grew``
    severity: Severity
    status: DeliveryStatus
    created_at: datetime
    due_at: datetime  #: not before; moved on by each attempt, so that one that was killed is made again
    title: str
    text: str
    content: Mapping[str, Any] = field(default_factory=dict)  #: the same for programs
    attempts: int = 0
    sent_at: datetime | None = None
    error: str = ""  #: what kept the last attempt from succeeding; no address and no secret
    revision: int = 0

    def __repr__(self) -> str:
        return f"<Delivery {self.id} {self.status}: {self.title}>"


def wait_after(attempts: int) -> timedelta:
    """How long to wait after so many attempts: a minute, twice as long each time, six hours at most.

    Examples
    --------
    >>> wait_after(1), wait_after(3)
    (datetime.timedelta(seconds=60), datetime.timedelta(seconds=240))
    """
    return min(FIRST_WAIT * 2 ** min(attempts - 1, 20), LONGEST_WAIT)
