"""Many files as one input: the tables a folder holds or a pattern matches, in the order of their names."""

from __future__ import annotations

import re
from typing import Any

import fsspec

from nbprod.errors import DataError

__all__ = ["is_pattern", "tables_at"]

ENDINGS = (".parquet", ".pq", ".parq", ".csv", ".tsv", ".csv.gz", ".tsv.gz")
MAGIC = re.compile(r"[*?\[]")


def is_pattern(location: str) -> bool:
    """Whether a path or URL has a sign that stands for many: ``data/2026-*.csv``."""
    return MAGIC.search(location) is not None


def tables_at(location: str) -> list[str]:
    """The files a folder or pattern stands for; none where the location is one table by itself.

    One table by itself are a file, a Delta table, and a folder that is partitioned (``year=2026/…``).

    Raises
    ------
    DataError
        The address cannot be reached, or nothing matches a pattern.
    """
    try:
        system, path = fsspec.core.url_to_fs(location)
        if is_pattern(path) and not system.exists(path):
            found = sorted(name for name in system.glob(path) if not system.isdir(name))
            if not found:
                raise DataError(f"no file matches {location}", hint="Put a pattern in quotation marks.")
        elif system.isdir(path) and not system.exists(f"{path.rstrip('/')}/_delta_log"):
            found = _inside(system, path.rstrip("/"))
        else:
            return []
    except (ImportError, OSError, ValueError) as error:
        raise DataError(
            f"{location} cannot be opened: {error}", hint="Check the path and the access to it."
        ) from error
    is_local = "file" in ((system.protocol,) if isinstance(system.protocol, str) else system.protocol)
    return [name if is_local else system.unstrip_protocol(name) for name in found]


def _inside(system: Any, root: str) -> list[str]:
    found = []
    for name in sorted(system.find(root)):
        parts = name[len(root) :].strip("/").split("/")
        if any("=" in part for part in parts[:-1]):
            return []
        if name.lower().endswith(ENDINGS) and not any(part.startswith(("_", ".")) for part in parts):
            found.append(name)
    return found
