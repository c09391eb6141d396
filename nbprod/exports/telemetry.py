"""What other tools are told of a workspace: Prometheus, OpenTelemetry, OpenLineage and evidently."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from nbprod.clock import now
from nbprod.disk import make_folder, write_file
from nbprod.domain.alert import Alert
from nbprod.domain.deployment import Deployment
from nbprod.domain.monitor import MonitorReport
from nbprod.domain.package import ModelPackage
from nbprod.domain.run import Run
from nbprod.exports import openlineage, opentelemetry, prometheus
from nbprod.exports.opentelemetry import Count
from nbprod.exports.posting import checked_url, post_json
from nbprod.lake import Lake
from nbprod.monitors import Target
from nbprod.store import Store

__all__ = ["Telemetry"]

ALERTS = tuple(
    f"alert.{change}"
    for change in "opened repeated grew raised eased acknowledged snoozed woke escalated resolved".split()  # noqa: SIM905
)


class Telemetry:
    """Tells other tools what the records say; reached as ``ws.telemetry``.

    Parameters
    ----------
    store, lake
        The ledger and the tables.
    workspace
        Its name.
    target
        Finds what a deployment is at this moment.
    """

    def __init__(self, store: Store, lake: Lake, *, workspace: str, target: Callable[[str], Target]) -> None:
        self._store = store
        self._lake = lake
        self._workspace = workspace
        self._target = target

    def prometheus(self, deployment: str | None = None) -> str:
        """Every check of the newest report of a deployment, or of all, as Prometheus reads it."""
        names = self._names(deployment)
        with self._store.read() as session:
            alerts = session.list(Alert, {"deployment": names}, limit=None)
        return prometheus.exposition(self._newest(names), alerts)

    def write_prometheus(self, path: Path | str, deployment: str | None = None) -> Path:
        """The same as a file for a textfile collector: replaced whole, readable by others."""
        return prometheus.write_exposition(Path(path).expanduser(), self.prometheus(deployment))

    def opentelemetry(
        self, endpoint: str, *, since: datetime | None = None, headers: Mapping[str, str] | None = None
    ) -> Mapping[str, int | str]:
        """Send runs, counts, checks and alerts to a collector by OTLP over HTTP.

        Parameters
        ----------
        endpoint
            Its address without ``/v1/…``: ``http://127.0.0.1:4318``.
        since
            Leaves out older runs and events.
        headers
            Of each request, for a collector that wants a token.

        Returns
        -------
        How many ``runs``, ``events`` and ``gauges`` were sent, and ``refused``: what was not taken, in words.

        Raises
        ------
        EnvironmentProblem
            The collector is away or refuses.
        """
        checked_url(endpoint)
        names = self._names(None)
        with self._store.read() as session:
            runs = session.list(Run, since=since, limit=None)
            events = session.events(kind=ALERTS, since=since, limit=None)
            alerts = session.list(Alert, limit=None)
        counts = [*self._counts(names), *_alert_counts(alerts)]
        contents = {
            "traces": opentelemetry.traces(runs, self._workspace),
            "metrics": opentelemetry.metrics(counts, self._newest(names), self._workspace, now()),
            "logs": opentelemetry.logs(events, self._workspace),
        }
        said = [opentelemetry.send(endpoint, name, content, headers or {}) for name, content in contents.items()]
        finished = sum(run.is_finished for run in runs)
        return {
            "runs": finished,
            "events": len(events),
            "gauges": len(counts),
            "refused": "; ".join(filter(None, said)),
        }

    def openlineage(
        self,
        *,
        url: str | None = None,
        path: Path | str | None = None,
        since: datetime | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Sequence[Mapping[str, object]]:
        """Events of runs and packages, to a file of one JSON event a line, to a server, or to neither.

        Raises
        ------
        EnvironmentProblem
            The server is away or refuses; events before are told, and telling them again changes nothing.
        """
        with self._store.read() as session:
            runs = session.list(Run, since=since, limit=None)
            packages = session.list(ModelPackage, since=since, limit=None)
        events = openlineage.lineage_events(runs, packages, self._workspace)
        if path is not None:
            lines = "".join(json.dumps(event, ensure_ascii=False, allow_nan=False) + "\n" for event in events)
            write_file(Path(path).expanduser(), lines)
        if url is not None:
            for event in events:
                post_json(url, event, headers or {})
        return events

    def evidently(self, folder: Path | str, deployment: str | None = None, *, limit: int = 12) -> Mapping[str, int]:
        """Add the newest windows of a deployment, or of all, to a workspace of evidently; how many were new."""
        from nbprod.exports.evidently import export_snapshots  # delayed: pandas

        place = make_folder(Path(folder).expanduser())
        with self._store.read() as session:
            reports = {
                name: session.list(MonitorReport, {"deployment": name}, limit=limit)
                for name in self._names(deployment)
            }
        return {name: export_snapshots(place, self._target(name), found) for name, found in reports.items() if found}

    def _names(self, deployment: str | None) -> list[str]:
        with self._store.read() as session:
            if deployment is not None:
                return [session.get(Deployment, deployment).name]
            return [one.name for one in session.list(Deployment, limit=None, newest_first=False)]

    def _newest(self, names: Sequence[str]) -> list[MonitorReport]:
        with self._store.read() as session:
            return [one for name in names for one in session.list(MonitorReport, {"deployment": name}, limit=1)]

    def _counts(self, names: Sequence[str]) -> list[Count]:
        from nbprod.lake.segments import rows_in  # delayed: pyarrow

        counts: list[Count] = []
        for name in names:
            window = self._lake.window(name)
            counts += [
                ("nbprod.predictions", {"nbprod.deployment": name, "nbprod.version": version}, float(rows))
                for version, rows in sorted(rows_in(window, (), limit=0).versions.items())
            ]
            counts.append(("nbprod.outcomes", {"nbprod.deployment": name}, float(window.count_outcomes())))
        return counts


def _alert_counts(alerts: Sequence[Alert]) -> list[Count]:
    found: dict[tuple[str, str], float] = {}
    for alert in alerts:
        key = (alert.deployment, alert.status.value)
        found[key] = found.get(key, 0.0) + 1
    return [
        ("nbprod.alerts", {"nbprod.deployment": name, "nbprod.status": status}, count)
        for (name, status), count in sorted(found.items())
    ]
