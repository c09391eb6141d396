"""An event: who did what to which thing, when, why, and on which evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

__all__ = ["Event"]


@dataclass(frozen=True, kw_only=True)
class Event:
    """A fact that happened; events are only ever added."""

    number: int  #: position in the ledger, from 1
    at: datetime
    actor: str
    kind: str  #: ``model.promoted``, ``alert.opened``, …
    subject: str  #: ``electricity@champion``, ``electricity/2``, a run id, …
    reason: str = ""
    evidence: tuple[str, ...] = ()  #: run ids and package digests
    data: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"<Event {self.number} {self}>"

    def __str__(self) -> str:
        why = f": {self.reason}" if self.reason else ""
        on = f" (on {', '.join(self.evidence)})" if self.evidence else ""
        return f"{self.at:%Y-%m-%d %H:%M} {self.actor} {self.kind} {self.subject}{why}{on}"
