"""Executes runs on this machine: here and now, or in a process of their own that outlives this one."""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbprod.disk import private_opener
from nbprod.domain.execution import ExecutionResult
from nbprod.domain.markers import Secret
from nbprod.domain.request import REQUEST, RunRequest
from nbprod.domain.run import EndCause
from nbprod.kernels.warm import servers
from nbprod.threads import waiting_politely

if TYPE_CHECKING:
    from nbprod.notebook.retained_kernel import RetainedKernel  # nbformat takes a while

__all__ = ["Detached", "Local", "execute", "finish", "is_keeping_kernel", "keep_kernel"]

NATIVE = "python3"  # the kernel of this interpreter
HOLD_THREAD = "nbprod-hold-"


def execute(
    request: RunRequest, *, progress: Callable[[Any], None] | None = None, resumes: RetainedKernel | None = None
) -> FinishedHandle:
    """Execute a prepared run folder in this thread, through papermill with our engine.

    Works in any thread and below a running event loop; the working directory of this process is never changed.

    Goes on in the kernel of ``resumes``, if there is one.

    Raises
    ------
    KeyboardInterrupt, SystemExit
        As the signal that stopped the run asked; the record is complete by then.
    """
    if request.preload is not None and request.kernel == NATIVE and not request.secrets and resumes is None:
        warm_up(request)
    # papermill and nbclient take a second to import
    from papermill.exceptions import PapermillExecutionError
    from papermill.execute import execute_notebook

    from nbprod.notebook.document import read_notebook
    from nbprod.notebook.execution import Execution

    folder = Path(request.folder)
    notebook = read_notebook(folder / "notebook.ipynb")
    secrets = {reference: Secret(reference).reveal() for reference in request.secrets}
    for attempts_left in range(request.retries, -1, -1):
        execution = Execution(
            notebook,
            folder=folder,
            kernel_name=request.kernel,
            cwd=Path(request.cwd),
            env={**os.environ, **request.env, "NBPROD_RUN": str(folder)},
            limits=request.limits,
            preload=request.preload,
            secrets=secrets,
            progress=progress,
            hold_s=request.hold_s,
            resumes=resumes,
            resume_at=request.resume_at,
        )
        how = {"engine_name": "nbprod", "kernel_name": request.kernel, "progress_bar": False}
        with suppress(PapermillExecutionError):  # it looked at the outputs; our result says the same, and more
            execute_notebook(execution.nb, None, execution=execution, **how)
        execution.signals.pass_on()
        if not attempts_left or not may_pass(execution.result, request.retry_on):
            break
        if execution.retained:
            execution.retained.close("another attempt follows")
        for left in (folder / "files").glob("*"):  # results come from the attempt that succeeded, and no other
            shutil.rmtree(left) if left.is_dir() else left.unlink()
    return FinishedHandle(execution.result, execution.retained)


def warm_up(request: RunRequest) -> None:
    """Let the imports of the kernel begin, while this process makes its own."""
    server = servers.get(waiting_politely({**os.environ, **request.env}))
    threading.Thread(target=server.prepare, args=(request.preload,), name="nbprod-warm-up", daemon=True).start()


def may_pass(result: ExecutionResult, passing: tuple[str, ...]) -> bool:
    """Whether another attempt may end otherwise: never after an error of the notebook's own, unless it is named."""
    if result.cause in {EndCause.START, EndCause.KILLED}:
        return True
    return result.cause is EndCause.ERROR and result.error_type in passing


@dataclass(frozen=True)
class FinishedHandle:
    """A handle to what is over, and to the kernel that is held for it."""

    result: ExecutionResult
    retained: RetainedKernel | None = None

    def wait(self, timeout_s: float | None = None) -> ExecutionResult:  # noqa: ARG002 — the seam's signature
        """The result."""
        return self.result


class Local:
    """Executes in the calling thread; ``submit`` returns when the run has ended.

    A kernel that is to be held is kept by a thread, and ends with this process.
    """

    def submit(self, request: RunRequest, *, progress: Callable[[Any], None] | None = None) -> FinishedHandle:
        """Execute now."""
        done = execute(request, progress=progress)
        if done.retained:
            keep_kernel_in_background(done.retained)
        return done

    def __repr__(self) -> str:
        return "<Local executor>"


@dataclass(frozen=True)
class ProcessHandle:
    """A handle to a process of its own."""

    folder: Path
    pid: int

    def wait(self, timeout_s: float | None = None) -> ExecutionResult | None:
        """Look at the journal until the run has ended."""
        from nbprod.notebook.journal import read_result  # nbformat takes a while

        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            result = read_result(self.folder)
            if result.ended_at:
                return result
            if deadline is not None and time.monotonic() > deadline:
                return None
            time.sleep(0.1)


class Detached:
    """Starts a process for each run; it goes on when this process ends."""

    def submit(self, request: RunRequest, *, progress: Callable[[Any], None] | None = None) -> ProcessHandle:  # noqa: ARG002
        """Start a process for the run; its progress is in the journal."""
        folder = Path(request.folder)
        with open(folder / "job.log", "ab", opener=private_opener) as log:
            process = subprocess.Popen(  # noqa: S603 — our own module and a folder of ours
                [sys.executable, "-m", "nbprod.executors.job", str(folder)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd=folder,
            )
        threading.Thread(target=process.wait, daemon=True).start()  # collects it when it ends
        return ProcessHandle(folder, process.pid)

    def __repr__(self) -> str:
        return "<Detached executor>"


def finish(request: RunRequest) -> None:
    """Call what the request names for the end of a run."""
    if request.finish:
        module, _, name = request.finish.partition(":")
        getattr(import_module(module), name)(Path(request.folder))


def keep_kernel(retained: RetainedKernel | None) -> None:
    """Wait until the kernel is let go; runs that go on in it are executed, and may be held in turn."""
    while retained is not None and (another := retained.wait()) is not None:
        request = RunRequest.from_json((another / REQUEST).read_bytes())
        try:
            retained = execute(request, resumes=retained).retained
        finally:
            finish(request)


def keep_kernel_in_background(retained: RetainedKernel) -> None:
    """Do so in a thread; the kernel is let go when this process ends."""
    thread = threading.Thread(target=keep_kernel, args=(retained,), name=f"{HOLD_THREAD}{retained.run}", daemon=True)

    def end() -> None:
        retained.is_wanted = False
        thread.join(5)

    thread.start()
    atexit.register(end)


def is_keeping_kernel() -> bool:
    """Whether a thread of this process holds a kernel, or executes a run in one that it held."""
    return any(thread.name.startswith(HOLD_THREAD) for thread in threading.enumerate())
