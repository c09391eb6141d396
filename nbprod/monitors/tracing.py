"""From an alert to the rows it speaks of: their ids, the versions that answered them, and what made those."""

from __future__ import annotations

from pathlib import Path

from nbprod.domain.alert import Alert
from nbprod.domain.alert_trace import AlertTrace, VersionOrigin
from nbprod.domain.monitor import MonitorReport
from nbprod.domain.run import Run
from nbprod.domain.segment import Condition
from nbprod.domain.version import ModelRef, ModelVersion
from nbprod.errors import NbprodError, NotFoundError
from nbprod.lake import Lake
from nbprod.lake.segments import rows_in
from nbprod.runs import Runs
from nbprod.store import Session, Store

__all__ = ["trace_alert"]

#: The checks a segment explains: those that found the model worse. Others speak of all rows of their window.
OF_A_SEGMENT = ("performance", "estimated")


def trace_alert(store: Store, runs: Runs, lake: Lake, alert_id: str, *, limit: int) -> AlertTrace:
    """Find the rows of an alert, in the versions of the tables that its monitor read.

    Raises
    ------
    NotFoundError
        There is no such alert, or no monitor has seen it: a server's alert is about no rows.
    """
    with store.read() as session:
        alert = session.get(Alert, alert_id)
        report = session.find(MonitorReport, alert.run_id)
    if report is None:
        raise NotFoundError(
            f"alert {alert_id} was seen by {alert.run_id}, which is no monitor run, so it has no rows",
            hint=f"What servers counted is in the table health: nbprod predictions query {alert.deployment} SQL.",
        )
    conditions = _segment(runs, report.run_id) if alert.check in OF_A_SEGMENT else ()
    window = lake.window(alert.deployment, report.start, report.end, tables=report.tables)
    found = rows_in(window, conditions, limit=limit)
    with store.read() as session:
        run = session.find(Run, report.run_id)
        answered = sorted(found.versions.items(), key=lambda one: (-one[1], one[0]))
        versions = tuple(_origin(session, version, rows) for version, rows in answered)
    return AlertTrace(
        alert_id=alert.id,
        deployment=alert.deployment,
        check=alert.check,
        subject=alert.subject,
        summary=alert.summary,
        start=report.start,
        end=report.end,
        run_id=report.run_id,
        notebook=_notebook(run),
        conditions=conditions,
        rows=found.count,
        versions=versions,
        predictions=found.newest,
        tables=report.tables,
    )


def _segment(runs: Runs, run_id: str) -> tuple[Condition, ...]:
    """The segment the monitor recorded; none where it found none, or its run was pruned."""
    try:
        written = runs.results(run_id).get("segment", ())
    except NbprodError:
        return ()
    return tuple(map(Condition.read, written))


def _origin(session: Session, version: str, rows: int) -> VersionOrigin:
    try:
        ref = ModelRef.parse(version)
    except NbprodError:  # of an external deployment versions have names of their own
        return VersionOrigin(version=version, rows=rows)
    known = session.find(ModelVersion, ref.model, ref.number) if ref.number is not None else None
    run = session.find(Run, known.run_id) if known is not None and known.run_id else None
    return VersionOrigin(
        version=version,
        rows=rows,
        package=known.package if known is not None else None,
        run_id=run.id if run is not None else None,
        notebook=_notebook(run),
    )


def _notebook(run: Run | None) -> str | None:
    return str(Path(run.folder) / "notebook.ipynb") if run is not None and not run.is_pruned else None
