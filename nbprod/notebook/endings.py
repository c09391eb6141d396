"""Why a cell ended as it did, when it did not end well."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nbformat import NotebookNode
from nbformat.v4 import new_output

from nbprod.domain.run import EndCause
from nbprod.kernels.live import describe_exit
from nbprod.notebook.messages import one_line
from nbprod.notebook.redaction import Redactor
from nbprod.notebook.stopping import Stop

__all__ = ["End", "of_kernel", "of_reply"]

COLOURS = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class End:
    """How a cell ended when it did not end well."""

    cause: EndCause
    error: str
    is_shown: bool = False  #: a traceback among the outputs tells of it

    @property
    def output(self) -> NotebookNode:
        """The fault as an output, where no traceback tells of it."""
        name = "".join(part.capitalize() for part in self.cause.value.split("-"))
        return new_output("error", ename=name, evalue=self.error, traceback=[self.error])


def of_reply(reply: Mapping[str, Any], *, stop: Stop | None, may_raise: bool, redactor: Redactor) -> End | None:
    """How a cell ended that the kernel answered for; ``None`` when it ended well.

    Parameters
    ----------
    reply
        The kernel's answer.
    stop
        The decision to stop the run, if there was one.
    may_raise
        An error of this cell was announced.
    redactor
        Takes secrets out of the error.
    """
    if stop and (reply["status"] != "ok" or stop.cause is not EndCause.CANCELLED):
        return End(stop.cause, stop.message)
    if any(part.get("source") == "ask_exit" for part in reply.get("payload", [])):
        return End(EndCause.EXITED, "The cell asked its kernel to end (exit or quit)")
    if reply["status"] == "ok" or (may_raise and reply["status"] == "error" and reply["ename"] != "SystemExit"):
        return None
    if reply["status"] != "error":
        return End(EndCause.ERROR, "The kernel did not run the cell")
    name, value = reply["ename"], redactor.text(COLOURS.sub("", reply["evalue"])).strip()
    cause = EndCause.ERROR
    if name == "SystemExit":
        cause = EndCause.EXITED
    elif name.endswith("MemoryError"):
        cause = EndCause.OUT_OF_MEMORY
    return End(cause, one_line(f"{name}: {value}")[:500], is_shown=True)


def of_kernel(code: int, *, stop: Stop | None, out_of_memory: bool) -> End:
    """How a cell ended whose kernel is gone.

    Parameters
    ----------
    code
        Exit code of the kernel, negative for a signal.
    stop
        The decision to stop the run, if there was one.
    out_of_memory
        The system has killed something for want of memory since the kernel started.
    """
    if stop:
        return End(stop.cause, stop.message)
    if code == -9 and out_of_memory:
        return End(EndCause.OUT_OF_MEMORY, "The system killed the kernel for want of memory")
    if code < 0:
        return End(EndCause.KILLED, f"The kernel was killed by {describe_exit(code)}")
    return End(EndCause.EXITED, f"The kernel ended itself with {describe_exit(code)}")
