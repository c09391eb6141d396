"""A run: one execution of one notebook with one set of parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from nbprod.domain.markup import card
from nbprod.domain.numbers import number

__all__ = ["PRUNED", "CellResult", "CellStatus", "EndCause", "Run", "RunStatus"]

PRUNED = "pruned"


class RunStatus(StrEnum):
    """Where a run stands."""

    QUEUED = "queued"  #: accepted, not yet started
    RUNNING = "running"  #: a process holds its lease
    SUCCEEDED = "succeeded"  #: every cell completed
    FAILED = "failed"  #: a cell or its kernel did not finish
    CANCELLED = "cancelled"  #: somebody stopped it
    LOST = "lost"  #: its process vanished; a later reader noticed


class EndCause(StrEnum):
    """Why a run or a cell ended without success."""

    ERROR = "error"  #: Python raised in a cell
    EXITED = "exited"  #: a cell ended its interpreter (``sys.exit``, ``os._exit``)
    TIMEOUT = "timeout"  #: a deadline passed
    KILLED = "killed"  #: the kernel died from a signal
    OUT_OF_MEMORY = "out-of-memory"  #: the kernel passed its memory limit
    CANCELLED = "cancelled"  #: somebody stopped it
    LOST = "lost"  #: the process that ran it vanished
    START = "start"  #: no kernel could be started


class CellStatus(StrEnum):
    """Where a cell stands; a cell that did not finish is never ``completed``."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, kw_only=True)
class CellResult:
    """What happened to one code cell."""

    id: str
    index: int
    status: CellStatus
    started_at: datetime | None = None
    ended_at: datetime | None = None
    cause: EndCause | None = None
    cpu_s: float | None = None
    peak_memory_mb: float | None = None
    name: str = ""  #: what people call it, where its id is no word

    @property
    def called(self) -> str:
        """Its name for people."""
        return self.name or self.id


@dataclass(frozen=True, kw_only=True)
class Run:
    """One execution of one notebook; the folder holds the record, this is the ledger's view of it."""

    id: str
    template: str  #: name of the template, or the stem of the notebook's file
    source: str  #: where the notebook came from
    template_digest: str  #: SHA-256 over the canonical cells
    status: RunStatus
    folder: str  #: ``notebook.ipynb``, ``events.jsonl``, ``report.html``, ``files/``
    created_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)  #: as given, plus defaults; secrets by reference
    metrics: Mapping[str, float] = field(default_factory=dict)  #: the recorded numbers
    cause: EndCause | None = None
    failed_cell: str | None = None  #: id of the cell that did not finish
    error: str | None = None  #: one line
    caused_by: str | None = None  #: id of the alert, schedule, pipeline or run behind this one
    actor: str = "unknown"
    data: Mapping[str, str] = field(default_factory=dict)  #: fingerprint by parameter name
    git: str | None = None  #: commit, with ``+`` after it when the tree had changes
    environment: str | None = None  #: digest of the installed distributions
    files: str | None = None  #: ``pruned`` when its folder was removed to save space; this record stays
    failed_cell_name: str | None = None  #: what people call the cell that did not finish, where its id is no word

    @property
    def is_finished(self) -> bool:
        """Whether nothing will change any more by itself."""
        return self.status not in {RunStatus.QUEUED, RunStatus.RUNNING}

    @property
    def is_pruned(self) -> bool:
        """Whether its folder was removed."""
        return self.files == PRUNED

    @property
    def succeeded(self) -> bool:
        """Whether every cell completed."""
        return self.status is RunStatus.SUCCEEDED

    @property
    def failed_at(self) -> str | None:
        """What people call the cell that did not finish."""
        return self.failed_cell_name or self.failed_cell

    @property
    def duration(self) -> timedelta | None:
        """From the kernel's start to the end."""
        return self.ended_at - self.started_at if self.started_at and self.ended_at else None

    def __repr__(self) -> str:
        at = f" in cell {self.failed_at}" if self.failed_at else ""
        return f"<Run {self.id} {self.status}{at}>"

    def _repr_html_(self) -> str:
        seconds = f"{self.duration.total_seconds():.1f} s" if self.duration else None
        return card(
            f"Run {self.id}",
            [
                (
                    "status",
                    f"{self.status}" + (f" ({self.cause} in {self.failed_at})" if self.failed_at else ""),
                ),
                ("took", seconds),
                *((name, value) for name, value in list(self.parameters.items())[:6]),
                *((name, number(value)) for name, value in list(self.metrics.items())[:6]),
                ("folder", "pruned" if self.is_pruned else self.folder),
            ],
        )
