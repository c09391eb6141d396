"""One Delta table: appends that are on the disk before they return, and happen once.

deltalake never calls fsync. On a disk the part is written and synced here before the log entry that names it exists,
then the entry and the folders are synced; writers of one machine take turns by a lock file. An object store needs
neither. deltalake accepts a transaction twice, so the last one is read first, under the lock.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads
import pyarrow.parquet as pq

from nbprod.clock import now
from nbprod.disk import locked, make_folder, reporting_os_errors, sync
from nbprod.errors import StoreError
from nbprod.lake.columns import cast

__all__ = ["DeltaFolder", "Transaction"]

T = TypeVar("T")
RETRIES = 20  # of a commit that lost against other machines; deltalake itself tries 15 times each
CONFIGURATION = {"delta.logRetentionDuration": "interval 365 days"}  # so that a monitor's version can be read again


@dataclass(frozen=True, kw_only=True)
class Transaction:
    """A name and a number that make an append happen once; numbers of one name grow."""

    name: str
    number: int


class DeltaFolder:
    """A Delta table that need not exist yet.

    Parameters
    ----------
    uri
        A folder or a URL.
    storage_options
        Of a URL: passed to deltalake.
    columns
        The columns a new table starts with.
    indexed
        Columns whose range is kept in the log, so that readers skip parts.
    """

    def __init__(
        self, uri: str, storage_options: Mapping[str, str] | None, *, columns: pa.Schema, indexed: Sequence[str]
    ) -> None:
        self.uri = uri
        self._storage_options = dict(storage_options or {})
        self._columns = columns
        self._indexed = indexed
        self._path = None if "://" in uri else Path(uri).absolute()

    def open(self, version: int | None = None) -> Any | None:
        """The table, or ``None`` while there is none.

        Raises
        ------
        StoreError
            It cannot be read, or the version is no longer there.
        """
        from deltalake import DeltaTable  # delayed: only those who touch tables wait for it
        from deltalake.exceptions import DeltaError, TableNotFoundError

        if self._path is not None and not (self._path / "_delta_log").is_dir():
            return None
        try:
            return DeltaTable(self.uri, version=version, storage_options=self._storage_options)
        except TableNotFoundError as problem:
            if version is None:
                return None
            raise StoreError(f"the table {self.uri} has no version {version} any more") from problem
        except (DeltaError, OSError) as problem:
            raise StoreError(
                f"the table {self.uri} cannot be read" + (f" as of version {version}" if version else f": {problem}"),
                hint="Older versions are kept for a year, their parts until compaction removes them.",
            ) from problem

    def dataset(self, version: int | None = None) -> pads.Dataset:
        """The rows as an Arrow data set to which any condition may be pushed; no rows while there is no table.

        Without the ranges of the log: of a column whose range is not there, deltalake 1.6 says that nothing lies in
        it, and a condition on it would find no row. The parts' own ranges are read instead.
        """
        table = self.open(version)
        if table is None:
            return pads.dataset(self._columns.empty_table())
        whole = table.to_pyarrow_dataset()
        parts = [part.format.make_fragment(part.path, part.filesystem) for part in whole.get_fragments()]
        return pads.FileSystemDataset(parts, whole.schema, whole.format, whole.filesystem)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other writers of this machine out."""
        with nullcontext() if self._path is None else locked(self._path.with_name(f"{self._path.name}.lock")):
            yield

    def has_seen(self, transaction: Transaction) -> bool:
        """Whether an append of this transaction, or a later one of its name, was made."""
        table = self.open()
        known = table.transaction_version(transaction.name) if table is not None else None
        return known is not None and known >= transaction.number  # the first number may be 0

    def reached(self, name: str) -> int:
        """The number of the last transaction of a name, 0 before the first."""
        table = self.open()
        return int(table.transaction_version(name) or 0) if table is not None else 0

    def known(self, column: str, values: pa.ChunkedArray | pa.Array | Sequence[str]) -> pa.Array:
        """Those of some texts that a column holds."""
        asked = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else pa.array(values, pa.string())
        return pc.unique(self.where(column, asked.drop_null(), [column])[column])

    def where(self, column: str, values: pa.Array, columns: Sequence[str]) -> pa.Table:
        """Some columns of the rows that have one of some texts in a column."""
        table = self.open() if len(values) else None
        rows = table.to_pyarrow_dataset() if table is not None else None
        if rows is None or column not in rows.schema.names:
            return pa.table({name: pa.array([], pa.string()) for name in columns})
        if column in self._indexed:
            return rows.to_table(columns=list(columns), filter=pc.field(column).isin(values))
        # deltalake 1.6 says of a column whose range is not in the log that nothing lies in it, so a filter finds none
        read = list(dict.fromkeys([*columns, column]))
        parts = [
            batch.filter(pc.is_in(batch[column], value_set=values)).select(list(columns))
            for batch in rows.to_batches(columns=read)
        ]
        return pa.Table.from_batches(parts, schema=pa.schema([rows.schema.field(name) for name in columns]))

    def append(self, rows: pa.Table, transaction: Transaction | None = None) -> int:
        """Append rows whose types are those of ``columns.py``; return the table's new version. Call it ``alone``.

        New columns are added, and those of another type widened, before.
        """
        table = self.open()
        if table is None:
            table = self._create(rows.schema)
        schema = pa.schema(table.schema().to_arrow())
        if changed := {
            field.name: field.type
            for field in rows.schema
            if field.name in schema.names and field.type != schema.field(field.name).type
        }:
            raise StoreError(f"columns of another type must be widened first: {', '.join(changed)}")
        self._add_columns(table, [field for field in rows.schema if field.name not in schema.names])
        schema = pa.schema(table.schema().to_arrow())
        whole = pa.table(
            [
                rows[field.name] if field.name in rows.column_names else pa.nulls(rows.num_rows, field.type)
                for field in schema
            ],
            schema=schema,
        )
        self._commit(table, [whole], "append", schema, transaction)
        table.update_incremental()
        return int(table.version())

    def widen(self, types: Mapping[str, pa.DataType]) -> None:
        """Rewrite the table with wider types for some columns, as a new version. Call it ``alone``."""
        table = self.open()
        if table is None:
            return
        before = pa.schema(table.schema().to_arrow())
        after = pa.schema([pa.field(field.name, types.get(field.name, field.type)) for field in before])
        batches = table.to_pyarrow_dataset().to_batches()
        tables = (
            pa.table([cast(pa.chunked_array([batch[f.name]]), f.type) for f in after], schema=after)
            for batch in batches
        )
        self._commit(table, tables, "overwrite", after, None)

    def compact(self, *, keep: timedelta) -> Mapping[str, int]:
        """Merge small parts, and remove parts no version of the last ``keep`` needs.

        Returns
        -------
        Number of parts ``before``, ``after`` and ``removed``.
        """
        with self.alone():
            table = self.open()
            if table is None:
                return {"before": 0, "after": 0, "removed": 0}
            before, first = len(table.file_uris()), table.version()
            self._retried(table.optimize.compact)
            self._sync(first, parts=[Path(uri).name for uri in table.file_uris()])
            removed = self._vacuum(table, keep)
        return {"before": before, "after": len(table.file_uris()), "removed": removed}

    def delete(self, condition: str, *, keep: timedelta) -> Mapping[str, int]:
        """Delete rows, and remove the parts no version of the last ``keep`` needs. Call it ``alone``.

        Parameters
        ----------
        condition
            In SQL. It is written into the table's log, so it names no person.
        keep
            Nothing at all: parts that hold deleted rows are gone when this returns, and so are older versions.

        Returns
        -------
        Number of ``rows`` deleted and of parts ``removed``.
        """
        table = self.open()
        if table is None:
            return {"rows": 0, "removed": 0}
        first = table.version()
        deleted = self._retried(lambda: table.delete(condition))
        self._sync(first, parts=[Path(uri).name for uri in table.file_uris()])
        return {"rows": int(deleted["num_deleted_rows"]), "removed": self._vacuum(table, keep)}

    def rewrite(self, wanted: Callable[[pa.RecordBatch], pa.Array], *, keep: timedelta) -> Mapping[str, int]:
        """Do as :meth:`delete`, with a condition the table's log does not tell. Call it ``alone``.

        Parameters
        ----------
        wanted
            Says of each row of a batch whether it stays.
        keep
            As of :meth:`delete`.
        """
        table = self.open()
        if table is None:
            return {"rows": 0, "removed": 0}
        rows = table.to_pyarrow_dataset()
        gone = sum(len(batch) - (pc.sum(wanted(batch)).as_py() or 0) for batch in rows.to_batches())
        if gone:
            schema = pa.schema(table.schema().to_arrow())
            tables = (
                pa.Table.from_batches([batch.filter(wanted(batch))]).cast(schema) for batch in rows.to_batches()
            )
            self._commit(table, tables, "overwrite", schema, None)
            table.update_incremental()
        return {"rows": gone, "removed": self._vacuum(table, keep)}

    def parts(self) -> list[Path]:
        """Every part that lies on this disk, of whatever version; none in an object store."""
        return sorted(self._path.rglob("*.parquet")) if self._path is not None and self._path.is_dir() else []

    def _vacuum(self, table: Any, keep: timedelta) -> int:
        hours = int(keep.total_seconds() // 3600)
        # full: also parts that no version names, left by a writer that was killed
        removed = table.vacuum(retention_hours=hours, dry_run=False, enforce_retention_duration=False, full=True)
        if self._path is not None:
            sync(self._path)
        return len(removed)

    def _create(self, schema: pa.Schema) -> Any:
        from deltalake import DeltaTable

        fields = list(self._columns) + [field for field in schema if field.name not in self._columns.names]
        if self._path is not None:
            make_folder(self._path)
        table = DeltaTable.create(
            self.uri, pa.schema(fields), configuration=CONFIGURATION, storage_options=self._storage_options
        )
        self._sync(-1, parts=())
        return table

    def _add_columns(self, table: Any, fields: Sequence[pa.Field]) -> None:
        if fields:
            from deltalake import Schema

            first = table.version()
            self._retried(lambda: table.alter.add_columns(list(Schema.from_arrow(pa.schema(fields)).fields)))
            self._sync(first, parts=())

    def _commit(self, table: Any, tables: Any, mode: str, schema: pa.Schema, transaction: Transaction | None) -> None:
        from deltalake import CommitProperties, write_deltalake
        from deltalake import Transaction as AppTransaction

        once = [AppTransaction(transaction.name, transaction.number)] if transaction else None
        properties = CommitProperties(app_transactions=once)
        first = table.version()
        if self._path is None:
            how: Any = {"mode": mode, "schema_mode": "overwrite" if mode == "overwrite" else None}
            self._retried(
                lambda: write_deltalake(table, pa.concat_tables(tables), commit_properties=properties, **how)
            )
            return
        actions = [self._write_part(rows, self._path) for rows in tables if rows.num_rows]
        sync(self._path)
        self._retried(
            lambda: table.create_write_transaction(actions, mode, schema, None, commit_properties=properties)
        )
        self._sync(first, parts=())

    def _write_part(self, rows: pa.Table, folder: Path) -> Any:
        from deltalake.transaction import AddAction

        name = f"part-{now():%Y%m%dT%H%M%S}-{secrets.token_hex(8)}.parquet"
        path = folder / name
        try:
            with reporting_os_errors(f"writing {path}"):
                pq.write_table(rows, path, compression="zstd")
                path.chmod(0o600)
                sync(path)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        size = path.stat().st_size
        return AddAction(
            name, size, {}, int(now().timestamp() * 1000), data_change=True, stats=self._statistics(rows)
        )

    def _statistics(self, rows: pa.Table) -> str:
        ranges = {
            name: (pc.min(rows[name]), pc.max(rows[name]))
            for name in self._indexed
            if rows[name].null_count < len(rows)
        }
        return json.dumps(
            {
                "numRecords": rows.num_rows,
                "minValues": {name: _to_statistic(low) for name, (low, _) in ranges.items()},
                "maxValues": {name: _to_statistic(high) for name, (_, high) in ranges.items()},
                "nullCount": {name: rows[name].null_count for name in self._indexed},
            }
        )

    def _sync(self, before: int, parts: Sequence[str]) -> None:
        """Bring everything since a version to the disk: parts, log entries, checkpoints and folders."""
        if self._path is None:
            return
        log = self._path / "_delta_log"
        with reporting_os_errors(f"writing {self._path}"):
            for name in parts:
                sync(self._path / name)
            for entry in log.iterdir():
                if entry.name.startswith("_") or entry.name >= f"{before + 1:020d}":
                    sync(entry)
            for folder in (log, self._path, self._path.parent):
                sync(folder)

    def _retried(self, commit: Callable[[], T]) -> T:
        from deltalake.exceptions import CommitFailedError, DeltaError

        for attempt in range(RETRIES):
            try:
                return commit()
            except CommitFailedError as problem:
                if attempt == RETRIES - 1:
                    raise StoreError(
                        f"the table {self.uri} has too many writers: {problem}", hint="Try again when fewer write."
                    ) from problem
            except (DeltaError, OSError) as problem:
                raise StoreError(f"the table {self.uri} cannot be written: {problem}") from problem
        raise AssertionError


def _to_statistic(value: pa.Scalar) -> Any:
    plain = value.as_py()
    return plain.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if pa.types.is_timestamp(value.type) else plain
