"""What a monitor's notebook is told of what is watched beside the model: KPIs, objectives, tables, batch jobs."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from nbprod.domain.monitor import MonitoredBeside, Window
from nbprod.domain.objective import JobRules
from nbprod.domain.run import Run
from nbprod.errors import SettingsError
from nbprod.store import Store

__all__ = ["batch_jobs", "parameters_beside"]

JOBS_BEFORE = timedelta(weeks=8)  #: of which it is learned how batch jobs usually run
MOST_JOBS = 2000


def parameters_beside(
    beside: MonitoredBeside, *, folder: Path, locate: Callable[[str], str], jobs: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """Parameters of the notebook, only those that say something: a copy of it may lack the others.

    Parameters
    ----------
    beside
        What is watched.
    folder
        Of the workspace, in which the file of KPIs must be.
    locate
        The path or URL of a registered data set.
    jobs
        As `batch_jobs` gives them.

    Raises
    ------
    SettingsError
        The file of KPIs cannot be used.
    """
    given: dict[str, Any] = {"objectives": beside.objectives.to_parameters()}
    given["tables"] = {name: locate(name) for name in beside.tables}
    if beside.kpis:
        path = _kpi_module(folder, beside.kpis)
        given |= {"kpis": str(path), "kpis_digest": sha256(path.read_bytes()).hexdigest()}
    if jobs or beside.jobs != JobRules():
        given["jobs"] = {"rules": asdict(beside.jobs), "runs": [*jobs]}
    return {name: value for name, value in given.items() if value}


def batch_jobs(store: Store, version: str | None, window: Window) -> list[dict[str, Any]]:
    """Batch jobs of a version's model in a window and the weeks before, oldest first: a notebook sees no ledger."""
    if version is None:
        return []
    model = version.split("/")[0]
    with store.read() as session:
        runs = session.list(
            Run, where={"template": "score"}, since=window.start - JOBS_BEFORE, until=window.end, limit=MOST_JOBS
        )
    return [
        {
            "id": run.id,
            "started": (run.started_at or run.created_at).isoformat(),
            "ended": run.ended_at.isoformat() if run.ended_at else None,
            "status": run.status.value,
            "rows": run.metrics.get("rows"),
            "rejected": run.metrics.get("rejected"),
        }
        for run in reversed(runs)
        if re.split(r"[/@]", str(run.parameters.get("version") or run.parameters.get("model")))[0] == model
    ]


def _kpi_module(folder: Path, named: str) -> Path:
    """The file of a workspace that defines KPIs."""
    path = (folder / named).resolve()
    if path.suffix != ".py" or not path.is_relative_to(folder.resolve()):
        raise SettingsError(
            f"kpis = {named!r} is no Python file of this workspace", hint='A path in it: kpis = "kpis.py"'
        )
    if not path.is_file():
        raise SettingsError(f"kpis = {named!r} does not exist", hint="Make the file, or mend [monitors.NAME] kpis.")
    return path
