"""The same rows as in the unit tests."""

from tests.unit.compiled.conftest import frame

__all__ = ["frame"]
