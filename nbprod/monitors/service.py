"""Monitors: run the monitor notebook over a window, keep its verdict, bring the alerts in line."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from nbprod.clock import now, parse_utc
from nbprod.domain.advice import Verdict
from nbprod.domain.alert import Alert
from nbprod.domain.alert_trace import AlertTrace
from nbprod.domain.deployment import Deployment
from nbprod.domain.event import Event
from nbprod.domain.monitor import SIDES, MonitoredBeside, MonitorPolicy, MonitorReport, Window, parse_duration
from nbprod.domain.run import Run
from nbprod.errors import NotFoundError, RunFailedError, SettingsError
from nbprod.monitors.alerts import Alerts
from nbprod.monitors.beside import batch_jobs, parameters_beside
from nbprod.monitors.budget import earlier_shares, look_level
from nbprod.monitors.target import Target, reference_of_target
from nbprod.runs import Runs
from nbprod.settings import Settings
from nbprod.store import Store

if TYPE_CHECKING:
    from nbprod.monitors.rehearsal import RehearsalResult
    from nbprod.statistics import FalseAlarms

__all__ = ["Monitors", "Target"]

MOST_LOOKS = 200  #: beginnings and ends of looks that are gone through for one whose process was killed


class Monitors:
    """Holds deployments against their package's reference.

    Parameters
    ----------
    store
        The ledger reports are kept in.
    settings
        Holds the ``[monitors.NAME]`` tables, one a deployment.
    runs
        Executes the notebook.
    alerts
        Opened, repeated and resolved by each report.
    target
        Finds what a deployment is at this moment.
    locate
        The path or URL of a registered data set.
    """

    def __init__(
        self,
        store: Store,
        settings: Settings,
        *,
        runs: Runs,
        alerts: Alerts,
        target: Callable[[str], Target],
        locate: Callable[[str], str],
    ) -> None:
        self._store = store
        self._settings = settings
        self._runs = runs
        self._alerts = alerts
        self._target = target
        self._locate = locate

    def policy(self, deployment: str) -> MonitorPolicy:
        """How a deployment is watched; the defaults where ``nbprod.toml`` says nothing."""
        return MonitorPolicy.parse(deployment, self._settings.tables["monitors"].get(deployment, {}))

    def beside(self, deployment: str) -> MonitoredBeside:
        """What else is watched: KPIs, objectives, batch jobs."""
        return MonitoredBeside.parse(deployment, self._settings.tables["monitors"].get(deployment, {}))

    def run(
        self,
        deployment: str,
        *,
        window: str | None = None,
        start: datetime | str | None = None,
        end: datetime | str | None = None,
        as_of: datetime | str | None = None,
        rich: str = "auto",
        caused_by: str | None = None,
    ) -> MonitorReport:
        """Look at one window of a deployment's predictions.

        Parameters
        ----------
        deployment
            Its name.
        window
            A length that ends at ``end``: ``24h``, ``30d``, ``4w``; thirty days without it and ``start``.
        start, end
            Event times; ``end`` is now by default. Text is ISO 8601, UTC where it names no zone.
        as_of
            Outcomes that arrived later are not seen; now by default.
        rich
            ``auto`` draws evidently's report when the window alarms, ``always`` and ``never`` say so themselves.
        caused_by
            The schedule, pipeline or run behind this.

        Raises
        ------
        NotFoundError
            There is no such deployment.
        RunFailedError
            The notebook did not finish; the run is named and no alert was touched.
        """
        target = self._target(deployment)
        chosen = _window(window, start, end)
        policy = self.policy(deployment)
        seen_at = _moment(as_of) if as_of is not None else now()
        looks = self.list(deployment, limit=None)
        level = look_level(chosen, looks, policy, version=target.version)
        with self._store.write() as session:
            session.event(
                "monitor.started",
                deployment,
                data={
                    "start": chosen.start.isoformat(),
                    "end": chosen.end.isoformat(),
                    "as_of": seen_at.isoformat(),
                    "version": target.version,
                },
            )
        run = self._runs.start(
            "monitor",
            caused_by=caused_by,
            deployment=deployment,
            lake=target.lake,
            package=target.package or None,
            reference=target.deployment.reference,
            task=target.deployment.task,
            target=target.deployment.target,
            start=chosen.start,
            end=chosen.end,
            as_of=seen_at,
            **asdict(policy) | {"columns": list(policy.columns)},
            **parameters_beside(
                self.beside(deployment),
                folder=self._settings.folder,
                locate=self._locate,
                jobs=batch_jobs(self._store, target.version, chosen),
            ),
            level=level,
            judged=list(earlier_shares(chosen, looks, version=target.version)),
            rich=rich,
        )
        if not run.succeeded:
            with self._store.write() as session:
                data = {"as_of": seen_at.isoformat()}
                session.event("monitor.failed", deployment, reason=run.error or "", evidence=(run.id,), data=data)
            raise RunFailedError(
                f"The monitor of {deployment} did not finish: {run.error}",
                run_id=run.id,
                hint=f"`nbprod runs show {run.id}` has the cell and its traceback.",
            )
        report = self._keep(self._report(run, deployment, target.version, chosen), seen_at)
        self._alerts.send()
        return report

    def catch_up(self) -> builtins.list[MonitorReport]:
        """Keep the reports of looks whose process was killed between the notebook's end and the ledger.

        Returns
        -------
        list of MonitorReport
            Those that were kept now, with their alerts.
        """
        with self._store.read() as session:
            looks = session.events(kind=("monitor.started", "monitor.reported", "monitor.failed"), limit=MOST_LOOKS)
        ended = {_look(event) for event in looks if event.kind != "monitor.started"}
        left = {
            _look(event): event for event in looks if event.kind == "monitor.started" and _look(event) not in ended
        }
        if not left:
            return []
        kept = []
        since = min(event.at for event in left.values())
        for run in reversed(self._runs.list("monitor", since=since, limit=None)):
            as_of = run.parameters.get("as_of")
            look = run.parameters.get("deployment"), as_of.isoformat() if isinstance(as_of, datetime) else as_of
            if look in left and run.succeeded:
                event = left.pop(look)
                window = Window(start=parse_utc(event.data["start"]), end=parse_utc(event.data["end"]))
                report = self._report(run, event.subject, event.data["version"], window)
                kept.append(self._keep(report, parse_utc(event.data["as_of"])))
        return kept

    def list(self, deployment: str | None = None, *, limit: int | None = 50) -> builtins.list[MonitorReport]:
        """Reports, newest first."""
        where = {"deployment": deployment} if deployment else {}
        with self._store.read() as session:
            return session.list(MonitorReport, where=where, limit=limit)

    def get(self, name: str) -> MonitorReport:
        """The report of a run, or the newest one of a deployment.

        Parameters
        ----------
        name
            The id of a monitor run, or a deployment's name.

        Raises
        ------
        NotFoundError
            That run is no monitor run, or the deployment has no report yet.
        """
        with self._store.read() as session:
            newest = session.list(MonitorReport, where={"deployment": name}, limit=1)
            if newest:
                return newest[0]
            if session.find(Deployment, name):
                raise NotFoundError(f"{name} has no monitor report yet", hint=f"nbprod monitor run {name}")
            return session.get(MonitorReport, name)

    def trace(self, alert_id: str, *, limit: int = 50) -> AlertTrace:
        """What stands behind an alert: the segment, its rows with their ids, versions, runs and notebooks.

        Parameters
        ----------
        alert_id
            The alert.
        limit
            How many of the rows are told one by one, the newest first.

        Raises
        ------
        NotFoundError
            There is no such alert, or it is a server's and about no rows.
        """
        from nbprod.lake import Lake  # delayed: pyarrow
        from nbprod.monitors.tracing import trace_alert

        with self._store.read() as session:
            deployment = session.get(Alert, alert_id).deployment
        return trace_alert(self._store, self._runs, Lake(self._target(deployment).lake), alert_id, limit=limit)

    def trend(self, deployment: str) -> builtins.list[dict[str, Any]]:
        """One row a window, oldest first: start, end, verdict, rows, outcomes, what changed, and each metric.

        A metric stands beside what was ``estimated_`` for it without outcomes, and what it was in the ``reference_``;
        ``contradicted`` names the metrics whose outcomes contradict the estimate.
        """
        reports = sorted(self.list(deployment, limit=None), key=lambda report: (report.start, report.end))
        return [
            {
                "start": report.start,
                "end": report.end,
                "verdict": report.verdict,
                "version": report.version,
                "rows": report.rows,
                "outcomes": report.outcomes,
                "changed": report.changed,
                "contradicted": report.contradicted,
                **{
                    SIDES[side] + name: value
                    for name, sides in report.by_metric.items()
                    for side, value in sides.items()
                },
            }
            for report in reports
        ]

    def calibrate(self, deployment: str, *, days: int = 1, per_year: float | None = None) -> FalseAlarms:
        """Measure how often the present configuration alarms on the reference itself, where nothing happened.

        Parameters
        ----------
        deployment
            Its name.
        days
            Length of a window.
        per_year
            The budget it is held against, false alarms a year; by default the one in ``nbprod.toml``.
        """
        from nbprod.monitors.rehearsal import calibrate  # delayed: pandas

        policy, reference = self.policy(deployment), reference_of_target(self._target(deployment))
        budget = policy.false_alarms_per_year if per_year is None else per_year
        return calibrate(reference, policy, days=days, per_year=budget)

    def rehearse(
        self,
        deployment: str,
        *,
        last: str = "180d",
        window: str = "30d",
        end: datetime | str | None = None,
        delay: str = "7d",
    ) -> builtins.list[RehearsalResult]:
        """Replay past windows through the same code; nothing is recorded and no alert is touched.

        Parameters
        ----------
        deployment
            Its name.
        last, end
            How much of the past, and where it ends; now by default.
        window
            Length of each window.
        delay
            How long after a window's end the monitor looks, so that outcomes can have come.
        """
        from nbprod.monitors.rehearsal import rehearse  # delayed: pandas

        target = self._target(deployment)
        whole = _window(last, None, end)
        found = rehearse(
            target.lake,
            deployment,
            self.policy(deployment),
            reference_of_target(target),
            whole,
            length=parse_duration(window),
            delay=parse_duration(delay),
        )
        return [*found]

    def _keep(self, report: MonitorReport, seen_at: datetime) -> MonitorReport:
        """Keep a report, its alerts and the messages about them in one transaction; once, whoever comes first."""
        with self._store.write() as session:
            if known := session.find(MonitorReport, report.run_id):
                return known
            session.add(report)
            session.event(
                "monitor.reported",
                report.deployment,
                reason=report.sentence,
                evidence=(report.run_id,),
                data={
                    "verdict": report.verdict,
                    "start": report.start.isoformat(),
                    "end": report.end.isoformat(),
                    "as_of": seen_at.isoformat(),
                },
            )
            self._alerts.record(session, report)
        return report

    def _report(self, run: Run, deployment: str, version: str | None, window: Window) -> MonitorReport:
        records = self._runs.results(run)
        return MonitorReport(
            run_id=run.id,
            deployment=deployment,
            version=version,
            start=window.start,
            end=window.end,
            verdict=Verdict(records["verdict"]),
            sentence=records["sentence"],
            rows=records["rows"],
            outcomes=records["outcomes"],
            checks=tuple(records["checks"]),
            changed=tuple(records["changed"]),
            metrics={name: value for name, value in run.metrics.items() if name not in {"rows", "outcomes"}},
            tables=records["tables"],
            created_at=now(),
        )


def _look(event: Event) -> tuple[Any, Any]:
    """What tells one look at a deployment from another: the moment it looked from, to the microsecond."""
    return event.subject, event.data.get("as_of")


def _moment(value: datetime | str) -> datetime:
    try:
        return parse_utc(value) if isinstance(value, str) else parse_utc(value.isoformat())
    except ValueError:
        raise SettingsError(f"{value!r} is not a moment", hint="Write 1997-05-01 or 1997-05-01T12:00:00.") from None


def _window(length: str | None, start: datetime | str | None, end: datetime | str | None) -> Window:
    if length is not None and start is not None:
        raise SettingsError("A window has a length or a start, not both", hint="Give --window or --start.")
    until = _moment(end) if end is not None else now() + timedelta(microseconds=1)
    if start is not None:
        return Window(start=_moment(start), end=until)
    return Window.last(length or "30d", until=until)
