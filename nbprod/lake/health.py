"""What a deployment's servers counted, minute by minute: one row a counter that grew."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
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
        ("value", NUMBER),  # by how much it grew
    ]
)


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

    def dataset(self) -> pads.Dataset:
        """Every row, as an Arrow data set."""
        return self._delta.dataset()

    def compact(self, *, keep: timedelta = timedelta(days=30)) -> Mapping[str, int]:
        """Merge small parts, and remove parts no version of the last ``keep`` needs."""
        return self._delta.compact(keep=keep)

    def __repr__(self) -> str:
        return f"<HealthTable {self._delta.uri}>"
