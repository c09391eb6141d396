"""Write Parquet so that it is visible whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from os import PathLike
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from nbprod.datasets.dataset import open_dataset
from nbprod.errors import DataError

__all__ = ["write_parquet"]


def write_parquet(
    frame: Any,
    path: str | PathLike[str],
    *,
    schema: pa.Schema | None = None,
) -> Path:
    """Write rows to a Parquet file beside the target, then rename it into place; a crash leaves the old file or none.

    Parameters
    ----------
    frame
        A pandas or polars frame, an Arrow table, or, with a schema, an iterable of record batches, which is streamed.
    path
        The file; its folder is made when missing.
    schema
        Of the record batches.

    Raises
    ------
    DataError
        A column cannot be held, or the file cannot be written; nothing is left behind.
    """
    target = Path(path)
    batches: Iterable[pa.RecordBatch]
    if schema is not None:
        batches = frame
    else:
        dataset = open_dataset(frame, allow_empty=True)
        schema, batches = dataset.schema, dataset.batches()
    temporary: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part")
        temporary = Path(name)
        with os.fdopen(handle, "wb") as file:
            with pq.ParquetWriter(file, schema) as writer:
                for batch in batches:
                    writer.write_batch(batch)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
        _sync_folder(target.parent)
    except BaseException as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError | pa.ArrowException):
            raise DataError(
                f"{target} cannot be written: {error}",
                hint="Check the free space and the access rights of its folder.",
            ) from error
        raise
    return target


def _sync_folder(folder: Path) -> None:
    # the rename itself must survive a power cut
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
