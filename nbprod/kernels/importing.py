"""Imports a module as a kernel would, in a process that is to be forked, and notices what a fork would not survive.

What cannot be imported here with the same effect as in the kernel is left to the kernel: a module that fails, starts
threads, opens a device, prints, registers itself with the kernel's shell, or is known to break later.
"""

from __future__ import annotations

import builtins
import contextlib
import importlib
import importlib.util
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ipykernel.zmqshell import ZMQInteractiveShell
from traitlets.config import Config

from nbprod.kernels.preloading import UNSAFE

__all__ = ["BadImport", "Importer", "fork_hazard", "restore"]

NATIVE_HELPERS = {"jemalloc_bg_thd"}  # threads that memory allocators keep and that survive a fork


class BadImport(Exception):  # noqa: N818 — a fact, answered to the runner
    """A module must not be imported here; the text says why."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"importing {name} {reason}")
        self.name = name


class Importer:
    """Imports modules one by one.

    Libraries look, when imported, whether they are in a notebook: plotly and tqdm choose how they show things. So
    there is a shell to be found, of the kernel's class, which has nothing inside: who needs more than its class and
    its configuration fails here, and is imported by the kernel.
    """

    def __init__(self) -> None:
        self.done: set[str] = set()
        self.shell: Any = ZMQInteractiveShell.__new__(ZMQInteractiveShell)
        self.shell.config = Config({"IPKernelApp": {"connection_file": "kernel.json"}})
        set_shell(self.shell)
        builtins.get_ipython = lambda: ZMQInteractiveShell._instance  # type: ignore[attr-defined]  # noqa: SLF001
        self.captured = os.memfd_create("printed")
        for descriptor in (1, 2):
            os.dup2(self.captured, descriptor)
        sys.stdout, sys.stderr = CurrentStream("stdout", 1), CurrentStream("stderr", 2)

    def load_module(self, name: str, on_import: Callable[[str], None]) -> None:
        """Import a module; nothing happens for a name that is none, such as a function's.

        Raises
        ------
        BadImport
            It must not be imported here, or cannot be.
        """
        if name in self.done:
            return
        parent = name.rpartition(".")[0]
        if parent:
            self.load_module(parent, on_import)
        self.done.add(name)
        if name in sys.modules or (parent and not hasattr(sys.modules.get(parent), "__path__")):
            return
        before = set(sys.modules)
        holders = sys.getrefcount(self.shell)
        try:
            if importlib.util.find_spec(name) is None:
                return
            on_import(name)
            importlib.import_module(name)
        except BaseException as error:  # noqa: BLE001 — an import may raise anything, and must not end the server
            if isinstance(error, ModuleNotFoundError) and error.name == name:
                return
            raise BadImport(name, f"raised {type(error).__name__}: {error}"[:200]) from None
        if broken := next((one for one in UNSAFE if one in sys.modules and one not in before), ""):
            raise BadImport(name, f"imports {broken}: {UNSAFE[broken]}")
        if reason := fork_hazard():
            raise BadImport(name, reason)
        if sys.getrefcount(self.shell) > holders:
            raise BadImport(name, "keeps hold of the kernel's shell")
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        if os.fstat(self.captured).st_size:
            text = os.pread(self.captured, 100, 0).decode(errors="replace").strip()
            raise BadImport(name, f"prints {text!r}")


class CurrentStream:
    """A standard stream that leads to whatever is the standard stream when it is written to.

    What was imported before the fork (a logger, a progress bar) may have kept it; in the kernel it then leads to the
    cell.
    """

    def __init__(self, name: str, descriptor: int) -> None:
        self.stream_name = name
        self.own = open(descriptor, "w", encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115

    def target(self) -> Any:
        """Where it leads."""
        found = getattr(sys, self.stream_name)
        return self.own if found is self or found is None else found

    def __getattr__(self, name: str) -> Any:
        return getattr(self.target(), name)


def set_shell(shell: Any) -> None:
    """Make an object the one shell of this process, as traitlets' ``SingletonConfigurable.instance`` does."""
    for one in ZMQInteractiveShell._walk_mro():  # noqa: SLF001
        one._instance = shell  # noqa: SLF001


def restore() -> None:
    """In a fork: take away the shell and the streams that imports have seen; the kernel makes its own."""
    sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
    set_shell(None)
    del builtins.get_ipython  # type: ignore[attr-defined]


def fork_hazard() -> str:
    """What in this process would not survive a fork; empty when nothing is known."""
    if threading.active_count() != 1:
        return f"started a thread ({threading.enumerate()[-1].name})"
    if native := unexplained_threads():
        return f"started {native} native threads"
    if opened := open_device():
        return f"opened {opened}"
    return ""


def unexplained_threads() -> int:
    """Native threads that are neither ours, an allocator's, nor of a pool that starts anew in a fork."""
    tasks = Path("/proc/self/task")
    if not tasks.is_dir():
        return 0
    names = [(task / "comm").read_text().strip() for task in tasks.iterdir()]
    extra = sum(name not in NATIVE_HELPERS for name in names) - 1
    if extra > 0 and importlib.util.find_spec("threadpoolctl"):
        from threadpoolctl import threadpool_info  # delayed: it is nobody's who starts no threads

        # OpenBLAS starts its threads when it is loaded, and starts them anew in a fork
        extra -= sum(pool["num_threads"] - 1 for pool in threadpool_info() if pool["internal_api"] == "openblas")
    if (numexpr := sys.modules.get("numexpr")) is not None and extra > 0:
        # pandas imports it where it is; it looks at its process id, and starts its threads anew in a fork
        extra -= numexpr.nthreads if getattr(numexpr, "nthreads", 1) > 1 else 0
    return max(extra, 0)


def open_device() -> str:
    """An accelerator's device file this process holds open; it would be of no use in a fork."""
    with contextlib.suppress(OSError):
        for link in Path("/proc/self/fd").iterdir():
            with contextlib.suppress(OSError):
                target = str(link.readlink())
                if target.startswith(("/dev/nvidia", "/dev/kfd", "/dev/dri")):
                    return target
    return ""
