"""Workers that call one function on many small tasks: threads, processes of this machine, or a Dask cluster.

Each is an executor of :mod:`concurrent.futures` with a number of places, so that whoever has tasks (batch scoring
today) neither knows nor cares where they run::

    with open_workers(on="dask://scheduler:8786") as workers:
        for result in workers.map(function, tasks): …

The function must be importable by its name wherever the workers are; tasks and results are pickled on the way.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from nbprod.errors import EnvironmentProblem

__all__ = ["Workers", "open_workers", "processors"]

T = TypeVar("T")
R = TypeVar("R")
AHEAD = 2  #: tasks a worker has at once: one in work, the next one waiting
IDLE_S = 30  #: seconds after which a process without work ends


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


def open_workers(*, on: str | None = None, count: int | None = None) -> AbstractContextManager[Workers]:
    """Open workers.

    Parameters
    ----------
    on
        ``processes`` (the default), ``threads``, or the address of a Dask scheduler: ``dask://HOST:PORT``,
        ``tcp://…`` or ``tls://…``.
    count
        How many threads or processes; by default one a processor this process may use.

    Raises
    ------
    SettingsError
        ``on`` is none of these.
    EnvironmentProblem
        The extra ``dask`` is not installed, or the scheduler does not answer.
    """
    count = count or processors()
    if on in {None, "processes"}:
        return _processes(count)
    if on == "threads":
        return _threads(count)
    from nbprod.executors.dask import open_dask  # delayed: an extra

    return open_dask(str(on))


def processors() -> int:
    """Processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def _threads(count: int) -> Iterator[Workers]:
    executor = ThreadPoolExecutor(count, thread_name_prefix="worker")
    try:
        yield Workers(name=f"{count} threads", count=count, executor=executor)
    finally:
        executor.shutdown(cancel_futures=True)


@contextmanager
def _processes(count: int) -> Iterator[Workers]:
    # loky comes with joblib and so with scikit-learn; its processes are fresh ones, not forks of a process that may
    # have threads, and unlike those of multiprocessing they do not execute the script or notebook of the caller
    from joblib.externals.loky import ProcessPoolExecutor  # delayed: only whoever has work waits for it

    executor = ProcessPoolExecutor(
        count, timeout=IDLE_S, initializer=_end_with, initargs=(os.getpid(),), env={"OMP_NUM_THREADS": "1"}
    )
    try:
        yield Workers(name=f"{count} process{'es' if count > 1 else ''}", count=count, executor=executor)
    finally:
        executor.shutdown(wait=True, kill_workers=True)


def _end_with(parent: int) -> None:
    """End this process when the one it works for has ended, however that ended."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.2)
        os._exit(1)

    threading.Thread(target=watch, name="parent", daemon=True).start()
