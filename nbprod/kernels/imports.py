"""Which modules the code of a notebook imports, read from its syntax; nothing is run."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from functools import cache
from pathlib import Path

__all__ = ["imported", "names_in"]

PACKAGE = Path(__file__).parent.parent


def imported(sources: Iterable[str], allowed: Iterable[str]) -> list[str]:
    r"""The modules that some sources import, of those whose first name is allowed, sorted.

    ``from a import b`` gives ``a`` and ``a.b``, because ``b`` may be a module; whoever imports them must expect that
    it is none. Magics are skipped, and cells that are not Python. What nbprod's own modules import when they are
    used counts too: a template's work is done there.

    Examples
    --------
    >>> imported(["import pandas as pd", "from sklearn.linear_model import Ridge\nimport os"], ["pandas", "sklearn"])
    ['pandas', 'sklearn.linear_model', 'sklearn.linear_model.Ridge']
    """
    roots = set(allowed)
    found: set[str] = set()
    for source in sources:
        found |= names_in(source)
    waiting = [name for name in found if name.startswith("nbprod.")]
    seen: set[str] = set()
    while waiting and "nbprod" in roots:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            below = names_below(name)
            waiting += [other for other in below if other.startswith("nbprod.")]
            found |= below
    return sorted(name for name in found if name.partition(".")[0] in roots)


@cache
def names_below(module: str) -> frozenset[str]:
    """Everything one of nbprod's modules imports, also inside functions; all modules of a package are read."""
    place = PACKAGE.joinpath(*module.split(".")[1:])
    files = sorted(place.glob("*.py")) if place.is_dir() else [place.with_suffix(".py")]
    found: set[str] = set()
    for file in files:
        if file.is_file():
            found |= names_in(file.read_text("utf-8"))
    return frozenset(found)


def names_in(source: str) -> set[str]:
    """The names that stand in the import statements of some code, IPython's own lines left aside."""
    try:
        tree = ast.parse("\n".join("pass" if line.startswith(("%", "!")) else line for line in source.splitlines()))
    except SyntaxError:
        return set()
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names if alias.name != "*")
    return found
