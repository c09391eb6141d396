"""Stays with the kernel of a failed run until its time is over, and executes in it the run that goes on."""

from __future__ import annotations

import atexit
import threading
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from nbprod.domain.request import REQUEST, RunRequest

if TYPE_CHECKING:
    from nbprod.notebook.retained_kernel import RetainedKernel  # nbformat takes a while

__all__ = ["ResumeInKernel", "finish", "is_keeping_kernel", "keep_kernel", "keep_kernel_in_background"]

THREAD = "nbprod-hold-"

ResumeInKernel = Callable[[RunRequest, "RetainedKernel"], "RetainedKernel | None"]


def finish(request: RunRequest) -> None:
    """Call what the request names for the end of a run."""
    if request.finish:
        module, _, name = request.finish.partition(":")
        getattr(import_module(module), name)(Path(request.folder))


def keep_kernel(held: RetainedKernel | None, go_on: ResumeInKernel) -> None:
    """Wait until the kernel is let go; runs that go on in it are executed, and may be held in turn.

    Parameters
    ----------
    held
        The kernel.
    go_on
        Executes a request in a held kernel; gives what is held after it.
    """
    while held is not None and (another := held.wait()) is not None:
        request = RunRequest.from_json((another / REQUEST).read_bytes())
        try:
            held = go_on(request, held)
        finally:
            finish(request)


def keep_kernel_in_background(held: RetainedKernel, go_on: ResumeInKernel) -> None:
    """Do so in a thread; the kernel is let go when this process ends."""
    thread = threading.Thread(target=keep_kernel, args=(held, go_on), name=f"{THREAD}{held.run}", daemon=True)

    def end() -> None:
        held.is_wanted = False
        thread.join(5)

    thread.start()
    atexit.register(end)


def is_keeping_kernel() -> bool:
    """Whether a thread of this process holds a kernel, or executes a run in one that it held."""
    return any(thread.name.startswith(THREAD) for thread in threading.enumerate())
