"""What the events of an alias say: who held it when, and whom a rollback goes back to."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from nbprod.domain.event import Event

__all__ = ["MOVES", "PROMOTED", "ROLLED_BACK", "version_at", "version_stack"]

PROMOTED = "model.promoted"
ROLLED_BACK = "model.rolled-back"
MOVES = (PROMOTED, ROLLED_BACK)


def version_stack(events: Iterable[Event]) -> list[int]:
    """Version numbers that held an alias, the present one last; those that were rolled back are gone.

    Parameters
    ----------
    events
        The moves of one alias, oldest first.

    Examples
    --------
    >>> at = datetime(2026, 1, 1)
    >>> def event(number, kind, version):
    ...     return Event(number=number, at=at, actor="ana", kind=kind, subject="", data={"version": version})
    >>> version_stack([event(1, PROMOTED, 1), event(2, PROMOTED, 2), event(3, PROMOTED, 3), event(4, ROLLED_BACK, 2)])
    [1, 2]
    """
    versions: list[int] = []
    for event in events:
        version = event.data["version"]
        if event.kind == PROMOTED:
            versions.append(version)
        else:
            while versions[-1] != version:
                versions.pop()
    return versions


def version_at(events: Iterable[Event], at: datetime) -> int | None:
    """The version that held an alias at a moment; the order of the ledger decides, not the clocks of those who wrote.

    Parameters
    ----------
    events
        The moves of one alias, oldest first.
    at
        The moment; a move at that very moment has happened.
    """
    moves = [event for event in events if event.at <= at]
    return moves[-1].data["version"] if moves else None
