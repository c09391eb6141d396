"""Whether a kernel is held for a run that failed, and what can be asked of the process that holds it.

It is asked by files in the run's folder: one that asks to let the kernel go, one that names the folder of a run that
is to go on in it.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from nbprod import clock
from nbprod.disk import write_file
from nbprod.notebook.lease import is_held

__all__ = ["HOLD", "RELEASE", "RESUME", "KernelRetention", "read_retention", "request_release", "request_resume"]

HOLD = "hold.json"  # in the run's folder for as long as its kernel is held
RELEASE = "request_release"  # a file of this name asks to let the kernel go
RESUME = "resume.json"  # names the folder of the run that is to go on in the kernel


@dataclass(frozen=True, kw_only=True)
class KernelRetention:
    """A kernel that is held."""

    cell: str  #: where the run failed
    until: datetime
    connection_file: str  #: what ``jupyter console --existing`` takes


def read_retention(folder: Path) -> KernelRetention | None:
    """The kernel that is held for a run, if there is one."""
    if not is_held(folder, name=HOLD):
        return None
    try:
        content = json.loads((folder / HOLD).read_bytes())
        return KernelRetention(
            cell=content["cell"], until=clock.parse_utc(content["until"]), connection_file=content["connection_file"]
        )
    except (OSError, ValueError, KeyError):  # it was let go just now
        return None


def request_release(folder: Path) -> None:
    """Ask to let the kernel go."""
    write_file(folder / RELEASE, "")


def request_resume(folder: Path, resuming: Path, *, wait_s: float = 20.0) -> bool:
    """Ask whoever holds the kernel of a run to go on in it with another run; whether they took it."""
    request = write_file(folder / RESUME, json.dumps({"folder": str(resuming)}))
    deadline = time.monotonic() + wait_s
    while request.exists():
        if time.monotonic() > deadline or read_retention(folder) is None:
            try:
                request.unlink()  # of the holder, who renames it, and us, one succeeds
            except FileNotFoundError:
                break
            return False
        time.sleep(0.1)
    return True
