"""Workers of a Dask cluster, by the address of its scheduler; the extra ``dask``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from nbprod.errors import EnvironmentProblem, SettingsError
from nbprod.executors.workers import Workers

__all__ = ["open_dask"]

SCHEMES = ("tcp://", "tls://")
CONNECT_S = 10
RETRIES = 2  #: of a task whose file system stumbled; those of workers that die are given to others anyway


@contextmanager
def open_dask(address: str) -> Iterator[Workers]:
    """Open the workers of a cluster.

    Parameters
    ----------
    address
        ``dask://HOST:PORT``, ``tcp://HOST:PORT`` or ``tls://HOST:PORT``.

    Raises
    ------
    SettingsError
        It is no such address.
    EnvironmentProblem
        The extra is not installed, the scheduler does not answer, or it has no workers.
    """
    place = f"tcp://{address.removeprefix('dask://')}" if address.startswith("dask://") else address
    if not place.startswith(SCHEMES):
        raise SettingsError(
            f"{address!r} names no workers",
            hint="Give processes, threads, or the address of a Dask scheduler: dask://HOST:PORT.",
        )
    try:
        from distributed import Client  # delayed: an extra, and heavy
    except ImportError as error:
        raise EnvironmentProblem(
            "Running on a Dask cluster needs the package distributed", hint="pip install 'nbprod[dask]'"
        ) from error
    try:
        client = Client(place, timeout=CONNECT_S, set_as_default=False)
    except OSError as error:
        raise EnvironmentProblem(
            f"The Dask scheduler at {place} does not answer: {error}", hint="Check the address, and that it runs."
        ) from error
    try:
        places: dict[str, int] = client.nthreads()
        if not places:
            raise EnvironmentProblem(f"The Dask scheduler at {place} has no workers", hint="Start some: dask worker.")
        count = sum(places.values())
        yield Workers(
            name=f"{count} threads of {len(places)} Dask workers at {place}",
            count=count,
            executor=client.get_executor(pure=False, retries=RETRIES),
            on_each=lambda function, *given: _on_each(client, function, *given),
        )
    finally:
        client.close()


def _on_each(client: Any, function: Any, *given: Any) -> dict[str, Any]:
    """What a function answers in each worker, by its address; an exception is an answer too."""
    return dict(client.run(function, *given, on_error="return"))
