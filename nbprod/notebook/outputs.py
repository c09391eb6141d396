"""The outputs of a cell as they arrive: streams merged, carriage returns folded, sizes capped with a visible mark."""

from __future__ import annotations

import base64
import json
import re
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nbformat import NotebookNode
from nbformat.v4 import new_output

from nbprod.disk import private_opener
from nbprod.domain.execution import Limits
from nbprod.domain.record import RECORD_TYPE

__all__ = ["RECORD_TYPE", "CellOutputs", "Printed"]

MOST_OUTPUTS = 2000  # of one cell
LONGEST_LINE = 65536
OVERWRITTEN = re.compile(r"[^\n]*\r(?=[^\n\r])")  # what a later carriage return wrote over
RUBBED_OUT = re.compile(r"[^\n\x08]\x08")
SUFFIXES = {"text/html": "html", "image/png": "png", "image/svg+xml": "svg", "text/plain": "txt", "image/jpeg": "jpg"}


def as_terminal_shows(text: str) -> str:
    """The text as a terminal shows it: progress bars that rewrite their line leave one line."""
    if "\b" in text:
        before = None
        while before != text:
            before, text = text, RUBBED_OUT.sub("", text)
    return OVERWRITTEN.sub("", text) if "\r" in text else text


class Printed:
    """Text printed to one stream: its beginning and its end, with a count of what lies between.

    ``spill`` is called with every whole part once the text outgrows ``most`` characters; it tells where that went.
    """

    def __init__(self, most: int, spill: Callable[[str], str]) -> None:
        self.most, self.spill = most, spill
        self.head: list[str] = []
        self.tail: deque[str] = deque()
        self.head_size = self.tail_size = self.left_out = 0
        self.line = ""  # the last line, not yet ended
        self.log_path = ""

    def add(self, text: str) -> None:
        """Take what was printed next."""
        whole, newline, rest = text.rpartition("\n")
        if newline:
            self.store(as_terminal_shows(self.line + whole + newline))
            self.line = as_terminal_shows(rest)
        else:
            self.line = as_terminal_shows(self.line + rest)
        if len(self.line) > LONGEST_LINE:
            self.store(self.line)
            self.line = ""

    def store(self, text: str) -> None:
        """Take text that is over; what lies between the beginning and the end is counted and goes to the log."""
        half = self.most // 2
        if self.log_path:
            self.spill(text)
        elif self.head_size + self.tail_size + len(text) > self.most:
            self.log_path = self.spill("".join((*self.head, *self.tail, text)))
        begin = text[: max(half - self.head_size, 0)]
        if begin:
            self.head.append(begin)
            self.head_size += len(begin)
        if len(begin) < len(text):
            self.tail.append(text[len(begin) :])
            self.tail_size += len(text) - len(begin)
        while self.tail_size > half:
            first = self.tail.popleft()
            gone = min(len(first), self.tail_size - half)
            if gone < len(first):
                self.tail.appendleft(first[gone:])
            self.tail_size -= gone
            self.left_out += gone

    def finish(self) -> None:
        """The stream is over: nothing more comes to the last line."""
        if self.line:
            self.store(self.line)
            self.line = ""

    def __str__(self) -> str:
        mark = f"\n[… {self.left_out:,} characters left out; all of it: {self.log_path} …]\n" if self.left_out else ""
        return "".join((*self.head, mark, *self.tail, self.line))


