"""Workers that call one function on many small tasks: threads, processes of this machine, or a Dask cluster.

Each is an executor of :mod:`concurrent.futures` with a number of places, so that whoever has tasks (batch scoring
today) neither knows nor cares where they run::

    with open_workers(on="dask://scheduler:8786") as workers:
        for result in workers.map(function, tasks): …

The function must be importable by its name wherever the workers are; tasks and results are pickled on the way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any, TypeVar

from nbprod.errors import EnvironmentProblem

__all__ = ["Workers"]

T = TypeVar("T")
R = TypeVar("R")
AHEAD = 2  #: tasks a worker has at once: one in work, the next one waiting


@dataclass(frozen=True, kw_only=True)
class Workers:
    """Somewhere to run tasks."""

    name: str  #: in words: ``2 processes``, ``4 threads of 2 Dask workers at tcp://127.0.0.1:8786``
    count: int
    executor: Executor
    #: Calls a function once on each machine or process that is not this one; only a cluster has such.
    on_each: Callable[..., dict[str, Any]] | None = None

    def map(self, function: Callable[[T], R], tasks: Iterable[T]) -> Iterator[R]:
        """The results, in the order they are ready; a task is taken only when a worker is about to be free.

        Raises
        ------
        EnvironmentProblem
            A process was killed; what is not ready is given up.
        """
        waiting: set[Future[R]] = set()
        try:
            for task in tasks:
                waiting.add(self.executor.submit(function, task))
                if len(waiting) >= AHEAD * self.count:
                    yield from _ready(waiting)
            while waiting:
                yield from _ready(waiting)
        except BrokenProcessPool as error:
            raise EnvironmentProblem(
                "A worker process was killed while it was at work",
                hint="Often the memory was not enough: use fewer workers or smaller batches.",
            ) from error
        finally:
            for future in waiting:
                future.cancel()


def _ready(waiting: set[Future[R]]) -> Iterator[R]:
    done, _ = wait(waiting, return_when=FIRST_COMPLETED)
    waiting -= done
    for future in done:
        yield future.result()
