"""Keeps the kernel of a run that is over alive for a while: to be looked into, and to go on in after a mend."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from nbformat import NotebookNode

from nbprod import clock
from nbprod.kernels.live import KernelGone, LiveKernel
from nbprod.notebook.journal import Journal
from nbprod.notebook.kernel_retention import HOLD, RELEASE, RESUME
from nbprod.notebook.lease import Lease

__all__ = ["RetainedKernel"]

LOOK_S = 0.3
BUSY_S = 60.0  # how long a run that goes on waits for somebody's console to finish


class RetainedKernel:
    """A kernel that this process keeps although its run is over.

    Folder, notebook and cell are those of the run that failed. ``redact_log`` is called when the kernel is gone: what
    its process printed meanwhile may hold secrets.
    """

    def __init__(
        self,
        kernel: LiveKernel,
        *,
        folder: Path,
        notebook: NotebookNode,
        cell: str,
        hold_s: float,
        redact_log: Callable[[], None],
    ) -> None:
        self.kernel, self.folder, self.notebook, self.hold_s, self.redact_log = (
            kernel,
            folder,
            notebook,
            hold_s,
            redact_log,
        )
        self.run = folder.name
        self.is_wanted = True  #: no more when this process ends
        self.until = clock.now() + timedelta(seconds=hold_s)
        for request in (RELEASE, RESUME):
            (folder / request).unlink(missing_ok=True)
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
                if (another := self.accept_resume()) is not None:
                    self.record_release(f"run {another.name} goes on in it")
                    return another
                if (reason := self.end()) is not None:
                    self.close(reason)
                    return None
        except BaseException:
            self.close("its process ends")
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

    def accept_resume(self) -> Path | None:
        """The run that is to go on in the kernel; from here on nobody can withdraw it."""
        request = self.folder / RESUME
        accepted = request.with_suffix(".taken")
        try:
            request.rename(accepted)
            return Path(json.loads(accepted.read_bytes())["folder"])
        except (OSError, ValueError, KeyError):
            return None
        finally:
            accepted.unlink(missing_ok=True)

    def take_over(self, folder: Path) -> LiveKernel:
        """The kernel, told that it now works for the run of another folder.

        Raises
        ------
        KernelGone
            It does not listen; it has been let go.
        """
        with contextlib.suppress(TimeoutError):
            if self.kernel.info.get("language_info", {}).get("name") == "python":
                self.kernel.execute_silently(
                    f"__import__('os').environ['NBPROD_RUN'] = {str(folder)!r}", within_s=BUSY_S
                )
            return self.kernel
        self.kernel.close()
        self.redact_log()
        raise KernelGone("The held kernel is busy with something else, or gone")

    def record_release(self, reason: str) -> None:
        """Say that the kernel is held no more."""
        (self.folder / RELEASE).unlink(missing_ok=True)
        with contextlib.suppress(OSError), Journal(self.folder) as journal:
            journal.append("kernel.released", reason=reason)
        self.lease.end()

    def close(self, reason: str = "not needed") -> None:
        """End the kernel."""
        self.kernel.close()
        self.redact_log()
        self.record_release(reason)
