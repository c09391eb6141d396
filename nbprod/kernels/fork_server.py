"""The process kernels are forked from: it imports, and does nothing else, so that every fork starts clean.

``python -m nbprod.kernels.fork_server SOCKET_FD``. It never opens a ZMQ context, an event loop or a kernel, and
never computes. Each request gives the command, environment and folder of a kernel and three file descriptors (its
life line, standard output and standard error); the answer is a process id, or the reason why nothing was forked.

A request that names a module of nbprod instead gets a process that executes its ``main``. The guard of a kernel,
itself a clean fork, answers such requests of its kernel.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import signal
import socket
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from nbprod.kernels import guard
from nbprod.kernels.importing import BadImport, Importer, fork_hazard, restore
from nbprod.kernels.warm import GUARD, import_environment

__all__ = ["main"]

#: What every kernel imports while it starts and with its first cell.
KERNEL_MODULES = (
    "nbprod.kernels.launcher",
    "ipykernel.kernelapp",
    "ipykernel.ipkernel",
    "ipykernel.debugger",
    "IPython.core.completer",
    "IPython.core.completerlib",
    "IPython.core.debugger",
    "IPython.core.logger",
    "IPython.core.oinspect",
    "IPython.extensions.storemagic",
    "sqlite3",
    "tornado.platform.asyncio",
)
#: What a library imports when it is first used, and not before.
LAZY_IMPORTS = {
    "nbprod": ("nbprod.recording",),
    "nbprod.training": ("sklearn.ensemble", "sklearn.linear_model"),
    "sklearn": (
        "narwhals._pandas_like.dataframe",
        "narwhals._pandas_like.namespace",
        "narwhals.stable.v2._namespace",
    ),
}
#: Variables that ipykernel sets in every kernel, for what people look at.
SET_BY_KERNELS = {
    "CLICOLOR",
    "CLICOLOR_FORCE",
    "FORCE_COLOR",
    "GIT_PAGER",
    "MPLBACKEND",
    "PAGER",
    "PYDEVD_DISABLE_FILE_VALIDATION",
    "TERM",
}
MAX_MESSAGE = 1 << 20


class ForkServer:
    """Imports on request, forks on request, refuses when a fork would not be clean."""

    def __init__(self) -> None:
        self.env = import_environment(dict(os.environ))
        self.stamps: dict[str, int] = {}
        os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")  # as a kernel sets it
        os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")  # the debugger would write a warning
        for name in KERNEL_MODULES:
            with contextlib.suppress(ImportError):  # not every version has each
                importlib.import_module(name)
        self.importer = Importer()
        self.site = site_stamp()
        self.modules = 0
        self.own: list[int] = []  # descriptors of this process that its forks must not keep open

    # ------------------------------------------------------------------ imports

    def load(self, modules: list[str], on_import: Callable[[str], None]) -> None:
        """Import modules.

        Raises
        ------
        BadImport
            One of them cannot be imported here.
        """
        known = sorted({*modules, *(name.partition(".")[0] for name in modules)})
        lazy = [other for name in known for other in LAZY_IMPORTS.get(name, ())]
        try:
            for name in (*modules, *lazy):
                self.importer.load_module(name, on_import)
        finally:
            if len(sys.modules) != self.modules:
                self.modules = len(sys.modules)
                self.note_sources()
                gc.collect()
                gc.freeze()  # the collector leaves frozen objects alone, so that forks keep sharing their pages

    def note_sources(self) -> None:
        """Remember the age of every imported file that may be edited: those outside the installed libraries."""
        installed = tuple({sysconfig.get_path(kind) for kind in ("stdlib", "platstdlib", "purelib", "platlib")})
        for module in list(sys.modules.values()):
            path = getattr(module, "__file__", None)
            if path and path not in self.stamps and not path.startswith(installed):
                with contextlib.suppress(OSError):
                    self.stamps[path] = Path(path).stat().st_mtime_ns

    # ------------------------------------------------------------------ guards

    def refusal(self, request: dict[str, Any]) -> str:
        """Why this process may not be forked for the environment of a request; empty when it may."""
        requested, ignored = import_environment(request["env"]), SET_BY_KERNELS if "module" in request else set()
        names = {*requested, *self.env} - ignored
        if differing := sorted(name for name in names if requested.get(name) != self.env.get(name)):
            return f"the environment differs in {', '.join(differing[:5])}"
        reason = fork_hazard()
        return f"an import {reason}" if reason else ""

    def stale(self) -> str:
        """What was changed on the disk since it was imported; empty when nothing was."""
        if site_stamp() != self.site:
            return "the installed libraries have changed"
        for path, stamp in self.stamps.items():
            with contextlib.suppress(OSError):
                if Path(path).stat().st_mtime_ns == stamp:
                    continue
            return f"{Path(path).name} has changed"
        return ""

    # ------------------------------------------------------------------ forks

    def fork(self, request: dict[str, Any], descriptors: list[int]) -> int:
        """Fork the guard of a kernel or of a module, which forks that."""
        life, _, err = descriptors
        pid = os.fork()
        if pid:
            return pid
        try:
            for descriptor in self.own:
                os.close(descriptor)
            os.setsid()
            if "module" in request:
                guard.watch(lambda: start(run_module, request, descriptors), life, report_to=life)
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            self.own = [life, ours.fileno()]

            def start_kernel() -> int:
                kernel = start(run_kernel, {**request, "guard": theirs.fileno()}, descriptors, closing=ours)
                theirs.close()
                return kernel

            requests = (ours.fileno(), lambda: self.respond(ours, imports=False))
            guard.watch(start_kernel, life, report_to=life, requests=requests)
        except BaseException as error:  # noqa: BLE001 — a forked child must not return
            os.write(err, f"nbprod: {error!r}\n".encode())
        os._exit(1)

    def respond(self, control: socket.socket, *, imports: bool) -> bool:
        """Answer one request; whether the other side is still there."""
        content, descriptors, _, _ = socket.recv_fds(control, MAX_MESSAGE, 3)
        if not content:
            return False
        try:
            request = json.loads(content)
            stale = self.stale() if descriptors else ""  # before anything is imported into what is stale
            reason = ""
            if not stale:
                if imports:
                    self.load(request["preload"], lambda name: answer(control, {"importing": name}))
                if descriptors:
                    reason = self.refusal(request)
                    stale = "" if reason else self.stale()
            if stale or reason or not descriptors:
                answer(control, {"refused": stale or reason, "stale": bool(stale)})
            else:
                answer(control, {"pid": self.fork(request, descriptors)})
        except BadImport as bad:
            answer(control, {"refused": str(bad), "importing": bad.name})
        except Exception as error:  # noqa: BLE001 — the caller falls back to a process that is not forked
            answer(control, {"refused": f"{type(error).__name__}: {error}"})
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        return True


def start(
    work: Callable[[dict[str, Any]], int],
    request: dict[str, Any],
    descriptors: list[int],
    *,
    closing: socket.socket | None = None,
) -> int:
    """Fork what does the work below its guard."""
    life, out, err = descriptors
    parent = os.getpid()
    pid = os.fork()
    if pid:
        os.close(out)
        os.close(err)
        return pid
    code = 1
    try:
        if closing is not None:
            closing.close()
        guard.become_kernel(parent, life, request["memory_mb"])
        for source, target in ((out, 1), (err, 2)):
            os.dup2(source, target)
            os.close(source)
        os.environ.clear()
        os.environ.update(request["env"])
        os.chdir(request["cwd"])
        restore()
        reseed()
        code = work(request)
    except BaseException as error:  # noqa: BLE001 — a forked child must not return
        os.write(2, f"nbprod: {error!r}\n".encode())
    os._exit(code)


def run_module(request: dict[str, Any]) -> int:
    """Do what ``python -m MODULE ARGUMENTS`` does, for a module with a ``main`` that takes arguments."""
    code = importlib.import_module(request["module"]).main(request["arguments"])
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    return int(code)


def run_kernel(request: dict[str, Any]) -> int:
    """Be a kernel, as if this process had just been started as one."""
    os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    os.environ[GUARD] = f"{request['guard']}:{os.getpid()}:{request['memory_mb']}"
    arguments = [*request["arguments"], "--IPKernelApp.parent_handle=1"]  # 1: no poller, the guard watches
    sys.argv = ["ipykernel_launcher", *arguments]
    from nbprod.kernels.launcher import WholeKernelApp

    WholeKernelApp.clear_instance()
    code = 0
    try:
        WholeKernelApp.launch_instance(argv=arguments)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    # Closing the application waits up to ten seconds for a thread that waits for the one just stopped (seen in
    # ipykernel 7); its sockets end with the process, so only what others asked for at exit is run.
    atexit.unregister(WholeKernelApp.instance().close)
    atexit._run_exitfuncs()  # noqa: SLF001 — a fork ends without them otherwise
    for stream in (sys.__stdout__, sys.__stderr__):
        with contextlib.suppress(Exception):
            stream.flush()  # type: ignore[union-attr]
    return code


def reseed() -> None:
    """Give this fork random numbers of its own; the standard library's generator does so by itself."""
    if (numpy := sys.modules.get("numpy")) is not None and "numpy.random" in sys.modules:
        numpy.random.seed()
    if (torch := sys.modules.get("torch")) is not None:
        torch.seed()


def site_stamp() -> tuple[int, ...]:
    """Changes whenever a distribution is installed or removed."""
    stamps = []
    for kind in ("purelib", "platlib"):
        with contextlib.suppress(OSError):
            stamps.append(Path(sysconfig.get_path(kind)).stat().st_mtime_ns)
    return tuple(stamps)


def serve(control: socket.socket) -> NoReturn:
    """Answer requests until the other side is gone."""
    server = ForkServer()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # guards tell how they ended; nobody waits for them here
    answer(control, {"ready": True})
    server.own = [control.fileno()]
    while server.respond(control, imports=True):
        pass
    os._exit(0)


def answer(control: socket.socket, content: dict[str, Any]) -> None:
    """Send one answer."""
    control.sendall(json.dumps(content).encode())


def main() -> NoReturn:
    """Serve the socket whose descriptor is the only argument."""
    here = os.getcwd()  # noqa: PTH109 — compared with the text in sys.path
    sys.path[:] = [entry for entry in sys.path if entry not in {"", here}]  # a kernel has its own folder there
    with socket.socket(fileno=int(sys.argv[1])) as control:
        serve(control)


if __name__ == "__main__":
    main()
