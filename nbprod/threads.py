"""How many threads numeric libraries use, and how those wait, in the processes nbprod starts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

__all__ = ["one_thread", "one_thread_if_small", "waiting_politely"]

#: Below this many cells a gradient boosting is quicker in one thread: at 14,000 rows of 7 columns, 0.10 s against
#: 0.25 s in two threads that sleep while they wait, and 0.7 to 6 s in two that spin on a machine with other work.
SMALL_CELLS = 1_000_000


def waiting_politely(env: Mapping[str, str]) -> dict[str, str]:
    """An environment in which OpenMP threads sleep while they wait, unless it says otherwise.

    By default they spin, and on a machine with other work each parallel loop then waits for a thread that is not
    scheduled: on two busy cores a gradient boosting of one second took forty (``OMP_WAIT_POLICY`` in the OpenMP
    specification, §6.7).
    """
    return {"OMP_WAIT_POLICY": "PASSIVE", **env}


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep OpenMP loops, those of tree ensembles among them, and products of matrices at one thread."""
    from threadpoolctl import threadpool_limits  # heavy; comes with scikit-learn

    with threadpool_limits(1):
        yield


@contextmanager
def one_thread_if_small(cells: int) -> Iterator[None]:
    """Keep OpenMP loops at one thread where a table is so small that threads mostly wait for each other.

    Parameters
    ----------
    cells
        Rows times columns.
    """
    if cells >= SMALL_CELLS:
        yield
    else:
        with one_thread():
            yield
