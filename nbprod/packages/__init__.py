"""Model packages: sealed folders that are verified before anything in them is read."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbprod.packages.blessing import bless_folder
    from nbprod.packages.facts import PackageFacts, package_facts
    from nbprod.packages.isolation import predict_beside, predict_isolated
    from nbprod.packages.loading import LoadedPackage, load_package
    from nbprod.packages.sealing import verify_folder
    from nbprod.packages.service import Packages

__all__ = [
    "LoadedPackage",
    "PackageFacts",
    "Packages",
    "bless_folder",
    "load_package",
    "package_facts",
    "predict_beside",
    "predict_isolated",
    "verify_folder",
]

PLACES = {
    "LoadedPackage": "loading",
    "PackageFacts": "facts",
    "Packages": "service",
    "bless_folder": "blessing",
    "load_package": "loading",
    "package_facts": "facts",
    "predict_beside": "isolation",
    "predict_isolated": "isolation",
    "verify_folder": "sealing",
}


def __getattr__(name: str) -> Any:
    # delayed: loading a package needs pandas, verifying or listing one does not
    if name in PLACES:
        return getattr(import_module(f"nbprod.packages.{PLACES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
