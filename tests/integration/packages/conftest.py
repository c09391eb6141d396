"""The same saved runs as in the unit tests."""

from tests.unit.conftest import empty_ledger
from tests.unit.packages.conftest import fitted, packages, saved, stage, store

__all__ = ["empty_ledger", "fitted", "packages", "saved", "stage", "store"]
