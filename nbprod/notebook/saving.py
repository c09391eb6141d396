"""Saves a notebook while it is executed: whole each time, and no oftener than it is worth."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from nbprod.disk import write_file
from nbprod.errors import StoreError
from nbprod.notebook.document import dump

__all__ = ["Saver", "check_target"]

EVERY_S = 2.0
SHARE = 20  # at most one twentieth of the time is spent on saving


def check_target(path: Path) -> None:
    """Refuse to write to what is not a plain file.

    Raises
    ------
    StoreError
        The path is a link, a pipe, a folder or a device; it is untouched.
    """
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise StoreError(
            f"{path} is not a plain file, so it is not replaced",
            hint="Name a file that is not a link, pipe or folder.",
        )


class Saver:
    """Saves a notebook to one path, at most every two seconds and one twentieth of the time."""

    def __init__(self, path: Path) -> None:
        check_target(path)
        self.path = path
        self.next_at = 0.0

    def due(self) -> bool:
        """Whether a save is worth its cost now."""
        return time.monotonic() >= self.next_at

    def save(self, nb: NotebookNode | Any) -> None:
        """Write the notebook, whole."""
        began = time.monotonic()
        write_file(self.path, dump(nb))
        now = time.monotonic()
        self.next_at = now + max(EVERY_S, SHARE * (now - began))

    def copy_to(self, path: Path) -> None:
        """Put what was saved last to another path as well."""
        check_target(path)
        write_file(path, self.path.read_bytes())
