"""What becomes of due moments: the missed-run and overlap policies as one rule, without clock or ledger."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from nbprod.domain.schedule import Due, DueStatus, Missed, Overlap, Schedule
from nbprod.pages.formatting import plural

__all__ = ["MOST", "decide", "new_due"]

MOST = 24  #: moments that are started at most for one look, and that wait at most


def decide(
    schedule: Schedule,
    moments: Sequence[datetime],
    *,
    more: bool,
    now: datetime,
    open_dues: Sequence[Due],
    on_time: str = "due",
) -> list[Due]:
    """A row for each moment that is to be started, to wait, or that is left out with the reason.

    Parameters
    ----------
    moments
        Due since the last look, oldest first, at most ``MOST``.
    more
        Whether there were still older ones.
    on_time
        Why a moment is started that is not late, in words.
    """
    if not moments:
        return []
    newest = moments[-1]
    is_late = now - newest > schedule.late
    if schedule.missed is Missed.ALL:
        chosen = list(moments)
    else:
        chosen = [newest] if not is_late or schedule.missed is Missed.ONCE else []
    left_out = [moment for moment in moments if moment not in chosen]
    rows = []
    if left_out or more:
        count = plural(len(left_out), "moment") + (" or more" if more else "")
        covered = f"; the start of {newest:%Y-%m-%d %H:%M} UTC stands for them" if chosen == [newest] else ""
        reason = f"missed {count}, the policy is {schedule.missed}{covered}"
        if left_out:
            rows.append(new_due(schedule, left_out[-1], DueStatus.SKIPPED, reason))
        elif schedule.missed is Missed.ALL:
            reason = f"only the newest {MOST} of the missed moments are started"
            rows.append(new_due(schedule, chosen.pop(0), DueStatus.SKIPPED, reason))
    waiting = sum(due.status is DueStatus.QUEUED for due in open_dues)
    is_working = bool(open_dues)
    for moment in chosen:
        if not is_working or schedule.overlap is Overlap.ALLOW:
            reason = on_time if moment == newest and not is_late else "late"
            rows.append(new_due(schedule, moment, DueStatus.CLAIMED, reason))
            is_working = True
        elif schedule.overlap is Overlap.SKIP and open_dues:
            rows.append(new_due(schedule, moment, DueStatus.SKIPPED, f"{open_dues[0].id} still works"))
        elif waiting >= MOST:
            rows.append(new_due(schedule, moment, DueStatus.SKIPPED, f"{waiting} moments wait already"))
        else:
            rows.append(new_due(schedule, moment, DueStatus.QUEUED, "waits for the start before it to end"))
            waiting += 1
    return rows


def new_due(schedule: Schedule, moment: datetime, status: DueStatus, reason: str) -> Due:
    """A row for a due moment of a schedule."""
    return Due(
        id=Due.id_of(schedule.name, moment), schedule=schedule.name, due_at=moment, status=status, reason=reason
    )
