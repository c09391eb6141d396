"""Runs as they are kept: found in the ledger, looked at in their folders, followed, stopped, settled."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbprod import clock
from nbprod.disk import write_file
from nbprod.domain.duration import parse_duration
from nbprod.domain.run import Run, RunStatus
from nbprod.errors import ConflictError, NbprodError, NotFoundError, StaleMoveError
from nbprod.notebook.document import read_notebook
from nbprod.notebook.journal import Journal
from nbprod.notebook.kernel_retention import KernelRetention, read_retention, request_release
from nbprod.notebook.stopping import CANCEL
from nbprod.runs.finalizing import finalized, inspect_execution, read_run
from nbprod.runs.finding import find, follow, wait
from nbprod.runs.pruning import PruneResult, prune

if TYPE_CHECKING:
    from nbprod.recording import Records
    from nbprod.store import Store

__all__ = ["Render", "RunStore", "folder_of"]

Render = Callable[[Run, Path], str]


class RunStore:
    """What can be asked of runs that were started, and said to them.

    ``render`` makes the page of a finished run.
    """

    def __init__(self, store: Store, folder: Path, *, render: Render | None = None) -> None:
        self.store, self.folder, self.render = store, Path(folder), render

    def get(self, run: str | Run) -> Run:
        """A run by its id, or by the beginning or end of it.

        Raises
        ------
        NotFoundError
            There is none, or several begin or end so.
        """
        with self.store.read() as session:
            found = find(session, Run, run.id if isinstance(run, Run) else run, called="run")
        return self._refreshed(found)

    def list(
        self,
        template: str | None = None,
        status: str | RunStatus | None = None,
        since: datetime | None = None,
        limit: int | None = 50,
    ) -> list[Run]:
        """Runs, newest first."""
        where = {
            name: value
            for name, value in (("template", template), ("status", RunStatus(status) if status else None))
            if value is not None
        }
        with self.store.read() as session:
            found = session.list(Run, where, since=since, limit=limit)
        fresh = [self._refreshed(run) for run in found]
        return [run for run in fresh if status is None or run.status == status]

    def _refreshed(self, run: Run) -> Run:
        """The run, once more looked at if it may have ended."""
        if run.is_finished or not Path(run.folder).exists():
            return run
        result = inspect_execution(Path(run.folder), created_at=run.created_at)
        if result.ended_at:
            return self.finalize(run)
        return replace(run, status=result.status, started_at=result.started_at)

    def results(self, run: str | Run) -> Records:
        """What the notebook recorded."""
        from nbprod.recording import read_records  # knows pandas

        folder = folder_of(self.get(run))
        return read_records(read_notebook(folder / "notebook.ipynb"), folder)

    def watch(self, run: str | Run, *, poll_s: float = 0.3) -> Iterator[dict[str, Any]]:
        """The events of a run from its beginning, and each new one until it ends."""
        found = self.get(run)
        yield from follow(Path(found.folder), created_at=found.created_at, poll_s=poll_s)

    def ask_to_stop(self, run: Run) -> None:
        """Leave the wish for the process that executes the run; it looks several times a second."""
        write_file(Path(run.folder) / CANCEL, f"{self.store.actor} {clock.format_utc(clock.now())}\n")

    def cancel(self, run: str | Run, *, wait_s: float = 20.0) -> Run:
        """Ask a run to stop, and wait until it has.

        Raises
        ------
        ConflictError
            It has ended already, or does not stop in time.
        """
        found = self.get(run)
        if found.is_finished:
            raise ConflictError(f"Run {found.id} is {found.status} already; there is nothing to stop")
        self.ask_to_stop(found)
        if (ended := wait(lambda: self.get(found.id), wait_s)) is None:
            raise ConflictError(
                f"Run {found.id} was asked to stop and still runs",
                hint=f"It ends by stages; look again with nbprod runs show {found.id}",
            )
        return ended

    def retained_kernel(self, run: str | Run) -> KernelRetention | None:
        """The kernel that is held for a failed run, if it still is."""
        return read_retention(Path(self.get(run).folder))

    def release(self, run: str | Run) -> None:
        """Let the kernel of a failed run go; it is gone a moment later.

        Raises
        ------
        ConflictError
            None is held.
        """
        found = self.get(run)
        if read_retention(Path(found.folder)) is None:
            raise ConflictError(f"No kernel is held for run {found.id}")
        request_release(Path(found.folder))

    def prune(self, keep: timedelta | str, *, dry_run: bool = False) -> PruneResult:
        """Remove the folders of runs that ended longer ago than ``keep`` and that nothing refers to.

        Whatever a version, package, alert, report, event or a run that stays names, stays. The records of the runs
        stay in the ledger, with their metrics.

        Parameters
        ----------
        keep
            Younger runs stay; a length, or a text such as ``30d``.
        dry_run
            Only say what would be removed.
        """
        length = parse_duration(keep) if isinstance(keep, str) else keep
        return prune(self.store, self.folder, keep=length, dry_run=dry_run)

    def finalize(self, run: Run) -> Run:
        """Bring the ledger's row up to what the folder says; of several who try, one does it."""
        folder = Path(run.folder)
        result = inspect_execution(folder)
        if not result.ended_at:
            return replace(run, status=result.status, started_at=result.started_at)
        final = finalized(run, result, lambda: self._metrics(folder))
        if self.render is not None:
            try:
                write_file(folder / "report.html", self.render(final, folder))
            except Exception as error:  # noqa: BLE001 — a page that cannot be made is no reason to lose the run
                with Journal(folder) as journal:
                    journal.append("report.failed", error=f"{type(error).__name__}: {error}")
        return self._move(run, final)

    def _metrics(self, folder: Path) -> dict[str, float]:
        from nbprod.recording import read_records  # knows pandas

        try:
            return dict(read_records(read_notebook(folder / "notebook.ipynb"), folder).metrics)
        except NbprodError as error:  # the run is what it is, also when what it recorded cannot be read
            with Journal(folder) as journal:
                journal.append("records.damaged", error=error.message)
            return {}

    def _move(self, before: Run, after: Run) -> Run:
        try:
            with self.store.write() as session:
                current = session.get(Run, before.id)
                if current.is_finished:
                    return current
                session.replace(after, expecting={"status": current.status})
                if after.is_finished:
                    data = {"cause": after.cause, "cell": after.failed_cell, "error": after.error}
                    session.event(f"run.{after.status}", after.id, data=data)
        except StaleMoveError:
            with self.store.read() as session:
                return session.get(Run, before.id)
        return after

    def rebuild(self) -> tuple[Run, ...]:
        """Add the rows of run folders the ledger does not know; the runs that were added."""
        added = []
        for path in sorted(self.folder.glob("*/run.json")):
            run = read_run(path.parent)
            with self.store.read() as session:
                known = session.find(Run, run.id) is not None
            if not known:
                with self.store.write() as session:
                    session.add(run)
                added.append(self._refreshed(run))
        return tuple(added)


def folder_of(run: Run) -> Path:
    """The folder of a run.

    Raises
    ------
    NotFoundError
        It was removed to save space.
    """
    if run.is_pruned:
        raise NotFoundError(
            f"The files of run {run.id} were pruned; the ledger has its parameters and metrics",
            hint=f"See nbprod runs show {run.id}",
        )
    return Path(run.folder)
