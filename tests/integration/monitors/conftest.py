"""The same reference as in the unit tests."""

from tests.unit.monitors.conftest import reference

__all__ = ["reference"]
