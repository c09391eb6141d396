"""Executes a module of nbprod in a clean fork, where one can be had: much sooner than a new interpreter would.

A fork is clean when it comes from a process that has only imported: the fork server of this process, or, inside a
kernel that was forked, the guard of that kernel.
"""

from __future__ import annotations

import json
import os
import socket
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from nbprod.kernels.preloading import preloadable
from nbprod.kernels.warm import GUARD, MAX_MESSAGE, Forked, RefusedFork, servers

__all__ = ["run_forked"]

WAIT_S = 30.0  # for an import that does not compute
_asking = threading.Lock()  # answers come in the order of the questions


def run_forked(
    module: str, arguments: Sequence[str], *, env: Mapping[str, str], timeout_s: float
) -> tuple[int, str] | None:
    """Execute ``main`` of a module with arguments in a fork and wait for it.

    Returns
    -------
    tuple of int and str, or None
        The exit code, negative for a signal, and what it wrote to standard error; ``None`` where no clean fork can
        be had, so that a new interpreter has to do it.

    Raises
    ------
    subprocess.TimeoutExpired
        It took longer; it is ended.
    """
    with tempfile.TemporaryFile() as errors, open(os.devnull, "wb") as nothing:  # noqa: PTH123 — a device
        try:
            forked = _forked(module, arguments, env, nothing.fileno(), errors.fileno())
        except (RefusedFork, OSError, ValueError):
            return None
        if forked is None:
            return None
        try:
            code = forked.wait(timeout_s)
        finally:
            forked.kill()
        errors.seek(0)
        return code, errors.read().decode(errors="replace")


def _forked(module: str, arguments: Sequence[str], env: Mapping[str, str], out: int, err: int) -> Forked | None:
    here = str(Path.cwd())
    if asked := os.environ.get(GUARD):
        descriptor, kernel, memory_mb = (int(part) for part in asked.split(":"))
        if kernel == os.getpid():  # a process that the notebook started is none of the guard's
            request = {"module": module, "arguments": [*arguments], "env": dict(env), "cwd": here}
            return _by_guard({**request, "memory_mb": memory_mb}, descriptor, out, err)
    if (server := servers.running(env)) is None:
        return None
    preload = preloadable([f"import {module}"], folder=Path(here))
    return server.fork(arguments, module=module, preload=preload, env=env, cwd=here, out=out, err=err, wait_s=WAIT_S)


def _by_guard(request: Mapping[str, object], descriptor: int, out: int, err: int) -> Forked | None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with theirs, _asking, socket.socket(fileno=os.dup(descriptor)) as guard:
        socket.send_fds(guard, [json.dumps(request).encode()], [theirs.fileno(), out, err])
        reply = json.loads(guard.recv(MAX_MESSAGE) or b"{}")
    if "pid" in reply:
        return Forked(reply["pid"], ours)
    ours.close()
    return None
