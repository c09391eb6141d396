"""Which status may become which: one table for every noun that has one."""

from __future__ import annotations

from enum import StrEnum

from nbprod.domain.alert import AlertStatus
from nbprod.domain.run import RunStatus
from nbprod.domain.version import Approval
from nbprod.errors import IllegalMoveError

__all__ = ["check_move"]

MOVES: dict[StrEnum, frozenset[StrEnum]] = {
    RunStatus.QUEUED: frozenset({RunStatus.RUNNING, RunStatus.CANCELLED, RunStatus.LOST, RunStatus.FAILED}),
    RunStatus.RUNNING: frozenset({RunStatus.SUCCEEDED, RunStatus.FAILED, RunStatus.CANCELLED, RunStatus.LOST}),
    RunStatus.SUCCEEDED: frozenset(),
    RunStatus.FAILED: frozenset({RunStatus.RUNNING}),  # resumed
    RunStatus.CANCELLED: frozenset({RunStatus.RUNNING}),
    RunStatus.LOST: frozenset({RunStatus.RUNNING}),
    Approval.PENDING: frozenset({Approval.APPROVED, Approval.REJECTED}),
    Approval.APPROVED: frozenset({Approval.REJECTED}),
    Approval.REJECTED: frozenset({Approval.APPROVED}),
    AlertStatus.OPEN: frozenset({AlertStatus.ACKNOWLEDGED, AlertStatus.SNOOZED, AlertStatus.RESOLVED}),
    AlertStatus.ACKNOWLEDGED: frozenset({AlertStatus.SNOOZED, AlertStatus.RESOLVED, AlertStatus.OPEN}),
    AlertStatus.SNOOZED: frozenset(
        {AlertStatus.ACKNOWLEDGED, AlertStatus.SNOOZED, AlertStatus.RESOLVED, AlertStatus.OPEN}
    ),
    AlertStatus.RESOLVED: frozenset(),
}


def check_move(subject: str, before: StrEnum, after: StrEnum) -> None:
    """Refuse a move the table does not allow.

    Raises
    ------
    IllegalMoveError
        Naming the subject, both statuses and what is allowed.
    """
    allowed = MOVES[before]
    if after not in allowed:
        options = ", ".join(sorted(allowed)) or "nothing: it is final"
        raise IllegalMoveError(f"{subject} is {before} and cannot become {after}", hint=f"It may become: {options}.")
