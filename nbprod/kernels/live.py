"""One live kernel for one run: started on private sockets, asked, interrupted, and stopped for certain."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import json
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import zmq
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.kernelspec import NATIVE_KERNEL_NAME, KernelSpecManager, NoSuchKernel
from jupyter_client.manager import AsyncKernelManager

from nbprod.disk import private_opener
from nbprod.domain.markers import HANDED_OVER
from nbprod.domain.names import nearest
from nbprod.errors import EnvironmentProblem
from nbprod.kernels.provisioner import GuardedProvisioner, WarmProvisioner
from nbprod.threads import waiting_politely

OVERSIZED = 32 * 1024 * 1024  # bytes
QUEUE = 100  # messages

T = TypeVar("T")

__all__ = ["KernelGone", "LiveKernel", "check_kernel"]


class EventLoopThread:
    """One event loop in one thread of this process, for the asynchronous half of Jupyter's kernel management.

    So kernels can be started from any thread, below a running event loop or not. The thread starts when first used,
    and once more in a process that was forked.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.owner = 0
        self.loop: asyncio.AbstractEventLoop | None = None
        self.thread: threading.Thread | None = None

    def get(self) -> asyncio.AbstractEventLoop:
        """The running loop."""
        with self.lock:
            if self.loop is None or self.owner != os.getpid():
                self.loop, self.owner = asyncio.new_event_loop(), os.getpid()
                self.thread = threading.Thread(target=self.loop.run_forever, name="nbprod-kernels", daemon=True)
                self.thread.start()
            return self.loop

    def stop(self) -> None:
        """End the thread and close the loop."""
        with self.lock:
            if self.loop is not None and self.thread is not None and self.owner == os.getpid():
                self.loop.call_soon_threadsafe(self.loop.stop)
                self.thread.join(2)
                if not self.thread.is_alive():
                    self.loop.close()
            self.loop = None


event_loop = EventLoopThread()
atexit.register(event_loop.stop)


def complete(work: Awaitable[T]) -> T:
    """Wait here for work that is done in that loop."""

    async def done() -> T:
        return await work

    return asyncio.run_coroutine_threadsafe(done(), event_loop.get()).result()


class KernelGone(Exception):  # noqa: N818 — a fact, caught by the engine
    """The kernel ended, or never came up."""


def check_kernel(name: str) -> str:
    """The name a kernel is installed under; ``python`` is the one of this interpreter, as Jupyter has it.

    Raises
    ------
    EnvironmentProblem
        With the nearest installed name.
    """
    specs = KernelSpecManager()
    try:
        specs.get_kernel_spec(name)
    except NoSuchKernel:
        if name == "python":
            return check_kernel(NATIVE_KERNEL_NAME)
        raise EnvironmentProblem(
            f"No Jupyter kernel is named {name!r}", hint=nearest(name, specs.find_kernel_specs())
        ) from None
    return name


