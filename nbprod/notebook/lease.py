"""The lease of a running execution: who holds it, and whether that process is still there."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from pathlib import Path
from typing import Any

import psutil

from nbprod import clock

__all__ = ["BEAT_S", "LEASE", "Lease", "is_held"]

LEASE = "lease.json"
BEAT_S = 2.0
STALE_S = 60.0  # a holder on another machine is gone when its lease was not renewed for this long


def here() -> dict[str, Any]:
    """Names this machine since its last start, and this process's view of its process ids."""
    boot = ""
    with contextlib.suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        boot += f"/{os.stat('/proc/self/ns/pid').st_ino}"  # noqa: PTH116 — a namespace, not a file
    return {"host": socket.gethostname(), "boot": boot}


class Lease:
    """Held by the process that executes a run, or keeps its kernel, for as long as it does.

    Further facts may be kept in its file.
    """

    def __init__(self, folder: Path, *, name: str = LEASE, **more: Any) -> None:
        self.path = folder / name
        pid = os.getpid()
        content = {
            "pid": pid,
            "started": psutil.Process(pid).create_time(),
            **here(),
            "at": clock.format_utc(clock.now()),
            **more,
        }
        part = self.path.with_suffix(f".{pid}.part")  # need not survive a power cut: the next start is another boot
        part.write_text(json.dumps(content))
        part.replace(self.path)
        self.next_at = time.monotonic() + BEAT_S

    def beat(self) -> None:
        """Renew the lease, now and then."""
        if time.monotonic() >= self.next_at:
            with contextlib.suppress(OSError):
                os.utime(self.path)
            self.next_at = time.monotonic() + BEAT_S

    def end(self) -> None:
        """Give the lease back."""
        self.path.unlink(missing_ok=True)


def is_held(folder: Path, *, name: str = LEASE) -> bool:
    """Whether the process that holds the lease is still there.

    On the same machine the process itself is looked for, by its id and its start; a holder elsewhere is believed for
    a minute after its last sign of life.
    """
    path = folder / name
    try:
        content = json.loads(path.read_bytes())
        age_s = clock.now().timestamp() - path.stat().st_mtime
    except (OSError, ValueError):
        return False
    if {name: content.get(name) for name in ("host", "boot")} != here():
        return age_s < STALE_S
    try:
        process = psutil.Process(int(content["pid"]))
        return abs(process.create_time() - content["started"]) < 1 and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
