"""Starts kernels below a guard, so that nothing of a run outlives its runner, and forked warm where possible."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from jupyter_client.provisioning.local_provisioner import LocalProvisioner
from traitlets import Float, List, Unicode

from nbprod.kernels import guard
from nbprod.kernels.warm import Forked, ForkServerClient, RefusedFork, servers

__all__ = ["GuardedProvisioner", "WarmProvisioner"]


class GuardedProvisioner(LocalProvisioner):
    """A local kernel with a guard between it and this process.

    The guard holds the reading end of a pipe; this process holds the other one. When this process ends, however it
    ends, the guard kills the kernel and everything the kernel started. Where there is no ``fork`` (Windows) the
    kernel is started as usual.
    """

    process: Any = None
    memory_mb: int = 0
    life: int | None = None
    is_patient = False  #: the kernel waits with its output until it is read
    origin: Mapping[str, Any] = MappingProxyType({"warm": False})  #: how the kernel came to be, for the record

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        """Start the kernel's command below a guard."""
        self.memory_mb = int(kwargs.pop("memory_mb", 0) or 0)
        kwargs.pop("preload", None)
        if sys.platform == "win32":
            return await super().launch_kernel(cmd, **kwargs)
        if (at := cmd.index("-m") if "-m" in cmd else 0) and cmd[at + 1 : at + 2] == ["ipykernel_launcher"]:
            launcher = Path(__file__).with_name("launcher.py")  # starts ipykernel without losing output
            cmd = [*cmd[:at], str(launcher), *cmd[at + 2 :]]
            self.is_patient = True
        watched, self.life = os.pipe()
        try:
            guarded = [sys.executable, "-I", "-S", guard.__file__, str(watched), str(self.memory_mb), *cmd]
            return await super().launch_kernel(guarded, pass_fds=(watched,), **kwargs)
        finally:
            os.close(watched)

    @property
    def kernel_pid(self) -> int | None:
        """The kernel itself, not its guard; ``None`` before it started or after it ended."""
        if self.pid is None:
            return None
        if sys.platform != "linux":
            return self.pid
        with contextlib.suppress(OSError, ValueError, IndexError):
            children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
            return int(children[0])
        return None

    async def kill(self, restart: bool = False) -> None:  # noqa: FBT001, FBT002, ARG002 — the signature of the base class
        """Let the guard kill the kernel and all it started; kill the guard itself if it does not."""
        self.close_life_line()
        for _ in range(500):
            if await self.poll() is not None:
                return
            await asyncio.sleep(0.01)
        await super().kill()

    async def cleanup(self, restart: bool = False) -> None:  # noqa: FBT001, FBT002 — the signature of the base class
        """Give back what this kernel held."""
        self.close_life_line()
        await super().cleanup(restart=restart)

    def close_life_line(self) -> None:
        """Close the pipe: the guard ends everything."""
        if self.life is not None:
            os.close(self.life)
            self.life = None


class WarmProvisioner(GuardedProvisioner):
    """A kernel forked from a process that has imported, and only imported, what the kernel will want.

    Any Jupyter client may use it: name it in a kernel specification's metadata as
    ``{"kernel_provisioner": {"provisioner_name": "nbprod-warm", "config": {"preload": ["pandas"]}}}``. Whenever a
    fork would not be clean or is not possible, the kernel is started the usual way, and ``origin`` says why.
    """

    preload = List(Unicode(), help="Modules the kernel finds imported.").tag(config=True)
    wait_s = Float(30.0, help="How long an import may wait for something before a cold kernel is started.").tag(
        config=True
    )
    server: ForkServerClient

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        """Fork the kernel, or start it cold and remember the reason."""
        preload = kwargs.pop("preload", None) or list(self.preload)
        began = time.monotonic()
        try:
            # the answer may take as long as the imports: other kernels of this process go on meanwhile
            self.process = await asyncio.to_thread(self.forked, cmd, preload, **kwargs)
        except RefusedFork as refused:
            self.origin = {"warm": False, "reason": str(refused)}
            return await super().launch_kernel(cmd, **kwargs)
        self.pid = self.pgid = self.process.pid
        self.cwd = Path(kwargs.get("cwd") or Path.cwd())
        self.is_patient = True
        self.origin = {"warm": True, "waited_s": round(time.monotonic() - began, 3)}
        reasons = {name: why for name in preload if (why := self.server.exclusion_reason(name))}
        if reasons:
            self.origin["left_out"] = reasons
        return self.connection_info

    def forked(self, cmd: list[str], preload: list[str], **kwargs: Any) -> Forked:
        """Fork.

        Raises
        ------
        RefusedFork
            With the reason.
        """
        options = [part for part in cmd[1:] if not part.startswith("-X")]
        if cmd[0] != sys.executable or options[:2] != ["-m", "ipykernel_launcher"]:
            raise RefusedFork("the kernel is not this interpreter's ipykernel")
        env = kwargs.get("env") or dict(os.environ)
        with open(os.devnull, "r+b") as nothing:  # noqa: PTH123 — a device
            self.server = servers.get(env)
            return self.server.fork(
                options[2:],
                preload=preload,
                env=env,
                cwd=str(kwargs.get("cwd") or Path.cwd()),
                memory_mb=int(kwargs.get("memory_mb") or 0),
                out=(kwargs.get("stdout") or nothing).fileno(),
                err=(kwargs.get("stderr") or nothing).fileno(),
                wait_s=self.wait_s,
            )

    def close_life_line(self) -> None:
        """Close the life line: the guard ends everything."""
        if isinstance(self.process, Forked):
            self.process.life.close()
        super().close_life_line()
