"""The fork server of this process: started when first wanted, grown by imports, replaced when stale."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import re
import select
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["Forked", "RefusedFork", "Warm", "binding", "servers"]

#: Read when a library or the interpreter starts: a kernel that wants them otherwise cannot be forked from here.
BINDING = ("PYTHON", "LD_", "OMP_", "OPENBLAS_", "MKL_", "NUMEXPR_", "BLIS_", "VECLIB_", "POLARS_", "ARROW_")
BINDING_NAMES = {"VIRTUAL_ENV", "CONDA_PREFIX", "LANG", "LC_ALL", "TZ", "MPLBACKEND", "MPLCONFIGDIR", "HOME"}
MAX_MESSAGE = 1 << 20
SECRET = re.compile(r"TOKEN|SECRET|PASS|CREDENTIAL|_KEY\b|_KEY_|_AUTH", re.IGNORECASE)
MOST_SERVERS = 3  # one for each environment that binds; the one longest unused gives way
SERVER = "nbprod.kernels.fork_server"


def binding(env: Mapping[str, str]) -> dict[str, str]:
    """The part of an environment that cannot be changed after the interpreter and the libraries started."""
    return {name: value for name, value in env.items() if name.startswith(BINDING) or name in BINDING_NAMES}


class RefusedFork(Exception):  # noqa: N818 — the reason for a cold kernel
    """No kernel was forked; the text says why."""


def harmless(env: Mapping[str, str]) -> dict[str, str]:
    """The environment without what binds and without what sounds like a secret."""
    return {name: value for name, value in env.items() if name not in binding(env) and not SECRET.search(name)}


class Forked:
    """A process that was forked elsewhere, with the part of ``subprocess.Popen`` that provisioners use.

    Parameters
    ----------
    pid
        The guard's process id, also of its process group.
    life
        Socket to the guard: it tells the wait status of the kernel; closing it ends everything.
    """

    stdin = stdout = stderr = None

    def __init__(self, pid: int, life: socket.socket) -> None:
        self.pid, self.life = pid, life
        self.returncode: int | None = None
        life.setblocking(False)

    def poll(self) -> int | None:
        """The kernel's exit code, negative for a signal; ``None`` while it lives."""
        if self.returncode is None:
            try:
                told = self.life.recv(4)
            except BlockingIOError:
                return None
            except OSError:
                told = b""
            status = struct.unpack("i", told)[0] if len(told) == 4 else 9
            self.returncode = os.waitstatus_to_exitcode(status)
            self.life.close()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end."""
        if self.poll() is None:
            select.select([self.life], [], [], timeout)
        if (code := self.poll()) is None:
            raise subprocess.TimeoutExpired("kernel", timeout or 0)
        return code

    def send_signal(self, signum: int) -> None:
        """Signal the kernel's process group."""
        if self.poll() is None:
            os.killpg(self.pid, signum)

    def kill(self) -> None:
        """End everything."""
        self.life.close()
        if self.returncode is None:
            self.returncode = -9

    terminate = kill


class Warm:
    """A fork server and the talk with it; safe to share between threads.

    Parameters
    ----------
    env
        The part of the environment that it must be started with.
    """

    def __init__(self, env: Mapping[str, str] | None = None) -> None:
        self.env = binding(os.environ if env is None else env)
        self.lock = threading.Lock()
        self.process: subprocess.Popen[bytes] | None = None
        self.control: socket.socket | None = None
        self.owner = os.getpid()

    def start(self) -> None:
        """Start the server; it imports in its own time."""
        if sys.platform != "linux":  # a fork without exec is not safe elsewhere
            raise RefusedFork(f"kernels are not forked on {sys.platform}")
        self.stop()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.control, self.owner = ours, os.getpid()
        with theirs:
            self.process = subprocess.Popen(  # noqa: S603 — our own module
                [sys.executable, "-m", SERVER, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # a Ctrl-C here is not for it
                env=harmless(os.environ) | self.env,
            )

    def fork(
        self,
        arguments: Sequence[str],
        *,
        preload: Sequence[str],
        env: Mapping[str, str],
        cwd: str,
        memory_mb: int,
        out: int,
        err: int,
        wait_s: float,
    ) -> Forked:
        """Fork a kernel that has imported what it needs.

        Parameters
        ----------
        arguments
            Of the kernel's launcher.
        preload
            Modules to import first, if they are not yet.
        out, err
            File descriptors of the kernel's own standard output and error.
        wait_s
            How long to wait for imports.

        Raises
        ------
        RefusedFork
            Nothing was forked.
        """
        request = {
            "arguments": list(arguments),
            "preload": list(preload),
            "env": dict(env),
            "cwd": cwd,
            "memory_mb": memory_mb,
        }
        with self.lock:
            deadline = time.monotonic() + wait_s
            for attempt in (1, 2):
                ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
                with theirs:
                    told = self.ask(request, [theirs.fileno(), out, err], deadline)
                if "pid" in told:
                    return Forked(told["pid"], ours)
                ours.close()
                if not told["refused"].startswith("stale") or attempt == 2:
                    break
                self.stop()
        raise RefusedFork(told["refused"])

    def ask(self, request: Mapping[str, Any], descriptors: list[int], deadline: float) -> dict[str, Any]:
        """Send a request to the server, started first if need be, and wait for the answer."""
        try:
            if self.process is None or self.process.poll() is not None or self.control is None:
                self.start()
                self.hear(deadline)
            assert self.control is not None
            socket.send_fds(self.control, [json.dumps(request).encode()], descriptors)
            return self.hear(deadline)
        except RefusedFork as refused:
            return {"refused": str(refused)}
        except (OSError, ValueError) as error:
            self.stop()
            return {"refused": f"the fork server failed: {error}"}

    def hear(self, deadline: float) -> dict[str, Any]:
        """One answer."""
        assert self.control is not None
        ready, _, _ = select.select([self.control], [], [], max(deadline - time.monotonic(), 0.01))
        if not ready:
            raise TimeoutError("it is still importing")
        answer = self.control.recv(MAX_MESSAGE)
        if not answer:
            raise OSError("it ended")
        told: dict[str, Any] = json.loads(answer)
        return told

    def stop(self) -> None:
        """End the server; kernels that were forked live on, each below its guard."""
        if self.control is not None:
            self.control.close()
        if self.process is not None and self.owner == os.getpid():
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(0.5)
            if self.process.returncode is None:
                self.process.kill()
                self.process.wait()
        self.process = self.control = None


class Servers:
    """The fork servers of this process, one for each environment that has to be there when libraries are loaded."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.known: dict[tuple[tuple[str, str], ...], Warm] = {}
        self.owner = os.getpid()

    def of(self, env: Mapping[str, str]) -> Warm:
        """The server for kernels with this environment."""
        key = tuple(sorted(binding(env).items()))
        with self.lock:
            if self.owner != os.getpid():  # this process is itself a fork: the servers belong to another one
                self.known, self.owner = {}, os.getpid()
            server = self.known.pop(key, None) or Warm(env)
            self.known[key] = server  # the most recently used is last
            while len(self.known) > MOST_SERVERS:
                self.known.pop(next(iter(self.known))).stop()
            return server

    def stop(self) -> None:
        """End all servers."""
        with self.lock:
            while self.known:
                self.known.popitem()[1].stop()


servers = Servers()
atexit.register(servers.stop)
