"""Follows a run by its journal, reading each event once, and says where the run stands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from nbprod import clock
from nbprod.domain.execution import ExecutionResult
from nbprod.notebook.journal import fold, read_events
from nbprod.notebook.lease import is_held
from nbprod.runs.finalizing import inspect_execution

__all__ = ["Follower", "Standing"]

TAIL_LINES = 12
TAIL_CHARACTERS = 8_000


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Where a run stands at one moment."""

    title: str
    result: ExecutionResult
    tail: str  #: the end of what the last cell that printed anything has printed
    tail_of: str  #: that cell
    stopping: str  #: the stage of a stop under way; empty when there is none
    at: datetime

    @property
    def has_ended(self) -> bool:
        """Whether nothing will change any more."""
        return self.result.ended_at is not None


class Follower:
    """Reads on in the journal each time it is asked.

    The folder is a run's, or the one that plain papermill with our engine leaves. A run that does not start within a
    minute of its creation is lost.
    """

    def __init__(self, folder: Path, *, title: str, created_at: datetime) -> None:
        self.folder, self.title, self.created_at = folder, title, created_at
        self.offset = 0
        self.events: list[dict[str, Any]] = []  # those of the latest attempt, without outputs
        self.tail, self.tail_of, self.stopping = "", "", ""

    def poll(self) -> Standing:
        """Take in what is new; a run whose process is gone is marked lost here, as every reader does."""
        self._read()
        result = fold(self.events)
        if result.ended_at is None and not is_held(self.folder):
            inspect_execution(self.folder, created_at=self.created_at)
            self._read()
            result = fold(self.events)
        return Standing(
            title=self.title,
            result=result,
            tail="\n".join(self.tail.split("\n")[-TAIL_LINES:]),
            tail_of=self.tail_of,
            stopping="" if result.ended_at else self.stopping,
            at=clock.now(),
        )

    def _read(self) -> None:
        for offset, event in read_events(self.folder, offset=self.offset):
            self.offset = offset
            match event["kind"]:
                case "cell.output":
                    self._take_output(event)
                    continue
                case "run.started":
                    self.events.clear()
                    self.tail, self.tail_of, self.stopping = "", "", ""
                case "run.stopping":
                    self.stopping = event["stage"]
            self.events.append(event)

    def _take_output(self, event: dict[str, Any]) -> None:
        text = event.get("text")
        if not isinstance(text, str):
            return
        if event["cell"] != self.tail_of:
            self.tail, self.tail_of = "", event["cell"]
        self.tail = (self.tail + text)[-TAIL_CHARACTERS:]
