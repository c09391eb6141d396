"""Starts ipykernel so that it drops no output; run as a script, with the kernel's own Python and nothing of nbprod.

Stock ipykernel publishes through a queue of 1,000 messages and silently drops what does not fit while the machine is
busy: of 20,000 flushed lines some are lost. Here a full queue makes the printing cell wait until it is read, so that
nothing is lost and a flood is held in nobody's memory; a long text is sent in pieces.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import zmq
from ipykernel.iostream import OutStream
from ipykernel.kernelapp import IPKernelApp
from traitlets import default

__all__ = ["WholeKernelApp"]

QUEUE = 500  # messages
PIECE = 128 * 1024  # characters of printed text in one message
MOST_UNSENT = 4 * 1024 * 1024  # characters printed before the cell waits for the queue


class PatientStream(OutStream):
    """Standard output or error of a kernel that waits when it prints faster than it is read."""

    unsent = 0

    def write(self, string: str) -> int:
        """Take a text, in pieces, and wait for the queue now and then."""
        if not isinstance(string, str):
            raise TypeError(f"write() argument must be str, not {type(string).__name__}")
        for start in range(0, len(string), MOST_UNSENT):
            piece = string[start : start + MOST_UNSENT]
            super().write(piece)
            self.unsent += len(piece)
            if self.unsent >= MOST_UNSENT:
                self.unsent = 0
                self.flush()  # type: ignore[no-untyped-call]
        return len(string)

    def _flush_buffers(self) -> Iterator[tuple[dict[str, Any], str]]:
        for parent, text in super()._flush_buffers():  # type: ignore[no-untyped-call]
            for start in range(0, len(text), PIECE):
                yield parent, text[start : start + PIECE]


class WholeKernelApp(IPKernelApp):
    """The usual kernel application with an output queue that waits instead of dropping."""

    name = "ipython-kernel"

    @default("outstream_class")
    def _outstream_class(self) -> str:
        return f"{__name__}.{PatientStream.__name__}"

    def init_iopub(self, context: Any) -> None:
        """Open the output channel."""
        context.setsockopt(zmq.SNDHWM, 0)  # the queue to the thread that sends must never wait: it fills it itself
        super().init_iopub(context)  # type: ignore[no-untyped-call]

    def _bind_socket(self, s: Any, port: int) -> int:
        if s.socket_type in {zmq.XPUB, zmq.PUB}:
            s.setsockopt(zmq.SNDHWM, QUEUE)
            s.setsockopt(zmq.XPUB_NODROP, 1)
        return super()._bind_socket(s, port)  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    del sys.path[0]  # the folder of this file; the kernel puts its own working folder there
    WholeKernelApp.launch_instance()
