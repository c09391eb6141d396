"""The author's modules that a model needs travel with it: found by what the model names, and by what they import."""

from __future__ import annotations

import ast
import io
import json
import sys
import sysconfig
import zipfile
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from importlib.util import resolve_name
from pathlib import Path
from typing import Any

from nbprod.errors import PackageError
from nbprod.formats.restoring import CODE, Finder, code_name

__all__ = ["CODE_FOLDER", "carry"]

CODE_FOLDER = "code"  #: beside the model's files
MOST_BYTES = 4 << 20
SCHEMA = "schema.json"


def carry(data: bytes) -> tuple[bytes, dict[str, str]]:
    """A skops file that names the author's modules by their digest, and their sources.

    A module is the author's when it lies outside of the standard library and of what is installed.

    Parameters
    ----------
    data
        As skops wrote it in a process that has imported these modules.

    Returns
    -------
    tuple
        The file, and by path (``nbprod_code_<digest>/features.py``) what lies in ``code/``; nothing for most models.

    Raises
    ------
    PackageError
        A module has no source, or there is too much of it.
    """
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        schema = json.loads(archive.read(SCHEMA))
    named = {state["__module__"] for state in _states(schema)}
    files: dict[str, str] = {}
    for finder in sys.meta_path:  # a model that learned on from one that was read from a package
        if isinstance(finder, Finder) and any(name.partition(".")[0] == finder.package for name in named):
            files |= {f"{finder.package}/{path}": source for path, source in finder.sources.items()}
    local = sorted(name for name in named if _is_local(name.partition(".")[0]))
    if local:
        sources = _sources(local)
        package = code_name(sources)
        files |= {f"{package}/{path}": source for path, source in sources.items()}
        for state in _states(schema):
            if state["__module__"] in local:
                state["__module__"] = f"{package}.{state['__module__']}"
        data = _with_schema(data, schema)
    return data, files


def _states(node: Any) -> Iterator[dict[str, Any]]:
    """Every entry of a skops schema that names a module."""
    if isinstance(node, dict):
        if isinstance(node.get("__module__"), str):
            yield node
        for each in node.values():
            yield from _states(each)
    elif isinstance(node, list):
        for each in node:
            yield from _states(each)


def _with_schema(data: bytes, schema: Any) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as before, zipfile.ZipFile(made, "w") as after:
        for entry in before.infolist():
            content = json.dumps(schema, indent=2) if entry.filename == SCHEMA else before.read(entry)
            after.writestr(entry.filename, content)
    return made.getvalue()


def _is_local(root: str) -> bool:
    if root in sys.stdlib_module_names or root in {"nbprod", "__main__"} or root.startswith(CODE):
        return False
    path = _place(sys.modules.get(root))
    installed = {Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    if path is None or any(path.is_relative_to(place) for place in installed):
        return False
    is_site = {"site-packages", "dist-packages"} & set(path.parts)
    return not is_site and root not in packages_distributions()


def _place(module: Any) -> Path | None:
    """The file of a module, or the folder of a package that has none."""
    if named := getattr(module, "__file__", None):
        return Path(named).resolve()
    return next((Path(place).resolve() for place in getattr(module, "__path__", ())), None)


def _sources(names: list[str]) -> dict[str, str]:
    """By path, the modules, the packages they are in, and of what these import what is the author's too."""
    found: dict[str, str] = {}
    waiting, seen = list(names), set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        waiting += [name.rpartition(".")[0]] if "." in name else []
        path = _place(sys.modules.get(name))
        if path is None or path.is_dir():  # imported nowhere, or a package without __init__.py
            continue
        if path.suffix != ".py":
            raise PackageError(
                f"The model needs {name}, which is {path.name} and no Python source",
                hint="Install it where the model is used, as a distribution, and train again.",
            )
        source = path.read_text(encoding="utf-8")
        inside = name.replace(".", "/") + ("/__init__" if path.name == "__init__.py" else "")
        found[f"{inside}.py"] = source
        if sum(map(len, found.values())) > MOST_BYTES:
            raise PackageError(
                f"The modules the model needs hold more than {MOST_BYTES >> 20} MB of source",
                hint="Put what the model calls into a small module that imports little.",
            )
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        waiting += [each for each in _imports(source, package) if _is_local(each.partition(".")[0])]
    return found


def _imports(source: str, package: str) -> Iterator[str]:
    """What a module may import; ``from a import b`` gives ``a`` and ``a.b``."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = resolve_name("." * node.level + (node.module or ""), package) if node.level else node.module or ""
            yield above
            yield from (f"{above}.{alias.name}" for alias in node.names)
