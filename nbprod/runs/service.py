"""The service over runs: start, find, follow, stop and compare them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from nbprod import clock
from nbprod.disk import write_file
from nbprod.domain.execution import Limits
from nbprod.domain.request import RunRequest
from nbprod.domain.run import Run, RunStatus
from nbprod.domain.sweep import Sweep
from nbprod.errors import ConflictError, NbprodError, RunFailedError, StaleMoveError, StoreError
from nbprod.executors import Executor
from nbprod.executors.local import Detached, Local
from nbprod.notebook.document import read_notebook
from nbprod.notebook.journal import Journal
from nbprod.notebook.stopping import CANCEL
from nbprod.runs.comparison import Comparison, compare
from nbprod.runs.finding import find, follow, wait
from nbprod.runs.preparing import Plan, Resolve, Source, make_plan, prepare, read_source, sources
from nbprod.runs.settling import look, read_run, settled
from nbprod.runs.sweeping import combinations, sweep
from nbprod.settings import Settings

if TYPE_CHECKING:
    from nbprod.recording import Records
    from nbprod.store import Store

__all__ = ["Runs"]

BASIS = ("nbprod", "numpy", "scipy", "pyarrow", "skops")  # what nbprod itself works with inside a kernel

Render = Callable[[Run, Path], str]


class Shelf(Protocol):
    """Finds a template by name."""

    def get(self, name: str) -> Any:
        """The template, with its ``path``."""
        ...


class Runs:
    """Starts notebooks and keeps what came of them.

    Parameters
    ----------
    store
        The ledger.
    templates
        Finds a template by name.
    folder
        Where the run folders are.
    root
        Where templates work: the workspace's folder, whose git state is recorded.
    settings
        Deadlines and memory (``runs.*``), the kernel (``kernels.*``), the private columns, which are handed to the
        kernel in ``run.json``.
    resolve
        Called with a parameter and its value; gives the value the notebook gets and the fingerprint of the data
        behind it, if there are any.
    render
        Makes the page of a finished run.
    executor
        Where runs happen; by default in the calling thread.
    finish
        ``module:function`` that a process executing a detached run calls with the folder at the end, so that the
        ledger knows without waiting for a reader.
    """

    def __init__(
        self,
        store: Store,
        templates: Shelf,
        folder: Path,
        *,
        root: Path | None = None,
        settings: Settings | None = None,
        resolve: Resolve | None = None,
        render: Render | None = None,
        executor: Executor | None = None,
        finish: str = "",
    ) -> None:
        self.store, self.templates, self.folder = store, templates, Path(folder)
        self.root = Path(root or Path.cwd())
        self.settings = settings or Settings.load(self.root)
        self.limits = Limits(
            cell_timeout_s=self.settings["runs.cell_timeout_s"],
            run_timeout_s=self.settings["runs.timeout_s"],
            memory_mb=self.settings["runs.memory_mb"],
        )
        self.resolve, self.render, self.finish = resolve, render, finish
        self.executor: Executor = executor or Local()

    def start(
        self,
        template: str | Path,
        values: Mapping[str, Any] | None = None,
        /,
        *,
        caused_by: str | None = None,
        detach: bool = False,
        progress: Callable[[Any], None] | None = None,
        timeout_s: float | None = None,
        check: bool = False,
        from_text: bool = False,
        retries: int = 0,
        retry_on: tuple[str, ...] = (),
        **parameters: Any,
    ) -> Run:
        """Check the parameters, execute, and read back what was recorded.

        Parameters
        ----------
        template
            The name of a template, or the path of any notebook.
        values
            Parameters by name, for names that a keyword cannot have.
        caused_by
            The alert, schedule, pipeline or run behind this one.
        detach
            Return at once; the run goes on in a process of its own.
        progress
            Called when a cell starts and ends.
        timeout_s
            Limit of the whole run.
        check
            Raise when the run does not succeed, instead of returning it.
        from_text
            The values are texts from a command line.
        retries
            Further attempts when the kernel was lost or could not be started, or after an error named next.
        retry_on
            Names of errors that pass by themselves, for instance ``ConnectionError``.
        **parameters
            Parameters by name.

        Raises
        ------
        ParameterError
            An unknown name, a wrong type, a value out of range; nothing was written.
        EnvironmentProblem
            The notebook's kernel is not installed; nothing was written.
        RunFailedError
            The run did not succeed and ``check`` is set.
        """
        plan = self.plan(template, {**(values or {}), **parameters}, from_text=from_text)
        return self.execute(
            plan,
            caused_by=caused_by,
            detach=detach,
            progress=progress,
            timeout_s=timeout_s,
            check=check,
            retries=retries,
            retry_on=retry_on,
        )

    def plan(self, template: str | Path, values: Mapping[str, Any], *, from_text: bool = False) -> Plan:
        """Check everything that can be checked before a run, and start nothing; raises as ``start`` does."""
        return make_plan(
            self.source(template),
            values,
            from_text=from_text,
            kernel=self.settings["kernels.name"],
            root=self.root,
            resolve=self.resolve,
        )

    def execute(
        self,
        plan: Plan,
        *,
        caused_by: str | None = None,
        detach: bool = False,
        progress: Callable[[Any], None] | None = None,
        timeout_s: float | None = None,
        check: bool = False,
        retries: int = 0,
        retry_on: tuple[str, ...] = (),
        env: Mapping[str, str] | None = None,
    ) -> Run:
        """Execute what was planned; see ``start``.

        Parameters
        ----------
        env
            Added to the kernel's environment.
        """
        request = RunRequest(
            run_id="",
            folder="",
            kernel=plan.kernel,
            cwd=str(plan.cwd),
            env=dict(env or {}),
            limits=self.limits if timeout_s is None else replace(self.limits, run_timeout_s=timeout_s),
            preload=(*BASIS, *self.settings["kernels.preload"]) if self.settings["kernels.warm"] else None,
            secrets=plan.secrets,
            retries=retries,
            retry_on=retry_on,
            finish=self.finish,
        )
        run, request = prepare(
            self.folder,
            plan,
            request,
            status=RunStatus.QUEUED if detach else RunStatus.RUNNING,
            private=self.settings.private_columns,
            root=self.root,
            caused_by=caused_by,
            actor=self.store.actor,
        )
        try:
            with self.store.write() as session:
                session.add(run)
                session.event("run.started", run.id, data={"template": run.template, "caused_by": caused_by})
        except StoreError:  # nothing was executed: a folder that the ledger does not know would only puzzle
            shutil.rmtree(run.folder, ignore_errors=True)
            raise
        if detach:
            Detached().submit(request)
            return run
        try:
            self.executor.submit(request, progress=progress).wait()
        finally:
            run = self.settle(run)
        if check and not run.succeeded:
            at = f" in cell {run.failed_cell}" if run.failed_cell else ""
            raise RunFailedError(
                f"Run {run.id} ended early{at} ({run.cause}): {run.error}",
                run_id=run.id,
                hint=f"See nbprod runs show {run.id}",
            )
        return run

    def sweep(
        self, template: str, grid: Mapping[str, Sequence[Any]], /, *, random: int | None = None, **how: Any
    ) -> Sweep:
        """Execute a notebook for combinations of parameters, several at a time; see ``sweeping.sweep`` for more.

        Parameters
        ----------
        template
            The name of a template, or the path of any notebook.
        grid
            The values of each parameter.
        random
            Draw so many combinations instead of taking all.
        **how
            ``jobs``, ``again``, ``timeout_s``, ``told`` and so on.
        """
        return sweep(self, template, combinations(grid, random=random), **how)

    def source(self, template: str | Path) -> Source:
        """Read a template by name, or any notebook by path."""
        return read_source(self.templates.get(str(template)), is_template=not f"{template}".endswith(".ipynb"))

    def get(self, run: str | Run) -> Run:
        """A run by its id, or by the beginning or end of it.

        Raises
        ------
        NotFoundError
            There is none, or several begin or end so.
        """
        with self.store.read() as session:
            found = find(session, run.id if isinstance(run, Run) else run)
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
        result = look(Path(run.folder), created_at=run.created_at)
        if result.ended_at:
            return self.settle(run)
        return replace(run, status=result.status, started_at=result.started_at)

    def results(self, run: str | Run) -> Records:
        """What the notebook recorded."""
        from nbprod.recording import read_records  # knows pandas

        folder = Path(self.get(run).folder)
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

    def settle(self, run: Run) -> Run:
        """Bring the ledger's row up to what the folder says; of several who try, one does it."""
        folder = Path(run.folder)
        result = look(folder)
        if not result.ended_at:
            return replace(run, status=result.status, started_at=result.started_at)
        final = settled(run, result, lambda: self._metrics(folder))
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

    def compare(self, a: str | Run, b: str | Run) -> Comparison:
        """What differs between two runs, by meaning."""
        first, second = self.get(a), self.get(b)
        return compare(first, second, cells=(sources(Path(first.folder)), sources(Path(second.folder))))

    def __repr__(self) -> str:
        return f"<Runs in {self.folder}>"
