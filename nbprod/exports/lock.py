"""The exact versions a container installs: what nbprod and the model need, as it was where the package was made."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, requires

from packaging.requirements import Requirement

from nbprod.errors import EnvironmentProblem
from nbprod.packages.environment import installed as here

__all__ = ["lock"]

#: A container is Linux whatever machine writes its files; the Python is that of the package.
LINUX = {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix"}


def lock(pins: Mapping[str, str], installed: Mapping[str, str], python: str) -> str:
    """Every distribution that nbprod and a package need, with its version, as ``pip install --no-deps`` reads it.

    What needs what is read from this environment. The versions are those of where the package was made; what was not
    there, because an older nbprod did not need it, has the version of here.

    Parameters
    ----------
    pins
        Version by name of what loading the package needs; they win.
    installed
        Version by name of everything where the package was made.
    python
        Version of Python there.

    Raises
    ------
    EnvironmentProblem
        A version is known neither there nor here.
    """
    needed = _closure({"nbprod", *pins}, python) - {"nbprod"}
    versions = {**here(), **installed, **pins}
    missing = sorted(needed - versions.keys())
    if missing:
        raise EnvironmentProblem(
            f"No version is known of {', '.join(missing)}: not installed here, nor where the package was made",
            hint="Install it here, or build the package again from its run: nbprod packages build RUN.",
        )
    return "".join(f"{name}=={versions[name]}\n" for name in sorted(needed))


def _closure(names: Iterable[str], python: str) -> set[str]:
    """The names, and what they need in turn, with the extras that are asked for."""
    environment = {**LINUX, "python_version": ".".join(python.split(".")[:2]), "python_full_version": python}
    found: set[str] = set()
    seen: set[tuple[str, str]] = set()
    waiting = [(_canonical(name), "") for name in names]
    while waiting:
        name, extra = waiting.pop()
        found.add(name)
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        try:
            lines = requires(name) or []
        except PackageNotFoundError:
            continue
        for requirement in map(Requirement, lines):
            if requirement.marker is None:
                wanted = not extra
            else:
                wanted = requirement.marker.evaluate({**environment, "extra": extra})
            if wanted:
                other = _canonical(requirement.name)
                waiting += [(other, ""), *((other, one) for one in requirement.extras)]
    return found


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
