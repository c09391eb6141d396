"""Why a cell ended as it did, when it did not end well."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nbformat import NotebookNode
from nbformat.v4 import new_output

from nbprod.domain.run import EndCause
from nbprod.kernels.live import describe_exit
from nbprod.notebook.messages import one_line
from nbprod.notebook.redaction import Redactor
from nbprod.notebook.stopping import Stop

__all__ = ["CellFailure", "of_kernel", "of_reply"]

COLOURS = re.compile(r"\x1b\[[0-9;]*m")
MAY_EXIT = "may-exit"  # the tag of a cell that may end the run on purpose
NO_ERROR = "NoneType"  # how ipykernel names an error of a value's display, which its cell did not raise
INNER = re.compile(r"^ {4,}\| ([A-Za-z_][\w.]*(?:: .*)?)$", re.MULTILINE)  # of Python's own traceback of a group


@dataclass(frozen=True)
class CellFailure:
    """How a cell ended when it did not end well."""

    cause: EndCause
    error: str
    raised: str = ""  #: the type, where Python raised
    is_wanted: bool = False  #: the cell was to end the run, and did so without a complaint

    @property
    def output(self) -> NotebookNode:
        """The fault as an output, where no traceback tells of it."""
        name = self.raised or "".join(part.capitalize() for part in self.cause.value.split("-"))
        return new_output("error", ename=name, evalue=self.error, traceback=[self.error])


def of_reply(
    reply: Mapping[str, Any],
    *,
    stop: Stop | None,
    tags: Collection[str],
    outputs: Sequence[Mapping[str, Any]],
    redactor: Redactor,
) -> CellFailure | None:
    """How a cell ended that the kernel answered for; ``None`` when it ended well.

    Of the tags of the cell, ``raises-exception`` announces an error and ``may-exit`` that it may end the run
    (``sys.exit(0)``). Its outputs are looked at because the kernel names no error that arose while a value was shown.
    """
    if stop and (reply["status"] != "ok" or stop.cause is not EndCause.CANCELLED):
        return CellFailure(stop.cause, stop.message)
    may_exit = MAY_EXIT in tags
    if any(part.get("source") == "ask_exit" for part in reply.get("payload", [])):
        return CellFailure(EndCause.EXITED, "The cell asked its kernel to end (exit or quit)", is_wanted=may_exit)
    may_raise = "raises-exception" in tags
    if reply["status"] == "ok" or (may_raise and reply["status"] == "error" and reply["ename"] != "SystemExit"):
        return None
    if reply["status"] != "error":
        return CellFailure(EndCause.ERROR, "The kernel did not run the cell")
    name, value = reply["ename"], reply["evalue"]
    if name == NO_ERROR:
        shown = [one for one in outputs if one["output_type"] == "error"]
        name, value = (shown[-1]["ename"], shown[-1]["evalue"]) if shown else ("Error", "a value could not be shown")
    value = redactor.text(COLOURS.sub("", value)).strip()
    cause = EndCause.ERROR
    is_wanted = False
    if name == "SystemExit":
        cause, is_wanted = EndCause.EXITED, may_exit and value in {"", "0", "None"}
    elif name.endswith("MemoryError"):
        cause = EndCause.OUT_OF_MEMORY
    elif name.endswith("ExceptionGroup"):
        value = ": ".join((value, *filter(None, ["; ".join(grouped(outputs))])))
    return CellFailure(cause, one_line(f"{name}: {value}" if value else name)[:500], raised=name, is_wanted=is_wanted)


def grouped(outputs: Sequence[Mapping[str, Any]]) -> list[str]:
    """The errors inside an exception group; the kernel has them only in the traceback it printed."""
    text = "".join(one["text"] for one in outputs if one["output_type"] == "stream" and one["name"] == "stderr")
    return list(dict.fromkeys(line for line in INNER.findall(text) if "ExceptionGroup:" not in line))


def of_kernel(code: int, *, stop: Stop | None, out_of_memory: bool) -> CellFailure:
    """How a cell ended whose kernel is gone.

    The code is negative for a signal. Out of memory means that the system has killed something for want of memory
    since the kernel started.
    """
    if stop:
        return CellFailure(stop.cause, stop.message)
    if code == -9 and out_of_memory:
        return CellFailure(EndCause.OUT_OF_MEMORY, "The system killed the kernel for want of memory")
    if code < 0:
        return CellFailure(EndCause.KILLED, f"The kernel was killed by {describe_exit(code)}")
    return CellFailure(EndCause.EXITED, f"The kernel ended itself with {describe_exit(code)}")
