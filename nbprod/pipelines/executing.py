"""Executes the steps of a pipeline: branches side by side, what needs a failed step left out, every move recorded."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from nbprod.clock import now
from nbprod.domain.check import CheckOutcome
from nbprod.domain.names import nearest
from nbprod.domain.pipeline import Pipeline, PipelineRun, Step, StepResult, StepStatus
from nbprod.domain.reference import Reference, filled
from nbprod.domain.run import Run, RunStatus
from nbprod.errors import NbprodError, NotFoundError
from nbprod.notebook.lease import Lease
from nbprod.notebook.stopping import SignalCatcher, is_stop_requested
from nbprod.packages import Packages
from nbprod.pipelines.changes import compare
from nbprod.pipelines.checking import notebook_path
from nbprod.runs import Runs
from nbprod.runs.finalizing import ingredients
from nbprod.runs.keys import run_key
from nbprod.runs.sweeping import share_processors

__all__ = ["Register", "StepCallback", "StepContext", "execute"]

StepCallback = Callable[[StepResult], None]
LOOK_S = 0.5  # how often it is seen that somebody wants it to stop
STOPS = {StepStatus.FAILED, StepStatus.REFUSED, StepStatus.SKIPPED}


class Register(Protocol):
    """Makes a package the next version of a model."""

    def __call__(self, package: str, verdict: str | None = None, *, model: str, caused_by: str) -> str:
        """The version, the same one for the same package, with the run that judged it as evidence."""
        ...


@dataclass(frozen=True, kw_only=True)
class StepContext:
    """What the steps are executed with."""

    pipeline: Pipeline
    before: Mapping[str, Run]  #: by step: its run in the execution of this pipeline before this one
    runs: Runs
    packages: Packages
    register: Register
    env: Mapping[str, str] = field(default_factory=dict)


def execute(
    run: PipelineRun,
    context: StepContext,
    lease: Lease,
    *,
    save: Callable[[PipelineRun, PipelineRun], PipelineRun],
    jobs: int | None = None,
    on_step: StepCallback | None = None,
) -> PipelineRun:
    """Execute every step that is waiting.

    Parameters
    ----------
    lease
        Of its folder; renewed while it works, and given back at the end.
    save
        Puts the second state where the first one was, and gives what is there then.
    on_step
        Called with a step's result whenever it changes.

    Raises
    ------
    KeyboardInterrupt, SystemExit
        As the signal that stopped it asked; everything is recorded by then.
    """
    pipeline, runs = context.pipeline, context.runs
    at_once, env = share_processors(len(pipeline.steps), jobs)
    context = replace(context, env=env)

    def put(result: StepResult) -> None:
        nonlocal run
        steps = tuple(result if one.name == result.name else one for one in run.steps)
        run = save(run, replace(run, steps=steps))
        if on_step:
            on_step(result)

    futures: dict[Future[StepResult], str] = {}
    is_stopping = False
    with (
        released(lease),
        SignalCatcher() as signals,
        ThreadPoolExecutor(at_once, thread_name_prefix="nbprod-pipeline") as pool,
    ):
        while True:
            is_stopping = is_stopping or bool(signals.signum) or is_stop_requested(Path(run.folder))
            if is_stopping:
                _stop_members(run, runs)
            for step in () if is_stopping else pipeline.steps:
                needed = [run[name] for name in step.needs]
                if run[step.name].status is not StepStatus.WAITING:
                    continue
                if stopped := [one for one in needed if one.status in STOPS]:
                    reason = " and ".join(f"{one.name}, which {_ended(one.status)}" for one in stopped)
                    put(replace(run[step.name], status=StepStatus.SKIPPED, reason=f"it needs {reason}"))
                elif all(one.status is StepStatus.SUCCEEDED for one in needed) and len(futures) < at_once:
                    put(replace(run[step.name], status=StepStatus.RUNNING))
                    futures[pool.submit(_run_step, step, run, context)] = step.name
            if not futures:
                break
            for done in wait(futures, timeout=LOOK_S, return_when=FIRST_COMPLETED).done:
                del futures[done]
                put(done.result())
            lease.beat()
        status = RunStatus.CANCELLED if is_stopping else RunStatus.FAILED
        if all(step.status is StepStatus.SUCCEEDED for step in run.steps):
            status = RunStatus.SUCCEEDED
        run = save(run, replace(run, status=status, ended_at=now()))
    signals.pass_on()
    return run


@contextmanager
def released(lease: Lease) -> Iterator[None]:
    """Give a lease back after everything is recorded: a reader takes what nobody holds for lost."""
    try:
        yield
    finally:
        lease.end()


def _stop_members(run: PipelineRun, runs: Runs) -> None:
    for member in runs.list(status=RunStatus.RUNNING, limit=None):
        if (member.caused_by or "").startswith(f"{run.id}/") and not is_stop_requested(Path(member.folder)):
            runs.ask_to_stop(member)


def _run_step(step: Step, run: PipelineRun, context: StepContext) -> StepResult:
    """Execute one step, in a thread of its own; whatever goes wrong is its result."""
    began, result = time.monotonic(), run[step.name]
    try:
        result = _execute_step(step, run, context)
    except NbprodError as error:
        result = replace(result, status=StepStatus.FAILED, error=error.message.splitlines()[0])
    except Exception as error:  # noqa: BLE001 — the other branches go on, and the ledger says what happened
        result = replace(result, status=StepStatus.FAILED, error=f"{type(error).__name__}: {error}")
    return replace(result, seconds=time.monotonic() - began)


def _execute_step(step: Step, run: PipelineRun, context: StepContext) -> StepResult:
    result, cause = run[step.name], f"{run.id}/{step.name}"
    values = filled(step.parameters, lambda one: resolve_reference(one, run, run.inputs, context.runs))
    if step.register:
        version = context.register(**values, model=step.register, caused_by=cause)
        return replace(result, status=StepStatus.SUCCEEDED, version=version, package=values["package"])
    plan = context.runs.plan(notebook_path(step.notebook, context.runs), values)
    key = run_key(plan.ingredients)
    result = replace(result, key=key, changes="", reached_by=(), error=None)
    if previous := context.before.get(step.name):
        upstream = {one.name for one in run.steps if one.changes}
        found = compare(step, ingredients(previous), plan.ingredients, upstream)
        result = replace(result, changes=found.description, reached_by=found.reached_by)
    with context.runs.store.read() as session:
        attempts = session.list(Run, {"caused_by": cause})
    attempts = [context.runs.get(attempt) for attempt in attempts]
    same = next((one for one in attempts if one.succeeded and run_key(ingredients(one)) == key), None)
    if same:
        member, reason = same, "unchanged since it succeeded"
    else:
        reason = "executed again" if attempts else "executed"
        member = context.runs.execute(
            plan, caused_by=cause, env=context.env, timeout_s=step.timeout_s, retries=step.retries
        )
    result = replace(result, run_id=member.id, reason=reason)
    if not member.succeeded:
        at = f" in cell {member.failed_at}" if member.failed_at else ""
        return replace(result, status=StepStatus.FAILED, error=f"{member.status}{at}: {member.error}")
    no = [one.sentence for one in context.runs.results(member).checks if one.outcome is CheckOutcome.FAILED]
    if no and step.is_stopped_by_checks:
        return replace(result, status=StepStatus.REFUSED, error=no[0])
    if any(
        (one.step, one.part) == (step.name, "package") for other in context.pipeline.steps for one in other.references
    ):
        result = replace(result, package=context.packages.build(member).digest)
    return replace(result, status=StepStatus.SUCCEEDED, error=f"ignored: {no[0]}" if no else None)


def _ended(status: StepStatus) -> str:
    return {StepStatus.FAILED: "failed", StepStatus.REFUSED: "was refused", StepStatus.SKIPPED: "was skipped"}[status]


def resolve_reference(reference: Reference, run: PipelineRun, inputs: Mapping[str, Any], runs: Runs) -> Any:
    """The value of a reference.

    Raises
    ------
    NotFoundError
        The step recorded no such number, or left no such file.
    """
    if not reference.step:
        return inputs[reference.part]
    result = run[reference.step]
    if reference.part in {"run", "package", "version"}:
        return {"run": result.run_id, "package": result.package, "version": result.version}[reference.part]
    assert result.run_id
    member = runs.get(result.run_id)
    if reference.part == "metrics":
        if reference.name not in member.metrics:
            raise NotFoundError(
                f"{reference.step} recorded no number {reference.name!r}",
                hint=nearest(reference.name, member.metrics),
            )
        return member.metrics[reference.name]
    return _file(Path(member.folder) / "files", reference)


def _file(folder: Path, reference: Reference) -> str:
    parts = PurePosixPath(reference.name).parts
    path = folder.joinpath(*parts)
    if ".." in parts or not path.is_file() or not path.resolve().is_relative_to(folder.resolve()):
        there = [one.relative_to(folder).as_posix() for one in folder.rglob("*") if one.is_file()]
        raise NotFoundError(
            f"{reference.step} left no file {reference.name!r}", hint=nearest(reference.name, there[:200])
        )
    return str(path)
