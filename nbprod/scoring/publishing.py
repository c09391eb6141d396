"""Makes the parts of a job visible as one table: Parquet, CSV, a folder of Parquet files or a Delta table."""

from __future__ import annotations

import gzip
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from nbprod.disk import make_folder, sync_tree
from nbprod.errors import DataError, SettingsError
from nbprod.scoring.job import REJECTS
from nbprod.scoring.places import Place
from nbprod.scoring.work_folder import PART, REJECTED, WorkFolder

__all__ = ["FORMATS", "format_of", "publish", "publish_rejects", "rejects_of"]

FORMATS = ("parquet", "csv", "delta", "folder")
ENDINGS = {".parquet": "parquet", ".pq": "parquet", ".csv": "csv", ".csv.gz": "csv", ".delta": "delta"}


def format_of(output: str, said: str | None = None) -> str:
    """How an output is written: as was said, or as its ending says.

    Raises
    ------
    SettingsError
        Neither tells, or a folder of files is to be written where nothing can be renamed.
    """
    if said is not None and said not in FORMATS:
        raise SettingsError(f"{said!r} is no format", hint=f"Give one of {', '.join(FORMATS)}.")
    found = said or ("folder" if output.endswith(("/", os.sep)) else None)
    found = found or next((kind for ending, kind in ENDINGS.items() if output.lower().endswith(ending)), None)
    if found is None and (Place(output) / "_delta_log").exists():
        found = "delta"
    if found is None:
        raise SettingsError(
            f"how {output} is to be written cannot be told from its ending",
            hint="End it with .parquet, .csv, .csv.gz, .delta or / for a folder of Parquet files, or give --format.",
        )
    if found == "folder" and not Place(output).is_local:
        raise SettingsError(
            f"{output} cannot appear whole as a folder of files", hint="Write one .parquet file, or a .delta table."
        )
    return found


def rejects_of(output: Place, form: str) -> Place:
    """Where the rejected rows of an output are told: ``predictions.rejects.parquet``."""
    stem, ending = output.name, ".parquet"
    for one in (".csv.gz", ".parquet", ".delta", ".csv", ".pq"):
        if stem.lower().endswith(one):
            stem, ending = stem[: -len(one)], stem[-len(one) :]
            break
    return output.beside(f"{stem}.rejects{ending if form in {'parquet', 'csv'} else '.parquet'}")


def publish(work: WorkFolder, output: Place, schema: pa.Schema, *, form: str, key: str) -> None:
    """Put the output in place, whole.

    Parameters
    ----------
    work
        Has the parts.
    output
        What is replaced where it exists.
    schema
        Of the output.
    form
        One of :data:`FORMATS`.
    key
        Of the job: a Delta table gets it once.

    Raises
    ------
    DataError
        It cannot be written; an older output is as it was.
    """
    if form == "delta":
        _to_delta(output, schema, _tables(work, PART), key)
    elif form == "folder":
        _to_folder(work, Path(output.path))
    else:
        _to_file(output, schema, _tables(work, PART), form)


def publish_rejects(work: WorkFolder, place: Place) -> None:
    """Put the table of rejected rows in place, or remove an older one where there are none."""
    if work.names(REJECTED):
        _to_file(place, REJECTS, _tables(work, REJECTED), "csv" if ".csv" in place.name else "parquet")
    else:
        place.remove()


def _tables(work: WorkFolder, kind: str) -> Iterator[pa.Table]:
    return map(work.table, work.names(kind))


def _to_file(output: Place, schema: pa.Schema, tables: Iterator[pa.Table], form: str) -> None:
    folder = Path(output.path).parent if output.is_local else Path(tempfile.gettempdir())
    with _cleanly(output), _temporary(folder, output.name) as (temporary, file):
        if form == "csv":
            _write_csv(file, schema, tables, packed=output.name.lower().endswith(".gz"))
        else:
            dictionary = [one.name for one in schema if one.name != "prediction_id"]
            with pq.ParquetWriter(file, schema, use_dictionary=dictionary) as writer:
                for table in tables:
                    writer.write_table(table.cast(schema))
        file.flush()
        os.fsync(file.fileno())
        output.publish(temporary)


def _write_csv(file: IO[bytes], schema: pa.Schema, tables: Iterator[pa.Table], *, packed: bool) -> None:
    target: Any = gzip.GzipFile(fileobj=file, mode="wb", mtime=0) if packed else file
    with pacsv.CSVWriter(target, schema) as writer:
        for table in tables:
            writer.write_table(table.cast(schema))
    if packed:
        target.close()


def _to_folder(work: WorkFolder, target: Path) -> None:
    with _cleanly(Place(target)):
        fresh = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
        try:
            for number, name in enumerate(work.names(PART)):
                shutil.copyfile(Path(work.place.path, name), fresh / f"part-{number:06d}.parquet")
            sync_tree(fresh)
            old = fresh.with_name(f"{fresh.name}.old")
            if target.exists():
                target.rename(old)
            fresh.rename(target)
            shutil.rmtree(old, ignore_errors=True)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)


def _to_delta(output: Place, schema: pa.Schema, tables: Iterator[pa.Table], key: str) -> None:
    from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake  # delayed: only for Delta
    from deltalake.exceptions import DeltaError

    batches = (batch for table in tables for batch in table.cast(schema).to_batches())
    name = f"score-{key[:16]}"
    try:
        if DeltaTable.is_deltatable(output.url) and DeltaTable(output.url).transaction_version(name) is not None:
            return  # committed before the end came
        if output.is_local:
            make_folder(Path(output.path))
        write_deltalake(
            output.url,
            pa.RecordBatchReader.from_batches(schema, batches),
            mode="overwrite",
            schema_mode="overwrite",
            commit_properties=CommitProperties(app_transactions=[Transaction(name, 1)]),
        )
    except DeltaError as error:
        raise DataError(f"{output.url} cannot be written: {error}", hint="Check the access to it.") from error
    if output.is_local:
        sync_tree(Path(output.path))


@contextmanager
def _temporary(folder: Path, name: str) -> Iterator[tuple[Path, IO[bytes]]]:
    handle, path = tempfile.mkstemp(dir=folder, prefix=f".{name}.", suffix=".part")
    temporary = Path(path)
    try:
        with os.fdopen(handle, "wb") as file:
            yield temporary, file
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def _cleanly(output: Place) -> Iterator[None]:
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        raise DataError(
            f"{output.url} cannot be written: {error}",
            hint="Check the free space and the access rights; what was scored is kept: repeat the command.",
        ) from error
