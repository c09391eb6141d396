"""Looks at the machine and says what is wrong and how to mend it, before a run finds out."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from nbprod.errors import NbprodError
from nbprod.settings import Settings, find_folder

__all__ = ["Finding", "examine"]

#: Distribution, first version that does not work, and why; shown with the mend.
BROKEN_FROM = (("pandas", (3, 1), "evidently cannot be imported with it", 'pip install "pandas<3.1"'),)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was looked at."""

    name: str
    is_fine: bool
    sentence: str
    mend: str = ""


def examine(folder: Path | str | None = None) -> list[Finding]:
    """Look at Python, the libraries, a kernel, and the workspace; nothing is changed.

    Parameters
    ----------
    folder
        A workspace; by default the one around the current folder, if there is one.
    """
    checks: tuple[Callable[[], Iterator[Finding]], ...] = (
        _python,
        _versions,
        _evidently,
        _kernel,
        _sqlite,
        lambda: _workspace(folder),
    )
    return [finding for check in checks for finding in check()]


def _finding(name: str, sentence: str, *, is_fine: bool, mend: str = "") -> Finding:
    """A finding; how to mend it is told only of what is not fine."""
    return Finding(name=name, is_fine=is_fine, sentence=sentence, mend="" if is_fine else mend)


def _python() -> Iterator[Finding]:
    fine = (3, 11) <= sys.version_info[:2] <= (3, 13)
    sentence = f"Python {sys.version.split()[0]} at {sys.executable}"
    yield _finding("python", sentence, is_fine=fine, mend="Make the environment with Python 3.11, 3.12 or 3.13.")


def _versions() -> Iterator[Finding]:
    for name, limit, why, mend in BROKEN_FROM:
        try:
            text = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            yield _finding(name, f"{name} is not installed", is_fine=False, mend=f"pip install {name}")
            continue
        numbers = tuple(int(part) for part in text.split(".")[:2] if part.isdigit())
        fine = numbers < limit
        yield _finding(name, f"{name} {text}" + ("" if fine else f": {why}"), is_fine=fine, mend=mend)


def _evidently() -> Iterator[Finding]:
    # in a process of its own: the import takes seconds and 170 MB, and a broken one must not end this one
    code = "from evidently import Report; from evidently.presets import DataDriftPreset"
    command = [sys.executable, "-W", "ignore", "-c", code]
    tried = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)  # noqa: S603 — our own interpreter
    fine = tried.returncode == 0
    last = tried.stderr.strip().splitlines()[-1:] or ["no message"]
    sentence = "evidently can be imported" if fine else f"evidently cannot be imported: {last[0]}"
    yield _finding("evidently", sentence, is_fine=fine, mend='pip install "evidently>=0.7.20,<0.8" "pandas<3.1"')


def _kernel() -> Iterator[Finding]:
    fine = importlib.util.find_spec("ipykernel") is not None
    sentence = "ipykernel is installed: notebooks run with this interpreter" if fine else "there is no ipykernel here"
    yield _finding("kernel", sentence, is_fine=fine, mend="pip install ipykernel")


def _sqlite() -> Iterator[Finding]:
    version = sqlite3.sqlite_version_info
    sentence = f"SQLite {sqlite3.sqlite_version}"
    if version < (3, 51, 3):
        sentence += (
            ": several machines or many writers at once are safer on PostgreSQL (a WAL fault was mended in 3.51.3)"
        )
    yield _finding(
        "sqlite", sentence, is_fine=version >= (3, 35, 0), mend="Use a Python built with SQLite 3.35 or newer."
    )


def _workspace(folder: Path | str | None) -> Iterator[Finding]:
    try:
        place = find_folder(folder or os.environ.get("NBPROD_WORKSPACE", "."))
        settings = Settings.load(place)
    except NbprodError as error:
        if folder is None and isinstance(error, LookupError):
            return
        yield _finding("workspace", error.message, is_fine=False, mend=error.hint)
        return
    try:
        with tempfile.NamedTemporaryFile(dir=place) as file:
            file.write(json.dumps({"probe": 1}).encode())
        yield _finding("workspace", f"{settings.folder} can be written", is_fine=True)
    except OSError as error:
        mend = "Give yourself the right to write there, or make the workspace elsewhere."
        yield _finding("workspace", f"{place} cannot be written: {error.strerror}", is_fine=False, mend=mend)
