"""Makes a new workspace from what nbprod ships: settings, templates, guided notebooks, example data."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from nbprod.errors import ConflictError, StoreError
from nbprod.settings import FILE_NAME

__all__ = ["create_workspace", "shipped"]

RESOURCES = Path(__file__).parent / "resources"


def shipped(kind: str) -> Path:
    """The folder of shipped ``templates`` or ``notebooks``: inside a wheel, or beside the package in a checkout."""
    inside = RESOURCES / kind
    return inside if inside.is_dir() else RESOURCES.parents[1] / kind


def create_workspace(folder: Path | str) -> list[str]:
    """Make a workspace; files that are already there are kept as they are.

    Parameters
    ----------
    folder
        Made if it does not exist.

    Returns
    -------
    list of str
        The files written, relative to the folder: at most fifteen.

    Raises
    ------
    ConflictError
        The folder already is a workspace, or is a file.
    StoreError
        The folder cannot be written.
    """
    folder = Path(folder).expanduser().resolve()
    if (folder / FILE_NAME).exists():
        raise ConflictError(f"{folder} already is a workspace", hint="Go there, or choose another folder.")
    if folder.exists() and not folder.is_dir():
        raise ConflictError(f"{folder} is a file", hint="Choose another folder.")
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # nbprod.toml makes it a workspace, so it comes last: an interrupted init can simply be run again
        for source, name in [*_files(), (RESOURCES / "workspace" / FILE_NAME, FILE_NAME)]:
            target = folder / name
            if not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                _copy(source, target)
                written.append(name)
    except OSError as problem:
        raise StoreError(
            f"The workspace could not be made in {folder}: {problem.strerror}",
            hint="Mend that and run the same command again; what is there is kept.",
        ) from problem
    return written


def _files() -> Iterator[tuple[Path, str]]:
    yield RESOURCES / "workspace" / "README.md", "README.md"
    for kind in ("templates", "notebooks"):
        for path in sorted(shipped(kind).glob("*.ipynb")):
            yield path, f"{kind}/{path.name}"
    for path in sorted((RESOURCES / "data").glob("*.parquet")):
        yield path, f"data/{path.name}"


def _copy(source: Path, target: Path) -> None:
    """Copy so that the target is there whole or not at all."""
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=".", suffix=".part")
    os.close(handle)
    try:
        shutil.copyfile(source, temporary)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(target)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise
