"""Executes a notebook's cells in a kernel and records, truthfully and as it happens, what became of each."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from nbformat import NotebookNode
from nbformat.v4 import new_output

from nbprod import clock
from nbprod.domain.execution import ExecutionResult, Limits
from nbprod.domain.run import CellStatus, EndCause, RunStatus
from nbprod.kernels.imports import imported
from nbprod.kernels.live import KernelGone, LiveKernel, describe_exit
from nbprod.kernels.sampling import Sampler, oom_kills
from nbprod.notebook.journal import JOURNAL, Journal, fold, read_events
from nbprod.notebook.lease import Lease
from nbprod.notebook.messages import Messages, one_line
from nbprod.notebook.redaction import Redactor
from nbprod.notebook.saving import Saver
from nbprod.notebook.stopping import Caught, Stop, asked_to_stop

__all__ = ["Execution", "Progress"]

TICK_S = 0.2
QUIET_S = 5.0  # after the reply, without the idle message: time to ask whether it was lost
COLOURS = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Where an execution stands, for a progress bar."""

    cell: str
    index: int  #: among the code cells, from 0
    total: int  #: number of code cells
    status: CellStatus


@dataclass(frozen=True)
class End:
    """How a cell ended when it did not end well."""

    cause: EndCause
    error: str


