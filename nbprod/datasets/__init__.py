"""Any tabular source as Arrow record batches with a fingerprint, and as a frame.

>>> from nbprod.datasets import open_dataset, read_frame, write_parquet  # doctest: +SKIP

The names load on first use, so that importing the package loads neither pyarrow nor pandas.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbprod.lazy import on_first_use

if TYPE_CHECKING:
    from nbprod.datasets.dataset import Dataset, open_dataset, read_frame
    from nbprod.datasets.fingerprint import fingerprint_batches
    from nbprod.datasets.writing import write_parquet

__all__ = ["Dataset", "fingerprint_batches", "open_dataset", "read_frame", "write_parquet"]

__getattr__ = on_first_use(__name__)
