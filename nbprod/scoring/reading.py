"""Reads the rows of a piece, going on where the last one ended instead of decoding its row group again."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from nbprod.datasets.views import without_views
from nbprod.errors import DataError
from nbprod.scoring.pieces import Piece
from nbprod.scoring.places import Place

__all__ = ["rows_of"]

BATCH_ROWS = 32_768
BUFFER_BYTES = 1 << 16
_LOCAL = threading.local()


def rows_of(piece: Piece, columns: list[str], job: str) -> pa.Table:
    """The rows of a piece.

    Parameters
    ----------
    piece
        Carries its rows, or says where they are.
    columns
        What is wanted of them.
    job
        The key of the job; another one reads its files anew.

    Raises
    ------
    DataError
        The file cannot be read, or has fewer rows than it had.
    """
    if piece.content is not None:
        return pa.ipc.open_stream(piece.content).read_all().select(columns)
    try:
        reader: _Reader | None = getattr(_LOCAL, "reader", None)
        if reader is None or not reader.can_go_on(job, piece, columns):
            if reader is not None:
                reader.close()
            reader = _LOCAL.reader = _Reader(job, piece, columns)
        return reader.read(piece)
    except (pa.ArrowException, OSError) as error:
        _LOCAL.reader = None
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(
            f"{piece.where} cannot be read: {first}",
            hint="The file may have changed or been cut off; write it again.",
        ) from error


class _Reader:
    """One file from a row group on."""

    def __init__(self, job: str, piece: Piece, columns: list[str]) -> None:
        self._of = (job, piece.file, columns)
        place = Place(piece.file)
        self._file = pq.ParquetFile(
            place.path if place.is_local else place.open(), pre_buffer=False, buffer_size=BUFFER_BYTES
        )
        groups = list(range(piece.groups[0], self._file.num_row_groups))
        self._batches: Iterator[pa.RecordBatch] = self._file.iter_batches(
            BATCH_ROWS, row_groups=groups, columns=columns
        )
        self._at = piece.first - piece.skip  # number of the next row
        self._left: pa.RecordBatch | None = None

    def can_go_on(self, job: str, piece: Piece, columns: list[str]) -> bool:
        """Whether the piece is ahead, and no row group starts between here and it."""
        return self._of == (job, piece.file, columns) and piece.first - piece.skip <= self._at <= piece.first

    def read(self, piece: Piece) -> pa.Table:
        """The rows of a piece that is ahead."""
        taken: list[pa.RecordBatch] = []
        end = piece.first + piece.rows
        while self._at < end:
            batch = self._left if self._left is not None else next(self._batches, None)
            self._left = None
            if batch is None:
                raise OSError("there are fewer rows than there were")
            part = batch.slice(max(piece.first - self._at, 0), end - max(piece.first, self._at))
            passed = min(batch.num_rows, end - self._at)
            if passed < batch.num_rows:
                self._left = batch.slice(passed)
            self._at += passed
            if part.num_rows:
                taken.append(without_views(part))
        return pa.Table.from_batches(taken).select(self._of[2])

    def close(self) -> None:
        """Let the file go."""
        self._file.close()
