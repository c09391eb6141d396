"""Whether the workers of a cluster can score a job: the same nbprod, the same package, the same files."""

from __future__ import annotations

import os
import socket
from importlib.metadata import version
from typing import Any

from nbprod.errors import EnvironmentProblem
from nbprod.executors.workers import Workers
from nbprod.packages.sealing import verify_folder
from nbprod.scoring.job import Job
from nbprod.scoring.places import Place
from nbprod.scoring.work_folder import MANIFEST

__all__ = ["check_workers", "look"]

LIBRARIES = ("nbprod", "numpy", "scikit-learn", "pyarrow")  # what can make predictions differ


def check_workers(workers: Workers, job: Job, inputs: list[str]) -> None:
    """Refuse workers that would answer otherwise, or write where nobody sees it.

    Parameters
    ----------
    workers
        Of a cluster.
    job
        What they are to do; its work folder was made.
    inputs
        Files they are to read.

    Raises
    ------
    EnvironmentProblem
        Naming the first worker and what it lacks.
    """
    assert workers.on_each is not None
    here = {name: version(name) for name in LIBRARIES}
    for address, found in workers.on_each(look, job.package, job.digest, job.work, inputs).items():
        problem = _problem(found, here, job)
        if problem:
            raise EnvironmentProblem(
                f"The Dask worker at {address} cannot score this: {problem}",
                hint="Workers need this environment, and package, input and output on storage that all can reach.",
            )


def look(package: str, digest: str, work: str, inputs: list[str]) -> dict[str, Any]:
    """What a worker sees; runs there."""
    found: dict[str, Any] = {"host": socket.gethostname(), "process": os.getpid()}
    found["versions"] = {name: version(name) for name in LIBRARIES}
    found["digest"] = verify_folder(package, digest).digest
    found["job"] = (Place(work) / MANIFEST).read()
    found["missing"] = [name for name in inputs if not Place(name).exists()]
    return found


def _problem(found: Any, here: dict[str, str], job: Job) -> str | None:
    if isinstance(found, BaseException):
        return f"{type(found).__name__}: {found}"
    for name, wanted in here.items():
        if found["versions"][name] != wanted:
            return f"it has {name} {found['versions'][name]}, and here it is {wanted}"
    if found["missing"]:
        return f"it does not see {found['missing'][0]}"
    if job.key.encode() not in found["job"]:
        return f"it does not see the work folder {job.work}"
    return None
