"""The ledger's tables, one for each frozen value it keeps, with the columns the value's fields ask for.

The tables follow ``nbprod/domain``; what really exists in a database is made by ``migrations.py``, and a test holds
the two equal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, Column, Double, ForeignKeyConstraint, Index, MetaData, Table, Text

from nbprod.domain.alert import Alert
from nbprod.domain.delivery import Delivery
from nbprod.domain.deployment import Deployment
from nbprod.domain.event import Event
from nbprod.domain.monitor import MonitorReport
from nbprod.domain.package import ModelPackage
from nbprod.domain.pipeline import PipelineRun
from nbprod.domain.review import ReviewClaim
from nbprod.domain.rollout import Rollout, RolloutAnalysis
from nbprod.domain.run import Run
from nbprod.domain.schedule import Due
from nbprod.domain.token import Token
from nbprod.domain.version import Alias, ModelVersion, RegisteredModel
from nbprod.errors import StoreError
from nbprod.store.rows import codecs

__all__ = ["KINDS", "RecordKind", "events", "kind_of", "metadata", "schema"]

metadata = MetaData()
TYPES: Mapping[type, type[Any]] = {str: Text, int: BigInteger, float: Double}

schema = Table(
    "schema_migrations",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("applied_at", Text, nullable=False),
)


@dataclass(frozen=True, kw_only=True)
class RecordKind:
    """What the ledger knows about one sort of record."""

    record: type
    noun: str
    table: Table
    key: tuple[str, ...]
    at: str  #: the moment lists are ordered and limited by

    def name(self, key: tuple[Any, ...]) -> str:
        """How people write a key: ``electricity/2``."""
        return ("@" if self.record is Alias else "/").join(str(part) for part in key)


def _table(name: str, record: type, key: tuple[str, ...], *extras: Any) -> Table:
    columns = [
        Column(field, TYPES[codec.column], primary_key=field in key, nullable=codec.is_optional, autoincrement=False)
        for field, codec in codecs(record).items()
    ]
    return Table(name, metadata, *columns, *extras)


def _kind(record: type, noun: str, table: str, key: tuple[str, ...], at: str, *extras: Any) -> RecordKind:
    return RecordKind(record=record, noun=noun, table=_table(table, record, key, *extras), key=key, at=at)


KINDS: Mapping[type, RecordKind] = {
    kind.record: kind
    for kind in (
        _kind(
            Run,
            "run",
            "runs",
            ("id",),
            "created_at",
            Index("runs_created", "created_at", "id"),
            Index("runs_status", "status", "created_at", "id"),
            Index("runs_template", "template", "created_at", "id"),
            Index("runs_caused_by", "caused_by", "created_at", "id"),
        ),
        _kind(
            ModelPackage,
            "package",
            "packages",
            ("digest",),
            "created_at",
            Index("packages_created", "created_at", "digest"),
            Index("packages_run", "run_id"),
        ),
        _kind(RegisteredModel, "model", "models", ("name",), "created_at"),
        _kind(
            ModelVersion,
            "model version",
            "model_versions",
            ("model", "number"),
            "registered_at",
            ForeignKeyConstraint(["model"], ["models.name"]),
            ForeignKeyConstraint(["package"], ["packages.digest"]),
            Index("model_versions_package", "model", "package", unique=True),
            Index("model_versions_registered", "registered_at", "model", "number"),
        ),
        _kind(
            Alias,
            "alias",
            "aliases",
            ("model", "name"),
            "moved_at",
            ForeignKeyConstraint(["model", "number"], ["model_versions.model", "model_versions.number"]),
        ),
        _kind(Deployment, "deployment", "deployments", ("name",), "created_at"),
        _kind(Token, "token", "tokens", ("name",), "created_at", Index("tokens_id", "id", unique=True)),
        _kind(
            MonitorReport,
            "monitor report",
            "monitor_reports",
            ("run_id",),
            "end",
            Index("monitor_reports_end", "deployment", "end", "run_id"),
        ),
        _kind(
            Alert,
            "alert",
            "alerts",
            ("id",),
            "opened_at",
            Index("alerts_opened", "deployment", "opened_at", "id"),
        ),
        _kind(
            Delivery,
            "delivery",
            "deliveries",
            ("id",),
            "due_at",
            Index("deliveries_due", "status", "due_at", "id"),
            Index("deliveries_alert", "alert", "due_at", "id"),
        ),
        _kind(
            PipelineRun,
            "pipeline run",
            "pipeline_runs",
            ("id",),
            "created_at",
            Index("pipeline_runs_created", "pipeline", "created_at", "id"),
            Index("pipeline_runs_caused_by", "caused_by", "created_at", "id"),
        ),
        _kind(
            Due,
            "due moment",
            "dues",
            ("id",),
            "due_at",
            Index("dues_due", "schedule", "due_at", "id"),
            Index("dues_status", "status", "due_at", "id"),
        ),
        _kind(
            Rollout,
            "rollout",
            "rollouts",
            ("id",),
            "started_at",
            Index("rollouts_started", "deployment", "started_at", "id"),
        ),
        _kind(
            RolloutAnalysis,
            "rollout analysis",
            "rollout_analyses",
            ("run_id",),
            "at",
            Index("rollout_analyses_at", "rollout", "at", "run_id"),
        ),
        _kind(
            ReviewClaim,
            "review claim",
            "review_claims",
            ("deployment", "prediction_id", "place"),
            "claimed_at",
        ),
    )
}

_alerts = KINDS[Alert].table
_is_unresolved = _alerts.c.status != "resolved"
Index(
    "alerts_one_unresolved",
    _alerts.c.deployment,
    _alerts.c.check,
    _alerts.c.subject,
    unique=True,
    sqlite_where=_is_unresolved,
    postgresql_where=_is_unresolved,
)

_rollouts = KINDS[Rollout].table
_is_open = _rollouts.c.status.in_(("running", "paused"))
Index("rollouts_one_open", _rollouts.c.deployment, unique=True, sqlite_where=_is_open, postgresql_where=_is_open)

events = _table(
    "events",
    Event,
    ("number",),
    Column("digest", Text, nullable=False),
    Index("events_subject", "subject", "number"),
    Index("events_kind", "kind", "number"),
)


def kind_of(record: type) -> RecordKind:
    """The kind of a class of records.

    Raises
    ------
    StoreError
        The ledger does not keep such records.
    """
    try:
        return KINDS[record]
    except KeyError:
        known = ", ".join(kind.__name__ for kind in KINDS)
        raise StoreError(f"the ledger keeps no {record.__name__}", hint=f"It keeps: {known}, and events.") from None
