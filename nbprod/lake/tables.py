"""The two tables of a deployment: predictions, and the outcomes that arrive later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads

from nbprod.clock import format_utc, now
from nbprod.domain.prediction import OutcomesAdded, PredictionsAdded
from nbprod.lake.columns import MOMENT, NUMBER, TEXT, as_table, cast, comparable, to_storage_type
from nbprod.lake.delta import DeltaFolder, Transaction
from nbprod.lake.rows import (
    OWN,
    check_columns,
    core_columns,
    keys_of,
    moments_of,
    reconciled,
    with_inputs,
)
from nbprod.lake.snapshot import PredictionSnapshot, with_inputs_apart

__all__ = ["OutcomeTable", "PredictionTable", "Transaction", "window_with_outcomes"]

PREDICTIONS = pa.schema(
    [
        ("prediction_id", TEXT),
        ("version", TEXT),
        ("at", MOMENT),
        ("logged_at", MOMENT),
        ("latency_ms", NUMBER),
        *OWN.items(),
    ]
)
OUTCOMES = pa.schema(
    [("prediction_id", TEXT), ("at", MOMENT), ("logged_at", MOMENT), ("unit", TEXT), ("reviewer", TEXT)]
)
MOST_NAMED = 500  # ids in one condition


class PredictionTable:
    """Every prediction of one deployment, with its inputs.

    An id that was kept twice counts twice; ``append(…, unique=True)`` is for those who cannot be sure of theirs.
    """

    def __init__(self, uri: str, storage_options: Mapping[str, str] | None) -> None:
        self._delta = DeltaFolder(uri, storage_options, columns=PREDICTIONS, indexed=("at", "prediction_id"))
        self._deployment = PurePosixPath(uri).parent.name

    def append(
        self,
        core: Any,
        inputs: Any | None = None,
        *,
        private: Sequence[str],
        transaction: Transaction | None = None,
        unique: bool = False,
    ) -> PredictionsAdded:
        """Keep predictions; they are on the disk when this returns.

        Parameters
        ----------
        core
            A frame with ``prediction_id`` and ``prediction``, and perhaps ``version``, ``at`` (now where missing),
            ``latency_ms``, ``probability`` and ``probability_<class>``.
        inputs
            A frame of as many rows, under the names the model knows.
        private
            Inputs that are never kept.
        transaction
            The same hand-in again adds nothing.
        unique
            Look for the ids among those kept before, and leave these out; takes a scan of the ids.

        Raises
        ------
        SchemaError
            A column is missing, unknown or of a wrong type, or an id is missing or given twice.
        """
        rows = core_columns(as_table(core, "predictions"))
        rows = with_inputs(rows, as_table(inputs, "inputs") if inputs is not None else None, private)
        with self._delta.alone():
            if transaction is not None and self._delta.has_seen(transaction):
                return PredictionsAdded(deployment=self._deployment, added=0, is_replay=True)
            given = rows.num_rows
            if unique:
                rows = rows.filter(
                    pc.invert(pc.is_in(rows["prediction_id"], value_set=self.known(rows["prediction_id"])))
                )
            version = None
            if rows.num_rows:
                version = self._delta.append(reconciled(self._delta, rows), transaction)
        return PredictionsAdded(
            deployment=self._deployment, added=rows.num_rows, repeated=given - rows.num_rows, table_version=version
        )

    def known(self, ids: pa.ChunkedArray | pa.Array | Sequence[str], column: str = "prediction_id") -> pa.Array:
        """Those of some ids, or units, that are kept."""
        return self._delta.known(column, ids)

    def at(self, prediction_id: str) -> dict[str, Any] | None:
        """One prediction with its ``inputs``, or ``None``."""
        table = self._delta.open()
        if table is None:
            return None
        rows = table.to_pyarrow_dataset().head(1, filter=pc.field("prediction_id") == prediction_id).to_pylist()
        return with_inputs_apart(rows[0]) if rows else None

    def review_chances(self, ids: Sequence[str]) -> dict[str, float | None]:
        """By id the chance, from 0 to 1, that people were to look; ``None`` of one made while nothing was sent."""
        found = self._delta.where("prediction_id", pa.array(ids, TEXT), ["prediction_id"])
        known: dict[str, float | None] = dict.fromkeys(found["prediction_id"].to_pylist())
        table = self._delta.open()
        if table is not None and "review" in pa.schema(table.schema().to_arrow()).names:
            rows = self._delta.where("prediction_id", pa.array(ids, TEXT), ["prediction_id", "review"])
            known.update(zip(rows["prediction_id"].to_pylist(), rows["review"].to_pylist(), strict=True))
        return known

    def window(
        self,
        start: datetime | None = None,
        end: datetime | None = None,
        *,
        table_version: int | None = None,
    ) -> PredictionSnapshot:
        """Predictions that happened from ``start`` (included) to ``end`` (excluded), without outcomes."""
        return PredictionSnapshot.of(self._delta, start, end, table_version=table_version)

    def prune(self, before: datetime, *, keep: timedelta) -> Mapping[str, int]:
        """Delete what happened before a moment, and parts no version of the last ``keep`` needs."""
        with self._delta.alone():
            return self._delta.delete(f"at < '{format_utc(before)}'", keep=keep)

    def ids_of(self, unit: str) -> list[str]:
        """The ids of every prediction of a unit."""
        found = self._delta.where("unit", pa.array([unit], TEXT), ["prediction_id"])
        return list(found["prediction_id"].to_pylist())

    def erase(self, ids: Sequence[str]) -> Mapping[str, int]:
        """Delete predictions, with every older version of the table; the log names their ids alone."""
        erased = {"rows": 0, "removed": 0}
        with self._delta.alone():
            for start in range(0, max(len(ids), 1), MOST_NAMED):
                named = ", ".join("'" + one.replace("'", "''") + "'" for one in ids[start : start + MOST_NAMED])
                done = self._delta.delete(f"prediction_id IN ({named})" if named else "false", keep=timedelta(0))
                erased = {name: erased[name] + done[name] for name in erased}
        return erased

    def dataset(self) -> pads.Dataset:
        """Every row, as an Arrow data set."""
        return self._delta.dataset()

    def parts(self) -> list[Path]:
        """Every part of whatever version that lies on this disk."""
        return self._delta.parts()

    def prediction_type(self) -> pa.DataType | None:
        """The type predictions are kept in, if there are any."""
        table = self._delta.open()
        return pa.schema(table.schema().to_arrow()).field("prediction").type if table is not None else None

    def compact(self, *, keep: timedelta = timedelta(days=30)) -> Mapping[str, int]:
        """Merge small parts, and remove parts no version of the last ``keep`` needs."""
        return self._delta.compact(keep=keep)

    def reached(self, name: str) -> int:
        """The number of the last append of a transaction's name; 0 before the first."""
        return self._delta.reached(name)

    def __repr__(self) -> str:
        return f"<PredictionTable {self._delta.uri}>"


