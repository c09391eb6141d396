"""The kept predictions of a segment: streamed, counted, and the newest of them by id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from nbprod.domain.segment import Condition, ConditionKind
from nbprod.errors import SchemaError
from nbprod.lake.columns import INPUT, NUMBER, TEXT, TRUTH, cast, input_name
from nbprod.lake.snapshot import PredictionSnapshot

__all__ = ["SegmentRows", "rows_in"]

SHOWN = ("prediction_id", "at", "version", "prediction", "probability", "outcome")
TRUTHS = {"true": True, "false": False}


@dataclass(frozen=True, kw_only=True)
class SegmentRows:
    """Rows of a segment."""

    count: int  #: of all of them
    versions: Mapping[str, int]  #: how many each version answered
    newest: Sequence[Mapping[str, Any]]  #: id, moment, version, prediction and outcome of the newest


def rows_in(snapshot: PredictionSnapshot, conditions: Sequence[Condition], *, limit: int) -> SegmentRows:
    """Find the rows that meet all conditions.

    Parameters
    ----------
    snapshot
        A window of predictions.
    conditions
        On inputs; none: every row.
    limit
        How many are told one by one.

    Raises
    ------
    SchemaError
        An input is not kept, or its values are never of that kind.
    """
    kept = {input_name(name): name for name in snapshot.columns if name.startswith(INPUT)}
    if missing := [one.column for one in conditions if one.column not in kept and snapshot.columns]:
        raise SchemaError(f"no input {missing[0]!r} is kept", columns=missing, hint=f"Kept are {', '.join(kept)}.")
    shown = [name for name in SHOWN if name in snapshot.columns]
    asked = list(dict.fromkeys([*shown, *(kept[one.column] for one in conditions if one.column in kept)]))
    count, versions = 0, dict[str, int]()
    newest: list[pa.Table] = []
    for batch in snapshot.batches(asked):
        # after reading: deltalake's own pruning errs on columns whose range is not in the log
        met = [_met(batch[kept[one.column]], one) for one in conditions]
        rows = pa.Table.from_batches([batch.filter(reduce(pc.and_, met)) if met else batch]).select(shown)
        count += rows.num_rows
        for found in pc.value_counts(rows["version"]).to_pylist():
            versions[found["values"] or ""] = versions.get(found["values"] or "", 0) + found["counts"]
        newest = [
            pa.concat_tables([*newest, rows]).sort_by([("at", "descending"), ("prediction_id", "ascending")])[:limit]
        ]
    return SegmentRows(count=count, versions=versions, newest=newest[0].to_pylist() if newest else [])


def _met(values: pa.Array, condition: Condition) -> pa.Array:
    if condition.kind is ConditionKind.MISSING:
        return pc.is_null(values)
    if condition.kind is ConditionKind.VALUE:
        return pc.fill_null(pc.equal(values, _comparable(condition, values.type)), fill_value=False)
    if values.type != NUMBER:
        raise SchemaError(f"{condition.column} holds no numbers to compare", columns=[condition.column])
    bounds = [
        compare(values, pa.scalar(bound, NUMBER))
        for compare, bound in ((pc.greater_equal, condition.low), (pc.less, condition.high))
        if bound is not None
    ]
    return pc.fill_null(reduce(pc.and_, bounds), fill_value=False)


def _comparable(condition: Condition, kind: pa.DataType) -> pa.Scalar:
    """A value as the column holds it; what was read from words may be a number or a truth value."""
    value = condition.value
    try:
        if kind == TRUTH and isinstance(value, str):
            return pa.scalar(TRUTHS[value.lower()], kind)
        if kind == NUMBER:
            return pa.scalar(float(value), kind)
        if kind == TEXT:
            column = pa.chunked_array([pa.array([float(value) if isinstance(value, int | float) else value])])
            return cast(column, TEXT)[0]
        return pa.scalar(value).cast(kind)
    except (KeyError, TypeError, ValueError, pa.ArrowException) as problem:
        raise SchemaError(
            f"{condition.column} never is {value!r}: it is kept as {kind}", columns=[condition.column]
        ) from problem
