"""Where work happens: runs of notebooks, and many small tasks.

An executor takes the request of a run and gives a handle. What it executes is a folder and plain data, so that
another machine needs nothing else: no shared memory and no shared working directory. For one function and many tasks
there are :class:`~nbprod.executors.workers.Workers`: threads, processes, a Dask cluster.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from nbprod.domain.execution import ExecutionResult
from nbprod.domain.request import RunRequest

__all__ = ["Executor", "Handle"]


class Handle(Protocol):
    """A run that was handed over."""

    def wait(self, timeout_s: float | None = None) -> ExecutionResult | None:
        """The result, or ``None`` when the run has not ended in time."""
        ...


class Executor(Protocol):
    """Takes runs."""

    def submit(self, request: RunRequest, *, progress: Callable[[Any], None] | None = None) -> Handle:
        """Take a run; the folder of the request is the whole contract."""
        ...
