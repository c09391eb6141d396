"""Any tabular source as Arrow record batches with a fingerprint, and as a frame.

>>> from nbprod.datasets import open_dataset, read_frame, write_parquet  # doctest: +SKIP

The names load on first use, so that importing the package loads neither pyarrow nor pandas.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbprod.datasets.dataset import Dataset, open_dataset, read_frame
    from nbprod.datasets.fingerprint import fingerprint_batches
    from nbprod.datasets.writing import write_parquet

__all__ = ["Dataset", "fingerprint_batches", "open_dataset", "read_frame", "write_parquet"]

_HOMES = {
    "Dataset": "dataset",
    "fingerprint_batches": "fingerprint",
    "open_dataset": "dataset",
    "read_frame": "dataset",
    "write_parquet": "writing",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
