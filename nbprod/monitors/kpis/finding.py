"""Finds KPIs: in a notebook's own cells, and in a module of the workspace whose digest was recorded."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any

from nbprod.domain.monitor import ESTIMATED, REFERENCE
from nbprod.errors import SettingsError
from nbprod.monitors.kpis.kpi import Kpi
from nbprod.statistics import METRICS

__all__ = ["find_kpis"]


def find_kpis(module: str | Path = "", *, digest: str = "", here: Mapping[str, Any] | None = None) -> tuple[Kpi, ...]:
    """The KPIs that a module and a notebook define or import, in the order of their names.

    Parameters
    ----------
    module
        Path of a Python file, which is executed; empty: none.
    digest
        SHA-256 of what it must hold, in hex digits; empty: it is not held against any.
    here
        The notebook's own names: ``globals()``.

    Raises
    ------
    SettingsError
        The file is not what was recorded, cannot be read or executed, or two KPIs have one name.
    """
    found = [one for one in (here or {}).values() if isinstance(one, Kpi)]
    if module:
        loaded = _load(Path(module), digest)
        found += [one for one in vars(loaded).values() if isinstance(one, Kpi)]
    distinct = list({id(one): one for one in found}.values())
    names = [one.name for one in distinct]
    if doubled := sorted({name for name in names if names.count(name) > 1}):
        raise SettingsError(f"two KPIs are called {doubled[0]}", hint="Give one of them another name=.")
    if taken := [name for name in names if name in METRICS or name.startswith((ESTIMATED, REFERENCE))]:
        raise SettingsError(f"{taken[0]} is a name of nbprod's own metrics", hint="Give the KPI another name=.")
    return tuple(sorted(distinct, key=lambda one: one.name))


def _load(path: Path, digest: str) -> ModuleType:
    try:
        content = path.read_bytes()
    except OSError as problem:
        raise SettingsError(f"The KPIs in {path} cannot be read: {problem.strerror}") from problem
    if digest and sha256(content).hexdigest() != digest:
        raise SettingsError(f"{path} is not what it was when this run was asked for", hint="Start the monitor again.")
    module = ModuleType(path.stem)
    module.__file__ = str(path)
    folder = str(path.parent)
    if folder not in sys.path:  # what the module imports lies beside it
        sys.path.append(folder)
    try:
        # what is executed is what was read and held against the digest, never read again
        exec(compile(content, str(path), "exec"), vars(module))  # noqa: S102 — the user's own module, named in nbprod.toml
    except Exception as problem:
        line = f"{type(problem).__name__}: {problem}"
        raise SettingsError(f"The KPIs in {path} cannot be loaded: {line}", hint="Mend the module.") from problem
    return module
