"""Records of the ledger as tables beside the predictions they speak of: checks of monitors, and alerts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa

from nbprod.domain.alert import Alert
from nbprod.domain.monitor import MonitorReport
from nbprod.lake.columns import MOMENT, NUMBER, TEXT
from nbprod.store import Store

__all__ = ["record_tables"]

CHECKS = pa.schema(
    [
        ("run_id", TEXT),
        ("version", TEXT),
        ("start", MOMENT),
        ("end", MOMENT),
        ("verdict", TEXT),
        ("name", TEXT),
        ("subject", TEXT),
        ("outcome", TEXT),
        ("value", NUMBER),
        ("low", NUMBER),
        ("high", NUMBER),
        ("sentence", TEXT),
    ]
)
ALERTS = pa.schema(
    [
        ("id", TEXT),
        ("check", TEXT),
        ("subject", TEXT),
        ("status", TEXT),
        ("summary", TEXT),
        ("run_id", TEXT),
        ("opened_at", MOMENT),
        ("last_seen_at", MOMENT),
        ("resolved_at", MOMENT),
    ]
)


def record_tables(store: Store, deployment: str) -> dict[str, pa.Table]:
    """The checks of every monitor report of a deployment, one row each, and its alerts."""
    with store.read() as session:
        reports = session.list(MonitorReport, {"deployment": deployment}, limit=None)
        alerts = session.list(Alert, {"deployment": deployment}, limit=None)
    told = ((report, check) for report in reports for check in report.checks)
    return {"checks": _table(CHECKS, told), "alerts": _table(ALERTS, ((alert,) for alert in alerts))}


def _table(schema: pa.Schema, records: Iterable[Sequence[Any]]) -> pa.Table:
    """A row for each group of records: a column is the field of that name of the first that has it."""
    rows = [{name: _field(group, name) for name in schema.names} for group in records]
    return pa.Table.from_pylist(rows, schema=schema)


def _field(group: Sequence[Any], name: str) -> Any:
    return next(getattr(record, name) for record in group if hasattr(record, name))
