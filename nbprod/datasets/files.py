"""Files, folders and URLs: what they hold, how many rows, and how to stream them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import fsspec
import pyarrow as pa
from pyarrow.fs import FSSpecHandler, LocalFileSystem, PyFileSystem

from nbprod.datasets.csv import CsvFile, open_csv
from nbprod.datasets.parquet import SAMPLE_PIECES, ParquetFiles, spread
from nbprod.domain.csv_format import CsvFormat
from nbprod.errors import DataError

if TYPE_CHECKING:
    import pyarrow.dataset as pads

__all__ = ["BATCH_ROWS", "SAMPLE_PIECES", "Opened", "open_arrow", "open_location"]

BATCH_ROWS = 32_768
_READ_FOR_SAMPLE = 2_000_000  # rows that are read whole for a sample where row groups do not give enough places
_PARQUET = (".parquet", ".pq", ".parq")
_CSV = (".csv", ".tsv", ".csv.gz", ".tsv.gz", ".txt")


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A location that has been looked at."""

    kind: str
    schema: pa.Schema
    rows: int
    scan: Callable[[list[str] | None], Iterator[pa.RecordBatch]]
    sample: Callable[[int, list[str] | None], Iterable[pa.RecordBatch]]
    read_as: str = ""  #: of CSV: how bytes became values
    as_text: Callable[[Collection[str]], CsvFile] | None = None  #: of CSV: with the cells of some columns as written


def open_location(location: str, said: CsvFormat | None = None) -> Opened:
    """Look at a path or URL and say how to stream it; ``said`` is what is known of a CSV file.

    Raises
    ------
    DataError
        It does not exist, is empty, cannot be reached, or is not what its ending says.
    """
    try:
        system, path = fsspec.core.url_to_fs(location)
        return _open(location, system, path, said)
    except ImportError as error:
        raise DataError(
            f"{location} cannot be opened: {error}", hint="Install the extra this address needs."
        ) from error
    except (OSError, ValueError, pa.ArrowException) as error:
        raise DataError(
            f"{location} cannot be opened: {error}", hint="Check the path and the access to it."
        ) from error


def _open(location: str, system: Any, path: str, said: CsvFormat | None) -> Opened:
    if not system.exists(path):
        raise DataError(f"{location} does not exist", hint="Check the path; it is relative to where you work.")
    if system.isdir(path):
        return _open_folder(location, system, path)
    if system.size(path) == 0:
        raise DataError(f"{location} is empty", hint="Write it again; not even a header is in it.")
    return _open_file(location, system, path, said)


def _open_folder(location: str, system: Any, path: str) -> Opened:
    if system.exists(f"{path.rstrip('/')}/_delta_log"):
        from deltalake import DeltaTable  # heavy, and only for Delta tables
        from deltalake.exceptions import DeltaError

        try:
            table = DeltaTable(location).to_pyarrow_dataset()
        except DeltaError as error:
            raise DataError(
                f"{location} is not a readable Delta table: {error}", hint="Check its _delta_log."
            ) from error
        return open_arrow("delta", table)
    files = sorted(name for name in system.find(path) if _visible(name, path) and name.lower().endswith(_PARQUET))
    if not files:
        raise DataError(
            f"{location} is a folder without Parquet files",
            hint="Give a folder of .parquet files or a Delta table.",
        )
    from pyarrow.dataset import partitioning as partitioned_by  # delayed: with it pandas

    partitioning = partitioned_by(flavor="hive")
    root = path.rstrip("/")
    return _open_parquet(location, system, files, partitioning=partitioning, partition_base_dir=root)


def _visible(name: str, root: str) -> bool:
    # names that start with _ or . are marks and unfinished files of other writers
    inside = PurePosixPath(name).parts[len(PurePosixPath(root).parts) :]
    return not any(part.startswith(("_", ".")) for part in inside)


def _open_file(location: str, system: Any, path: str, said: CsvFormat | None) -> Opened:
    name = path.lower()
    if name.endswith(_PARQUET):
        return _open_parquet(location, system, [path])
    if name.endswith(_CSV):
        with system.open(path, "rb") as file:
            if file.read(4) == b"PAR1":
                raise DataError(f"{location} is a Parquet file, not CSV", hint="Rename it to end with .parquet.")
        csv = open_csv(location, lambda: system.open(path, "rb", compression="infer"), said, tabs=".tsv" in name)
        return Opened(
            kind="csv",
            schema=csv.schema,
            rows=csv.rows,
            scan=csv.batches,
            sample=csv.sample,
            read_as=csv.read_as,
            as_text=csv.as_text,
        )
    raise DataError(
        f"{location} has an ending nbprod does not read",
        hint="Give .parquet or .csv, or a folder of Parquet files or a Delta table.",
    )


def _open_parquet(location: str, system: Any, paths: list[str], **options: Any) -> Opened:
    from pyarrow.dataset import dataset as arrow_dataset  # delayed: with it pandas

    arrow = LocalFileSystem() if "file" in _protocols(system) else PyFileSystem(FSSpecHandler(system))
    try:
        dataset = arrow_dataset(paths, format="parquet", filesystem=arrow, **options)
        files = None
        if isinstance(arrow, LocalFileSystem):
            fragments = list(dataset.get_fragments())
            if all(fragment.physical_schema.equals(dataset.schema) for fragment in fragments):
                files = ParquetFiles(paths=tuple(fragment.path for fragment in fragments), batch_rows=BATCH_ROWS)
        return open_arrow("parquet", dataset, files)
    except (pa.ArrowException, OSError) as error:
        raise DataError(
            f"{location} is not a readable Parquet file: {str(error).splitlines()[0]}",
            hint="Its ending says Parquet; write it again, or rename it if it is something else.",
        ) from error


def _protocols(system: Any) -> tuple[str, ...]:
    return (system.protocol,) if isinstance(system.protocol, str) else tuple(system.protocol)


def open_arrow(kind: str, dataset: pads.Dataset, files: ParquetFiles | None = None) -> Opened:
    """Stream an Arrow dataset, or the local files it is made of, and sample its row groups."""
    from pyarrow.dataset import ParquetFragmentScanOptions  # delayed: with it pandas

    total = dataset.count_rows()
    reading = {
        "batch_size": BATCH_ROWS,
        "batch_readahead": 2,
        "fragment_readahead": 1,
        "fragment_scan_options": ParquetFragmentScanOptions(pre_buffer=False),
    }

    def scan(columns: list[str] | None) -> Iterator[pa.RecordBatch]:
        for batch in dataset.scanner(columns=columns, **reading).to_batches():
            if batch.num_rows:
                yield batch

    def sample(rows: int, columns: list[str] | None) -> Iterator[pa.RecordBatch]:
        fragments = list(dataset.get_fragments())
        if all(hasattr(fragment, "split_by_row_group") for fragment in fragments):
            fragments = [group for fragment in fragments for group in fragment.split_by_row_group()]
        places = spread(len(fragments))
        if len(places) < SAMPLE_PIECES and total <= _READ_FOR_SAMPLE:
            # few row groups, each perhaps sorted: a piece of every batch
            piece = max(1, rows * BATCH_ROWS // total)
            for batch in (files.scan if files else scan)(columns):
                yield batch.slice(0, piece)
        elif files is not None:
            yield from files.sample(rows, columns)
        else:
            for place in places:
                scanner = fragments[place].scanner(schema=dataset.schema, columns=columns, **reading)
                yield from scanner.head(rows // len(places)).to_batches()

    return Opened(kind=kind, schema=dataset.schema, rows=total, scan=files.scan if files else scan, sample=sample)
