"""The data sets that come with nbprod, by name, so that a notebook run by hand needs no file."""

from __future__ import annotations

from pathlib import Path

__all__ = ["shipped"]

FOLDER = Path(__file__).parents[1] / "resources" / "data"


def shipped(name: str) -> str | None:
    """The file of ``electricity`` or ``bike_sharing``; ``None`` for other names, and for files that exist."""
    if not name.isidentifier() or Path(name).exists():
        return None
    file = FOLDER / f"{name}.parquet"
    return str(file) if file.is_file() else None
