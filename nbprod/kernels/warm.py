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
from pathlib import Path
from typing import Any

__all__ = ["GUARD", "ForkServerClient", "Forked", "RefusedFork", "import_environment", "servers"]

#: Variables that differ from run to run, and that no library reads when it is imported.
FREE = ("NBPROD_", "JPY_", "PYTEST_")
MAX_MESSAGE = 1 << 20
TICK_S = 0.5
BUSY = 0.1  # of a processor: a server that uses more is importing, one that uses less waits for something
SECRET = re.compile(r"TOKEN|SECRET|PASS|CREDENTIAL|_KEY\b|_KEY_|_AUTH", re.IGNORECASE)
MOST_SERVERS = 3  # one for each environment that binds; the one longest unused gives way
SERVER = "nbprod.kernels.fork_server"
#: In a kernel that was forked: the descriptor by which its guard is asked, the kernel's process id, and its memory.
GUARD = "NBPROD_GUARD"


def import_environment(env: Mapping[str, str]) -> dict[str, str]:
    """The part of an environment that a library may read when it is imported; what sounds like a secret is left out.

    A kernel that wants it otherwise cannot be forked from a process that was started with this one.
    """
    return {name: value for name, value in env.items() if not name.startswith(FREE) and not SECRET.search(name)}


class RefusedFork(Exception):  # noqa: N818 — the reason for a cold kernel
    """No kernel was forked; the text says why."""


class Forked:
    """A process that was forked elsewhere, with the part of ``subprocess.Popen`` that provisioners use.

    ``pid`` is the guard's, also of its process group. The socket to the guard tells the wait status of the kernel;
    closing it ends everything.
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
                received = self.life.recv(4)
            except BlockingIOError:
                return None
            except OSError:
                received = b""
            status = struct.unpack("i", received)[0] if len(received) == 4 else 9
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


class ForkServerClient:
    """A fork server and the talk with it; safe to share between threads."""

    def __init__(self, env: Mapping[str, str] | None = None) -> None:
        self.env = import_environment(os.environ if env is None else env)
        self.lock = threading.Lock()
        self.process: subprocess.Popen[bytes] | None = None
        self.control: socket.socket | None = None
        self.owner = os.getpid()
        self.excluded: dict[str, str] = {}  #: by module: why it is not imported there again

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
                env=self.env,
            )

    def fork(
        self,
        arguments: Sequence[str],
        *,
        preload: Sequence[str],
        env: Mapping[str, str],
        cwd: str,
        out: int,
        err: int,
        wait_s: float,
        memory_mb: int = 0,
        module: str = "",
    ) -> Forked:
        """Fork a kernel, or a process that executes a module, that has imported what it needs.

        An import that does not compute is waited for ``wait_s`` seconds, one that computes ten times as long. ``out``
        and ``err`` are file descriptors of the kernel's own standard output and error.

        Raises
        ------
        RefusedFork
            Nothing was forked.
        """
        request = {"arguments": list(arguments), "env": dict(env), "cwd": cwd, "memory_mb": memory_mb}
        request |= {"module": module} if module else {}
        with self.lock:
            for attempt in (1, 2):
                ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
                with theirs:
                    reply = self.request_fork(request, preload, [theirs.fileno(), out, err], wait_s)
                if "pid" in reply:
                    return Forked(reply["pid"], ours)
                ours.close()
                if not reply.get("stale") or attempt == 2:
                    break
                self.stop()
        raise RefusedFork(reply["refused"])

    def prepare(self, preload: Sequence[str], *, wait_s: float = 30.0) -> None:
        """Start the server and let it import, for a kernel that will be wanted; what goes wrong shows then."""
        with self.lock:
            self.request_fork({}, preload, [], wait_s)

    def request_fork(
        self, request: Mapping[str, Any], preload: Sequence[str], descriptors: list[int], wait_s: float
    ) -> dict[str, Any]:
        """Send a request to the server, started first if need be, and wait for the answer.

        A module whose import ended or stopped the server, or left it unfit to be forked, is left out from then on.
        """
        importing = ""
        try:
            if self.process is None or self.process.poll() is not None or self.control is None:
                self.start()
                self.receive(wait_s)
            assert self.control is not None
            wanted = [name for name in preload if not self.exclusion_reason(name)]
            socket.send_fds(self.control, [json.dumps({**request, "preload": wanted}).encode()], descriptors)
            while (reply := self.receive(wait_s)) and "refused" not in reply and "importing" in reply:
                importing = reply["importing"]
            if "importing" not in reply:
                return reply
            importing, reason = reply["importing"], reply["refused"]
        except RefusedFork as refused:
            return {"refused": str(refused)}
        except (OSError, ValueError) as error:
            reason = f"importing {importing}: {error}" if importing else f"the fork server failed: {error}"
        if importing:
            self.excluded[importing] = reason
        self.stop()
        return {"refused": reason}

    def exclusion_reason(self, name: str) -> str:
        """Why a module is not imported in the server; empty when it may be."""
        parts = name.split(".")
        above = (".".join(parts[:length]) for length in range(1, len(parts) + 1))
        return next((self.excluded[one] for one in above if one in self.excluded), "")

    def receive(self, wait_s: float) -> dict[str, Any]:
        """One answer."""
        assert self.control is not None
        until, idle_s, used_s = time.monotonic() + 10 * wait_s, 0.0, self.cpu_s()
        while not select.select([self.control], [], [], min(TICK_S, wait_s))[0]:
            used_s, before_s = self.cpu_s(), used_s
            idle_s += TICK_S if used_s - before_s < BUSY * TICK_S else 0.0
            if idle_s >= wait_s or time.monotonic() > until:
                raise TimeoutError(f"it did not end within {wait_s:g} s")
        answer = self.control.recv(MAX_MESSAGE)
        if not answer:
            raise OSError("the process ended")
        reply: dict[str, Any] = json.loads(answer)
        return reply

    def cpu_s(self) -> float:
        """Seconds of CPU the server has used."""
        with contextlib.suppress(OSError, ValueError, IndexError):
            assert self.process is not None
            fields = Path(f"/proc/{self.process.pid}/stat").read_bytes().rpartition(b")")[2].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        return 0.0

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


class ForkServerPool:
    """The fork servers of this process, one for each environment that has to be there when libraries are loaded."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.known: dict[tuple[tuple[str, str], ...], ForkServerClient] = {}
        self.owner = os.getpid()

    def get(self, env: Mapping[str, str]) -> ForkServerClient:
        """The server for kernels with this environment."""
        key = tuple(sorted(import_environment(env).items()))
        with self.lock:
            if self.owner != os.getpid():  # this process is itself a fork: the servers belong to another one
                self.known, self.owner = {}, os.getpid()
            server = self.known.pop(key, None) or ForkServerClient(env)
            self.known[key] = server  # the most recently used is last
            while len(self.known) > MOST_SERVERS:
                self.known.pop(next(iter(self.known))).stop()
            return server

    def running(self, env: Mapping[str, str]) -> ForkServerClient | None:
        """The server for kernels with this environment, if there is one."""
        with self.lock:
            found = self.known.get(tuple(sorted(import_environment(env).items())))
        return found if found and found.owner == os.getpid() and found.process is not None else None

    def stop(self) -> None:
        """End all servers."""
        with self.lock:
            while self.known:
                self.known.popitem()[1].stop()


servers = ForkServerPool()
atexit.register(servers.stop)
