"""The long tests share the fixtures of those that start kernels."""

from tests.integration.conftest import execute, notebook, vanish
from tests.integration.test_runs import runs

__all__ = ["execute", "notebook", "runs", "vanish"]
