"""A crontab: ``%`` would end the command for cron, everything else is quoted for the shell it starts."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from nbprod.errors import SettingsError
from nbprod.schedules.exports.entry import Entry, Host, fields

__all__ = ["files"]


def files(entries: Sequence[Entry], host: Host) -> dict[str, str]:
    """One file for all entries, for ``crontab`` or ``/etc/cron.d`` without its user column.

    Raises
    ------
    SettingsError
        A path holds a line break, which no crontab can.
    """
    lines = [
        "# Written by `nbprod schedule export cron`. Try it first: crontab -l, then crontab FILE.",
        "SHELL=/bin/sh",
    ]
    for entry in entries:
        words = host.command(entry)
        if any(character < " " for word in words for character in word):
            raise SettingsError("A crontab cannot hold a path with a line break", hint="Rename the folder.")
        command = shlex.join(words).replace("%", r"\%")
        lines += ["", f"# {entry.description}"]
        if entry.schedule is None:
            lines.append(f"* * * * * {command}")
            continue
        fields(entry.schedule, "cron")
        lines += [
            "# cronie obeys CRON_TZ; Debian's cron does not: there, export without names.",
            f"CRON_TZ={entry.schedule.timezone}",
            f"{' '.join(entry.schedule.cron.split())} {command}",
        ]
    return {"nbprod.cron": "\n".join(lines) + "\n"}
