"""Finds a run, or an execution of a pipeline, by a part of its id, and follows one until it ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from nbprod.domain.names import nearest
from nbprod.domain.pipeline import PipelineRun
from nbprod.domain.run import Run
from nbprod.errors import NotFoundError
from nbprod.notebook.journal import read_events
from nbprod.runs.finalizing import inspect_execution

if TYPE_CHECKING:
    from nbprod.store import Session

__all__ = ["find", "follow", "wait"]

Kind = TypeVar("Kind", Run, PipelineRun)


def find(session: Session, kind: type[Kind], wanted: str, *, called: str) -> Kind:
    """The record with an id, or the one recent record whose id begins or ends so; ``called`` is one in words.

    Raises
    ------
    NotFoundError
        There is none, or there are several.
    """
    found = session.find(kind, wanted)
    if found is not None:
        return found
    recent = session.list(kind, limit=1000)
    near = [one for one in recent if wanted and (one.id.startswith(wanted) or one.id.endswith(wanted))]
    if len(near) != 1:
        raise NotFoundError(
            f"{len(near)} {called}s are called like {wanted!r}" if near else f"No {called} is called {wanted!r}",
            hint=nearest(wanted, [one.id for one in near or recent[:50]]),
        )
    return near[0]


def follow(folder: Path, *, created_at: datetime, poll_s: float) -> Iterator[dict[str, Any]]:
    """Every event of a run's journal, and each new one until the run ends."""
    offset, pause = 0, threading.Event()
    while True:
        ended = inspect_execution(folder, created_at=created_at).ended_at
        for position, event in read_events(folder, offset=offset):
            offset = position
            yield event
        if ended:
            return
        pause.wait(poll_s)


def wait(get_run: Callable[[], Run], wait_s: float) -> Run | None:
    """The run once it has ended; ``None`` when it has not in time."""
    deadline, pause = time.monotonic() + wait_s, threading.Event()
    while not (run := get_run()).is_finished:
        if time.monotonic() > deadline:
            return None
        pause.wait(0.2)
    return run
