"""Fixtures for tests that start kernels."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from nbprod.domain.execution import ExecutionResult, Limits
from nbprod.notebook.execution import Execution

KERNELSPEC = {"name": "python3", "language": "python", "display_name": "Python 3"}


@pytest.fixture
def notebook() -> Callable[..., Any]:
    """Makes a notebook of code cells with the ids c0, c1 and so on."""

    def make(*sources: str) -> Any:
        cells = [new_code_cell(source, id=f"c{number}") for number, source in enumerate(sources)]
        return new_notebook(cells=cells, metadata={"kernelspec": KERNELSPEC})

    return make


@pytest.fixture
def execute(tmp_path: Path, notebook: Callable[..., Any]) -> Callable[..., tuple[Any, ExecutionResult]]:
    """Executes code cells in ``tmp_path``; gives the notebook and the result."""

    def run(*sources: str, preload: Any = None, env: Any = None, **limits: Any) -> tuple[Any, ExecutionResult]:
        nb = notebook(*sources)
        execution = Execution(
            nb,
            folder=tmp_path,
            kernel_name="python3",
            cwd=tmp_path,
            env={**os.environ, **(env or {})},
            limits=Limits(**limits),
            preload=preload,
        )
        return nb, execution.run()

    return run


@pytest.fixture
def vanish() -> Callable[[int, float], bool]:
    """Waits until a process is gone."""

    def gone(pid: int, within_s: float) -> bool:
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
            time.sleep(0.05)
        return False

    return gone
