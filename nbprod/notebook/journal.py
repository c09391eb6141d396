"""The journal of a run: one JSON object a line in ``events.jsonl``, only ever added to.

The journal is the truth about an execution; the notebook and the ledger's row are made from it. A line is written
with one system call, so a process killed in the middle leaves whole lines; after a power cut the last line may be
torn, and is left out when read.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from nbprod import clock
from nbprod.domain.execution import ExecutionResult
from nbprod.domain.run import CellResult, CellStatus, EndCause, RunStatus

__all__ = ["JOURNAL", "Journal", "fold", "read_events", "read_result"]

JOURNAL = "events.jsonl"
SYNC_EVERY_S = 1.0


class Journal:
    """Writes events to ``events.jsonl`` in a run's folder.

    An existing journal is gone on with.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / JOURNAL
        self.file = os.open(self.path, os.O_CREAT | os.O_RDWR | os.O_APPEND | os.O_CLOEXEC, 0o600)
        size = os.fstat(self.file).st_size
        if size and os.pread(self.file, 1, size - 1) != b"\n":
            os.write(self.file, b"\n")  # the torn line of a power cut stays a line of its own
        self.synced_at = time.monotonic()

    def append(self, kind: str, /, *, durable: bool = False, **data: Any) -> None:
        """Add one event.

        A durable event is on the disk when this returns; the others follow within a second of the next one. Data of
        ``None`` are left out.
        """
        event = {"at": clock.format_utc(clock.now()), "kind": kind}
        event |= {name: value for name, value in data.items() if value is not None}
        os.write(
            self.file, json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace") + b"\n"
        )
        if durable or (kind == "cell.ended" and time.monotonic() - self.synced_at > SYNC_EVERY_S):
            os.fsync(self.file)
            self.synced_at = time.monotonic()

    def close(self) -> None:
        """Bring everything to the disk."""
        os.fsync(self.file)
        os.close(self.file)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def read_events(folder: Path, *, offset: int = 0) -> Iterator[tuple[int, dict[str, Any]]]:
    """Read the journal's whole lines from a byte offset.

    Yields
    ------
    tuple
        The offset to go on from after this event, and the event. A torn line is left out.
    """
    path = folder / JOURNAL
    if not path.exists():
        return
    with path.open("rb") as file:
        file.seek(offset)
        for line in file:
            if not line.endswith(b"\n"):
                return
            offset += len(line)
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if isinstance(event, dict):
                yield offset, event


def read_result(folder: Path) -> ExecutionResult:
    """The state of an execution as the journal in its folder says it."""
    return fold(event for _, event in read_events(folder))


def fold(events: Iterable[Mapping[str, Any]]) -> ExecutionResult:
    """Make the state of an execution from its events.

    An execution whose journal has no end is ``running`` (or ``queued``): whether its process is still there is not
    the journal's to say.
    """
    status, cause, cell_id, error, error_type = RunStatus.QUEUED, None, None, None, None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    cells: dict[str, dict[str, Any]] = {}
    for event in events:
        at = clock.parse_utc(event["at"])
        match event["kind"]:
            case "run.started":  # also a new attempt: what the last one left is over
                status, cause, cell_id, error, error_type = RunStatus.RUNNING, None, None, None, None
                started_at, ended_at = at, None
                cells = {
                    id_: {"id": id_, "index": index, "status": CellStatus.PENDING, "name": "".join(name)}
                    for id_, index, *name in event["cells"]
                }
                for id_ in event.get("kept", ()):  # executed by the run that this one goes on from
                    cells[id_]["status"] = CellStatus.SKIPPED
            case "cell.started":
                cells[event["cell"]] |= {"status": CellStatus.RUNNING, "started_at": at}
            case "cell.ended":
                cells[event["cell"]] |= {
                    "status": CellStatus(event["status"]),
                    "ended_at": at,
                    "cause": EndCause(event["cause"]) if "cause" in event else None,
                    "cpu_s": event.get("cpu_s"),
                    "peak_memory_mb": event.get("peak_memory_mb"),
                }
            case "cell.skipped":
                cells[event["cell"]]["status"] = CellStatus.SKIPPED
            case "run.ended":
                status, ended_at = RunStatus(event["status"]), at
                cause = EndCause(event["cause"]) if "cause" in event else None
                cell_id, error, error_type = event.get("cell"), event.get("error"), event.get("error_type")
    return ExecutionResult(
        status=status,
        cause=cause,
        failed_cell=cell_id,
        error=error,
        error_type=error_type,
        cells=tuple(CellResult(**cell) for cell in cells.values()),
        started_at=started_at,
        ended_at=ended_at,
    )
