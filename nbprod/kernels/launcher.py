"""Starts ipykernel so that it drops no output; run as a script, with the kernel's own Python and nothing of nbprod.

Stock ipykernel publishes through a queue of 1,000 messages and silently drops what does not fit while the machine is
busy: of 20,000 flushed lines some are lost. Here the queue has no such end.
"""

from __future__ import annotations

import sys
from typing import Any

import zmq
from ipykernel.kernelapp import IPKernelApp

__all__ = ["WholeKernelApp"]


class WholeKernelApp(IPKernelApp):
    """The usual kernel application with an unbounded output queue."""

    name = "ipython-kernel"

    def init_iopub(self, context: Any) -> None:
        """Open the output channel."""
        context.setsockopt(zmq.SNDHWM, 0)
        super().init_iopub(context)  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    del sys.path[0]  # the folder of this file; the kernel puts its own working folder there
    WholeKernelApp.launch_instance()
