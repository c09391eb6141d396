"""Channels of alerts: what all of them do, and the two that need nobody else, the log and a file."""

from __future__ import annotations

import json
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from nbprod.disk import make_folder, private_opener
from nbprod.domain.alert import AlertChange, Severity
from nbprod.domain.delivery import Delivery
from nbprod.domain.markers import Secret
from nbprod.domain.settings_table import SettingsTable
from nbprod.errors import ParameterError, SettingsError

__all__ = ["Channel", "FileChannel", "LogChannel", "at_least", "body_of", "reference", "revealed"]

log = logging.getLogger("nbprod.alerts")


class Channel(Protocol):
    """Takes messages to people or programs."""

    @property
    def at_least(self) -> Severity:
        """Less severe alerts are not told here."""

    def send(self, delivery: Delivery) -> None:
        """Deliver one message.

        Raises
        ------
        Exception
            It was not taken; of those that are no ``NbprodError`` only the kind is kept, because their text may hold
            an address with its credentials.
        """


@dataclass(frozen=True, kw_only=True)
class LogChannel:
    """Writes messages to the logger ``nbprod.alerts``: what resolved as information, the rest as a warning."""

    at_least: Severity = Severity.INFO

    def send(self, delivery: Delivery) -> None:
        """Log one line."""
        is_good = delivery.changes[-1:] == (AlertChange.RESOLVED,)
        summary = delivery.content.get("summary", "")
        log.log(logging.INFO if is_good else logging.WARNING, "%s", f"{delivery.title}: {summary}".rstrip(": "))


@dataclass(frozen=True, kw_only=True)
class FileChannel:
    """Appends each message to a file as one line of JSON, on the disk before it counts as sent."""

    path: Path
    at_least: Severity = Severity.INFO

    @classmethod
    def parse(cls, table: SettingsTable, folder: Path) -> FileChannel:
        """Read ``[channels.NAME]`` with ``kind = "file"``; a relative path is the workspace's."""
        table.refuse_unknown(("kind", "at_least", "path"))
        path = Path(table.text("path", "alerts.jsonl")).expanduser()
        return cls(path=path if path.is_absolute() else folder / path, at_least=at_least(table))

    def send(self, delivery: Delivery) -> None:
        """Append one line; what a power cut left of an earlier one stays a line of its own."""
        make_folder(self.path.parent)
        line = json.dumps(body_of(delivery), ensure_ascii=False).encode() + b"\n"
        with open(self.path, "ab+", opener=private_opener) as file:
            if file.tell():
                file.seek(-1, os.SEEK_END)
                line = line if file.read(1) == b"\n" else b"\n" + line
            file.write(line)
            file.flush()
            os.fsync(file.fileno())


def at_least(table: SettingsTable) -> Severity:
    """From which severity on a channel is told."""
    return table.choice("at_least", Severity.INFO)


def reference(table: SettingsTable, key: str) -> str:
    """Where a secret is, empty where the key is left out; a secret itself is refused and not repeated."""
    if key not in table.content:
        return ""
    try:
        return str(Secret(table.text(key, "")))
    except ParameterError as problem:
        raise SettingsError(f"{table.name} {key} is not a reference to a secret", hint=problem.hint) from None


def body_of(delivery: Delivery) -> dict[str, object]:
    """A message for programs; ``key`` is the same each time it is sent, so that doubles can be dropped."""
    return {"key": delivery.id, "changes": list(delivery.changes), "title": delivery.title, **delivery.content}


def revealed(text: str) -> str:
    """A setting that may be a reference to a secret (``env:NAME``), read when it is needed.

    Raises
    ------
    EnvironmentProblem
        The secret cannot be read.
    """
    return Secret(text).reveal().strip() if text.startswith(("env:", "file:", "cmd:")) else text
