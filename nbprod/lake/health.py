"""What a deployment's servers counted and measured, minute by minute."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads

from nbprod.lake.columns import MOMENT, NUMBER, TEXT, as_table
from nbprod.lake.delta import DeltaFolder

__all__ = ["HealthTable"]

COLUMNS = pa.schema(
    [
        ("at", MOMENT),  # when the minute began
        ("seconds", NUMBER),  # how long it was
        ("server", TEXT),
        ("name", TEXT),  # as Prometheus knows it: nbprod_requests_total
        ("labels", TEXT),  # code=200,route=/predict
        ("value", NUMBER),  # of a counter by how much it grew, of a gauge what it was at the minute's end
    ]
)
MOST_ROWS = 1_000_000  #: that wait for being summed up


class HealthTable:
    """The sums of each minute."""

    def __init__(self, uri: str, storage_options: Mapping[str, str] | None) -> None:
        self._delta = DeltaFolder(uri, storage_options, columns=COLUMNS, indexed=("at",))

    def append(self, sums: Mapping[str, list[Any]]) -> None:
        """Keep rows with the table's columns; they are on the disk when this returns."""
        rows = as_table(sums, "sums").select(COLUMNS.names).cast(COLUMNS)
        with self._delta.alone():
            self._delta.append(rows)

    def to_table(self, since: Any = None) -> pa.Table:
        """Every row, or those of minutes that began at a moment or later."""
        table = self._delta.open()
        if table is None:
            return COLUMNS.empty_table()
        condition = pc.field("at") >= pa.scalar(since, MOMENT) if since is not None else None
        return table.to_pyarrow_dataset().to_table(filter=condition)

    def binned(
        self, names: Sequence[str], start: datetime, end: datetime, bin_length: timedelta
    ) -> tuple[pa.Table, int | None]:
        """Sums of stretches of time, with memory for the stretches alone however many minutes there are.

        Parameters
        ----------
        names
            What is read.
        start, end
            Aware; ``end`` is not included.
        bin_length
            Of a stretch; the first begins at ``start``.

        Returns
        -------
        Table, int or None
            A row for each ``bin``, ``server``, ``name`` and ``labels`` with what was seen: ``sum``, ``max`` and
            ``seconds``; and the version of the table, ``None`` where there is none.
        """
        keys, wanted = ["bin", "server", "name", "labels"], [("value", "sum"), ("value", "max"), ("seconds", "sum")]
        whole = [("sum", "sum"), ("max", "max"), ("seconds", "sum")]
        columns = [*keys, "sum", "max", "seconds"]
        summed = pa.table({name: pa.array([], pa.int64() if name == "bin" else _type(name)) for name in columns})
        table = self._delta.open()
        if table is None:
            return summed, None
        condition = (pc.field("at") >= pa.scalar(start, MOMENT)) & (pc.field("at") < pa.scalar(end, MOMENT))
        wanted_names = pa.array(names, TEXT)
        first, length = pa.scalar(start, MOMENT).value, bin_length // timedelta(microseconds=1)
        waiting: list[pa.Table] = []

        def sum_up() -> None:
            nonlocal summed
            grouped = pa.concat_tables([summed, *waiting]).group_by(keys).aggregate(whole)
            summed = grouped.select([*keys, "sum_sum", "max_max", "seconds_sum"]).rename_columns(columns)
            waiting.clear()

        for batch in table.to_pyarrow_dataset().to_batches(filter=condition):
            named = pc.is_in(batch["name"].cast(TEXT), value_set=wanted_names)
            rows = pa.Table.from_batches([batch]).filter(named)
            if rows.num_rows:
                since = pc.subtract(rows["at"].cast(pa.int64()), first)
                rows = rows.append_column("bin", pc.divide(since, length))
                grouped = rows.group_by(keys).aggregate(wanted)
                waiting.append(
                    grouped.select([*keys, "value_sum", "value_max", "seconds_sum"]).rename_columns(columns)
                )
            if sum(one.num_rows for one in waiting) > MOST_ROWS:
                sum_up()
        sum_up()
        return summed, table.version()

    def dataset(self) -> pads.Dataset:
        """Every row, as an Arrow data set."""
        return self._delta.dataset()

    def compact(self, *, keep: timedelta = timedelta(days=30)) -> Mapping[str, int]:
        """Merge small parts, and remove parts no version of the last ``keep`` needs."""
        return self._delta.compact(keep=keep)

    def __repr__(self) -> str:
        return f"<HealthTable {self._delta.uri}>"


def _type(name: str) -> pa.DataType:
    return TEXT if name in {"server", "name", "labels"} else NUMBER
