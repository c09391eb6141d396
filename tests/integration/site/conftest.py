"""A ledger without rows, made once."""

from tests.unit.conftest import empty_ledger

__all__ = ["empty_ledger"]
