"""The small process between a runner and its kernel: when either is gone, nothing of the run stays alive.

It runs as a script with the standard library alone (``python -I -S guard.py``), or as a function in a forked child.
It adopts every orphan below it (Linux: child subreaper), so that a child which detached itself is found too. It
ends with the kernel's own exit status, so whoever waits for the guard learns how the kernel ended.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import struct
import sys
import time
from collections.abc import Callable
from typing import NoReturn

if sys.platform != "win32":  # the provisioner imports this module everywhere, and starts no guard on Windows
    import resource

__all__ = ["descendants", "watch"]

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
GRACE_S = 1.0


def prctl(option: int, value: int) -> None:
    """Set a process attribute where the system has it (Linux)."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def descendants(pid: int) -> list[int]:
    """Every process below ``pid``, nearest first; empty where there is no ``/proc``."""
    children: dict[int, list[int]] = {}
    with contextlib.suppress(OSError):
        for name in os.listdir("/proc"):  # noqa: PTH208 — pathlib is not loaded here
            if name.isdigit():
                with contextlib.suppress(OSError, ValueError, IndexError):
                    with open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123 — as above
                        parent = int(file.read().rpartition(b")")[2].split()[1])
                    children.setdefault(parent, []).append(int(name))
    found, queue = [], [pid]
    while queue:
        below = children.get(queue.pop(0), [])
        found += below
        queue += below
    return found


def signal_all(pids: list[int], signum: int) -> None:
    for pid in pids:
        with contextlib.suppress(OSError):
            os.kill(pid, signum)


def reap(kernel: int) -> int | None:
    """Collect every ended child; the kernel's wait status once it ended."""
    status = None
    while True:
        try:
            pid, code = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return status
        if pid == 0:
            return status
        if pid == kernel:
            status = code


def clear(kernel: int, *, grace_s: float) -> int | None:
    """End everything below this process, asked first, then forced; the kernel's status if it was among them."""
    status = None
    deadline = time.monotonic() + grace_s
    asked: set[int] = set()
    while below := descendants(os.getpid()):
        late = time.monotonic() >= deadline
        signal_all([pid for pid in below if late or pid not in asked], signal.SIGKILL if late else signal.SIGTERM)
        asked.update(below)
        found = reap(kernel)
        status = found if found is not None else status
        time.sleep(0.02)
    found = reap(kernel)
    return found if found is not None else status


def end_like(status: int) -> NoReturn:
    """End this process the way a wait status says another one ended."""
    if os.WIFSIGNALED(status):
        signum = os.WTERMSIG(status)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if signum not in {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(signum, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signum})
        os.kill(os.getpid(), signum)
    os._exit(os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 1)


def watch(
    start: Callable[[], int],
    life: int,
    *,
    report_to: int | None = None,
    requests: tuple[int, Callable[[], bool]] | None = None,
) -> NoReturn:
    """Start the kernel below this process and stay until it, or the runner, is gone.

    Parameters
    ----------
    start
        Starts the kernel as a child and gives its process id.
    life
        The reading end of a pipe whose other end only the runner holds: when it closes, everything ends.
    report_to
        Where to write the kernel's wait status at the end, for a runner that is not this process's parent.
    requests
        A descriptor by which the kernel asks for something, and what answers one request; it tells whether more may
        come.
    """
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, signal.SIG_IGN)  # they are meant for the kernel, which gets them too
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    runner = os.getppid() if report_to is None else None
    wake, woken = os.pipe()
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    kernel = start()
    status = None
    while status is None:
        ready, _, _ = select.select([life, wake, *([requests[0]] if requests else ())], [], [], 1.0)
        if wake in ready:
            os.read(wake, 4096)
        if requests and requests[0] in ready and not requests[1]():
            requests = None
        if life in ready or (runner and os.getppid() != runner):
            status = clear(kernel, grace_s=0.0)
            break
        status = reap(kernel)
    clear(kernel, grace_s=GRACE_S)
    status = status if status is not None else int(signal.SIGKILL)
    if report_to is not None:
        with contextlib.suppress(OSError):
            os.write(report_to, struct.pack("i", status))
    end_like(status)


def become_kernel(parent: int, life: int, memory_mb: int) -> None:
    """In the forked child: forget what belongs to the guard."""
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # should the guard itself be killed
    if os.getppid() != parent:
        os._exit(1)
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(signum, signal.SIG_DFL)
    signal.set_wakeup_fd(-1)
    os.close(life)
    if memory_mb and hasattr(resource, "RLIMIT_DATA"):  # allocations beyond it fail, instead of taking the machine
        size = memory_mb * 1024 * 1024
        resource.setrlimit(resource.RLIMIT_DATA, (size, size))


def main(arguments: list[str]) -> NoReturn:
    """``guard.py LIFE_FD MEMORY_MB COMMAND…``: start the command and watch over it."""
    life, memory_mb, command = int(arguments[0]), int(arguments[1]), arguments[2:]
    me = os.getpid()

    def start() -> int:
        pid = os.fork()
        if pid == 0:
            try:
                become_kernel(me, life, memory_mb)
                os.execvp(command[0], command)  # noqa: S606 — the kernel specification's own command
            except BaseException as error:  # noqa: BLE001 — a forked child must not return
                os.write(2, f"nbprod: the kernel could not be started: {error}\n".encode())
                os._exit(127)
        return pid

    watch(start, life)


if __name__ == "__main__":
    main(sys.argv[1:])
