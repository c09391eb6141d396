"""The exact versions a container installs: what nbprod and the model need, as it was where the package was made."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, requires

from packaging.requirements import Requirement

from nbprod.errors import EnvironmentProblem
from nbprod.packages.environment import installed as here

__all__ = ["REQUIRED", "lock"]

REQUIRED = "--require-hashes"  #: of pip, where every line has hashes
LOCKED = re.compile(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^\s;]+)")
HASH = re.compile(r"--hash=(sha(?:256|384|512):[0-9a-f]+)")
#: A container is Linux whatever machine writes its files; the Python is that of the package.
LINUX = {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix"}


def lock(pins: Mapping[str, str], installed: Mapping[str, str], python: str, hashed: str = "") -> str:
    """Every distribution that nbprod and a package need, with its version, as ``pip install --no-deps`` reads it.

    What needs what is read from this environment. The versions are those of where the package was made; what was not
    there, because an older nbprod did not need it, has the version of here. A package knows versions, not the hashes
    of the files they came in: those are in the lock of who installed it, if there is one.

    Parameters
    ----------
    pins
        Version by name of what loading the package needs; they win.
    installed
        Version by name of everything where the package was made.
    python
        Version of Python there.
    hashed
        A lock with hashes, as ``uv pip compile --generate-hashes`` writes it: every version it names is written with
        them. Where it names all, pip is told to take nothing else; where it does not, the first lines say what lacks.

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
    known = _hashes(hashed)
    lines = {name: [f"{name}=={versions[name]}", *known.get((name, versions[name]), [])] for name in sorted(needed)}
    bare = [name for name, parts in lines.items() if len(parts) == 1]
    told = f"{REQUIRED}\n"
    if bare:
        named = ", ".join(bare[:5]) + (", …" if len(bare) > 5 else "")
        told = (
            f"# {len(bare)} of {len(lines)} have no hashes ({named}): the version is pinned, the bytes are not.\n"
            "# Export with --lock FILE, a lock with hashes of these versions, to pin both.\n"
        )
    return told + "".join(" \\\n    ".join(parts) + "\n" for parts in lines.values())


def _hashes(text: str) -> dict[tuple[str, str], list[str]]:
    """The options ``--hash`` by name and version."""
    found: dict[tuple[str, str], list[str]] = {}
    for line in text.replace("\\\n", " ").splitlines():
        if match := LOCKED.match(line.strip()):
            found[_canonical(match[1]), match[2]] = [f"--hash={one}" for one in HASH.findall(line)]
    return found


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
