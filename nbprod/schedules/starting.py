"""Starts what a schedule names, and finds again what was started for a due moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nbprod.domain.names import nearest
from nbprod.domain.pipeline import PipelineRun
from nbprod.domain.run import Run, RunStatus
from nbprod.domain.schedule import JobKind, Schedule
from nbprod.errors import ParameterError
from nbprod.monitors import Monitors
from nbprod.pipelines import Pipelines
from nbprod.pipelines.checking import notebook_path
from nbprod.runs import Runs
from nbprod.store import Store

__all__ = ["Job", "Jobs"]

MONITOR = {"window", "rich"}


@dataclass(frozen=True, kw_only=True)
class Job:
    """What was started."""

    id: str
    status: RunStatus
    summary: str = ""  #: how it ended, where that is not plain


class Jobs:
    """Runs, pipelines and monitors, as schedules start them."""

    def __init__(self, store: Store, *, runs: Runs, pipelines: Pipelines, monitors: Monitors) -> None:
        self._store = store
        self._runs = runs
        self._pipelines = pipelines
        self._monitors = monitors

    def check(self, schedule: Schedule) -> None:
        """Refuse a schedule whose start would be refused.

        Raises
        ------
        NotFoundError
            There is no such template, pipeline or data set.
        ParameterError
            A parameter is unknown, missing or of the wrong type.
        """
        if schedule.starts is JobKind.RUN:
            self._runs.plan(notebook_path(schedule.target, self._runs), schedule.parameters)
        elif schedule.starts is JobKind.PIPELINE:
            self._pipelines.check(schedule.target, schedule.parameters)
        else:
            self._monitor_parameters(schedule)

    def start(self, schedule: Schedule, cause: str) -> Job:
        """Start it and wait until it has ended; raises what the start raises."""
        if schedule.starts is JobKind.RUN:
            return _of_run(
                self._runs.start(notebook_path(schedule.target, self._runs), schedule.parameters, caused_by=cause)
            )
        if schedule.starts is JobKind.PIPELINE:
            return _of_pipeline(self._pipelines.run(schedule.target, schedule.parameters, caused_by=cause))
        report = self._monitors.run(schedule.target, caused_by=cause, **self._monitor_parameters(schedule))
        return Job(id=report.run_id, status=RunStatus.SUCCEEDED, summary=f"{report.verdict}: {report.sentence}")

    def find(self, cause: str) -> Job | None:
        """What was started for a due moment, as it stands now."""
        with self._store.read() as session:
            runs = session.list(Run, {"caused_by": cause}, limit=1)
            pipelines = session.list(PipelineRun, {"caused_by": cause}, limit=1)
        if pipelines:
            return _of_pipeline(self._pipelines.get(pipelines[0]))
        return _of_run(self._runs.get(runs[0])) if runs else None

    def stop(self, cause: str) -> None:
        """Ask everything that was started for a due moment to stop."""
        with self._store.read() as session:
            pipelines = session.list(PipelineRun, {"caused_by": cause, "status": RunStatus.RUNNING})
            runs = session.list(Run, {"caused_by": cause, "status": RunStatus.RUNNING})
        for pipeline in pipelines:
            self._pipelines.ask_to_stop(pipeline)
        for run in runs:
            self._runs.ask_to_stop(run)

    def _monitor_parameters(self, schedule: Schedule) -> Mapping[str, Any]:
        if unknown := sorted(set(schedule.parameters) - MONITOR):
            raise ParameterError(
                f"{unknown[0]!r} cannot be set for a monitor",
                names=unknown,
                hint=nearest(unknown[0], MONITOR),
            )
        return schedule.parameters


def _of_run(run: Run) -> Job:
    at = f" in cell {run.failed_at}" if run.failed_at else ""
    return Job(
        id=run.id, status=run.status, summary="" if run.succeeded or not run.is_finished else f"{run.error}{at}"
    )


def _of_pipeline(run: PipelineRun) -> Job:
    hint = f"; go on with nbprod pipeline run {run.pipeline} --resume {run.id}"
    summary = "" if run.succeeded or not run.is_finished else run.sentence + hint
    return Job(id=run.id, status=run.status, summary=summary)
