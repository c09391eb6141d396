"""A schedule: when something is to be started, and what became of each moment it was due."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from nbprod.domain.markup import card
from nbprod.domain.monitor import parse_duration
from nbprod.domain.names import check_name
from nbprod.domain.settings_table import SettingsTable
from nbprod.errors import SettingsError

__all__ = ["Due", "DueStatus", "JobKind", "Missed", "Overlap", "Schedule"]

LATE = timedelta(hours=1)


class JobKind(StrEnum):
    """What a schedule starts."""

    RUN = "run"  #: a template or notebook
    PIPELINE = "pipeline"
    MONITOR = "monitor"  #: of a deployment


class Missed(StrEnum):
    """What becomes of moments at which nobody looked."""

    SKIP = "skip"  #: nothing is started for them
    ONCE = "once"  #: one start stands for all of them
    ALL = "all"  #: each is started, the oldest first, up to a cap


class Overlap(StrEnum):
    """What becomes of a moment at which the start before it still works."""

    SKIP = "skip"
    QUEUE = "queue"  #: it waits until the other has ended
    ALLOW = "allow"


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """``[schedules.NAME]`` of ``nbprod.toml``."""

    name: str
    cron: str  #: five fields, as Debian's cron reads them
    starts: JobKind
    target: str  #: template, pipeline or deployment
    timezone: str = "UTC"  #: of the IANA data base: ``Europe/Berlin``
    parameters: Mapping[str, Any] = field(default_factory=dict)  #: of a monitor: ``window``, ``rich``
    missed: Missed = Missed.ONCE
    overlap: Overlap = Overlap.SKIP
    late: timedelta = LATE  #: a moment older than this was missed
    keep: timedelta | None = None  #: how long settled moments are remembered; ``None``: for ever

    @classmethod
    def parse(cls, name: str, content: Mapping[str, Any]) -> Schedule:
        """Read a table of ``nbprod.toml``; cron and time zone are read by those who compute with them.

        Raises
        ------
        SettingsError
            A key is unknown or a value cannot be used.
        """
        where = f"[schedules.{name}]"
        table = SettingsTable(where, content)
        table.refuse_unknown(("cron", "timezone", *JobKind, "parameters", "missed", "overlap", "late", "keep"))
        texts = {key: table.text(key, "") for key in ("cron", "timezone", *JobKind, "late", "keep") if key in content}
        if "cron" not in content:
            raise SettingsError(
                f"{where} does not say when", hint='cron = "30 2 * * *": every night at half past two.'
            )
        started = [kind for kind in JobKind if kind in content]
        if len(started) != 1:
            raise SettingsError(
                f"{where} must start one thing", hint='run = "train", pipeline = "weekly" or monitor = "churn"'
            )
        return cls(
            name=check_name(name, "schedule"),
            cron=texts["cron"],
            timezone=texts.get("timezone", cls.timezone),
            starts=started[0],
            target=texts[started[0]],
            parameters=table.table("parameters", 'parameters = { data = "electricity" }'),
            missed=table.choice("missed", cls.missed),
            overlap=table.choice("overlap", cls.overlap),
            late=parse_duration(texts["late"]) if "late" in texts else LATE,
            keep=parse_duration(texts["keep"]) if "keep" in texts else None,
        )

    def __repr__(self) -> str:
        return f"<Schedule {self.name}: {self.starts} {self.target} at {self.cron} {self.timezone}>"

    def _repr_html_(self) -> str:
        return card(
            f"Schedule {self.name}",
            [
                ("starts", f"{self.starts} {self.target}"),
                ("cron", f"{self.cron} ({self.timezone})"),
                ("missed moments", self.missed),
                ("overlap", self.overlap),
                *self.parameters.items(),
            ],
        )


class DueStatus(StrEnum):
    """Where a due moment stands."""

    NOTED = "noted"  #: the schedule was seen for the first time then; nothing was due
    QUEUED = "queued"  #: waits until the start before it has ended
    CLAIMED = "claimed"  #: a process has taken it and holds its lease
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"  #: missed, or the start before it still worked
    LOST = "lost"  #: its process vanished while it worked


@dataclass(frozen=True, kw_only=True)
class Due:
    """One moment of one schedule; it is made once, whoever looks, and changes by compare-and-set of ``revision``."""

    id: str  #: ``nightly@20261121T020000Z``; what it started has it as its cause
    schedule: str
    due_at: datetime
    status: DueStatus
    revision: int = 0
    claimed_at: datetime | None = None
    claimed_by: str | None = None  #: machine, process and actor
    lease_until: datetime | None = None  #: renewed while it works; after it, somebody else looks what became of it
    job_id: str | None = None  #: the run or pipeline run it started
    ended_at: datetime | None = None
    reason: str = ""

    @staticmethod
    def id_of(schedule: str, due_at: datetime) -> str:
        """The id of a moment of a schedule."""
        return f"{schedule}@{due_at.astimezone(UTC):%Y%m%dT%H%M%SZ}"

    @property
    def is_open(self) -> bool:
        """Whether something will still become of it."""
        return self.status in {DueStatus.QUEUED, DueStatus.CLAIMED}

    def __repr__(self) -> str:
        return f"<Due {self.id} {self.status}>"

    def _repr_html_(self) -> str:
        return card(
            f"Due {self.id}",
            [("status", self.status), ("because", self.reason), ("started", self.job_id), ("by", self.claimed_by)],
        )
