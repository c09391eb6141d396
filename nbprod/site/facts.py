"""What the site tells: one reading of the ledger at a single moment."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from nbprod.domain.alert import Alert
from nbprod.domain.deployment import Deployment
from nbprod.domain.event import Event
from nbprod.domain.exposure import Exposure
from nbprod.domain.monitor import MonitorReport
from nbprod.domain.package import ModelPackage
from nbprod.domain.pipeline import PipelineRun
from nbprod.domain.rollout import Rollout, RolloutAnalysis
from nbprod.domain.run import Run
from nbprod.domain.version import Alias, ModelRef, ModelVersion, RegisteredModel
from nbprod.errors import NbprodError, SettingsError

if TYPE_CHECKING:
    from nbprod.store import Store

__all__ = ["AliasPeriod", "Facts", "read_facts"]

MOST_RUNS = 5_000  # the newest have pages; the ledger has them all
MOST_PIPELINES = 500
MOST_EVENTS = 20_000
MOST_ROLLOUTS = 500
MOST_COUNTED = 50  # of the newest rollouts, by their log, whom they reached
MOVES = ("model.promoted", "model.rolled-back")


@dataclass(frozen=True, kw_only=True)
class AliasPeriod:
    """An alias named a version from one moment to another; ``until=None`` still does."""

    alias: str  #: ``electricity@champion``
    number: int
    since: datetime
    until: datetime | None
    event: Event


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Records for the pages, newest first."""

    runs: Sequence[Run] = ()
    pipelines: Sequence[PipelineRun] = ()
    models: Sequence[RegisteredModel] = ()
    versions: Sequence[ModelVersion] = ()
    aliases: Sequence[Alias] = ()
    packages: Mapping[str, ModelPackage]
    deployments: Sequence[Deployment] = ()
    reports: Sequence[MonitorReport] = ()
    alerts: Sequence[Alert] = ()
    events: Sequence[Event] = ()
    rollouts: Sequence[Rollout] = ()
    analyses: Sequence[RolloutAnalysis] = ()
    exposures: Mapping[str, Exposure] = field(default_factory=dict)  #: by rollout

    @property
    def as_of(self) -> datetime:
        """The newest moment in the records: the site speaks of then, whenever it is built."""
        moments = [
            *(event.at for event in self.events[:1]),
            *(run.ended_at or run.created_at for run in self.runs),
            *(alert.last_seen_at for alert in self.alerts),
        ]
        return max(moments, default=datetime(1970, 1, 1, tzinfo=UTC))

    @property
    def unresolved_alerts(self) -> list[Alert]:
        """Alerts that are not resolved."""
        return [alert for alert in self.alerts if not alert.is_resolved]

    def reports_of(self, deployment: str) -> list[MonitorReport]:
        """Reports of a deployment in the order of their windows; of two on one window, the newer run's."""
        latest: dict[tuple[datetime, datetime], MonitorReport] = {}
        for report in sorted(self.reports, key=lambda one: one.run_id):
            if report.deployment == deployment:
                latest[report.start, report.end] = report
        return sorted(latest.values(), key=lambda one: (one.end, one.start))

    def in_use(self, deployment: Deployment) -> tuple[ModelVersion | None, datetime | None]:
        """The version a deployment stands for, and since when."""
        if deployment.model is None:
            return None, None
        try:
            ref = ModelRef.parse(deployment.model)
        except SettingsError:
            return None, None
        since: datetime | None = deployment.created_at
        number = ref.number
        if ref.alias:
            alias = next((one for one in self.aliases if (one.model, one.name) == (ref.model, ref.alias)), None)
            number, since = (alias.number, alias.moved_at) if alias else (None, None)
        version = next((one for one in self.versions if (one.model, one.number) == (ref.model, number)), None)
        return version, since if version else None

    def alias_periods(self, model: str) -> dict[str, list[AliasPeriod]]:
        """By alias of a model, the versions it named, oldest first."""
        moves: dict[str, list[Event]] = {}
        for event in sorted(self.events, key=lambda one: one.number):
            if (
                event.kind in MOVES
                and event.subject.startswith(f"{model}@")
                and isinstance(event.data.get("version"), int)
            ):
                moves.setdefault(event.subject, []).append(event)
        return {
            alias: [
                AliasPeriod(
                    alias=alias,
                    number=event.data["version"],
                    since=event.at,
                    until=events[n + 1].at if n + 1 < len(events) else None,
                    event=event,
                )
                for n, event in enumerate(events)
            ]
            for alias, events in moves.items()
        }


def read_facts(
    store: Store, *, since: datetime | None = None, exposure: Callable[[Rollout], Exposure] | None = None
) -> Facts:
    """Read the records, as of one moment; of runs and events the newest few thousand.

    Parameters
    ----------
    store
        The ledger.
    since
        Leaves out runs, reports, alerts and events that are older; models, deployments and rollouts are always told.
    exposure
        Counts whom a rollout reached; without it that is not told.
    """
    with store.read() as session:
        rollouts = session.list(Rollout, limit=MOST_ROLLOUTS)
        facts = Facts(
            rollouts=rollouts,
            analyses=session.list(RolloutAnalysis, limit=None),
            runs=session.list(Run, since=since, limit=MOST_RUNS),
            pipelines=session.list(PipelineRun, since=since, limit=MOST_PIPELINES),
            models=session.list(RegisteredModel, limit=None, newest_first=False),
            versions=session.list(ModelVersion, limit=None),
            aliases=session.list(Alias, limit=None),
            packages={one.digest: _on_disk(store, one) for one in session.list(ModelPackage, limit=None)},
            deployments=session.list(Deployment, limit=None, newest_first=False),
            reports=session.list(MonitorReport, since=since, limit=None),
            alerts=session.list(Alert, since=since, limit=None),
            events=session.events(since=since, limit=MOST_EVENTS),
        )
    return replace(facts, exposures=_exposures(rollouts[:MOST_COUNTED], exposure)) if exposure else facts


def _exposures(rollouts: Sequence[Rollout], exposure: Callable[[Rollout], Exposure]) -> dict[str, Exposure]:
    found = {}
    for rollout in rollouts:
        with suppress(NbprodError):  # a log that is away is no reason for no page
            found[rollout.id] = exposure(rollout)
    return found


def _on_disk(store: Store, package: ModelPackage) -> ModelPackage:
    """With the folder as it is on this disk; the ledger keeps it relative to the files of the store."""
    if Path(package.folder).is_absolute():
        return package
    return replace(package, folder=str(store.files.path(package.folder)))