class OutcomeTable:
    """The truth about predictions, by their id; of several for one id the latest to arrive counts."""

    def __init__(self, uri: str, storage_options: Mapping[str, str] | None, *, predictions: PredictionTable) -> None:
        self._delta = DeltaFolder(uri, storage_options, columns=OUTCOMES, indexed=("at", "prediction_id"))
        self._predictions = predictions
        self._deployment = PurePosixPath(uri).parent.name

    def append(self, frame: Any, *, transaction: Transaction | None = None) -> OutcomesAdded:
        """Keep outcomes; they are on the disk when this returns.

        Parameters
        ----------
        frame
            Columns ``prediction_id``, ``outcome`` and perhaps ``at``, when it arrived (now where missing), and
            ``unit``, by which an outcome is told that has no ``prediction_id``, and ``reviewer``, who says so.
        transaction
            The same hand-in again adds nothing.

        Raises
        ------
        SchemaError
            A column is missing, unknown or of a wrong type, an id is missing, or an outcome cannot be compared with
            the predictions kept before.
        """
        rows = as_table(frame, "outcomes")
        check_columns(rows, {"prediction_id", "outcome"}, {"at", "unit", "reviewer"})
        given = rows.num_rows
        rows = rows.set_column(rows.column_names.index("outcome"), "outcome", to_storage_type(rows["outcome"]))
        rows = rows.filter(pc.is_valid(rows["outcome"]))
        ids, units = keys_of(rows)
        rows = pa.table(
            {
                "prediction_id": ids,
                "at": moments_of(rows, "at"),
                "logged_at": pa.array([now()] * rows.num_rows, MOMENT),
                "outcome": rows["outcome"],
                "unit": units,
                "reviewer": cast(to_storage_type(rows["reviewer"]), TEXT)
                if "reviewer" in rows.column_names
                else pa.nulls(rows.num_rows, TEXT),
            }
        )
        with self._delta.alone():
            if transaction is not None and self._delta.has_seen(transaction):
                return OutcomesAdded(deployment=self._deployment, added=0, matched=0, unknown=0, is_replay=True)
            if kind := self._predictions.prediction_type():
                rows = rows.set_column(3, "outcome", comparable(rows["outcome"], kind, "outcome"))
            matched = pc.sum(
                pc.or_(
                    pc.is_in(ids, value_set=self._predictions.known(ids)),
                    pc.is_in(units, value_set=self._predictions.known(units, "unit"), skip_nulls=True),
                )
            ).as_py()
            version = None
            if rows.num_rows:
                version = self._delta.append(reconciled(self._delta, rows), transaction)
        return OutcomesAdded(
            deployment=self._deployment,
            added=rows.num_rows,
            matched=matched or 0,
            unknown=rows.num_rows - (matched or 0),
            repeated=rows.num_rows - pc.count_distinct(ids).as_py() - pc.count_distinct(units).as_py(),
            blank=given - rows.num_rows,
            table_version=version,
        )

    def known(self, ids: pa.ChunkedArray | pa.Array | Sequence[str], column: str = "prediction_id") -> pa.Array:
        """Those of some ids, or units, that have an outcome."""
        return self._delta.known(column, ids)

    def of(self, prediction_id: str, unit: str | None, made_at: datetime) -> tuple[Any, datetime | None]:
        """The outcome of one prediction and when it arrived; ``None`` twice while there is none."""
        latest, _ = self.latest()
        own = latest.filter(pc.equal(latest["prediction_id"], prediction_id))
        if not own.num_rows and unit is not None:
            own = latest.filter(pc.and_(pc.equal(latest["unit"], unit), pc.greater_equal(latest["at"], made_at)))
        return (own["outcome"][0].as_py(), own["at"][0].as_py()) if own.num_rows else (None, None)

    def latest(
        self, as_of: datetime | None = None, *, table_version: int | None = None
    ) -> tuple[pa.Table, int | None]:
        """The latest outcome of each id and each unit, as known at a moment, and the version of the table read.

        Parameters
        ----------
        as_of
            Leave out outcomes that arrived later.
        table_version
            To see what was seen earlier.
        """
        table = self._delta.open(table_version)
        if table is None:
            nothing = {"prediction_id": TEXT, "outcome": NUMBER, "at": MOMENT, "unit": TEXT, "reviewer": TEXT}
            return pa.table({name: pa.array([], kind) for name, kind in nothing.items()}), None
        seen = pc.field("at") <= pa.scalar(as_of, MOMENT) if as_of is not None else None
        rows = table.to_pyarrow_dataset().to_table(filter=seen)
        rows = rows.append_column("row", pa.array(np.arange(rows.num_rows)))
        rows = rows.sort_by([("at", "ascending"), ("logged_at", "ascending"), ("row", "ascending")])
        rows = rows.set_column(rows.column_names.index("row"), "row", pa.array(np.arange(rows.num_rows)))
        for name in ("unit", "reviewer"):
            if name not in rows.column_names:  # of before there were any
                rows = rows.append_column(name, pa.nulls(rows.num_rows, TEXT))
        last = rows.group_by(["prediction_id", "unit"]).aggregate([("row", "max")])["row_max"]
        return rows.take(last).select(["prediction_id", "outcome", "at", "unit", "reviewer"]), table.version()

    def reviews(self) -> list[dict[str, Any]]:
        """What reviewers said: ``prediction_id``, ``reviewer``, ``outcome`` and ``at``, in order of arrival."""
        table = self._delta.open()
        rows = table.to_pyarrow_dataset() if table is not None else None
        if rows is None or "reviewer" not in rows.schema.names:
            return []
        batches = rows.to_batches(columns=["prediction_id", "reviewer", "outcome", "at"])
        said = [row for batch in batches for row in batch.filter(pc.is_valid(batch["reviewer"])).to_pylist()]
        return sorted(said, key=lambda row: row["at"])

    def compact(self, *, keep: timedelta = timedelta(days=30)) -> Mapping[str, int]:
        """Merge small parts, and remove parts no version of the last ``keep`` needs."""
        return self._delta.compact(keep=keep)

    def prune(self, before: datetime, *, keep: timedelta) -> Mapping[str, int]:
        """Delete what arrived before a moment, and parts no version of the last ``keep`` needs."""
        with self._delta.alone():
            return self._delta.delete(f"at < '{format_utc(before)}'", keep=keep)

    def erase(self, ids: Sequence[str], unit: str) -> Mapping[str, int]:
        """Delete outcomes of some predictions and of a unit, with every older version of the table."""
        named, units = pa.array(ids, TEXT), pa.array([unit], TEXT)

        def wanted(batch: pa.RecordBatch) -> pa.Array:
            is_named = pc.is_in(batch["prediction_id"], value_set=named)
            if "unit" not in batch.schema.names:
                return pc.invert(is_named)
            return pc.invert(pc.or_(is_named, pc.is_in(batch["unit"], value_set=units)))

        with self._delta.alone():
            return self._delta.rewrite(wanted, keep=timedelta(0))

    def parts(self) -> list[Path]:
        """Every part of whatever version that lies on this disk."""
        return self._delta.parts()

    def reached(self, name: str) -> int:
        """The number of the last append of a transaction's name; 0 before the first."""
        return self._delta.reached(name)

    def __repr__(self) -> str:
        return f"<OutcomeTable {self._delta.uri}>"


def window_with_outcomes(
    predictions: PredictionTable,
    outcomes: OutcomeTable,
    start: datetime | None,
    end: datetime | None,
    *,
    as_of: datetime | None,
    tables: Mapping[str, int],
) -> PredictionSnapshot:
    """Predictions of a window with the latest outcome of each, as known at a moment (see ``Lake.window``)."""
    rows = predictions.window(start, end, table_version=tables.get("predictions"))
    if rows.dataset is None:
        return rows
    latest, version = outcomes.latest(as_of, table_version=tables.get("outcomes"))
    kind = rows.dataset.schema.field("prediction").type
    latest = latest.set_column(1, "outcome", comparable(latest["outcome"], kind, "outcome"))
    seen = {**rows.tables, **({"outcomes": version} if version is not None else {})}
    return PredictionSnapshot(tables=seen, dataset=rows.dataset, condition=rows.condition, outcomes=latest)
