"""From a run's folder to the ledger's row: what the journal, the notebook and ``run.json`` say together."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from nbprod import clock
from nbprod.domain.execution import ExecutionResult
from nbprod.domain.run import CellStatus, EndCause, Run, RunStatus
from nbprod.errors import NotFoundError
from nbprod.notebook.journal import Journal, read_result
from nbprod.notebook.lease import is_held

__all__ = ["RUN", "finalized", "ingredients", "inspect_execution", "modules_of", "read_run", "run_json"]

RUN = "run.json"
START_WITHIN = timedelta(seconds=60)  # between the folder and the lease of a run in a process of its own


def run_json(run: Run, **more: Any) -> str:
    """The part of a run that is known before it starts, as kept in its folder."""
    content = {
        name: getattr(run, name)
        for name in (
            "id template source template_digest parameters caused_by actor data git environment".split()  # noqa: SIM905
        )
    }
    return json.dumps({**content, "created_at": clock.format_utc(run.created_at), **more}, indent=1, allow_nan=False)


def read_run(folder: Path) -> Run:
    """A run as its folder knows it, before its journal is looked at.

    Raises
    ------
    NotFoundError
        The folder holds no run.
    """
    try:
        content = json.loads((folder / RUN).read_bytes())
    except (OSError, ValueError) as error:
        raise NotFoundError(f"{folder} holds no run: {error}") from error
    known = {field.name for field in fields(Run)}
    content["created_at"] = clock.parse_utc(content["created_at"])
    return Run(
        status=RunStatus.QUEUED,
        folder=str(folder),
        **{name: value for name, value in content.items() if name in known},
    )


def modules_of(run: Run) -> dict[str, str]:
    """Digests of the local modules a run started with; none where its folder does not say."""
    found: dict[str, str] = _read_run_json(run).get("modules", {})
    return found


def ingredients(run: Run) -> dict[str, Any]:
    """What the results of a run depend on; local modules are in its folder alone."""
    content = _read_run_json(run)
    # None is unlike any other: a run in parts, or one whose folder is gone, is never taken for a new one
    modules = modules_of(run) if content and "resumes" not in content else None
    return {
        "code": run.template_digest,
        "parameters": dict(run.parameters),
        "data": dict(run.data),
        "modules": modules,
        "environment": run.environment,
    }


def _read_run_json(run: Run) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((Path(run.folder) / RUN).read_bytes())
    except (OSError, ValueError):
        return {}
    return found


def inspect_execution(folder: Path, *, created_at: Any = None) -> ExecutionResult:
    """Where an execution stands; one whose process vanished is marked ``lost`` here, in journal and notebook."""
    result = read_result(folder)
    if result.ended_at or is_held(folder):
        return result
    result = read_result(folder)  # it may have ended between the two looks
    if result.ended_at:
        return result
    if result.status is RunStatus.QUEUED and created_at and clock.now() - created_at < START_WITHIN:
        return result
    at = next((cell.id for cell in result.cells if cell.status is CellStatus.RUNNING), None)
    message = "The process that executed this run is gone"
    with Journal(folder) as journal:
        if at:
            journal.append("cell.ended", cell=at, status=CellStatus.FAILED.value, cause=EndCause.LOST.value)
        journal.append(
            "run.ended",
            durable=True,
            status=RunStatus.LOST.value,
            cause=EndCause.LOST.value,
            cell=at,
            error=message,
        )
    from nbprod.notebook.recovery import (
        recover_notebook,  # delayed: nbformat, which reading a list of runs does not need
    )

    recover_notebook(folder)
    return read_result(folder)


def finalized(run: Run, result: ExecutionResult, metrics: Callable[[], dict[str, float]]) -> Run:
    """The run with what its execution came to.

    The recorded numbers are asked for only when there is an end.
    """
    return replace(
        run,
        status=result.status,
        started_at=result.started_at,
        ended_at=result.ended_at,
        cause=result.cause,
        failed_cell=result.failed_cell,
        failed_cell_name=result.failed_at if result.failed_at != result.failed_cell else None,
        error=result.error,
        metrics=metrics() if result.ended_at else {},
    )
