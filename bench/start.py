"""How long `import nbprod` and `nbprod --help` take beyond a bare Python; median of ten, in CPU and wall seconds."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time

REPEATS = 10


def measured(command: list[str]) -> tuple[float, float]:
    walls, cpus = [], []
    for _ in range(REPEATS):
        before, began = os.times(), time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        walls.append(time.perf_counter() - began)
        after = os.times()
        cpus.append(after.children_user + after.children_system - before.children_user - before.children_system)
    return statistics.median(walls), statistics.median(cpus)


python = sys.executable
bare = measured([python, "-c", ""])
print(f"{'what':<28}{'wall s':>9}{'CPU s':>9}   beyond bare Python (bar)")
print(f"{'bare Python':<28}{bare[0]:>9.3f}{bare[1]:>9.3f}")
for name, command, bar in (
    ("import nbprod", [python, "-c", "import nbprod"], 0.15),
    ("nbprod --help", [python, "-m", "nbprod", "--help"], 0.4),
):
    wall, cpu = measured(command)
    print(f"{name:<28}{wall:>9.3f}{cpu:>9.3f}   {wall - bare[0]:.3f} s wall, {cpu - bare[1]:.3f} s CPU ({bar} s)")
