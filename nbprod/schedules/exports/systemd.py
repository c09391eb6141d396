"""A service and a timer for each entry: ``%`` and ``$`` are doubled, arguments are quoted as systemd reads them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from nbprod.domain.schedule import Missed, Schedule
from nbprod.schedules.exports.entry import Entry, Host, fields

__all__ = ["files"]

WEEKDAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")


def files(entries: Sequence[Entry], host: Host) -> dict[str, str]:
    """For ``~/.config/systemd/user`` or ``/etc/systemd/system``."""
    found = {}
    for entry in entries:
        # env finds the interpreter as an argument, where quoting holds; the first word has rules of its own
        command = " ".join(["/usr/bin/env", "--", *(quoted(word) for word in host.command(entry))])
        found[f"{entry.name}.service"] = _unit(
            ("Unit", [("Description", f"nbprod: {entry.description}")]),
            ("Service", [("Type", "oneshot"), ("ExecStart", command)]),
        )
        moments = list(calendars(entry.schedule)) if entry.schedule else ["*-*-* *:*:00"]
        is_persistent = entry.schedule is not None and entry.schedule.missed is not Missed.SKIP
        found[f"{entry.name}.timer"] = _unit(
            ("Unit", [("Description", f"nbprod: {entry.description}")]),
            (
                "Timer",
                [
                    *(("OnCalendar", moment) for moment in moments),
                    ("AccuracySec", "1s"),
                    ("Persistent", "true" if is_persistent else "false"),
                ],
            ),
            ("Install", [("WantedBy", "timers.target")]),
        )
    return found


def quoted(word: str) -> str:
    """A word of a command, in double quotes where it needs them."""
    doubled = word.replace("%", "%%").replace("$", "$$")
    if doubled and all(character.isalnum() or character in "/._-=:@%$+," for character in doubled):
        return doubled
    escaped = doubled.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(one if one >= " " else f"\\x{ord(one):02x}" for one in escaped) + '"'


def calendars(schedule: Schedule) -> Iterator[str]:
    """The moments as ``OnCalendar`` lines: two where cron means "this day or that weekday"."""
    found = fields(schedule, "systemd")
    weekdays = {day % 7 for day in found.weekdays if isinstance(day, int)}
    months, hours, minutes = (
        _listed(values, whole) for values, whole in ((found.months, 12), (found.hours, 24), (found.minutes, 60))
    )
    named = ",".join(WEEKDAYS[day] for day in sorted(weekdays)) + " " if len(weekdays) < 7 else ""
    days = _listed(found.days, 31)
    both = [(named, days)] if found.day_and else [("", days), (named, "*")]
    for weekday, day in both:
        yield f"{weekday}*-{months}-{day} {hours}:{minutes}:00 {schedule.timezone}"


def _listed(values: Collection[int], whole: int) -> str:
    return "*" if len(values) == whole else ",".join(f"{value:02d}" for value in sorted(values))


def _unit(*sections: tuple[str, Sequence[tuple[str, str]]]) -> str:
    parts = ["\n".join([f"[{name}]", *(f"{key}={value}" for key, value in lines)]) for name, lines in sections]
    return "# Written by `nbprod schedule export systemd`.\n" + "\n\n".join(parts) + "\n"
