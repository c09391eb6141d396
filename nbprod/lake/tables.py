"""The two tables of a deployment: predictions, and the outcomes that arrive later."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nbprod.clock import now
from nbprod.domain.prediction import OutcomesAdded, PredictionsAdded
from nbprod.errors import SchemaError
from nbprod.lake.columns import (
    MOMENT,
    NUMBER,
    TEXT,
    as_table,
    cast,
    comparable,
    input_column,
    input_name,
    to_storage_type,
    wider_type,
)
from nbprod.lake.delta import DeltaFolder, Transaction
from nbprod.lake.snapshot import PredictionSnapshot, with_inputs_apart

__all__ = ["OutcomeTable", "PredictionTable", "Transaction", "window_with_outcomes"]

PREDICTIONS = pa.schema(
    [("prediction_id", TEXT), ("version", TEXT), ("at", MOMENT), ("logged_at", MOMENT), ("latency_ms", NUMBER)]
)
OUTCOMES = pa.schema([("prediction_id", TEXT), ("at", MOMENT), ("logged_at", MOMENT)])
ALLOWED = re.compile(r"prediction_id|version|at|logged_at|latency_ms|prediction|probability(_.+)?")


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
        rows = _core(as_table(core, "predictions"))
        rows = _with_inputs(rows, as_table(inputs, "inputs") if inputs is not None else None, private)
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
                version = self._delta.append(_reconciled(self._delta, rows), transaction)
        return PredictionsAdded(
            deployment=self._deployment, added=rows.num_rows, repeated=given - rows.num_rows, table_version=version
        )

    def known(self, ids: pa.ChunkedArray) -> pa.Array:
        """Those of some ids that are kept."""
        table = self._delta.open()
        if table is None or not len(ids):
            return pa.array([], TEXT)
        values = ids.combine_chunks() if isinstance(ids, pa.ChunkedArray) else ids
        found = table.to_pyarrow_dataset().to_table(
            columns=["prediction_id"], filter=pc.field("prediction_id").isin(values)
        )
        return pc.unique(found["prediction_id"])

    def at(self, prediction_id: str) -> dict[str, Any] | None:
        """One prediction with its ``inputs``, or ``None``."""
        table = self._delta.open()
        if table is None:
            return None
        rows = table.to_pyarrow_dataset().head(1, filter=pc.field("prediction_id") == prediction_id).to_pylist()
        return with_inputs_apart(rows[0]) if rows else None

    def window(
        self,
        start: datetime | None = None,
        end: datetime | None = None,
        *,
        table_version: int | None = None,
    ) -> PredictionSnapshot:
        """Predictions that happened from ``start`` (included) to ``end`` (excluded), without outcomes."""
        return PredictionSnapshot.of(self._delta, start, end, table_version=table_version)

    def prediction_type(self) -> pa.DataType | None:
        """The type predictions are kept in, if there are any."""
        table = self._delta.open()
        return pa.schema(table.schema().to_arrow()).field("prediction").type if table is not None else None

    def compact(self, *, keep: timedelta = timedelta(days=30)) -> Mapping[str, int]:
        """Merge small parts, and remove parts no version of the last ``keep`` needs."""
        return self._delta.compact(keep=keep)

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
            Columns ``prediction_id``, ``outcome`` and perhaps ``at``, when it arrived (now where missing).
        transaction
            The same hand-in again adds nothing.

        Raises
        ------
        SchemaError
            A column is missing, unknown or of a wrong type, an id is missing, or an outcome cannot be compared with
            the predictions kept before.
        """
        rows = as_table(frame, "outcomes")
        _check_columns(rows, {"prediction_id", "outcome"}, {"at"})
        given = rows.num_rows
        rows = rows.set_column(rows.column_names.index("outcome"), "outcome", to_storage_type(rows["outcome"]))
        rows = rows.filter(pc.is_valid(rows["outcome"]))
        rows = pa.table(
            {
                "prediction_id": _ids(rows["prediction_id"]),
                "at": _moments(rows, "at"),
                "logged_at": pa.array([now()] * rows.num_rows, MOMENT),
                "outcome": rows["outcome"],
            }
        )
        with self._delta.alone():
            if transaction is not None and self._delta.has_seen(transaction):
                return OutcomesAdded(deployment=self._deployment, added=0, matched=0, unknown=0, is_replay=True)
            if kind := self._predictions.prediction_type():
                rows = rows.set_column(3, "outcome", comparable(rows["outcome"], kind, "outcome"))
            matched = pc.sum(
                pc.is_in(rows["prediction_id"], value_set=self._predictions.known(rows["prediction_id"]))
            ).as_py()
            version = None
            if rows.num_rows:
                version = self._delta.append(_reconciled(self._delta, rows), transaction)
        return OutcomesAdded(
            deployment=self._deployment,
            added=rows.num_rows,
            matched=matched or 0,
            unknown=rows.num_rows - (matched or 0),
            repeated=rows.num_rows - pc.count_distinct(rows["prediction_id"]).as_py(),
            blank=given - rows.num_rows,
            table_version=version,
        )

    def latest(
        self, as_of: datetime | None = None, *, table_version: int | None = None
    ) -> tuple[pa.Table, int | None]:
        """The latest outcome of each id, as known at a moment, and the version of the table that was read.

        Parameters
        ----------
        as_of
            Leave out outcomes that arrived later.
        table_version
            To see what was seen earlier.
        """
        table = self._delta.open(table_version)
        if table is None:
            return pa.table(
                {"prediction_id": pa.array([], TEXT), "outcome": pa.array([], NUMBER), "at": pa.array([], MOMENT)}
            ), None
        seen = pc.field("at") <= pa.scalar(as_of, MOMENT) if as_of is not None else None
        rows = table.to_pyarrow_dataset().to_table(filter=seen)
        rows = rows.append_column("row", pa.array(np.arange(rows.num_rows)))
        rows = rows.sort_by([("at", "ascending"), ("logged_at", "ascending"), ("row", "ascending")])
        rows = rows.set_column(rows.column_names.index("row"), "row", pa.array(np.arange(rows.num_rows)))
        last = rows.group_by("prediction_id").aggregate([("row", "max")])["row_max"]
        return rows.take(last).select(["prediction_id", "outcome", "at"]), table.version()

    def compact(self, *, keep: timedelta = timedelta(days=30)) -> Mapping[str, int]:
        """Merge small parts, and remove parts no version of the last ``keep`` needs."""
        return self._delta.compact(keep=keep)

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


