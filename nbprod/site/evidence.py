"""Collects what the 28 tests look at: from the ledger, sealed packages, executed notebooks and the tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from nbprod.domain.deployment import Deployment
from nbprod.domain.event import Event
from nbprod.domain.monitor import MonitorReport
from nbprod.domain.package import ModelPackage
from nbprod.domain.pipeline import PipelineRun
from nbprod.domain.rollout import Rollout
from nbprod.domain.run import Run
from nbprod.domain.scorecard import Evidence, JudgedVersion, KeptRows, SealedFacts, SimplerModel
from nbprod.domain.version import Alias, ModelRef, ModelVersion, RegisteredModel
from nbprod.errors import NbprodError
from nbprod.evaluations import Evaluations
from nbprod.lake import Lake
from nbprod.packages import Packages
from nbprod.runs import Runs
from nbprod.settings import Settings
from nbprod.store import Session, Store

__all__ = ["Collector"]

CHAMPION = "champion"
MOST_RUNS = 5_000
MOST_EVALUATIONS = 5  #: of a version: the newest
SIMPLE = "simple"  #: how train notebooks name the linear model beside
GROUPS = "groups of "  #: how evaluate notebooks name the table of a protected column


class Collector:
    """Reads the evidence of a model.

    Parameters
    ----------
    store, settings
        The ledger, and what the workspace says of gates, retraining and private columns.
    runs, packages, evaluations, lake
        Read what notebooks recorded, what packages seal, what evaluations said, and what is kept.
    """

    def __init__(
        self,
        store: Store,
        settings: Settings,
        runs: Runs,
        packages: Packages,
        evaluations: Evaluations,
        lake: Lake,
    ) -> None:
        self._store = store
        self._settings = settings
        self._runs = runs
        self._packages = packages
        self._evaluations = evaluations
        self._lake = lake

    def collect(self, model: str) -> Evidence:
        """Everything that is known of a model.

        Raises
        ------
        NotFoundError
            There is no such model.
        """
        with self._store.read() as session:
            session.get(RegisteredModel, model)
            versions = tuple(session.list(ModelVersion, {"model": model}, limit=None))
            alias = session.find(Alias, model, CHAMPION)
            in_use = next((one for one in versions if alias is not None and one.number == alias.number), None)
            champion = in_use or next(iter(versions), None)
            deployments = tuple(one for one in session.list(Deployment, limit=None) if _model_of(one) == model)
            names = tuple(one.name for one in deployments)
            runs = tuple(session.list(Run, limit=MOST_RUNS))
            trained = session.find(Run, champion.run_id) if champion is not None and champion.run_id else None
            judged = session.events(champion.ref, "version.evaluated", limit=MOST_EVALUATIONS) if champion else []
            packages = {one.package: session.get(ModelPackage, one.package) for one in versions}
            found = Evidence(
                model=model,
                deployments=names,
                champion=champion,
                versions=versions,
                packages=packages,
                trained=trained,
                runs=runs,
                promotion=_promotion(session, champion),
                blessings=_events(session, [champion.package] if champion else [], ["package.blessed"]),
                rollbacks=_rollbacks(session, model),
                erasures=_events(session, names, ["unit.erased"]),
                retrainings=_events(session, names, ["retraining.decided"]),
                reports=_of(session, MonitorReport, names),
                rollouts=_of(session, Rollout, names),
                pipelines=tuple(session.list(PipelineRun, limit=MOST_RUNS)),
            )
        private = dict.fromkeys([*self._settings.private_columns, *(c for one in deployments for c in one.private)])
        return replace(
            found,
            sealed=self._sealed(champion),
            simpler=self._simpler(trained),
            judged=self._judged(judged),
            retrains=any(name in self._settings.tables["retraining"] for name in names),
            private=tuple(private),
            kept=self._kept(names),
        )

    def _sealed(self, champion: ModelVersion | None) -> SealedFacts | None:
        if champion is None:
            return None
        from nbprod.packages import package_facts  # delayed: these load numpy
        from nbprod.packages.feature_importance import FILE, read_feature_importance

        try:
            sealed = self._packages.verify(champion.package)
            schema = package_facts(sealed.folder).schema
            certificate = self._packages.certificate(champion.package)
        except (NbprodError, OSError):  # not on this disk, or changed: then it is no evidence
            return None
        shares = read_feature_importance(sealed.read(FILE)) if FILE in sealed.files else {}
        rows = sum(certificate.rows.values()) if certificate is not None and certificate.compiled else 0
        equal = certificate is not None and certificate.passed
        return SealedFacts(inputs=schema.names, importance=shares, compared_rows=rows, compared_equal=equal)

    def _simpler(self, trained: Run | None) -> SimplerModel | None:
        records = self._results(trained.id) if trained is not None else {}
        if not {"comparison", "kept", "metric"} <= set(records):
            return None
        from nbprod.statistics.metrics import metric  # delayed: scipy

        table, kept, name = records["comparison"], records["kept"], records["metric"]
        if SIMPLE not in table.index or kept not in table.index or name not in table:
            return None
        value, simple = float(table.loc[kept, name]), float(table.loc[SIMPLE, name])
        return SimplerModel(
            kept=kept, metric=name, value=value, simple=simple, higher_is_better=metric(name).higher_is_better
        )

    def _judged(self, events: Sequence[Event]) -> tuple[JudgedVersion, ...]:
        found = []
        for event in events:
            try:
                evaluation = self._evaluations.read(self._runs.get(event.evidence[0]))
            except NbprodError:  # pruned
                continue
            records = self._results(evaluation.run_id)
            groups = tuple(name.removeprefix(GROUPS) for name in records if name.startswith(GROUPS))
            slices = len(records["slices"]) if "slices" in records else 0
            found.append(JudgedVersion(evaluation=evaluation, at=event.at, slices=slices, groups=groups))
        return tuple(found)

    def _results(self, run_id: str) -> Mapping[str, Any]:
        try:
            return self._runs.results(run_id)
        except NbprodError:  # pruned
            return {}

    def _kept(self, deployments: Sequence[str]) -> KeptRows:
        import pyarrow.compute as pc  # delayed

        predictions, days, parity = 0, set[str](), {"equal": 0.0, "different": 0.0}
        for name in deployments:
            predictions += self._lake.window(name).count()
            minutes = self._lake.health(name).dataset()
            counted = minutes.to_table(columns=["at"], filter=pc.field("name") == "nbprod_requests_total")
            days |= set(pc.unique(pc.strftime(counted["at"], "%Y-%m-%d")).to_pylist())
            compared = pc.field("name") == "nbprod_parity_rows_total"
            for row in minutes.to_table(columns=["labels", "value"], filter=compared).to_pylist():
                parity[row["labels"].removeprefix("result=")] += row["value"]
        return KeptRows(
            predictions=predictions,
            health_days=len(days),
            parity_equal=parity["equal"],
            parity_different=parity["different"],
        )


def _model_of(deployment: Deployment) -> str | None:
    return ModelRef.parse(deployment.model).model if deployment.model is not None else None


def _promotion(session: Session, champion: ModelVersion | None) -> Event | None:
    """The newest promotion of a version: what came back by a rollback rests on the one before."""
    if champion is None:
        return None
    moves = session.events(f"{champion.model}@{CHAMPION}", "model.promoted", limit=None)
    return next((one for one in moves if one.data.get("version") == champion.number), None)


def _rollbacks(session: Session, model: str) -> tuple[Event, ...]:
    aliases = [alias.ref for alias in session.list(Alias, {"model": model}, limit=None)]
    return _events(session, aliases, ["model.rolled-back"])


def _events(session: Session, subjects: Sequence[str], kinds: Sequence[str]) -> tuple[Event, ...]:
    return tuple(session.events(list(subjects), list(kinds), limit=None)) if subjects else ()


def _of(session: Session, kind: type[Any], deployments: Sequence[str]) -> tuple[Any, ...]:
    return tuple(session.list(kind, {"deployment": list(deployments)}, limit=None)) if deployments else ()
