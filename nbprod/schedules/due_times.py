"""When a schedule is due: cron expressions in a time zone, as Debian's cron reads them when clocks change.

A job at a given hour that the clock skips runs right after the gap, one in an hour that comes twice runs the first
time; one that runs every so many minutes or every hour goes by elapsed time.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from nbprod.domain.schedule import Schedule
from nbprod.errors import SettingsError

__all__ = ["between", "next_after", "parsed"]


def next_after(schedule: Schedule, moment: datetime) -> datetime | None:
    """The first due moment after another, in UTC; ``None`` when there is none in fifty years.

    Raises
    ------
    SettingsError
        The expression or the time zone cannot be used.
    """
    for due in parsed(schedule, moment):
        if due.astimezone(UTC) > moment:  # of an hour that comes twice, cron may name the one that is over
            return due.astimezone(UTC)
    return None


def between(schedule: Schedule, after: datetime, until: datetime, *, most: int) -> tuple[list[datetime], bool]:
    """The newest due moments after one moment and up to another, oldest first, and whether there are more.

    Of a job that runs every minute and was not looked at for a year, not all are computed.
    """
    length = timedelta(hours=1)
    while True:  # look back further and further, until there are enough or all
        start = max(after, until - length)
        found = []
        for due in parsed(schedule, start):
            at = due.astimezone(UTC)
            if at > until:
                break
            if at > after:
                found.append(at)
        if start == after or len(found) > most:
            return found[-most:], len(found) > most
        length *= 8


def parsed(schedule: Schedule, moment: datetime) -> CronSim:
    """The due moments after another, in the schedule's time zone.

    Raises
    ------
    SettingsError
        The expression or the time zone cannot be used.
    """
    zone = _zone(schedule)
    if len(schedule.cron.split()) != 5:
        raise SettingsError(
            f"[schedules.{schedule.name}] cron = {schedule.cron!r} does not have five fields",
            hint='Minute, hour, day of month, month, day of week: "30 2 * * *".',
        )
    try:
        return CronSim(schedule.cron, moment.astimezone(zone))
    except CronSimError as problem:
        raise SettingsError(
            f"[schedules.{schedule.name}] cron = {schedule.cron!r} cannot be read: {problem}",
            hint='Minute, hour, day of month, month, day of week: "30 2 * * *".',
        ) from None


def _zone(schedule: Schedule) -> tzinfo:
    try:
        return UTC if schedule.timezone == "UTC" else ZoneInfo(schedule.timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise SettingsError(
            f"[schedules.{schedule.name}] timezone = {schedule.timezone!r} is not known",
            hint="A name of the IANA data base: UTC, Europe/Berlin, America/New_York.",
        ) from None