class Execution:
    """One execution of one notebook in one fresh kernel.

    Parameters
    ----------
    nb
        The notebook, parameters already in it; outputs and execution metadata are written into it.
    folder
        The record: ``events.jsonl``, ``notebook.ipynb``, ``logs/``.
    kernel_name, cwd, env
        Which kernel, where, with which whole environment.
    limits
        Deadlines, memory and sizes.
    preload
        Libraries that a kernel forked from a warm process may find imported, if the notebook imports them; ``None``
        for a kernel started in the usual way.
    secrets
        Values by reference; they are handed to the kernel, and taken out of all that is written.
    progress
        Called when a cell starts and ends.
    """

    def __init__(
        self,
        nb: NotebookNode,
        *,
        folder: Path,
        kernel_name: str,
        cwd: Path,
        env: Mapping[str, str],
        limits: Limits | None = None,
        preload: Sequence[str] | None = None,
        secrets: Mapping[str, str] | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> None:
        self.folder, self.kernel_name, self.cwd, self.env = folder, kernel_name, cwd, env
        self.limits = limits or Limits()
        self.preload, self.progress = preload, progress
        self.secrets = dict(secrets or {})
        self.redactor = Redactor(self.secrets.values())
        self.adopt(nb)
        self.stop: Stop | None = None
        self.caught = Caught()
        self.result = ExecutionResult(status=RunStatus.QUEUED)

    def adopt(self, nb: NotebookNode) -> None:
        """Take the notebook to execute (papermill hands on a copy of its own)."""
        give_ids(nb)
        self.nb = nb
        self.code = [(index, cell) for index, cell in enumerate(nb.cells) if cell.cell_type == "code"]

    def run(self) -> ExecutionResult:
        """Execute; every way it can end is a result, and is in the journal before this returns."""
        self.saver = Saver(self.folder / "notebook.ipynb")
        self.lease = Lease(self.folder)
        try:
            journal_path = self.folder / JOURNAL
            # a folder made for this run holds the notebook already, with nothing of an earlier execution in it
            self.is_fresh = journal_path.exists() and not journal_path.stat().st_size and self.saver.path.exists()
            with self.caught, Journal(self.folder) as journal:
                self.journal = journal
                self.prepare()
                journal.append("run.started", durable=True, cells=[(cell.id, index) for index, cell in self.code])
                self.deadline = time.monotonic() + self.limits.run_timeout_s if self.limits.run_timeout_s else None
                try:
                    end, failed = self.run_cells()
                except BaseException as error:  # our own fault or a full disk: recorded, then raised
                    end, failed = End(EndCause.ERROR, f"nbprod: {type(error).__name__}: {error}"), self.current
                    self.finish(end, failed)
                    raise
                return self.finish(end, failed)
        finally:
            self.lease.end()

    def prepare(self) -> None:
        """Forget earlier executions and say that nothing has run yet."""
        self.current: str | None = None
        self.began_at = clock.now()
        self.nb.metadata.setdefault("papermill", NotebookNode()).update(
            start_time=self.began_at.isoformat(), end_time=None, duration=None, exception=None
        )
        for cell in self.nb.cells:
            cell.metadata["papermill"] = NotebookNode(
                exception=None, start_time=None, end_time=None, duration=None, status=CellStatus.PENDING.value
            )
            cell.metadata.pop("nbprod", None)
            if cell.cell_type == "code":
                cell.execution_count = None
                cell.outputs = []
        self.label(RunStatus.RUNNING)
        if not self.is_fresh:
            self.saver.save(self.nb)

    def label(self, status: RunStatus, end: End | None = None, cell: str | None = None) -> None:
        """Say in the notebook's metadata how far it is, so that a partial one is known as such."""
        about = {
            "status": status.value,
            "partial": status is not RunStatus.SUCCEEDED,
            "cause": end.cause.value if end else None,
            "failed_cell": cell,
            "error": end.error if end else None,
        }
        self.nb.metadata.setdefault("nbprod", NotebookNode()).update(about)

    # ------------------------------------------------------------------ cells

    def run_cells(self) -> tuple[End | None, str | None]:
        """Start a kernel and run every cell; how and in which cell it ended early, if it did."""
        ooms = oom_kills()
        try:
            kernel = LiveKernel(
                self.kernel_name,
                cwd=self.cwd,
                env=self.env,
                memory_mb=self.limits.memory_mb,
                preload=None
                if self.preload is None
                else imported([cell.source for _, cell in self.code], self.preload),
                log=self.folder / "kernel.log",
                secrets=self.secrets,
                start_timeout_s=min(self.limits.start_timeout_s, self.limits.run_timeout_s or 3600),
                keep_waiting=lambda: not (self.caught.signum or asked_to_stop(self.folder)),
            )
        except KernelGone as error:
            if self.caught.signum or asked_to_stop(self.folder):
                return End(EndCause.CANCELLED, "Stopped before the kernel was up"), None
            return End(EndCause.START, str(error)), None
        try:
            self.kernel, self.ooms = kernel, ooms
            self.messages = Messages(
                self.nb,
                kernel,
                folder=self.folder,
                limits=self.limits,
                journal=self.journal,
                redactor=self.redactor,
            )
            self.journal.append("kernel.started", pid=kernel.pid, kernel=self.kernel_name, **kernel.origin)
            self.nb.metadata["language_info"] = NotebookNode(kernel.info.get("language_info", {}))
            self.sampler = Sampler(kernel.pid)
            number = 0
            for cell in self.nb.cells:
                if cell.cell_type != "code":
                    cell.metadata["papermill"]["status"] = CellStatus.COMPLETED.value
                    continue
                end = self.run_cell(cell, number)
                number += 1
                if end:
                    return end, cell.id
            self.messages.set_widgets_metadata()
            return None, None
        finally:
            kernel.close()
            self.redactor.file(self.folder / "kernel.log")
            self.messages.settle_all()

    def wanted(self) -> list[str] | None:
        """What a warm kernel should have imported; ``None`` for a cold one."""
        return None if self.preload is None else imported((cell.source for _, cell in self.code), self.preload)

    def run_cell(self, cell: NotebookNode, number: int) -> End | None:
        """Run one cell; how it ended, unless it ended well."""
        self.current = cell.id
        about = cell.metadata["papermill"]
        started_at = clock.now()
        about.update(status=CellStatus.RUNNING.value, start_time=started_at.isoformat(), exception=False)
        self.journal.append("cell.started", cell=cell.id)
        self.report(cell.id, number, CellStatus.RUNNING)
        end, cpu_s, peak_mb = None, None, None
        if cell.source.strip():
            self.sampler.start()
            end = self.follow(cell)
            used = self.sampler.end()
            cpu_s, peak_mb = used.cpu_s, used.peak_memory_mb
        status = CellStatus.FAILED if end else CellStatus.COMPLETED
        ended_at = clock.now()
        took = max(ended_at - started_at, timedelta())
        about.update(
            status=status.value,
            end_time=ended_at.isoformat(),
            duration=took.total_seconds(),
            exception=end is not None,
        )
        numbers: dict[str, Any] = {
            "cpu_s": cpu_s,
            "peak_memory_mb": peak_mb,
            "cause": end.cause.value if end else None,
        }
        cell.metadata["nbprod"] = NotebookNode({name: value for name, value in numbers.items() if value is not None})
        self.messages.flush(cell.id)
        self.journal.append("cell.ended", cell=cell.id, status=status.value, **numbers)
        self.current = None
        self.report(cell.id, number, status)
        if end is None and self.saver.due():
            self.save()
        return end

    def report(self, cell: str, number: int, status: CellStatus) -> None:
        """Tell the progress bar."""
        if self.progress:
            self.progress(Progress(cell=cell, index=number, total=len(self.code), status=status))

    def follow(self, cell: NotebookNode) -> End | None:
        """Send a cell and follow it to its idle message, a stop, or the kernel's end."""
        tags = cell.metadata.get("tags", [])
        request = self.messages.ask(cell)
        cell_deadline = time.monotonic() + self.limits.cell_timeout_s if self.limits.cell_timeout_s else None
        heard_at = looked_at = time.monotonic()
        reply: dict[str, Any] | None = None
        probe: str | None = None
        while True:
            for channel, message in self.kernel.receive(TICK_S):
                heard_at = time.monotonic()
                parent = message["parent_header"].get("msg_id")
                if channel == "iopub":
                    self.messages.take(message)
                elif parent == request:
                    reply = message["content"]
            if reply is not None and (request in self.messages.idle or (probe and probe in self.messages.idle)):
                return self.judge(cell, reply, "raises-exception" in tags)
            now = time.monotonic()
            if reply is not None and probe is None and now - heard_at > QUIET_S:
                # Output messages keep their order: once the probe is idle, the cell's own idle message was lost.
                probe = self.kernel.client.kernel_info()
            if now - looked_at < TICK_S:
                continue
            looked_at = now
            if (code := self.kernel.exit_code) is not None:
                for _channel, message in self.kernel.receive(TICK_S):  # its last words
                    self.messages.take(message)
                return self.end_of_kernel(cell, code)
            self.keep_up(cell_deadline)

    def keep_up(self, cell_deadline: float | None) -> None:
        """What has to happen now and then while a cell runs: limits, requests to stop, the lease, saving."""
        now = time.monotonic()
        self.lease.beat()
        self.messages.flush()
        memory_mb = self.sampler.look()
        if self.stop is None:
            if self.caught.signum or asked_to_stop(self.folder):
                self.halt(EndCause.CANCELLED, "Stopped on request")
            elif self.limits.memory_mb and memory_mb > self.limits.memory_mb:
                message = (
                    f"The kernel and its children used {memory_mb:,.0f} MB; the limit is {self.limits.memory_mb:,} MB"
                )
                self.halt(EndCause.OUT_OF_MEMORY, message, at_once=True)
            elif cell_deadline and now > cell_deadline:
                self.halt(EndCause.TIMEOUT, f"The cell did not end within {self.limits.cell_timeout_s:g} s")
            elif self.deadline and now > self.deadline:
                self.halt(EndCause.TIMEOUT, f"The run did not end within {self.limits.run_timeout_s:g} s")
        else:
            self.stop.go_on()
        if self.messages.changed and self.saver.due():
            self.save()

    def halt(self, cause: EndCause, message: str, *, at_once: bool = False) -> None:
        """Begin to stop the run."""
        self.stop = Stop(
            self.kernel,
            cause=cause,
            message=message,
            grace_s=self.limits.grace_s,
            tell=lambda stage: self.journal.append(
                "run.stopping", durable=True, cell=self.current, cause=cause.value, stage=stage
            ),
            at_once=at_once,
        )

    def judge(self, cell: NotebookNode, reply: Mapping[str, Any], may_raise: bool) -> End | None:  # noqa: FBT001
        """Whether a cell that ended, ended well."""
        if self.stop and (reply["status"] != "ok" or self.stop.cause is not EndCause.CANCELLED):
            return self.show(cell, End(self.stop.cause, self.stop.message))
        if any(part.get("source") == "ask_exit" for part in reply.get("payload", [])):
            return self.show(cell, End(EndCause.EXITED, "The cell asked its kernel to end (exit or quit)"))
        if reply["status"] == "ok" or (may_raise and reply["status"] == "error" and reply["ename"] != "SystemExit"):
            return None
        if reply["status"] != "error":
            return self.show(cell, End(EndCause.ERROR, "The kernel did not run the cell"))
        name, value = reply["ename"], self.redactor.text(COLOURS.sub("", reply["evalue"])).strip()
        cause = EndCause.ERROR
        if name == "SystemExit":
            cause = EndCause.EXITED
        elif name.endswith("MemoryError"):
            cause = EndCause.OUT_OF_MEMORY
        return End(cause, one_line(f"{name}: {value}")[:500])

    def end_of_kernel(self, cell: NotebookNode, code: int) -> End:
        """Why the kernel is gone."""
        if self.stop:
            return self.show(cell, End(self.stop.cause, self.stop.message))
        if code == -9 and oom_kills() > self.ooms:
            return self.show(cell, End(EndCause.OUT_OF_MEMORY, "The system killed the kernel for want of memory"))
        if code < 0:
            return self.show(cell, End(EndCause.KILLED, f"The kernel was killed by {describe_exit(code)}"))
        return self.show(cell, End(EndCause.EXITED, f"The kernel ended itself with {describe_exit(code)}"))

    def show(self, cell: NotebookNode, end: End) -> End:
        """Put a fault no traceback tells of into the cell's outputs."""
        name = "".join(part.capitalize() for part in end.cause.value.split("-"))
        self.messages.outputs[cell.id].add(new_output("error", ename=name, evalue=end.error, traceback=[end.error]))
        return end

    # ------------------------------------------------------------------ ends

    def save(self) -> None:
        """Save the notebook as it stands."""
        self.messages.settle_all()
        self.messages.changed = False
        self.saver.save(self.nb)

    def finish(self, end: End | None, failed: str | None) -> ExecutionResult:
        """Write the end: the notebook first, then the journal's last word."""
        status = RunStatus.SUCCEEDED
        if end:
            status = RunStatus.CANCELLED if end.cause is EndCause.CANCELLED else RunStatus.FAILED
        ended_at = clock.now()
        self.nb.metadata["papermill"].update(
            end_time=ended_at.isoformat(),
            duration=max(ended_at - self.began_at, timedelta()).total_seconds(),
            exception=True if end else None,
        )
        self.label(status, end, failed)
        self.saver.save(self.nb)
        self.journal.append(
            "run.ended",
            durable=True,
            status=status.value,
            cause=end.cause.value if end else None,
            cell=failed,
            error=end.error if end else None,
        )
        self.result = fold(event for _, event in read_events(self.folder))
        return self.result


def give_ids(nb: NotebookNode) -> None:
    """Name every cell; cells are spoken of by id."""
    nb.nbformat_minor = max(nb.nbformat_minor, 5)
    seen: set[str] = set()
    for index, cell in enumerate(nb.cells):
        if not cell.get("id") or cell.id in seen:
            cell.id = f"cell-{index}"
        seen.add(cell.id)
