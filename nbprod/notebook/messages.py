"""A kernel's messages, put where they belong: outputs, widget state, and the journal."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionComplete
from nbformat import NotebookNode
from nbformat.v4 import output_from_msg

from nbprod.domain.execution import Limits
from nbprod.kernels.live import LiveKernel
from nbprod.notebook.journal import Journal
from nbprod.notebook.outputs import CellOutputs
from nbprod.notebook.redaction import Redactor

__all__ = ["Messages", "one_line"]

FLUSH_S = 0.5
MOST_PENDING = 4 * 1024 * 1024  # characters that wait for the journal at most
MOST_JOURNALED = (
    20_000  # characters printed to one stream that the journal takes each time; the notebook and the log have all
)


class Messages(NotebookClient):
    """nbclient's knowledge of the protocol (displays, comms, output widgets) without its waiting and its limits.

    Every message finds its own cell by the request it belongs to, also when a thread of an earlier cell prints.
    """

    def __init__(
        self,
        nb: NotebookNode,
        kernel: LiveKernel,
        *,
        folder: Path,
        limits: Limits,
        journal: Journal,
        redactor: Redactor,
    ) -> None:
        super().__init__(nb, km=kernel.manager)
        self.kernel = kernel
        self.kc = kernel.client
        self.folder, self.limits, self.journal, self.redactor = folder, limits, journal, redactor
        self.requests: dict[str, tuple[NotebookNode, int]] = {}
        self.outputs: dict[str, CellOutputs] = {}
        self.idle: set[str] = set()
        self.clear_before_next_output = False
        self.room = limits.notebook_mb * 1024 * 1024
        self.changed = False
        self.pending: dict[tuple[str, int], list[str]] = {}
        self.pending_size = 0
        self.flushed_at = time.monotonic()

    def send(self, cell: NotebookNode) -> str:
        """Send a cell to the kernel; the id of the request."""
        index = next(i for i, other in enumerate(self.nb.cells) if other is cell)
        self.outputs[cell.id] = CellOutputs(
            cell,
            folder=self.folder,
            limits=self.limits,
            has_room=self.has_room,
            on_change=lambda *change: self.record_change(cell.id, *change),
        )
        stop_on_error = "raises-exception" not in cell.metadata.get("tags", [])
        request: str = self.kernel.client.execute(cell.source, allow_stdin=False, stop_on_error=stop_on_error)
        self.requests[request] = (cell, index)
        cell.metadata["execution"] = NotebookNode()
        return request

    def take(self, message: dict[str, Any]) -> None:
        """Put one output message where it belongs."""
        parent = message["parent_header"].get("msg_id")
        if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
            self.idle.add(parent)
        if parent not in self.requests:
            return
        cell, index = self.requests[parent]
        if "raw" in message:
            self.changed = True
            self.outputs[cell.id].add_oversized(message["raw"] if not self.redactor.shapes else b"")
            return
        if message["msg_type"] != "stream":
            message["content"] = self.redactor.anywhere(message["content"])
        try:
            self.process_message(message, cell, index)
        except CellExecutionComplete:
            self.outputs[cell.id].settle(over=True)

    def output(self, outs: list[NotebookNode], msg: dict[str, Any], display_id: str | None, cell_index: int) -> None:
        """Take an output into the cell (nbclient calls this for each)."""
        parent = msg["parent_header"].get("msg_id")
        if self.output_hook_stack[parent]:  # an output widget captures it
            self.output_hook_stack[parent][-1].output(outs, msg, display_id, cell_index)
            return
        cell_outputs = self.outputs[self.nb.cells[cell_index].id]
        if self.clear_before_next_output:
            self.clear_before_next_output = False
            self.forget(cell_index)
        self.changed = True
        if msg["msg_type"] == "stream":
            name = msg["content"]["name"]
            if text := self.redactor.printed(self.nb.cells[cell_index].id, name, msg["content"]["text"]):
                cell_outputs.stream(name, text)
            return
        try:
            index = cell_outputs.add(output_from_msg(msg))
        except ValueError:  # a message type of a later protocol
            return
        if display_id and index >= 0:
            self._display_id_map.setdefault(display_id, {}).setdefault(cell_index, []).append(index)

    def clear_output(self, outs: list[NotebookNode], msg: dict[str, Any], cell_index: int) -> None:
        """Empty a cell, now or before its next output (nbclient calls this)."""
        parent = msg["parent_header"].get("msg_id")
        if self.output_hook_stack[parent]:
            self.output_hook_stack[parent][-1].clear_output(outs, msg, cell_index)
        elif msg["content"].get("wait"):
            self.clear_before_next_output = True
        else:
            self.forget(cell_index)

    def forget(self, cell_index: int) -> None:
        """Empty a cell now."""
        cell = self.nb.cells[cell_index]
        self.outputs[cell.id].clear()
        self.clear_display_id_mapping(cell_index)
        self.pending = {key: texts for key, texts in self.pending.items() if key[0] != cell.id}
        self.journal.append("cell.output", cell=cell.id, clear=True)
        self.changed = True

    def _update_display_id(self, display_id: str, msg: dict[str, Any]) -> None:
        for cell_index, indices in self._display_id_map.get(display_id, {}).items():
            for index in indices:
                cell_outputs = self.outputs[self.nb.cells[cell_index].id]
                new = {"data": msg["content"]["data"], "metadata": msg["content"]["metadata"]}
                cell_outputs.replace(index, NotebookNode({**cell_outputs.outputs[index], **new}))
                self.changed = True

    def has_room(self, size: int) -> bool:
        """Whether the notebook may grow by so many bytes."""
        self.room -= size if size <= self.room else 0
        return size <= self.room

    # ------------------------------------------------------------------ the journal

    def record_change(self, cell: str, index: int, output: NotebookNode, text: str) -> None:
        """Note a change of a cell's outputs; printed text is gathered for half a second."""
        if text:
            self.pending.setdefault((cell, index), [output.name]).append(text)
            self.pending_size += len(text)
            if self.pending_size > MOST_PENDING:
                self.flush()
            return
        self.flush()
        self.journal.append("cell.output", cell=cell, index=index, output=output)

    def flush(self, cell: str | None = None) -> None:
        """Write gathered text to the journal when it is time, or at once for a cell that ended."""
        if cell in self.outputs:
            for stream, text in self.redactor.rest(cell):
                self.outputs[cell].stream(stream, text)
        is_early = time.monotonic() - self.flushed_at < FLUSH_S and self.pending_size <= MOST_PENDING
        if not self.pending or (cell is None and is_early):
            return
        for (id_, index), (name, *texts) in self.pending.items():
            text = "".join(texts)
            self.journal.append(
                "cell.output",
                cell=id_,
                index=index,
                name=name,
                text=text[-MOST_JOURNALED:],
                left_out=max(len(text) - MOST_JOURNALED, 0) or None,
            )
        self.pending.clear()
        self.pending_size = 0
        self.flushed_at = time.monotonic()

    def write_outputs(self) -> None:
        """Write all printed text into the notebook's cells."""
        for outputs in self.outputs.values():
            outputs.settle()


def one_line(text: str) -> str:
    r"""A message of several lines as one; a line that is followed by another sentence ends with a full stop.

    Examples
    --------
    >>> one_line("no column 'clas'\nDid you mean class?")
    "no column 'clas'. Did you mean class?"
    """
    return " ".join(re.sub(r"(?<=[^\s.:;,!?…])\s*\n\s*(?=[A-Z`])", ". ", text).split())
