"""The service over pipelines: check them, execute them, resume and find their executions."""

from __future__ import annotations

import builtins
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from nbprod.clock import now, time_id
from nbprod.disk import locked, make_folder, write_file
from nbprod.domain.names import nearest
from nbprod.domain.pipeline import Pipeline, PipelineRun, Step, StepResult, StepStatus
from nbprod.domain.reference import references
from nbprod.domain.run import Run, RunStatus
from nbprod.errors import ConflictError, NbprodError, NotFoundError, StaleMoveError, StoreError
from nbprod.gates import Gates, policy_parameters
from nbprod.notebook.lease import Lease, is_held
from nbprod.notebook.stopping import CANCEL
from nbprod.packages import Packages
from nbprod.pipelines.checking import bind_inputs, check
from nbprod.pipelines.executing import Register, StepCallback, StepContext, execute
from nbprod.runs import Runs
from nbprod.runs.finding import find
from nbprod.settings import Settings
from nbprod.store import Store

__all__ = ["Pipelines", "with_gate_parameters"]


class Pipelines:
    """Executes the ``[pipelines.NAME]`` of a workspace.

    Parameters
    ----------
    register
        Makes a package the next version of a model.
    render
        Makes the page of an execution.
    """

    def __init__(
        self,
        store: Store,
        settings: Settings,
        folder: Path,
        *,
        runs: Runs,
        packages: Packages,
        register: Register,
        render: Callable[[PipelineRun], str],
    ) -> None:
        self._store = store
        self._settings = settings
        self._folder = folder
        self._runs = runs
        self._packages = packages
        self._register = register
        self._render = render

    def names(self) -> builtins.list[str]:
        """The pipelines there are."""
        return sorted(self._settings.tables["pipelines"])

    def pipeline(self, name: str) -> Pipeline:
        """A pipeline as ``nbprod.toml`` has it.

        Raises
        ------
        NotFoundError
            There is none of that name.
        SettingsError
            It cannot be used; the step at fault is named.
        """
        tables = self._settings.tables["pipelines"]
        if name not in tables:
            raise NotFoundError(
                f"There is no pipeline {name!r}", hint=f"Add [pipelines.{name}.steps.…]. {nearest(name, tables)}"
            )
        return with_gate_parameters(Pipeline.parse(name, tables[name]), Gates(self._settings.tables["gates"]))

    def check(self, name: str, inputs: Mapping[str, Any] | None = None, *, from_text: bool = False) -> Pipeline:
        """Check everything that can be checked before a pipeline runs, and start nothing; raises as ``run`` does."""
        pipeline = self.pipeline(name)
        check(pipeline, bind_inputs(pipeline, inputs or {}, from_text=from_text), self._runs)
        return pipeline

    def run(
        self,
        name: str,
        inputs: Mapping[str, Any] | None = None,
        /,
        *,
        jobs: int | None = None,
        caused_by: str | None = None,
        from_text: bool = False,
        on_step: StepCallback | None = None,
        **more: Any,
    ) -> PipelineRun:
        """Execute a pipeline.

        Parameters
        ----------
        name
            Of ``[pipelines.NAME]``.
        inputs
            Its inputs by name, for names that a keyword cannot have.
        jobs
            How many steps at a time; by default one for each processor.
        caused_by
            The alert or schedule behind it.
        from_text
            The inputs are texts from a command line.
        on_step
            Called with a step's result whenever it changes.
        **more
            Inputs by name.

        Raises
        ------
        NotFoundError
            There is no such pipeline, template or data set; nothing was started.
        ParameterError
            An input or parameter is unknown, missing or of the wrong type; nothing was started.
        SettingsError
            The pipeline itself cannot be used; nothing was started.
        """
        pipeline = self.pipeline(name)
        values = bind_inputs(pipeline, {**(inputs or {}), **more}, from_text=from_text)
        check(pipeline, values, self._runs)
        run_id = time_id(name.replace("_", "-"))
        run = PipelineRun(
            id=run_id,
            pipeline=name,
            status=RunStatus.RUNNING,
            created_at=now(),
            inputs=values,
            steps=_waiting(pipeline),
            caused_by=caused_by,
            actor=self._store.actor,
            folder=str(make_folder(self._folder / run_id)),
        )
        lease = Lease(Path(run.folder))  # before the ledger knows it: a reader takes what nobody holds for lost
        try:
            with self._store.write() as session:
                session.add(run)
                session.event("pipeline.started", run_id, data={"pipeline": name, "caused_by": caused_by})
        except StoreError:
            shutil.rmtree(run.folder, ignore_errors=True)
            raise
        return self._execute(run, pipeline, lease, jobs=jobs, on_step=on_step)

    def resume(
        self,
        run: PipelineRun | str,
        *,
        jobs: int | None = None,
        on_step: StepCallback | None = None,
    ) -> PipelineRun:
        """Go on with an execution that did not succeed, with the pipeline and notebooks as they are now.

        A step that succeeded is not executed again unless something it depends on has changed since.

        Raises
        ------
        ConflictError
            A process works on it at this moment.
        """
        found = self.get(run)
        pipeline = self.pipeline(found.pipeline)
        inputs = {**pipeline.inputs, **{name: one for name, one in found.inputs.items() if name in pipeline.inputs}}
        check(pipeline, inputs, self._runs)
        with locked(make_folder(Path(found.folder)) / "lock"):
            if not found.is_finished or is_held(Path(found.folder)):
                raise ConflictError(f"Pipeline run {found.id} is running; there is nothing to resume")
            (Path(found.folder) / CANCEL).unlink(missing_ok=True)
            lease = Lease(Path(found.folder))
            again = replace(
                found,
                status=RunStatus.RUNNING,
                ended_at=None,
                inputs=inputs,
                steps=_waiting(pipeline),
                revision=found.revision + 1,
            )
            try:
                with self._store.write() as session:
                    session.replace(again, expecting={"revision": found.revision})
                    session.event("pipeline.resumed", found.id, data={"pipeline": found.pipeline})
            except NbprodError:
                lease.end()
                raise
        return self._execute(again, pipeline, lease, jobs=jobs, on_step=on_step)

    def ask_to_stop(self, run: PipelineRun) -> None:
        """Leave the wish for the process that works on it: it stops what runs and starts nothing more."""
        write_file(Path(run.folder) / CANCEL, f"{self._store.actor}\n")

    def get(self, run: PipelineRun | str) -> PipelineRun:
        """An execution by its id or the end of it, or the newest one of a pipeline's name.

        Raises
        ------
        NotFoundError
            There is none, or there are several.
        """
        wanted = run.id if isinstance(run, PipelineRun) else run
        with self._store.read() as session:
            newest = session.list(PipelineRun, {"pipeline": wanted}, limit=1)
            found = newest[0] if newest else find(session, PipelineRun, wanted, called="pipeline run")
        return self._refreshed(found)

    def list(self, pipeline: str | None = None, *, limit: int | None = 50) -> builtins.list[PipelineRun]:
        """Executions, newest first."""
        with self._store.read() as session:
            found = session.list(PipelineRun, {"pipeline": pipeline} if pipeline else None, limit=limit)
        return [self._refreshed(run) for run in found]

    def _execute(
        self, run: PipelineRun, pipeline: Pipeline, lease: Lease, *, jobs: int | None, on_step: StepCallback | None
    ) -> PipelineRun:
        context = StepContext(
            pipeline=pipeline,
            before=self._before(run),
            runs=self._runs,
            packages=self._packages,
            register=self._register,
        )
        return execute(run, context, lease, save=self._save, jobs=jobs, on_step=on_step)

    def _before(self, run: PipelineRun) -> dict[str, Run]:
        """By step, its newest run that succeeded in an earlier execution of the pipeline."""
        with self._store.read() as session:
            found: dict[str, Run] = {}
            for one in session.list(PipelineRun, {"pipeline": run.pipeline}, until=run.created_at, limit=20):
                for step in one.steps:
                    if step.run_id and step.name not in found and step.status is StepStatus.SUCCEEDED:
                        known = session.find(Run, step.run_id)
                        if known is not None:
                            found[step.name] = known
        return found

    def _save(self, before: PipelineRun, after: PipelineRun) -> PipelineRun:
        after = replace(after, revision=before.revision + 1)
        with self._store.write() as session:
            session.replace(after, expecting={"revision": before.revision})
            if after.is_finished:
                session.event(f"pipeline.{after.status}", after.id, reason=after.sentence)
        write_file(Path(after.folder) / "report.html", self._render(after))
        return after

    def _refreshed(self, run: PipelineRun) -> PipelineRun:
        """The execution; one whose process vanished is marked ``lost`` here."""
        if run.is_finished or not Path(run.folder).is_dir() or is_held(Path(run.folder)):
            return run
        steps = tuple(
            replace(step, status=StepStatus.FAILED, error="the process that worked on it vanished")
            if step.status is StepStatus.RUNNING
            else step
            for step in run.steps
        )
        try:
            return self._save(run, replace(run, status=RunStatus.LOST, ended_at=now(), steps=steps))
        except StaleMoveError:  # somebody else looked at the same time, or it is being resumed
            with self._store.read() as session:
                return session.get(PipelineRun, run.id)

    def __repr__(self) -> str:
        return f"<Pipelines {', '.join(self.names())}>"


def _waiting(pipeline: Pipeline) -> tuple[StepResult, ...]:
    return tuple(
        StepResult(name=step.name, needs=step.needs, what=step.notebook or step.register) for step in pipeline.steps
    )


def with_gate_parameters(pipeline: Pipeline, gates: Gates) -> Pipeline:
    """The pipeline, whose evaluations for a registration have the parameters its model's gates ask for.

    An evaluation by other numbers than the gates' would be no evidence when the version is to be promoted.

    Raises
    ------
    SettingsError
        A step's own parameter contradicts the gates.
    """
    judged: dict[str, str] = {}  # model by step
    for step in pipeline.steps:
        if step.register:
            judged |= {one.step: step.register for one in references(step.parameters.get("verdict", "")) if one.step}

    def with_gates(step: Step) -> Step:
        if step.notebook != "evaluate" or step.name not in judged:
            return step
        return replace(step, parameters=policy_parameters(gates.policy(judged[step.name]), step.parameters))

    return replace(pipeline, steps=tuple(map(with_gates, pipeline.steps)))
