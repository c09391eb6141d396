"""Files of records that still name a unit or its predictions after these were erased: told, never changed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

__all__ = ["mentions"]

MOST_BYTES = 256 << 20  #: of a file that is looked into


def mentions(folders: Sequence[Path], unit: str, ids: Sequence[str]) -> list[str]:
    """Files below some folders that hold a prediction's id, or the unit as a whole value.

    A run is evidence, and its notebook is what others refer to; so what it shows is not rewritten, but said. Pictures
    and files that cannot be read as text or Parquet are not looked into.

    Parameters
    ----------
    folders
        Of runs, pipelines and pages; those that do not exist are left out.
    unit
        As requests named it: found between quotes or tags, as JSON and HTML write a value.
    ids
        Of its predictions.

    Returns
    -------
    list of str
        Paths, sorted.
    """
    words = [re.escape(one.encode()) for one in ids]
    value = re.escape(unit.encode())
    asked = re.compile(b"|".join([*words, rb"(?<=[\"'>,\t\n])" + value + rb"(?=\\?[\"'<,\t\r\n])"]))
    values = pa.array([unit, *ids], pa.string())
    found = []
    for path in _files(folders):
        held = _in_table(path, values) if path.suffix == ".parquet" else asked.search(path.read_bytes()) is not None
        if held:
            found.append(str(path))
    return sorted(found)


def _files(folders: Sequence[Path]) -> Iterator[Path]:
    for folder in folders:
        for path in folder.rglob("*"):
            if path.is_file() and not path.is_symlink() and path.stat().st_size <= MOST_BYTES:
                yield path


def _in_table(path: Path, values: pa.Array) -> bool:
    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError):
        return False
    texts = [
        column for column in table.columns if pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
    ]
    return any(pc.any(pc.is_in(column.cast(pa.string()), value_set=values)).as_py() for column in texts)
