"""What a run's results depend on, and which part of it changed since an earlier run."""

from __future__ import annotations

import hashlib
import json
import sys
import sysconfig
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from nbprod.kernels.imports import names_in

__all__ = ["changed", "local_modules", "run_key"]

PARTS = ("code", "parameters", "data", "modules", "environment")


def run_key(ingredients: Mapping[str, Any]) -> str:
    """SHA-256 over everything a run's results depend on.

    These are ``code`` (digest of the cells), ``parameters`` (seeds among them), ``data`` (fingerprints), ``modules``
    (digests of imported local modules) and ``environment`` (digest of the distributions).
    """
    content = json.dumps(
        [ingredients.get(part) for part in PARTS], sort_keys=True, separators=(",", ":"), default=str
    )
    return hashlib.sha256(content.encode()).hexdigest()


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, str]:
    """What differs between the ingredients of two runs: by part, in words; empty when nothing does."""
    descriptions = {}
    for part in PARTS:
        old, new = before.get(part), after.get(part)
        if old == new:
            continue
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            names = sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
            descriptions[part] = f"{part} {', '.join(names)}"
        else:
            descriptions[part] = part
    return descriptions


def local_modules(sources: Iterable[str], folders: Iterable[Path]) -> dict[str, str]:
    """The digest of every local module that some code imports, and of those these import.

    Local is what lies in one of the folders, or is found by Python outside of what is installed. Nothing is imported.
    """
    places = [Path(folder) for folder in folders]
    found: dict[str, str] = {}
    waiting = [name for source in sources for name in imports(source)]
    while waiting:
        name = waiting.pop()
        path = locate(name, places) if name not in found else None
        if path is None:
            continue
        raw = path.read_bytes()
        found[name] = hashlib.sha256(raw).hexdigest()
        waiting += imports(raw.decode("utf-8", "replace"))
    return dict(sorted(found.items()))


def imports(source: str) -> set[str]:
    """Every module some code may import, and the packages they are in."""
    names = names_in(source)
    return names | {name.rpartition(".")[0] for name in names if "." in name}


def locate(name: str, folders: list[Path]) -> Path | None:
    """The file of a local module; ``None`` for one that is installed, built in, or none at all."""
    root, *inner = name.split(".")
    if root in sys.stdlib_module_names or root == "nbprod":  # the environment's digest stands for nbprod
        return None
    if found := module_file(root, inner, folders):
        return found
    try:
        spec = find_spec(root)
    except (ImportError, ValueError):
        return None
    if spec is None or not spec.origin or not spec.origin.endswith(".py"):
        return None
    if spec.origin.startswith(tuple(sysconfig.get_path(kind) for kind in ("stdlib", "purelib", "platlib"))):
        return None
    origin = Path(spec.origin)
    return module_file(root, inner, [origin.parents[1] if origin.name == "__init__.py" else origin.parent])


def module_file(root: str, inner: list[str], folders: list[Path]) -> Path | None:
    """The file of a module, or of a package, below the first folder that has it."""
    for folder in folders:
        below = folder.joinpath(root, *inner)
        for path in (below.with_suffix(".py"), below / "__init__.py"):
            if path.is_file():
                return path
    return None
