"""Keeps the kernel of a failed run alive for a while: to be looked into, and to go on in after a mend.

The run itself is over by then. Whoever holds the kernel is told by files in the run's folder: one that asks to let
the kernel go, one that names the folder of a run that goes on in it.
"""

from __future__ import annotations

import contextlib
import json
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from nbformat import NotebookNode

from nbprod import clock
from nbprod.disk import write_file
from nbprod.kernels.live import KernelGone, LiveKernel
from nbprod.notebook.journal import Journal
from nbprod.notebook.lease import Lease, is_held

__all__ = ["Held", "Hold", "offer", "read_hold", "release"]

HOLD = "hold.json"  # in the run's folder for as long as its kernel is held
RELEASE = "release"  # a file of this name asks to let the kernel go
RESUME = "resume.json"  # names the folder of the run that is to go on in the kernel
LOOK_S = 0.3
BUSY_S = 60.0  # how long a run that goes on waits for somebody's console to finish


@dataclass(frozen=True, kw_only=True)
class Hold:
    """A kernel that is held."""

    cell: str  #: where the run failed
    until: datetime
    connection_file: str  #: what ``jupyter console --existing`` takes


def read_hold(folder: Path) -> Hold | None:
    """The kernel that is held for a run, if there is one."""
    if not is_held(folder, name=HOLD):
        return None
    try:
        told = json.loads((folder / HOLD).read_bytes())
        return Hold(cell=told["cell"], until=clock.parse_utc(told["until"]), connection_file=told["connection_file"])
    except (OSError, ValueError, KeyError):  # it was let go just now
        return None


def release(folder: Path) -> None:
    """Ask to let the kernel go."""
    write_file(folder / RELEASE, "")


def offer(folder: Path, another: Path, *, wait_s: float = 20.0) -> bool:
    """Ask whoever holds the kernel of a run to go on in it with another run; whether they took it."""
    wish = write_file(folder / RESUME, json.dumps({"folder": str(another)}))
    deadline = time.monotonic() + wait_s
    while wish.exists():
        if time.monotonic() > deadline or read_hold(folder) is None:
            try:
                wish.unlink()  # of the holder, who renames it, and us, one succeeds
            except FileNotFoundError:
                break
            return False
        time.sleep(LOOK_S / 3)
    return True


class Held:
    """A kernel that this process keeps although its run is over.

    Parameters
    ----------
    kernel
        It is closed when it is let go.
    folder, notebook, cell
        Of the run that failed: its folder, its notebook as executed, where it failed.
    hold_s
        How long.
    """

    def __init__(self, kernel: LiveKernel, *, folder: Path, notebook: NotebookNode, cell: str, hold_s: float) -> None:
        self.kernel, self.folder, self.notebook, self.hold_s = kernel, folder, notebook, hold_s
        self.run = folder.name
        self.is_wanted = True  #: no more when this process ends
        self.until = clock.now() + timedelta(seconds=hold_s)
        for wish in (RELEASE, RESUME):
            (folder / wish).unlink(missing_ok=True)
        self.lease = Lease(
            folder,
            name=HOLD,
            cell=cell,
            until=clock.format_utc(self.until),
            connection_file=kernel.manager.connection_file,
        )
        self.deadline = time.monotonic() + hold_s

    def wait(self) -> Path | None:
        """Stay until the time is over, somebody asks for the kernel's end, or for another run to go on in it.

        Returns
        -------
        Path or None
            The folder of the run that goes on; the kernel is alive. Otherwise it has been let go.
        """
        try:
            while True:
                for _ in self.kernel.receive(LOOK_S):  # what an attached console shows belongs to nobody here
                    pass
                self.lease.beat()
                if (another := self.taken()) is not None:
                    self.over(f"run {another.name} goes on in it")
                    return another
                if (reason := self.end()) is not None:
                    self.let_go(reason)
                    return None
        except BaseException:
            self.let_go("its process ends")
            raise

    def end(self) -> str | None:
        """Why the hold is over, if it is."""
        if self.kernel.exit_code is not None:
            return "the kernel has ended"
        if not self.is_wanted:
            return "its process ends"
        if (self.folder / RELEASE).exists():
            return "released on request"
        return "the time is over" if time.monotonic() > self.deadline else None

    def taken(self) -> Path | None:
        """The run that is to go on in the kernel; from here on nobody can withdraw it."""
        wish = self.folder / RESUME
        mine = wish.with_suffix(".taken")
        try:
            wish.rename(mine)
            return Path(json.loads(mine.read_bytes())["folder"])
        except (OSError, ValueError, KeyError):
            return None
        finally:
            mine.unlink(missing_ok=True)

    def taken_over(self, folder: Path) -> LiveKernel:
        """The kernel, told that it now works for the run of another folder.

        Raises
        ------
        KernelGone
            It does not listen; it has been let go.
        """
        with contextlib.suppress(TimeoutError):
            if self.kernel.info.get("language_info", {}).get("name") == "python":
                self.kernel.do(f"__import__('os').environ['NBPROD_RUN'] = {str(folder)!r}", within_s=BUSY_S)
            return self.kernel
        self.kernel.close()
        raise KernelGone("The held kernel is busy with something else, or gone")

    def over(self, reason: str) -> None:
        """Say that the kernel is held no more."""
        (self.folder / RELEASE).unlink(missing_ok=True)
        with contextlib.suppress(OSError), Journal(self.folder) as journal:
            journal.append("kernel.released", reason=reason)
        self.lease.end()

    def let_go(self, reason: str = "not needed") -> None:
        """End the kernel."""
        self.kernel.close()
        self.over(reason)