class CellOutputs:
    """Puts what a cell shows into its ``outputs``, within the limits, and tells a listener each change.

    The outputs of the cell are replaced. What outgrows the notebook goes to ``logs/`` in the folder.

    Parameters
    ----------
    has_room
        Called with the size of an output in bytes, says whether the notebook still has room for it.
    on_change
        Called with the index, the output and whether it is new, for the journal.
    """

    def __init__(
        self,
        cell: NotebookNode,
        *,
        folder: Path,
        limits: Limits,
        has_room: Callable[[int], bool],
        on_change: Callable[[int, NotebookNode, str], None],
    ) -> None:
        self.cell, self.folder, self.limits, self.has_room, self.on_change = cell, folder, limits, has_room, on_change
        self.printed: dict[int, Printed] = {}
        self.logged_bytes = 0
        self.dropped = 0
        self.mark: NotebookNode | None = None  # the last output, where some were dropped
        cell.outputs = []

    @property
    def outputs(self) -> list[NotebookNode]:
        """The cell's outputs; printed text is filled in by :meth:`settle`."""
        return self.cell.outputs

    def clear(self) -> None:
        """Forget everything shown so far."""
        self.outputs.clear()
        self.printed.clear()
        self.mark, self.dropped = None, 0

    def stream(self, name: str, text: str) -> None:
        """Add printed text to the last output if it is the same stream, else to a new one."""
        last = len(self.outputs) - 1
        if last not in self.printed or self.outputs[last].name != name:
            if not self.may_add():
                return
            self.outputs.append(new_output("stream", name=name, text=""))
            last += 1
            self.printed[last] = Printed(self.limits.cell_text_kb * 1024, self.spill)
        self.printed[last].add(text)
        self.on_change(last, self.outputs[last], text)

    def add(self, output: NotebookNode) -> int:
        """Add a displayed output or an error; its index, or -1 when there is no place left."""
        if not self.may_add():
            return -1
        self.outputs.append(self.within_limits(output))
        self.on_change(len(self.outputs) - 1, self.outputs[-1], "")
        return len(self.outputs) - 1

    def replace(self, index: int, output: NotebookNode) -> None:
        """Show something else where an output was."""
        if 0 <= index < len(self.outputs):
            self.outputs[index] = self.within_limits(output)
            self.on_change(index, self.outputs[index], "")

    def may_add(self) -> bool:
        """Whether the cell may have one more output; one that may not is counted."""
        if len(self.outputs) < MOST_OUTPUTS:
            return True
        self.dropped += 1
        return False

    def settle(self, *, over: bool = False) -> None:
        """Write the printed text into the outputs, so that the notebook can be saved.

        When the cell is over, nothing more comes to a last line.
        """
        for index, printed in self.printed.items():
            if over:
                printed.finish()
            self.outputs[index].text = str(printed)
        if self.dropped:
            if self.mark is None:
                self.mark = new_output("stream", name="stderr")
                self.outputs.append(self.mark)
            self.mark.text = f"[… {self.dropped:,} more outputs left out …]\n"

    def within_limits(self, output: NotebookNode) -> NotebookNode:
        """The output, or a mark in its place when it is larger than the limits."""
        data = output.get("data")
        if data is None or RECORD_TYPE in data:  # results are never cut
            return output
        most = self.limits.display_kb * 1024
        sizes = {
            kind: len(value) if isinstance(value, str) else len(json.dumps(value)) for kind, value in data.items()
        }
        if sum(sizes.values()) <= most and self.has_room(sum(sizes.values())):
            return output
        remaining, notes = {}, []
        for kind, value in data.items():
            if sizes[kind] <= min(most // 8, 65536):
                remaining[kind] = value
            else:
                notes.append(f"{kind}, {sizes[kind]:,} bytes: {self.log_payload(kind, value)}")
        mark = "[… left out because of its size: " + "; ".join(notes) + " …]"
        remaining["text/plain"] = f"{remaining.get('text/plain', '')}\n{mark}".lstrip("\n")
        return NotebookNode({**output, "data": NotebookNode(remaining)})

    def log_payload(self, kind: str, value: Any) -> str:
        """Write a large payload to a file of its own; its path inside the run's folder."""
        if self.logged_bytes > self.limits.log_mb * 1024 * 1024:
            return "not kept"
        content = value if isinstance(value, str) else json.dumps(value)
        binary = kind.startswith("image/") and kind != "image/svg+xml"
        raw = base64.b64decode(content) if binary else content.encode("utf-8", "replace")
        return self.log(f"{self.cell.id}-{len(self.outputs)}.{SUFFIXES.get(kind, 'txt')}", raw)

    def log(self, name: str, raw: bytes | memoryview) -> str:
        """Add bytes to a file in ``logs/``; its path inside the run's folder."""
        path = self.folder / "logs" / name
        path.parent.mkdir(mode=0o700, exist_ok=True)
        with open(path, "ab", opener=private_opener) as file:
            file.write(raw)
        self.logged_bytes += len(raw)
        return f"logs/{name}"

    def add_oversized(self, raw: bytes) -> None:
        """Put a mark in the place of an output too large to be read; its JSON goes to a file, up to the log's cap.

        The JSON is empty when it may hold secrets nobody has looked for.
        """
        most = self.limits.log_mb * 1024 * 1024
        where = "not kept" if raw else "not kept, because it may hold a secret"
        if raw and self.logged_bytes < most:
            where = self.log(f"{self.cell.id}-{len(self.outputs)}.json", memoryview(raw)[:most])
        self.add(new_output("display_data", data={"text/plain": f"[… left out because of its size: {where} …]"}))

    def spill(self, text: str) -> str:
        """Add text to the cell's log file, up to its cap; the file's path inside the run's folder."""
        name = f"{self.cell.id}.log"
        raw = text.encode("utf-8", "replace")
        left = self.limits.log_mb * 1024 * 1024 - self.logged_bytes
        if left > 0:
            self.log(name, raw if len(raw) <= left else raw[:left] + b"\n[the log ends here: its limit is reached]\n")
        return f"logs/{name}"
