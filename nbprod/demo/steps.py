"""What every step of the demo needs: its line, runs that must have succeeded, and several things at once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from nbprod.domain.run import Run
from nbprod.errors import RunFailedError

__all__ = ["DemoStep", "at_once", "finished", "report_of"]

Given = TypeVar("Given")
Made = TypeVar("Made")


@dataclass(frozen=True, kw_only=True)
class DemoStep:
    """One line of the demo: what happened, and the file that shows it."""

    name: str
    line: str
    file: str
    seconds: float


def finished(run: Run) -> Run:
    """A run that must have succeeded."""
    if not run.succeeded:
        raise RunFailedError(
            f"{run.template} did not finish: {run.error}",
            run_id=run.id,
            hint=f"Look at {report_of(run)}, then go on.",
        )
    return run


def at_once(work: Callable[[Given], Made], things: Iterable[Given]) -> list[Made]:
    """Work on several things, as many at a time as there are processors."""
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        return list(pool.map(work, things))


def report_of(run: Run) -> Path:
    """The page of a run."""
    return Path(run.folder) / "report.html"