def _core(rows: pa.Table) -> pa.Table:
    unknown = {name for name in rows.column_names if not ALLOWED.fullmatch(name)}
    _check_columns(rows.drop_columns(list(unknown)) if unknown else rows, {"prediction_id", "prediction"}, None)
    if unknown:
        raise SchemaError(
            f"predictions have no column {', '.join(sorted(unknown))}",
            columns=sorted(unknown),
            hint="Give inputs apart.",
        )
    ids = _ids(rows["prediction_id"])
    if (twice := rows.num_rows - pc.count_distinct(ids).as_py()) > 0:
        raise SchemaError(
            f"prediction_id: {twice:,} of {rows.num_rows:,} ids are given twice", columns=["prediction_id"]
        )
    if missing := rows["prediction"].null_count:
        raise SchemaError(f"prediction: {missing:,} of {rows.num_rows:,} are missing", columns=["prediction"])
    columns = {"prediction_id": ids, "at": _moments(rows, "at"), "logged_at": _moments(rows, "logged_at")}
    for name in rows.column_names:
        if name not in columns:
            column = to_storage_type(rows[name])
            if name.startswith(("probability", "latency")):
                column = comparable(column, NUMBER, name)
            columns[name] = cast(column, TEXT) if name == "version" else column
    return pa.table(columns)


def _with_inputs(rows: pa.Table, inputs: pa.Table | None, private: Sequence[str]) -> pa.Table:
    if inputs is None:
        return rows
    if inputs.num_rows != rows.num_rows:
        raise SchemaError(f"there are {rows.num_rows:,} predictions but {inputs.num_rows:,} rows of inputs")
    for name in inputs.column_names:
        if name not in private:
            rows = rows.append_column(input_column(name, rows.column_names), to_storage_type(inputs[name]))
    return rows


def _reconciled(delta: DeltaFolder, rows: pa.Table) -> pa.Table:
    """Rows whose types agree with those of the table, which is widened where the new ones need it."""
    table = delta.open()
    if table is None:
        return rows
    schema = pa.schema(table.schema().to_arrow())
    by_name = {
        name: input_column(input_name(name), schema.names) if name.startswith("input_") else name
        for name in rows.column_names
    }
    rows = rows.rename_columns([by_name[name] for name in rows.column_names])
    types = {field.name: field.type for field in schema}
    wanted = {
        name: types[name] if rows[name].null_count == rows.num_rows else wider_type(types[name], rows[name].type)
        for name in rows.column_names
        if name in types
    }
    if changed := {name: kind for name, kind in wanted.items() if kind != types[name]}:
        delta.widen(changed)
    return pa.table(
        {
            name: pa.nulls(rows.num_rows, wanted[name])
            if name in wanted and rows[name].null_count == rows.num_rows
            else cast(rows[name], wanted.get(name, rows[name].type))
            for name in rows.column_names
        }
    )


def _check_columns(rows: pa.Table, needed: set[str], optional: set[str] | None) -> None:
    problems = dict.fromkeys(sorted(needed - set(rows.column_names)), "this column is missing")
    if optional is not None:
        problems |= dict.fromkeys(sorted(set(rows.column_names) - needed - optional), "no such column is kept")
    if problems:
        raise SchemaError(
            "\n".join(f"{name}: {problem}" for name, problem in problems.items()),
            columns=list(problems),
            hint=f"Columns found: {', '.join(rows.column_names)}.",
        )


def _ids(column: pa.ChunkedArray) -> pa.ChunkedArray:
    ids = cast(to_storage_type(column), TEXT)
    if missing := pc.sum(pc.fill_null(pc.equal(ids, ""), fill_value=True)).as_py():
        raise SchemaError(f"prediction_id: {missing:,} of {len(ids):,} are missing", columns=["prediction_id"])
    return ids


def _moments(rows: pa.Table, name: str) -> pa.ChunkedArray:
    """A column of moments, with the present one where it is missing."""
    present = pa.scalar(now(), MOMENT)
    if name not in rows.column_names or rows[name].null_count == rows.num_rows:
        return pa.chunked_array([pa.array([present.as_py()] * rows.num_rows, MOMENT)])
    column = to_storage_type(rows[name])
    if column.type == TEXT:
        try:
            is_zoned = pc.match_substring_regex(column, r":\d\d[\d:.]*(Z|[+-]\d\d(:?\d\d)?)$")
            nothing = pa.scalar(None, TEXT)
            column = pc.coalesce(
                pc.if_else(is_zoned, column, nothing).cast(MOMENT),
                to_storage_type(pc.if_else(is_zoned, nothing, column).cast(pa.timestamp("us"))),
            )
        except pa.ArrowInvalid as problem:
            raise SchemaError(
                f"{name}: {problem}", columns=[name], hint="Write ISO dates: 2026-11-20T09:44:13Z."
            ) from problem
    if column.type != MOMENT:
        raise SchemaError(f"{name}: must hold dates or moments", columns=[name])
    return pc.coalesce(column, present)
