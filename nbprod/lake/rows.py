"""Frames of predictions and outcomes in the form their tables keep, or a sentence for each column that cannot be."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from nbprod.clock import now
from nbprod.errors import SchemaError
from nbprod.lake.columns import (
    MOMENT,
    NUMBER,
    TEXT,
    cast,
    comparable,
    input_column,
    input_name,
    to_storage_type,
    wider_type,
)
from nbprod.lake.delta import DeltaFolder

__all__ = [
    "ALLOWED",
    "OWN",
    "check_columns",
    "core_columns",
    "ids_in",
    "keys_of",
    "moments_of",
    "reconciled",
    "with_inputs",
]

#: Of a rollout: the arm, the candidate's share at that moment (0 to 1), the stratum, and the unit that is assigned.
ROLLOUT = {"arm": TEXT, "share": NUMBER, "stratum": TEXT, "unit": TEXT}
#: Written by nbprod alone; ``review`` is the chance, from 0 to 1, that people were to look at the prediction.
OWN = {**ROLLOUT, "review": NUMBER}
#: Columns of a file of predictions that are no inputs and not our own.
ALLOWED = re.compile(r"prediction_id|version|at|logged_at|latency_ms|prediction|probability(_.+)?")


def core_columns(rows: pa.Table) -> pa.Table:
    """The columns of predictions that are no inputs, in the types they are kept in."""
    unknown = {name for name in rows.column_names if not ALLOWED.fullmatch(name) and name not in OWN}
    check_columns(rows.drop_columns(list(unknown)) if unknown else rows, {"prediction_id", "prediction"}, None)
    if unknown:
        raise SchemaError(
            f"predictions have no column {', '.join(sorted(unknown))}",
            columns=sorted(unknown),
            hint="Give inputs apart.",
        )
    ids = ids_in(rows["prediction_id"])
    if (twice := rows.num_rows - pc.count_distinct(ids).as_py()) > 0:
        raise SchemaError(
            f"prediction_id: {twice:,} of {rows.num_rows:,} ids are given twice", columns=["prediction_id"]
        )
    if missing := rows["prediction"].null_count:
        raise SchemaError(f"prediction: {missing:,} of {rows.num_rows:,} are missing", columns=["prediction"])
    columns = {"prediction_id": ids, "at": moments_of(rows, "at"), "logged_at": moments_of(rows, "logged_at")}
    for name in rows.column_names:
        if name not in columns:
            column = to_storage_type(rows[name])
            if name.startswith(("probability", "latency")):
                column = comparable(column, NUMBER, name)
            columns[name] = cast(column, OWN.get(name, TEXT)) if name == "version" or name in OWN else column
    return pa.table(columns)


def with_inputs(rows: pa.Table, inputs: pa.Table | None, private: Sequence[str]) -> pa.Table:
    """Rows with their inputs beside them, without private ones."""
    if inputs is None:
        return rows
    if inputs.num_rows != rows.num_rows:
        raise SchemaError(f"there are {rows.num_rows:,} predictions but {inputs.num_rows:,} rows of inputs")
    for name in inputs.column_names:
        if name not in private:
            rows = rows.append_column(input_column(name, rows.column_names), to_storage_type(inputs[name]))
    return rows


def reconciled(delta: DeltaFolder, rows: pa.Table) -> pa.Table:
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


def check_columns(rows: pa.Table, needed: set[str], optional: set[str] | None) -> None:
    """Refuse columns that are missing, and those that are not known where it is said which are."""
    problems = dict.fromkeys(sorted(needed - set(rows.column_names)), "this column is missing")
    if optional is not None:
        problems |= dict.fromkeys(sorted(set(rows.column_names) - needed - optional), "no such column is kept")
    if problems:
        raise SchemaError(
            "\n".join(f"{name}: {problem}" for name, problem in problems.items()),
            columns=list(problems),
            hint=f"Columns found: {', '.join(rows.column_names)}.",
        )


def keys_of(rows: pa.Table) -> tuple[pa.Array, pa.Array]:
    """Ids, and units where there is no id."""
    if "unit" not in rows.column_names:
        return ids_in(rows["prediction_id"]).combine_chunks(), pa.nulls(rows.num_rows, TEXT)
    ids = cast(to_storage_type(rows["prediction_id"]), TEXT)
    units = pc.if_else(pc.is_valid(ids), pa.scalar(None, TEXT), cast(to_storage_type(rows["unit"]), TEXT))
    ids_in(pc.coalesce(ids, units))
    return ids.combine_chunks(), units.combine_chunks()


def ids_in(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Ids as text, none of them missing."""
    ids = cast(to_storage_type(column), TEXT)
    if missing := pc.sum(pc.fill_null(pc.equal(ids, ""), fill_value=True)).as_py():
        raise SchemaError(f"prediction_id: {missing:,} of {len(ids):,} are missing", columns=["prediction_id"])
    return ids


def moments_of(rows: pa.Table, name: str) -> pa.ChunkedArray:
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
