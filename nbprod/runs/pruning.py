"""Removes the folders of old runs that nothing refers to; their records, with their metrics, stay in the ledger.

The ledger is told first: a process killed at any moment leaves either the folder or a row that says ``pruned``. A
folder that was left over then is removed by the next pruning.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbprod import clock
from nbprod.disk import make_folder, reporting_os_errors, sync
from nbprod.domain.markup import card
from nbprod.domain.run import PRUNED, Run
from nbprod.notebook.kernel_retention import read_retention

if TYPE_CHECKING:
    from nbprod.store import Session, Store

__all__ = ["PruneResult", "prunable", "prune", "referenced"]

TRASH = ".trash"
WORD = re.compile(r"[A-Za-z0-9_-]+")  # what a run's id consists of


@dataclass(frozen=True, kw_only=True)
class PruneResult:
    """What a pruning removed, or would remove."""

    runs: tuple[str, ...]
    size_bytes: int
    is_dry: bool  #: nothing was removed
    kept: int  #: runs as old that something refers to

    def __repr__(self) -> str:
        return f"<PruneResult {len(self.runs)} runs, {self.size_bytes:,} bytes{', dry' if self.is_dry else ''}>"

    def _repr_html_(self) -> str:
        title = "Would be pruned" if self.is_dry else "PruneResult"
        return card(title, [("runs", len(self.runs)), ("bytes", f"{self.size_bytes:,}"), ("kept", self.kept)])


def prune(store: Store, runs_folder: Path, *, keep: timedelta, dry_run: bool = False) -> PruneResult:
    """Remove the folders of finished runs older than ``keep`` that nothing refers to.

    Nothing outside of ``runs_folder``, where the run folders are, is touched; a dry run only looks.
    """
    before = clock.now() - keep
    if dry_run:
        with store.read() as session:
            found, referenced_count = prunable(session, runs_folder, before)
        sizes = {run.id: size_of(runs_folder / run.id) for run in found}
    else:
        with store.write() as session:  # nothing can come to refer to a run between the look and the mark
            found, referenced_count = prunable(session, runs_folder, before)
            sizes = {run.id: size_of(runs_folder / run.id) for run in found}
            for run in found:
                session.replace(replace(run, files=PRUNED), expecting={"status": run.status, "files": None})
                session.event("run.pruned", run.id, data={"bytes": sizes[run.id]})
        remove(store, runs_folder)
    return PruneResult(runs=tuple(sizes), size_bytes=sum(sizes.values()), is_dry=dry_run, kept=referenced_count)


def prunable(session: Session, runs_folder: Path, before: datetime) -> tuple[list[Run], int]:
    """Runs whose folders may go, oldest first, and the number of those as old that stay because of a reference."""
    runs = {run.id: run for run in session.list(Run, limit=None, newest_first=False)}
    old = {
        run.id
        for run in runs.values()
        if run.is_finished
        and not run.is_pruned
        and (run.ended_at or run.created_at) < before
        and Path(run.folder) == runs_folder / run.id
        and read_retention(runs_folder / run.id) is None
    }
    free = old - referenced(session, old)
    while True:  # a run that stays may name another one; a run that goes does not hold back the one that caused it
        still = free - set().union(
            *(identifiers(run, without=run.id) for id_, run in runs.items() if id_ not in free)
        )
        if still == free:
            return [runs[id_] for id_ in runs if id_ in free], len(old - free)
        free = still


def referenced(session: Session, ids: set[str]) -> set[str]:
    """Which of some runs are named by anything in the ledger that is no run, whatever the field."""
    from nbprod.store.tables import KINDS  # sqlalchemy; the session has loaded it

    found: set[str] = set()
    for kind in KINDS:
        if kind is not Run:
            records: list[Any] = session.list(kind, limit=None)
            found.update(*(ids & identifiers(record) for record in records))
    for event in session.events(limit=None):
        if not event.kind.startswith("run."):  # what happened to a run is no reference; what caused it is in its row
            found |= ids & identifiers(event)
    return found


def identifiers(record: Any, *, without: str = "") -> set[str]:
    """Every word in every field of a record."""
    found: set[str] = set()
    waiting: list[Any] = [vars(record)]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            found.update(WORD.findall(value))
        elif isinstance(value, Mapping):
            waiting += [*value.keys(), *value.values()]
        elif isinstance(value, Iterable):
            waiting += value
        elif hasattr(value, "__dict__"):
            waiting.append(vars(value))
    return found - {without}


def remove(store: Store, runs_folder: Path) -> None:
    """Remove the folders of runs whose rows say so, and what an interrupted pruning left."""
    if not runs_folder.is_dir():
        return
    trash = make_folder(runs_folder / TRASH)
    with store.read() as session:
        pruned = [run.id for run in session.list(Run, {"files": PRUNED}, limit=None)]
    with reporting_os_errors(f"removing folders in {runs_folder}"):
        for id_ in pruned:
            folder = runs_folder / id_
            if folder.is_dir() and not folder.is_symlink():
                shutil.rmtree(trash / id_, ignore_errors=True)
                folder.rename(trash / id_)  # gone for every reader at once, however long deleting takes
        sync(runs_folder)
        for left in trash.iterdir():
            shutil.rmtree(left)


def size_of(folder: Path) -> int:
    """Bytes of the files below a folder."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())
