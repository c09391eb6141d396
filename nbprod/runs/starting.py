"""Starts runs: checked first, then executed here or in a process of their own."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbprod.domain.duration import parse_duration
from nbprod.domain.execution import Limits
from nbprod.domain.package import ModelPackage
from nbprod.domain.request import RunRequest
from nbprod.domain.run import Run, RunStatus
from nbprod.errors import RunFailedError, StoreError
from nbprod.executors import Executor
from nbprod.executors.local import Detached, Local
from nbprod.kernels.preloading import preloadable
from nbprod.runs.preparing import Plan, Resolve, Source, make_plan, prepare, read_source
from nbprod.runs.run_store import Render, RunStore
from nbprod.settings import Settings
from nbprod.templates import Templates

if TYPE_CHECKING:
    from nbprod.store import Store

__all__ = ["RunLauncher"]


class RunLauncher(RunStore):
    """Starts notebooks and keeps what came of them.

    Templates work in the root, the workspace's folder, whose git state is recorded.

    Parameters
    ----------
    settings
        Deadlines and memory (``runs.*``), the kernel (``kernels.*``), the private columns, which are handed to the
        kernel in ``run.json``.
    resolve
        Called with a parameter and its value; gives the value the notebook gets and the fingerprint of the data
        behind it, if there are any.
    executor
        Where runs happen; by default in the calling thread.
    finish
        ``module:function`` that a process executing a detached run calls with the folder at the end, so that the
        ledger knows without waiting for a reader.
    """

    def __init__(
        self,
        store: Store,
        templates: Templates,
        folder: Path,
        *,
        root: Path | None = None,
        settings: Settings | None = None,
        resolve: Resolve | None = None,
        render: Render | None = None,
        executor: Executor | None = None,
        finish: str = "",
    ) -> None:
        super().__init__(store, folder, render=render)
        self.templates = templates
        self.root = Path(root or Path.cwd())
        self.settings = settings or Settings.load(self.root)
        self.limits = Limits(
            cell_timeout_s=self.settings["runs.cell_timeout_s"],
            run_timeout_s=self.settings["runs.timeout_s"],
            memory_mb=self.settings["runs.memory_mb"],
        )
        hold = self.settings["runs.hold"]
        self.hold_s = parse_duration(hold).total_seconds() if hold else 0.0
        self.resolve, self.finish = resolve, finish
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
        hold_s: float | None = None,
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
        hold_s
            How long to keep the kernel alive when a cell raises, to look into it (``hold_of``) and to go on in it
            (``resume``); it ends with the process that executes the run. By default the setting ``runs.hold``.
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
            hold_s=hold_s,
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
        hold_s: float | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Run:
        """Execute what was planned; see ``start``.

        Parameters
        ----------
        env
            Added to the kernel's environment.
        """
        run, request = self._prepare(
            plan,
            caused_by=caused_by,
            status=RunStatus.QUEUED if detach else RunStatus.RUNNING,
            env=dict(env or {}),
            limits=self.limits if timeout_s is None else replace(self.limits, run_timeout_s=timeout_s),
            retries=retries,
            retry_on=retry_on,
            hold_s=self.hold_s if hold_s is None else hold_s,
        )
        if detach:
            Detached().submit(request)
            return run
        run = self._carry_out(run, request, progress=progress)
        if check and not run.succeeded:
            at = f" in cell {run.failed_at}" if run.failed_at else ""
            raise RunFailedError(
                f"Run {run.id} ended early{at} ({run.cause}): {run.error}",
                run_id=run.id,
                hint=f"See nbprod runs show {run.id}",
            )
        return run

    def _prepare(
        self,
        plan: Plan,
        *,
        caused_by: str | None,
        status: RunStatus,
        details: Mapping[str, Any] | None = None,
        **how: Any,
    ) -> tuple[Run, RunRequest]:
        """Make the run's folder and its row."""
        request = RunRequest(
            run_id="",
            folder="",
            kernel=plan.kernel,
            cwd=str(plan.cwd),
            preload=self._preload(plan) if self.settings["kernels.warm"] else None,
            secrets=plan.secrets,
            finish=self.finish,
            **how,
        )
        run, request = prepare(
            self.folder,
            plan,
            request,
            status=status,
            private=self.settings.private_columns,
            trusted=(*self.settings["packages.trusted"], *self._built_here(plan.data.values())),
            root=self.root,
            details=details,
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
        return run, request

    def _preload(self, plan: Plan) -> tuple[str, ...]:
        return tuple(
            preloadable(
                [cell.source for cell in plan.source.notebook.cells if cell.cell_type == "code"],
                folder=plan.cwd,
                also=self.settings["kernels.preload"],
                never=self.settings["kernels.not_preloaded"],
            )
        )

    def _built_here(self, digests: Iterable[str]) -> list[str]:
        """Those of some fingerprints that are packages of runs of this workspace, whose code is its own."""
        with self.store.read() as session:
            found = [session.find(ModelPackage, digest) for digest in digests]
        return [package.digest for package in found if package is not None and package.run_id]

    def _carry_out(self, run: Run, request: RunRequest, *, progress: Callable[[Any], None] | None) -> Run:
        """Execute, and bring the row up to what came of it."""
        try:
            self.executor.submit(request, progress=progress).wait()
        finally:
            run = self.finalize(run)
        return run

    def source(self, template: str | Path) -> Source:
        """Read a template by name, or any notebook by path."""
        return read_source(self.templates.get(str(template)), is_template=not f"{template}".endswith(".ipynb"))
