"""Executes a notebook's cells in a kernel and records, truthfully and as it happens, what became of each."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from nbprod import clock
from nbprod.disk import make_private
from nbprod.domain.execution import ExecutionResult, Limits
from nbprod.domain.run import CellStatus, EndCause, RunStatus
from nbprod.kernels.live import KernelGone, LiveKernel
from nbprod.kernels.resource_usage import Sampler, oom_kills
from nbprod.notebook.cell_failure import CellFailure, of_kernel, of_reply
from nbprod.notebook.execution_metadata import clear_execution, copy_outputs, give_ids, label
from nbprod.notebook.journal import JOURNAL, Journal, read_result
from nbprod.notebook.lease import Lease
from nbprod.notebook.messages import Messages
from nbprod.notebook.naming import display_names
from nbprod.notebook.redaction import Redactor
from nbprod.notebook.retained_kernel import RetainedKernel
from nbprod.notebook.saving import Saver
from nbprod.notebook.stopping import SignalCatcher, Stop, is_stop_requested

__all__ = ["Execution", "Progress"]

TICK_S = 0.2
QUIET_S = 5.0  # after the reply, without the idle message: time to ask whether it was lost


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Where an execution stands, for a progress bar."""

    cell: str  #: what people call it
    index: int  #: among the code cells, from 0
    total: int  #: number of code cells
    status: CellStatus


