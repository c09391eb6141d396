"""Monitored windows as snapshots in a workspace of evidently, which its own UI opens.

Reference and rows are those the monitor looked at; the numbers in the snapshot are evidently's own, and decide
nothing here. A window that is there already is left alone.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nbprod.domain.monitor import MonitorReport
from nbprod.errors import NbprodError
from nbprod.monitors import Target, load_window

__all__ = ["export_snapshots"]

RUN, VERDICT, VERSION = "nbprod.run", "nbprod.verdict", "nbprod.version"  # what a snapshot says of its window


def export_snapshots(folder: Path, target: Target, reports: Sequence[MonitorReport]) -> int:
    """Add windows of a deployment to its project in a workspace of evidently; return how many were new.

    Parameters
    ----------
    folder
        evidently's workspace; made if it does not exist. Show it with ``evidently ui --workspace FOLDER``.
    target
        The deployment, its package and tables.
    reports
        Of its windows; one whose version is gone, or whose rows were pruned, is left out.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of deprecations in evidently and what it imports
        # delayed: evidently takes seconds to import
        from evidently.ui.workspace import Workspace

        from nbprod.monitors.evidently_report import snapshot_of

        workspace = Workspace.create(str(folder))
        name = target.deployment.name
        project = next(iter(workspace.search_project(name)), None) or workspace.create_project(name)
        there = {_run_of(workspace, project.id, one) for one in workspace.list_runs(project.id)}
        added = 0
        for report in sorted(reports, key=lambda one: one.end):
            rows = _rows(target, report) if report.run_id not in there else None
            if rows is None:
                continue
            about = {RUN: report.run_id, VERDICT: report.verdict.value, VERSION: report.version or ""}
            current, reference, columns = rows
            snapshot = snapshot_of(
                reference, current, columns, timestamp=report.end, metadata=about, tags=[report.verdict.value]
            )
            workspace.add_run(project.id, snapshot, name=f"{name} {report.window}")
            added += 1
    return added


def _rows(target: Target, report: MonitorReport) -> tuple[Any, Any, list[str]] | None:
    """The rows of a window and its reference, with the columns to compare: those that changed first."""
    known = target.deployment
    try:
        window = load_window(
            target.lake,
            known.name,
            start=report.start,
            end=report.end,
            package=target.package or None,
            reference=known.reference,
            task=known.task,
            target=known.target,
        )
    except NbprodError:
        return None
    current, reference = window.current, window.reference.rows
    names = dict.fromkeys([*report.changed, *window.reference.inputs])
    columns = [name for name in names if name in current and name in reference]
    return (current, reference, columns) if len(current) and columns else None


def _run_of(workspace: Any, project: Any, snapshot: Any) -> str | None:
    found = workspace.get_run(project, snapshot)
    return str(found.metadata.get(RUN)) if found is not None else None
