"""CPU time and memory of a kernel and its children, read from outside; nothing is asked of the kernel.

On Linux the peak of the kernel itself is exact: its high-water mark is reset when a cell starts. Children, and other
systems, are sampled.
"""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

import psutil

__all__ = ["Sampler", "oom_kills"]

MB = 1024 * 1024


def oom_kills() -> int:
    """How often this machine's kernel has killed a process for memory; 0 where it does not say."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/vmstat").read_text().splitlines():
            name, _, count = line.partition(" ")
            if name == "oom_kill":
                return int(count)
    return 0


class Sampler:
    """Watches one kernel's process tree, cell by cell."""

    def __init__(self, pid: int | None) -> None:
        self.process: psutil.Process | None = None
        if pid:
            with contextlib.suppress(psutil.Error):
                self.process = psutil.Process(pid)
        self.peak = 0.0
        self.cpu_at_start = 0.0
        self.children_cpu: dict[int, float] = {}

    def start(self) -> None:
        """A cell starts."""
        self.peak = 0.0
        self.children_cpu = {}
        self.cpu_at_start = self.cpu()
        if self.process and sys.platform == "linux":
            with contextlib.suppress(OSError):
                Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")  # resets VmHWM

    def cpu(self) -> float:
        """Seconds of CPU of the kernel and of its children that ended."""
        if self.process:
            with contextlib.suppress(psutil.Error):
                times = self.process.cpu_times()
                return times.user + times.system + times.children_user + times.children_system
        return 0.0

    def sample(self) -> float:
        """Take a sample; the memory of the whole tree in MB now."""
        if self.process is None:
            return 0.0
        total = 0.0
        with contextlib.suppress(psutil.Error):
            total = self.process.memory_info().rss / MB
            for child in self.process.children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    total += child.memory_info().rss / MB
                    times = child.cpu_times()
                    self.children_cpu[child.pid] = times.user + times.system
        self.peak = max(self.peak, total)
        return total

    def end(self) -> tuple[float | None, float | None]:
        """A cell ended: its seconds of CPU and its peak of memory in MB, as far as the system told."""
        if self.process is None:
            return None, None
        living = 0.0
        with contextlib.suppress(psutil.Error):
            alive = {child.pid for child in self.process.children()} if self.children_cpu else set()
            living = sum(cpu for pid, cpu in self.children_cpu.items() if pid in alive)
        cpu = self.cpu() - self.cpu_at_start + living
        peak = self.peak
        if sys.platform == "linux":
            with contextlib.suppress(OSError, ValueError, IndexError):
                status = Path(f"/proc/{self.process.pid}/status").read_text()
                peak = max(peak, int(status.partition("VmHWM:")[2].split()[0]) / 1024)
        return round(max(cpu, 0.0), 3), round(peak, 1) if peak else None
