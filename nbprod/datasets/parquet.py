"""Local Parquet files, streamed with little memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

__all__ = ["SAMPLE_PIECES", "ParquetFiles", "spread"]

_BUFFER_BYTES = 65_536
SAMPLE_PIECES = 16  #: places a sample is taken from


def spread(count: int, pieces: int = SAMPLE_PIECES) -> list[int]:
    """Positions spread evenly over a sequence, the first and the last among them."""
    taken = min(pieces, count)
    return [(count - 1) * place // max(taken - 1, 1) for place in range(taken)]


@dataclass(frozen=True, kw_only=True)
class ParquetFiles:
    """Files of one schema, in order.

    Read file by file through small buffers: reading ahead, as Arrow's datasets do, costs hundreds of MB on wide files
    and wins nothing on a local disk.
    """

    paths: tuple[str, ...]
    batch_rows: int

    def scan(self, columns: list[str] | None) -> Iterator[pa.RecordBatch]:
        """Every row."""
        for path in self.paths:
            with self._open(path) as file:
                for batch in file.iter_batches(batch_size=self.batch_rows, columns=columns):
                    if batch.num_rows:
                        yield _ordered(batch, columns)

    def sample(self, rows: int, columns: list[str] | None) -> Iterator[pa.RecordBatch]:
        """The first rows of row groups spread over all files."""
        groups = []
        for path in self.paths:
            with self._open(path) as file:
                groups += [(path, group) for group in range(file.num_row_groups)]
        chosen = [groups[place] for place in spread(len(groups))]
        for path, group in chosen:
            with self._open(path) as file:
                size = max(rows // len(chosen), 1)
                found = next(file.iter_batches(batch_size=size, row_groups=[group], columns=columns), None)
                if found is not None:
                    yield _ordered(found, columns)

    def _open(self, path: str) -> pq.ParquetFile:
        return pq.ParquetFile(path, pre_buffer=False, buffer_size=_BUFFER_BYTES)


def _ordered(batch: pa.RecordBatch, columns: list[str] | None) -> pa.RecordBatch:
    # the reader gives columns in the order of the file
    return batch if columns is None or batch.schema.names == columns else batch.select(columns)
