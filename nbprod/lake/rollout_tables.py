"""The two tables of a rollout: what an arm failed to answer, and what a shadow answered beside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads

from nbprod.clock import format_utc, now
from nbprod.errors import SchemaError
from nbprod.lake.columns import MOMENT, NUMBER, TEXT, as_table, cast, to_storage_type
from nbprod.lake.delta import DeltaFolder, Transaction

__all__ = ["FailureTable", "ShadowTable", "as_text"]

FAILURES = pa.schema(
    [
        ("prediction_id", TEXT),  # of the answer that was given instead; null where there was none
        ("version", TEXT),  # that failed
        ("at", MOMENT),
        ("logged_at", MOMENT),
        ("kind", TEXT),  # error, not-a-number, timeout, refused
        ("arm", TEXT),
        ("share", NUMBER),
        ("stratum", TEXT),
        ("unit", TEXT),
    ]
)
SHADOWS = pa.schema(
    [
        ("prediction_id", TEXT),  # of the answer that was given
        ("version", TEXT),
        ("at", MOMENT),
        ("logged_at", MOMENT),
        ("latency_ms", NUMBER),
        ("failure", TEXT),  # why it has no answer
        ("prediction", TEXT),  # as text: a label, or the shortest number that reads back the same
        ("probability", NUMBER),
    ]
)


class _EventTable:
    """Rows of one fixed form, only ever added to."""

    form: pa.Schema

    def __init__(self, uri: str, storage_options: Mapping[str, str] | None) -> None:
        self._delta = DeltaFolder(uri, storage_options, columns=self.form, indexed=("at", "prediction_id"))

    def append(self, rows: Any, *, transaction: Transaction | None = None) -> int | None:
        """Keep rows; they are on the disk when this returns.

        Parameters
        ----------
        rows
            Columns of this table; those not given are null, ``logged_at`` is now.
        transaction
            The same hand-in again adds nothing.

        Returns
        -------
        int or None
            The version of the table; ``None`` where nothing was added.

        Raises
        ------
        SchemaError
            A column is unknown or of a wrong type.
        """
        table = as_table(rows, "rows")
        if unknown := sorted(set(table.column_names) - set(self.form.names)):
            raise SchemaError(f"the table has no column {unknown[0]}", columns=unknown)
        moment = pa.array([now()] * table.num_rows, MOMENT)
        given = {
            field.name: cast(to_storage_type(table[field.name]), field.type)
            if field.name in table.column_names
            else moment
            if field.name in {"at", "logged_at"}
            else pa.nulls(table.num_rows, field.type)
            for field in self.form
        }
        with self._delta.alone():
            if not table.num_rows or (transaction is not None and self._delta.has_seen(transaction)):
                return None
            return self._delta.append(pa.table(given), transaction)

    def window(
        self, start: datetime | None = None, end: datetime | None = None, *, table_version: int | None = None
    ) -> tuple[pa.Table, int | None]:
        """Rows from ``start`` (included) to ``end`` (excluded), and the version of the table that was read."""
        table = self._delta.open(table_version)
        if table is None:
            return self.form.empty_table(), None
        condition = None
        for bound, compare in ((start, pc.greater_equal), (end, pc.less)):
            if bound is not None:
                one = compare(pc.field("at"), pa.scalar(bound, MOMENT))
                condition = one if condition is None else condition & one
        return table.to_pyarrow_dataset().to_table(filter=condition), table.version()

    def compact(self, *, keep: timedelta = timedelta(days=30)) -> Mapping[str, int]:
        """Merge small parts, and remove parts no version of the last ``keep`` needs."""
        return self._delta.compact(keep=keep)

    def prune(self, before: datetime, *, keep: timedelta) -> Mapping[str, int]:
        """Delete what happened before a moment, and parts no version of the last ``keep`` needs."""
        with self._delta.alone():
            return self._delta.delete(f"at < '{format_utc(before)}'", keep=keep)

    def erase(self, column: str, values: Sequence[str]) -> Mapping[str, int]:
        """Delete rows that have one of some texts in a column, with every older version of the table."""
        named = pa.array(values, TEXT)
        with self._delta.alone():
            return self._delta.rewrite(
                lambda batch: pc.invert(pc.is_in(batch[column].cast(TEXT), value_set=named)), keep=timedelta(0)
            )

    def parts(self) -> list[Path]:
        """Every part of whatever version that lies on this disk."""
        return self._delta.parts()

    def dataset(self) -> pads.Dataset:
        """Every row, as an Arrow data set."""
        return self._delta.dataset()

    def reached(self, name: str) -> int:
        """The number of the last append of a transaction's name; 0 before the first."""
        return self._delta.reached(name)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._delta.uri}>"


class FailureTable(_EventTable):
    """Requests that the arm they were assigned to did not answer."""

    form = FAILURES


class ShadowTable(_EventTable):
    """Answers of a version that was asked beside."""

    form = SHADOWS


def as_text(value: Any) -> str:
    """A prediction as answers of shadows are kept: whole numbers whole, however large."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
