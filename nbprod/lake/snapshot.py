"""What was kept of a window of time, streamed in batches, each prediction with its outcome where it has come."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from nbprod.domain.names import nearest
from nbprod.errors import SchemaError
from nbprod.lake.columns import INPUT, MOMENT, NUMBER, input_name
from nbprod.lake.delta import DeltaFolder

__all__ = ["PredictionSnapshot", "with_inputs_apart"]


@dataclass(frozen=True, kw_only=True)
class PredictionSnapshot:
    """Predictions of a window, read when asked for, in no particular order.

    Every read sees the same versions of the tables, whatever is appended meanwhile.
    """

    tables: Mapping[str, int]  #: versions of the tables that are read; empty where nothing was ever kept
    dataset: Any | None
    condition: Any | None
    outcomes: pa.Table | None = None  #: latest outcome by prediction id; ``None`` when not asked for

    @classmethod
    def of(
        cls, delta: DeltaFolder, start: datetime | None, end: datetime | None, *, table_version: int | None = None
    ) -> PredictionSnapshot:
        """The rows of a table of predictions whose ``at`` is from ``start`` (included) to ``end`` (excluded)."""
        table = delta.open(table_version)
        if table is None:
            return cls(tables={}, dataset=None, condition=None)
        condition = None
        if start is not None:
            condition = pc.field("at") >= pa.scalar(start, MOMENT)
        if end is not None:
            before = pc.field("at") < pa.scalar(end, MOMENT)
            condition = before if condition is None else condition & before
        return cls(tables={"predictions": table.version()}, dataset=table.to_pyarrow_dataset(), condition=condition)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns of a batch."""
        own = self.dataset.schema.names if self.dataset is not None else []
        if self.outcomes is None or not own:
            return tuple(own)
        is_reviewed = self.outcomes["reviewer"].null_count < len(self.outcomes)
        return (*own, "outcome", "outcome_at", *(("reviewer",) if is_reviewed else ()))

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the inputs, as the model knows them."""
        return tuple(input_name(name) for name in self.columns if name.startswith(INPUT))

    def batches(self, columns: Sequence[str] | None = None, *, batch_rows: int = 65_536) -> Iterator[pa.RecordBatch]:
        """The rows, some at a time.

        Parameters
        ----------
        columns
            Names as in ``columns``; by default all.
        batch_rows
            How many rows at most in one batch.
        """
        if self.dataset is None:
            return
        asked = list(columns if columns is not None else self.columns)
        if unknown := [name for name in asked if name not in self.columns]:
            raise SchemaError(
                f"no column {unknown[0]!r} is kept", columns=unknown, hint=nearest(unknown[0], self.columns)
            )
        own = [name for name in asked if name in self.dataset.schema.names]
        joins = len(own) < len(asked)
        needed = [name for name in ("prediction_id", "unit", "at") if name in self.dataset.schema.names]
        read = list(dict.fromkeys([*own, *needed])) if joins else own
        for batch in self.dataset.to_batches(columns=read, filter=self.condition, batch_size=batch_rows):
            if batch.num_rows:
                yield self._joined(batch).select(asked) if joins else batch

    def to_table(self, columns: Sequence[str] | None = None) -> pa.Table:
        """All rows at once."""
        asked = list(columns if columns is not None else self.columns)
        batches = list(self.batches(columns))
        return pa.Table.from_batches(batches) if batches else pa.table({name: pa.array([], NUMBER) for name in asked})

    def count(self) -> int:
        """How many predictions."""
        return self.dataset.count_rows(filter=self.condition) if self.dataset is not None else 0

    def count_outcomes(self) -> int:
        """How many of them have an outcome."""
        if self.outcomes is None:
            return 0
        return sum(len(batch) - batch["outcome"].null_count for batch in self.batches(["outcome"]))

    def newest(self, limit: int) -> list[dict[str, Any]]:
        """Those that happened last, newest first, each with its ``inputs`` apart."""
        moments = self.to_table(["at"])["at"] if self.columns else pa.chunked_array([[]], MOMENT)
        if not len(moments):
            return []
        first = moments.take(pc.select_k_unstable(moments, limit, [("at", "descending")]))[-1]
        since = pc.field("at") >= first
        rows = replace(self, condition=since if self.condition is None else self.condition & since).to_table()
        return [with_inputs_apart(row) for row in rows.sort_by([("at", "descending")]).slice(0, limit).to_pylist()]

    def _joined(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        assert self.outcomes is not None
        found = pc.index_in(
            batch["prediction_id"], value_set=self.outcomes["prediction_id"].combine_chunks(), skip_nulls=True
        )
        if "unit" in batch.schema.names and self.outcomes["unit"].null_count < len(self.outcomes):
            found = pc.coalesce(found, self._by_unit(batch))
        joined = pa.Table.from_batches([batch])
        for name, column in (("outcome", "outcome"), ("outcome_at", "at"), ("reviewer", "reviewer")):
            joined = joined.append_column(name, self.outcomes[column].take(found))
        return joined.combine_chunks().to_batches()[0]

    def _by_unit(self, batch: pa.RecordBatch) -> pa.Array:
        """Where the outcome of each row's unit is, for rows made before it came."""
        assert self.outcomes is not None
        found = pc.index_in(batch["unit"], value_set=self.outcomes["unit"].combine_chunks(), skip_nulls=True)
        came = self.outcomes["at"].take(found).combine_chunks()
        return pc.if_else(pc.less_equal(batch["at"], came), found, pa.scalar(None, pa.int32()))

    def __repr__(self) -> str:
        versions = ", ".join(f"{name} version {n}" for name, n in self.tables.items())
        return f"<PredictionSnapshot of {versions or 'nothing'}>"


def with_inputs_apart(row: Mapping[str, Any]) -> dict[str, Any]:
    """A kept row with its inputs apart, under the names the model knows, and without what is not set."""
    core = {name: value for name, value in row.items() if not name.startswith(INPUT) and value is not None}
    return {**core, "inputs": {input_name(name): value for name, value in row.items() if name.startswith(INPUT)}}