class Execution:
    """One execution of one notebook in one fresh kernel.

    Outputs and execution metadata are written into the notebook, the record into ``folder``: ``events.jsonl``,
    ``notebook.ipynb``, ``logs/``.

    Parameters
    ----------
    preload
        Modules that a kernel forked from a warm process finds imported; ``None`` for a kernel started in the usual
        way.
    secrets
        Values by reference; they are handed to the kernel, and taken out of all that is written.
    hold_s
        How long to keep the kernel alive when a cell raised; it is then in ``retained``.
    resumes, resume_at
        The held kernel to go on in, and from which cell.
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
        hold_s: float = 0,
        resumes: RetainedKernel | None = None,
        resume_at: str = "",
    ) -> None:
        self.folder, self.kernel_name, self.cwd, self.env = folder, kernel_name, cwd, env
        self.limits = limits or Limits()
        self.preload, self.progress = preload, progress
        self.secrets = dict(secrets or {})
        self.redactor = Redactor(self.secrets.values())
        self.adopt(nb)
        self.hold_s, self.resumes, self.resume_at = hold_s, resumes, resume_at
        self.retained: RetainedKernel | None = None
        self.stop: Stop | None = None
        self.signals = SignalCatcher()
        self.result = ExecutionResult(status=RunStatus.QUEUED)

    def adopt(self, nb: NotebookNode) -> None:
        """Take the notebook to execute (papermill hands on a copy of its own)."""
        give_ids(nb)
        self.nb = nb
        self.names = display_names(nb)
        self.code = [(index, cell) for index, cell in enumerate(nb.cells) if cell.cell_type == "code"]

    def run(self) -> ExecutionResult:
        """Execute; every way it can end is a result, and is in the journal before this returns."""
        self.saver = Saver(self.folder / "notebook.ipynb")
        self.lease = Lease(self.folder)
        try:
            journal_path = self.folder / JOURNAL
            # a folder made for this run holds the notebook already, with nothing of an earlier execution in it
            self.is_fresh = journal_path.exists() and not journal_path.stat().st_size and self.saver.path.exists()
            with self.signals, Journal(self.folder) as journal:
                self.journal = journal
                self.prepare()
                cells = [(cell.id, index, *self.names.get(cell.id, "").splitlines()) for index, cell in self.code]
                journal.append("run.started", durable=True, cells=cells, kept=self.kept or None)
                self.deadline = time.monotonic() + self.limits.run_timeout_s if self.limits.run_timeout_s else None
                try:
                    end, failed = self.run_cells()
                except BaseException as error:  # our own fault or a full disk: recorded, then raised
                    end, failed = (
                        CellFailure(EndCause.ERROR, f"nbprod: {type(error).__name__}: {error}"),
                        self.current,
                    )
                    if self.retained:
                        self.retained.close()
                    self.finish(end, failed)
                    raise
                return self.finish(end, failed)
        finally:
            self.lease.end()

    def prepare(self) -> None:
        """Say in the notebook that nothing has run yet, but what an earlier run did for this one."""
        self.current: str | None = None
        self.began_at = clock.now()
        clear_execution(self.nb, self.began_at)
        self.kept: list[str] = []
        if earlier := self.resumes:
            self.kept = copy_outputs(self.nb, earlier.notebook, until=self.resume_at, run=earlier.run)
            self.nb.metadata.setdefault("nbprod", NotebookNode())["resumed_from"] = earlier.run
        label(self.nb, ExecutionResult(status=RunStatus.RUNNING))
        if self.kept or not self.is_fresh:
            self.saver.save(self.nb)

    # ------------------------------------------------------------------ cells

    def run_cells(self) -> tuple[CellFailure | None, str | None]:
        """Run every cell in a kernel; how and in which cell it ended early, if it did."""
        self.ooms = oom_kills()
        try:
            kernel = self.resumes.take_over(self.folder) if self.resumes else self.start_kernel()
        except KernelGone as error:
            if self.signals.signum or is_stop_requested(self.folder):
                return CellFailure(EndCause.CANCELLED, "Stopped before the kernel was up"), None
            return CellFailure(EndCause.START, str(error)), None
        try:
            self.kernel = kernel
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
                end = None if cell.id in self.kept else self.run_cell(cell, number)
                number += 1
                if end and end.is_wanted:
                    self.skip_rest(number, cell.id)
                    break
                if end:
                    self.retain_kernel(end, cell.id)
                    return end, cell.id
            self.messages.set_widgets_metadata()
            return None, None
        finally:
            if self.retained is None:
                kernel.close()
            self.redact_log()
            self.messages.write_outputs()

    def redact_log(self) -> None:
        """Take secrets out of what the kernel's process printed by itself, also while an earlier run had it."""
        self.redactor.file(self.folder / "kernel.log")
        if self.resumes:
            self.resumes.redact_log()

    def start_kernel(self) -> LiveKernel:
        """A fresh kernel."""
        return LiveKernel(
            self.kernel_name,
            cwd=self.cwd,
            env=self.env,
            memory_mb=self.limits.memory_mb,
            preload=self.preload,
            log=self.folder / "kernel.log",
            secrets=self.secrets,
            start_timeout_s=min(self.limits.start_timeout_s, self.limits.run_timeout_s or 3600),
            keep_waiting=lambda: not (self.signals.signum or is_stop_requested(self.folder)),
        )

    def retain_kernel(self, end: CellFailure, cell: str) -> None:
        """Keep the kernel for whoever looks for the error in it, if that is wanted."""
        is_wanted = self.hold_s and end.cause is EndCause.ERROR and not self.signals.signum
        if is_wanted and self.kernel.exit_code is None:
            self.retained = RetainedKernel(
                self.kernel,
                folder=self.folder,
                notebook=self.nb,
                cell=cell,
                hold_s=self.hold_s,
                redact_log=self.redact_log,
            )
            self.journal.append("kernel.held", until=clock.format_utc(self.retained.until), pid=self.kernel.pid)

    def run_cell(self, cell: NotebookNode, number: int) -> CellFailure | None:
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
            end = self.await_reply(cell)
            cpu_s, peak_mb = self.sampler.end()
        is_failed = end is not None and not end.is_wanted
        status = CellStatus.FAILED if is_failed else CellStatus.COMPLETED
        ended_at = clock.now()
        duration = max(ended_at - started_at, timedelta())
        about.update(
            status=status.value,
            end_time=ended_at.isoformat(),
            duration=duration.total_seconds(),
            exception=is_failed,
        )
        numbers: dict[str, Any] = {
            "cpu_s": cpu_s,
            "peak_memory_mb": peak_mb,
            "cause": end.cause.value if end and is_failed else None,
        }
        cell.metadata["nbprod"] = NotebookNode({name: value for name, value in numbers.items() if value is not None})
        self.messages.flush(cell.id)
        self.journal.append("cell.ended", cell=cell.id, status=status.value, **numbers)
        self.current = None
        self.report(cell.id, number, status)
        if end is None and self.saver.due():
            self.save()
        return end

    def skip_rest(self, number: int, at: str) -> None:
        """Say of the cells behind one that ended the run on purpose that they were not executed."""
        for _, cell in self.code[number:]:
            cell.metadata["papermill"]["status"] = CellStatus.SKIPPED.value
            self.journal.append("cell.skipped", cell=cell.id)
        self.nb.metadata["nbprod"]["ended_by"] = at
        for cell in self.nb.cells[(self.code[number - 1][0]) :]:
            if cell.cell_type != "code":
                cell.metadata["papermill"]["status"] = CellStatus.COMPLETED.value

    def report(self, cell: str, number: int, status: CellStatus) -> None:
        """Tell the progress bar."""
        if self.progress:
            self.progress(
                Progress(cell=self.names.get(cell, cell), index=number, total=len(self.code), status=status)
            )

    def await_reply(self, cell: NotebookNode) -> CellFailure | None:
        """Send a cell and follow it to its idle message, a stop, or the kernel's end."""
        tags = cell.metadata.get("tags", [])
        request = self.messages.send(cell)
        cell_deadline = time.monotonic() + self.limits.cell_timeout_s if self.limits.cell_timeout_s else None
        last_message_at = last_check_at = time.monotonic()
        reply: dict[str, Any] | None = None
        probe: str | None = None
        while True:
            for channel, message in self.kernel.receive(TICK_S):
                last_message_at = time.monotonic()
                parent = message["parent_header"].get("msg_id")
                if channel == "iopub":
                    self.messages.take(message)
                elif parent == request:
                    reply = message["content"]
            if reply is not None and (request in self.messages.idle or (probe and probe in self.messages.idle)):
                self.messages.outputs[cell.id].settle()
                end = of_reply(reply, stop=self.stop, tags=tags, outputs=cell.outputs, redactor=self.redactor)
                return self.add_error_output(cell, end)
            now = time.monotonic()
            if reply is not None and probe is None and now - last_message_at > QUIET_S:
                # Output messages keep their order: once the probe is idle, the cell's own idle message was lost.
                probe = self.kernel.client.kernel_info()
            if now - last_check_at < TICK_S:
                continue
            last_check_at = now
            if (code := self.kernel.exit_code) is not None:
                for _channel, message in self.kernel.receive(TICK_S):  # its last words
                    self.messages.take(message)
                return self.add_error_output(
                    cell, of_kernel(code, stop=self.stop, out_of_memory=oom_kills() > self.ooms)
                )
            self.check_limits(cell_deadline)

    def check_limits(self, cell_deadline: float | None) -> None:
        """What has to happen now and then while a cell runs: limits, requests to stop, the lease, saving."""
        now = time.monotonic()
        self.lease.beat()
        self.messages.flush()
        memory_mb = self.sampler.sample()
        if self.stop is None:
            if self.signals.signum or is_stop_requested(self.folder):
                self.begin_stop(EndCause.CANCELLED, "Stopped on request")
            elif self.limits.memory_mb and memory_mb > self.limits.memory_mb:
                message = (
                    f"The kernel and its children used {memory_mb:,.0f} MB; the limit is {self.limits.memory_mb:,} MB"
                )
                self.begin_stop(EndCause.OUT_OF_MEMORY, message, at_once=True)
            elif cell_deadline and now > cell_deadline:
                self.begin_stop(EndCause.TIMEOUT, f"The cell did not end within {self.limits.cell_timeout_s:g} s")
            elif self.deadline and now > self.deadline:
                self.begin_stop(EndCause.TIMEOUT, f"The run did not end within {self.limits.run_timeout_s:g} s")
        else:
            self.stop.advance()
        if self.messages.changed and self.saver.due():
            self.save()

    def begin_stop(self, cause: EndCause, message: str, *, at_once: bool = False) -> None:
        """Begin to stop the run."""
        self.stop = Stop(
            self.kernel,
            cause=cause,
            message=message,
            grace_s=self.limits.grace_s,
            on_stage=lambda stage: self.journal.append(
                "run.stopping", durable=True, cell=self.current, cause=cause.value, stage=stage
            ),
            at_once=at_once,
        )

    def add_error_output(self, cell: NotebookNode, end: CellFailure | None) -> CellFailure | None:
        """Put a fault no traceback tells of into the cell's outputs."""
        if (
            end
            and not end.is_wanted
            and (not end.raised or not any(one.output_type == "error" for one in cell.outputs))
        ):
            self.messages.outputs[cell.id].add(end.output)
        return end

    # ------------------------------------------------------------------ ends

    def save(self) -> None:
        """Save the notebook as it stands."""
        self.messages.write_outputs()
        self.messages.changed = False
        self.saver.save(self.nb)

    def finish(self, end: CellFailure | None, failed: str | None) -> ExecutionResult:
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
        cause, error = (end.cause, end.error) if end else (None, None)
        label(self.nb, ExecutionResult(status=status, cause=cause, failed_cell=failed, error=error))
        self.saver.save(self.nb)
        make_private(self.folder)  # what the notebook has written there too
        self.journal.append(
            "run.ended",
            durable=True,
            status=status.value,
            cause=cause,
            cell=failed,
            error=error,
            error_type=(end.raised or None) if end else None,
        )
        self.result = read_result(self.folder)
        return self.result