class LiveKernel:
    """A kernel that is up, with its channels open.

    The environment is the kernel's whole one; this process never changes its own working directory.

    Parameters
    ----------
    memory_mb
        Allocations beyond this fail inside the kernel; 0 for no limit.
    preload
        Modules the kernel may find imported because it is forked from a process that imported them; ``None`` for a
        kernel started in the usual way.
    log
        File for what the kernel's process itself prints (its last words, when it dies).
    secrets
        Values by reference, handed to the kernel in a private file that is gone when the kernel is.
    keep_waiting
        Asked while waiting; when it says no, the start is given up.

    Raises
    ------
    KernelGone
        No kernel came up.
    """

    def __init__(
        self,
        name: str,
        *,
        cwd: Path,
        env: Mapping[str, str],
        memory_mb: int = 0,
        preload: Sequence[str] | None = None,
        log: Path,
        secrets: Mapping[str, str] | None = None,
        start_timeout_s: float = 60,
        keep_waiting: Callable[[], bool] = lambda: True,
    ) -> None:
        self.name = name
        self.context = zmq.Context()
        self.folder = Path(tempfile.mkdtemp(prefix="nbp-"))  # short: a socket's path has at most 107 bytes
        connection: dict[str, Any] = {"connection_file": str(self.folder / "kernel.json")}
        if sys.platform != "win32":
            connection |= {"transport": "ipc", "ip": str(self.folder / "k")}
        self.manager = AsyncKernelManager(kernel_name=name, **connection)
        self.client: Any = None
        if secrets:
            env = write_secrets(self.folder / "secrets.json", secrets, env)
        try:
            spec = self.manager.kernel_spec
            if spec is not None and "kernel_provisioner" not in spec.metadata:  # one of its own knows better
                chosen = GuardedProvisioner if preload is None else WarmProvisioner
                self.manager.kernel_id = str(uuid.uuid4())
                self.manager.provisioner = chosen(
                    kernel_id=self.manager.kernel_id, kernel_spec=spec, parent=self.manager
                )
            with open(log, "ab", opener=private_opener) as log_file:
                start = self.manager.start_kernel(
                    cwd=str(cwd),
                    env=waiting_politely({name: value for name, value in env.items() if not name.startswith("JPY_")}),
                    memory_mb=memory_mb,
                    preload=list(preload or ()),
                    stdout=log_file,
                    stderr=log_file,
                    extra_arguments=["--HistoryManager.hist_file=:memory:"] if self.manager.ipykernel else [],
                )
                complete(start)
            # A kernel of our launcher waits when the queue is full. Any other drops lines of a chatty cell over IPC
            # unless everything is taken at once (0 is "no limit").
            patient = getattr(self.provisioner, "is_patient", False)
            self.context.setsockopt(zmq.RCVHWM, QUEUE if patient else 0)
            connection_info = self.manager.get_connection_info(session=True)
            self.client = BlockingKernelClient(context=self.context, **connection_info)
            self.client.start_channels(hb=False, stdin=False)
            self.info = self.wait_until_ready(time.monotonic() + start_timeout_s, keep_waiting)
        except NoSuchKernel:
            self.close()
            raise KernelGone(f"No Jupyter kernel is named {name!r}") from None
        except OSError as error:
            self.close()
            raise KernelGone(f"The kernel could not be started: {error}") from error
        except KernelGone as error:
            self.close()
            last_line = log.read_text(errors="replace").strip().splitlines()[-1:]
            raise KernelGone(": ".join((str(error), *last_line))) from error
        except BaseException:
            self.close()
            raise

    def wait_until_ready(self, deadline: float, keep_waiting: Callable[[], bool]) -> dict[str, Any]:
        """Wait for an answer and its echo on the output channel: nothing is missed from there on."""
        requests: set[str] = set()
        info: dict[str, Any] | None = None
        is_heard = False
        resend_at = 0.0
        while not (info and is_heard):
            if time.monotonic() >= resend_at:
                requests.add(self.client.kernel_info())
                resend_at = time.monotonic() + (0.05 if info else 1.0)
            for channel, message in self.receive(0.02 if info else 0.1):
                if message["parent_header"].get("msg_id") in requests:
                    if channel == "shell":
                        info = message["content"]
                        resend_at = (
                            time.monotonic() + 0.02
                        )  # not heard yet: the output channel was connected too late
                    else:
                        is_heard = True
            if (code := self.exit_code) is not None:
                raise KernelGone(f"The kernel ended with {describe_exit(code)} before it answered")
            if not keep_waiting():
                raise KernelGone("The start was given up on request")
            if time.monotonic() > deadline:
                raise KernelGone("The kernel did not answer in time after its start")
        return info

    def receive(self, timeout_s: float) -> Iterator[tuple[str, dict[str, Any]]]:
        """Every message that is there, as (channel, message); waits ``timeout_s`` for the first one.

        The content of an output message too large to be decoded (reading JSON takes three times its size) is left as
        it came, under ``raw``. Output comes before the reply when both are there, so that output of a cell is seen
        before its end.
        """
        shell, iopub = self.client.shell_channel.socket, self.client.iopub_channel.socket
        poller = zmq.Poller()
        poller.register(shell, zmq.POLLIN)
        poller.register(iopub, zmq.POLLIN)
        ready = dict(poller.poll(int(timeout_s * 1000)))
        session = self.client.session
        for channel, socket, at_most in (("iopub", iopub, 1000), ("shell", shell, 10)):
            if socket not in ready:
                continue
            for _ in range(at_most):  # then the caller looks at its clock
                try:
                    frames = socket.recv_multipart(zmq.NOBLOCK)
                except zmq.Again:
                    break
                parts = session.feed_identities(frames)[1]
                del frames  # a message may be as large as memory: it is held once
                kind = session.unpack(parts[1])["msg_type"] if len(parts[4]) > OVERSIZED else ""
                if channel == "iopub" and len(parts[4]) > (8 * OVERSIZED if kind == "stream" else OVERSIZED):
                    yield channel, {"msg_type": kind, "parent_header": session.unpack(parts[2]), "raw": parts[4]}
                else:
                    yield channel, session.deserialize(parts)

    def execute_silently(self, code: str, *, within_s: float) -> None:
        """Run a line of our own, unseen, and drop what else arrives meanwhile.

        Raises
        ------
        TimeoutError
            The kernel did not answer in time, or is gone.
        """
        request = self.client.execute(code, silent=True, store_history=False, allow_stdin=False)
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline and self.exit_code is None:
            for channel, message in self.receive(0.1):
                if channel == "shell" and message["parent_header"].get("msg_id") == request:
                    return
        raise TimeoutError("The kernel did not answer")

    @property
    def provisioner(self) -> Any:
        """The one that started this kernel."""
        return self.manager.provisioner

    @property
    def origin(self) -> dict[str, Any]:
        """Whether this kernel was forked from a warm process, and why not."""
        return dict(getattr(self.provisioner, "origin", {"warm": False}))

    @property
    def pid(self) -> int | None:
        """The kernel's process, on this machine."""
        return getattr(self.provisioner, "kernel_pid", None) or getattr(self.provisioner, "pid", None)

    @property
    def exit_code(self) -> int | None:
        """``None`` while it is alive; negative for a signal."""
        process = getattr(self.provisioner, "process", None)
        if process is not None:
            return process.poll()
        return None if complete(self.manager.is_alive()) else 1

    def interrupt(self) -> None:
        """Raise ``KeyboardInterrupt`` in the running cell."""
        with contextlib.suppress(RuntimeError, OSError):
            complete(self.manager.interrupt_kernel())

    def terminate(self) -> None:
        """Ask the kernel and its children to end."""
        with contextlib.suppress(RuntimeError, OSError):
            complete(self.manager.signal_kernel(signal.SIGTERM))

    def kill(self) -> None:
        """End the kernel and everything it started, now."""
        with contextlib.suppress(RuntimeError, OSError):
            complete(self.manager.shutdown_kernel(now=True))

    def close(self, *, polite_s: float = 2.0) -> None:
        """Let the kernel end by itself (its exit handlers run), end it if it does not, and give everything back."""
        try:
            if self.client is not None and self.provisioner is not None and self.exit_code is None:
                self.client.shutdown()
                deadline = time.monotonic() + polite_s
                while self.exit_code is None and time.monotonic() < deadline:
                    time.sleep(0.01)
            if self.provisioner is not None and self.manager.has_kernel:
                self.kill()
        finally:
            if self.client is not None:
                self.client.stop_channels()
            with contextlib.suppress(RuntimeError, OSError):
                complete(self.manager.cleanup_resources())
            self.context.destroy(linger=0)
            shutil.rmtree(self.folder, ignore_errors=True)


def write_secrets(path: Path, secrets: Mapping[str, str], env: Mapping[str, str]) -> dict[str, str]:
    """Write secrets where only the kernel looks; the environment for it, which names the file and no secret."""
    with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        json.dump(dict(secrets), file)
    variables = {reference.removeprefix("env:") for reference in secrets if reference.startswith("env:")}
    return {name: value for name, value in env.items() if name not in variables} | {HANDED_OVER: str(path)}


def describe_exit(code: int) -> str:
    """``status 3``, or the signal's name."""
    if code >= 0:
        return f"status {code}"
    with contextlib.suppress(ValueError):
        return signal.Signals(-code).name
    return f"signal {-code}"
