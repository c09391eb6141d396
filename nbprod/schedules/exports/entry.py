"""One thing an existing scheduler is to call, and where it will find nbprod and the workspace."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime

from cronsim import CronSim

from nbprod.domain.schedule import Schedule
from nbprod.errors import SettingsError
from nbprod.schedules.due_times import parsed

__all__ = ["Entry", "Host", "fields", "standard_cron"]


@dataclass(frozen=True, kw_only=True)
class Host:
    """What is found there, where the scheduler works."""

    python: str  #: the interpreter nbprod is installed for
    workspace: str
    today: date
    image: str = ""  #: of a container

    def command(self, entry: Entry) -> list[str]:
        """What is to be called, as separate arguments."""
        return [self.python, "-m", "nbprod", "--workspace", self.workspace, *entry.arguments]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One call."""

    schedule: Schedule | None = None  #: ``None``: look at all of them, every minute or so

    @property
    def name(self) -> str:
        """For files and units: ``nbprod-nightly``."""
        return f"nbprod-{self.schedule.name}" if self.schedule else "nbprod-run-due"

    @property
    def arguments(self) -> tuple[str, ...]:
        """After ``nbprod``; names were checked and need no quotes anywhere."""
        return ("schedule", "start", self.schedule.name) if self.schedule else ("schedule", "run-due")

    @property
    def description(self) -> str:
        """What it does."""
        return f"start the schedule {self.schedule.name}" if self.schedule else "start what is due"


def fields(schedule: Schedule, scheduler: str) -> CronSim:
    """The fields of a cron expression as sets of numbers.

    Raises
    ------
    SettingsError
        It uses what only some crons know: ``L``, ``LW`` or ``5#2``.
    """
    found = parsed(schedule, datetime(2026, 1, 1, tzinfo=UTC))
    if min(found.days) < 0 or not all(isinstance(day, int) for day in found.weekdays):
        raise SettingsError(
            f"[schedules.{schedule.name}] cron = {schedule.cron!r} cannot be written for {scheduler}",
            hint="Export without a name: `nbprod schedule run-due` knows when it is due.",
        )
    return found


def standard_cron(schedule: Schedule, scheduler: str) -> str:
    """The expression in words every cron has: weekdays as numbers from 0, and nothing crons read differently.

    Raises
    ------
    SettingsError
        It cannot be said so.
    """
    found = fields(schedule, scheduler)
    parts = schedule.cron.split()
    days, weekdays = parts[2], parts[4]
    if {"*"} & {days, weekdays}:
        pass
    elif days.startswith("*") or weekdays.startswith("*"):  # "and" for Debian's cron, "or" for others
        raise SettingsError(
            f"[schedules.{schedule.name}] cron = {schedule.cron!r} means something else to {scheduler}",
            hint="Let one of the two day fields be a plain *, or export without a name.",
        )
    if weekdays != "*":
        numbers = sorted({day % 7 for day in found.weekdays if isinstance(day, int)})
        parts[4] = ",".join(map(str, numbers))
    return " ".join(parts)
