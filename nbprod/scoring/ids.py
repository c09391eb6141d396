"""Ids of the predictions of a job: the same however often they are made, so that a repeated part is the same.

UUIDs of version 7 (RFC 9562, section 5.7): 48 bits are the moment the job was begun, in milliseconds; then comes the
number of the row as a counter of 34 bits (section 6.2, method 1), then 40 bits of the job's key.
"""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pyarrow as pa

from nbprod.errors import DataError

__all__ = ["MOST_ROWS", "job_ids"]

MOST_ROWS = 1 << 34
LOW = 22  # bits of the counter behind the variant
HEX = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)
DASHES = (8, 13, 18, 23)
WIDTH = 36


def job_ids(rows: np.ndarray, *, at: datetime, key: str) -> pa.Array:
    """An id for each row of a job.

    Parameters
    ----------
    rows
        Numbers of rows in the whole job.
    at
        When the job was begun.
    key
        Of the job, in hex digits.

    Raises
    ------
    DataError
        A row's number does not fit into 34 bits.
    """
    numbers = rows.astype(np.uint64)
    if len(numbers) and int(numbers.max()) >= MOST_ROWS:
        raise DataError(f"A job has at most {MOST_ROWS:,} rows", hint="Score the files in several jobs.")
    words = np.empty((len(numbers), 2), dtype=">u8")
    moment = np.uint64((int(at.timestamp() * 1000) << 16) | 0x7000)
    words[:, 0] = moment | (numbers >> np.uint64(LOW))
    below = (numbers & np.uint64((1 << LOW) - 1)) << np.uint64(40)
    words[:, 1] = np.uint64((1 << 63) | int(key[:10], 16)) | below
    octets = words.view(np.uint8).reshape(-1, 16)
    digits = np.empty((len(numbers), 32), dtype=np.uint8)
    digits[:, 0::2] = HEX[octets >> 4]
    digits[:, 1::2] = HEX[octets & 15]
    text = np.full((len(numbers), WIDTH), ord("-"), dtype=np.uint8)
    text[:, [place for place in range(WIDTH) if place not in DASHES]] = digits
    ends = np.arange(len(numbers) + 1, dtype=np.int32) * WIDTH
    return pa.StringArray.from_buffers(len(numbers), pa.py_buffer(ends), pa.py_buffer(np.ascontiguousarray(text)))
