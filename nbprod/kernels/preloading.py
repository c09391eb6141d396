"""What a kernel may find imported: what its notebook imports from distributions, less what a fork breaks."""

from __future__ import annotations

import importlib.machinery
import importlib.metadata
import os
import re
import sys
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

from nbprod.kernels.imports import UNKNOWN, imports_in_order, names_below

__all__ = ["UNSAFE", "preloadable", "unsafe"]

#: What must not be imported before a fork, found by ``bench/fork_safety.py``, which imports each library, forks and
#: works in the fork. All else it tried works there. What starts threads, prints or fails is noticed when imported.
UNSAFE = {
    "polars": "it starts a thread that removes what it wrote to the disk, and no thread survives a fork",  # 2.1
}
#: What nbprod itself works with inside a kernel; its own distribution may be one that is being worked on.
OURS = ("nbprod", "numpy", "scipy", "pyarrow", "skops")
#: What nbprod's functions import when they are called and nearly always need; others (evidently) are needed rarely.
USED = (*OURS, "matplotlib", "pandas", "sklearn")
#: Code that changes where modules are found.
MOVES = re.compile(r"\bsys\.path\b|\bfrom sys import\b|\bchdir\b|\baddsitedir\b|^\s*%cd\b", re.MULTILINE)
TEXT = re.compile(r"""["']([^"'\n]{1,200})["']""")
ABOVE, MOST_PLACES = 2, 300


def preloadable(
    sources: Sequence[str], *, folder: Path, also: Iterable[str] = (), never: Iterable[str] = ()
) -> list[str]:
    """The modules a kernel for some code may be forked with, sorted.

    These are what the code imports from installed distributions, as deep as it imports it, and what the local
    modules it imports do; a local module itself is never among them. What stands behind a change of the environment
    or of what is installed is left to the kernel, because libraries read that when they are imported.

    The sources are the code cells in order. Modules in the folder where the kernel works hide installed ones.

    Parameters
    ----------
    also
        First names of modules that may be imported wherever they are.
    never
        First names, or longer ones, of modules that may not.
    """
    reading = Reading(module_folders(folder, sources), frozenset(also))
    for source in sources:
        if not reading.follow(source):
            break
    left_out = tuple(never)
    return sorted(name for name in reading.found if not unsafe(name) and not _is_below(name, left_out))


class Reading:
    """Follows code from top to bottom, through the local modules it imports."""

    def __init__(self, folders: list[Path], also: frozenset[str]) -> None:
        self.folders, self.also = folders, also
        self.found: set[str] = set()
        self.files: set[Path] = set()

    def follow(self, source: str, package: str = "") -> bool:
        """Take what some code imports; whether what comes after it can be foreseen."""
        for name in imports_in_order(source, package=package):
            if name == UNKNOWN:
                return False
            root = name.partition(".")[0]
            if root in self.also or root in OURS:
                self.add(name)
            elif local := self.local(name):
                if not all(self.read(*one) for one in local if one[0] not in self.files):
                    return False
            elif root not in sys.stdlib_module_names and is_installed(root):
                self.found.add(name)
        return True

    def add(self, name: str) -> None:
        """Take a name; with one of nbprod's modules also what its functions import: the work is done there."""
        if name in self.found:
            return
        self.found.add(name)
        if name.startswith("nbprod."):
            for other in names_below(name):
                if other.partition(".")[0] in USED:
                    self.add(other)

    def local(self, name: str) -> list[tuple[Path, str]]:
        """The files of a local module and of the packages it is in, with their packages' names."""
        parts = name.split(".")
        for folder in self.folders:
            found: list[tuple[Path, str]] = []
            for length in range(1, len(parts) + 1):
                below, dotted = folder.joinpath(*parts[:length]), ".".join(parts[:length])
                if (file := below / "__init__.py").is_file():
                    found.append((file, dotted))
                elif (file := below.with_name(below.name + ".py")).is_file():
                    found.append((file, dotted.rpartition(".")[0]))
                elif length == 1 and (is_installed(parts[0]) or not below.is_dir()):
                    break
            if found:
                return found
        return []

    def read(self, file: Path, package: str) -> bool:
        """Follow a local module."""
        self.files.add(file)
        try:
            return self.follow(file.read_text("utf-8"), package)
        except (OSError, ValueError):
            return False


def module_folders(folder: Path, sources: Iterable[str]) -> list[Path]:
    """Folders whose modules come before installed ones, or may do after the code has run."""
    found = [folder, *(Path(entry) for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry)]
    code = "\n".join(sources)
    if MOVES.search(code):
        found += [folder / text for text in TEXT.findall(code) if "\0" not in text]
        for above in (folder, *folder.parents[:ABOVE]):
            try:
                found += [above, *(entry for entry in above.iterdir() if entry.name[:1] not in "._")]
            except OSError:
                continue
    return [path for path in dict.fromkeys(found[:MOST_PLACES]) if os.path.isdir(path)]  # noqa: PTH112 — as it is


def unsafe(name: str) -> str:
    """Why a module must not be imported before a fork; empty when nothing is known against it."""
    return next((reason for other, reason in UNSAFE.items() if _is_below(name, (other,))), "")


@cache
def is_installed(root: str) -> bool:
    """Whether a module belongs to an installed distribution, one that is being worked on (editable) included."""
    libraries = [entry for entry in sys.path if Path(entry).name in {"site-packages", "dist-packages"}]
    try:
        if importlib.machinery.PathFinder.find_spec(root, libraries) is not None:
            return True
        importlib.metadata.distribution(root)
    except (importlib.metadata.PackageNotFoundError, ImportError, ValueError):
        return False
    return True


def _is_below(name: str, others: tuple[str, ...]) -> bool:
    return any(name == other or name.startswith(f"{other}.") for other in others)
