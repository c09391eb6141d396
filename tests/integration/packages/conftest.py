"""The same saved runs as in the unit tests."""

from tests.unit.conftest import empty_ledger
from tests.unit.packages.conftest import built, fitted, packages, saved, shared_packages, shared_store, stage, store

__all__ = [
    "built",
    "empty_ledger",
    "fitted",
    "packages",
    "saved",
    "shared_packages",
    "shared_store",
    "stage",
    "store",
]
