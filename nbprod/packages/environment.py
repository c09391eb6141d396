"""The environment of a package: exact pins of what loading it needs, and everything that was installed."""

from __future__ import annotations

import platform
import re
import sys
import zipfile
from functools import cache
from importlib import metadata
from pathlib import Path

from nbprod.formats.carrying import CODE_FOLDER
from nbprod.formats.restoring import LIBRARIES
from nbprod.kernels.imports import names_in

__all__ = ["installed", "pins", "requirements", "surroundings"]

DISTRIBUTIONS = {"numpy": "numpy", "pandas": "pandas", "scipy": "scipy", "sklearn": "scikit-learn", "skops": "skops"}
NEEDED = ("numpy", "pandas", "scikit-learn", "scipy", "skops")
INFO = re.compile(r"(?P<name>[A-Za-z0-9._-]+?)-(?P<version>[^-]+)(?:-py[0-9.]+)?\.(?:dist|egg)-info")


@cache
def installed() -> dict[str, str]:
    """Version by name of every distribution that is installed, read from the names of their folders alone."""
    found: dict[str, str] = {}
    for place in sys.path:
        if Path(place).is_dir():
            for folder in Path(place).glob("*-info"):
                if match := INFO.fullmatch(folder.name):
                    found.setdefault(re.sub(r"[-_.]+", "-", match["name"]).lower(), match["version"])
    return dict(sorted(found.items()))


def surroundings() -> dict[str, str]:
    """The Python and the machine of this process."""
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "platform": f"{platform.system()} {platform.machine()}",
    }


def pins(package: Path) -> dict[str, str]:
    """Version by name of the distributions that the model's types come from, and of what reads the files.

    Parameters
    ----------
    package
        The folder with ``model/`` and, where modules of the author travel, ``code/``.
    """
    names = set(NEEDED)
    for root in sorted(_roots(package) - DISTRIBUTIONS.keys() - set(sys.stdlib_module_names)):
        names.update(_owners().get(root, ()))
    found = installed()
    return {name: found[name] for name in sorted(names) if name in found}


def requirements(pinned: dict[str, str]) -> str:
    """The pins as pip reads them."""
    return "".join(f"{name}=={version}\n" for name, version in pinned.items())


@cache
def _owners() -> dict[str, list[str]]:
    # delayed: it reads a file of every distribution, which usual models do not need
    return {
        root: [re.sub(r"[-_.]+", "-", name).lower() for name in owners]
        for root, owners in metadata.packages_distributions().items()
    }


def _roots(package: Path) -> set[str]:
    """Top-level modules named in a skops file, beside it or in the author's code; nothing is imported."""
    roots = {LIBRARIES[path.suffix[1:]] for path in (package / "model").iterdir() if path.suffix[1:] in LIBRARIES}
    roots |= {"onnxruntime" for _ in (package / "model").glob("*.onnx")}
    for path in (package / CODE_FOLDER).rglob("*.py"):
        roots |= {name.partition(".")[0] for name in names_in(path.read_text(encoding="utf-8"))}
    for path in (package / "model").glob("*.skops"):
        with zipfile.ZipFile(path) as archive:
            text = archive.read("schema.json").decode()
        roots |= set(re.findall(r'"__module__": "([A-Za-z_][A-Za-z0-9_]*)', text))
    return roots
