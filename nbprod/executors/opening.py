"""Opens workers by a word or an address: processes and threads of this machine, or a Dask cluster."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager

from nbprod.executors.workers import Workers

__all__ = ["open_workers", "processors"]

IDLE_S = 30  #: seconds after which a process without work ends


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

    # Arrow's own pools keep what was freed, a good half of what a worker would need
    env = {"OMP_NUM_THREADS": "1", "ARROW_DEFAULT_MEMORY_POOL": "system"}
    executor = ProcessPoolExecutor(count, timeout=IDLE_S, initializer=_end_with, initargs=(os.getpid(),), env=env)
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
