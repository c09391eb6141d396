"""Fixtures for tests that start kernels, and for those that need a ledger on each database."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from sqlalchemy import NullPool, create_engine

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


@pytest.fixture(scope="session")
def postgres(tmp_path_factory):
    """The address of a PostgreSQL of our own, or a skip that says why there is none."""
    if not all(shutil.which(name) for name in ("initdb", "postgres", "pg_ctl")):
        pytest.skip("no PostgreSQL binaries on this machine")
    pytest.importorskip("psycopg")
    folder = Path("/tmp") / f"nbprod-postgres-{os.getpid()}"
    folder.mkdir(mode=0o700)
    who = (
        {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
    )  # it refuses to run as root
    if who:
        os.chown(folder, 65534, 65534)

    def pg(*command):
        return subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder, env=env, **who)

    env = {**os.environ, "LC_ALL": "C", "HOME": str(folder)}
    try:
        pg("initdb", "-D", "data", "-A", "trust", "-U", "nbprod", "--no-sync", "-E", "UTF8")
        pg(
            "pg_ctl",
            "-D",
            "data",
            "-w",
            "-l",
            "log",
            "-o",
            f"-k {folder} -c listen_addresses='' -c max_connections=50",
            "start",
        )
        yield f"postgresql+psycopg://nbprod@/postgres?host={folder}"
        pg("pg_ctl", "-D", "data", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    """The address of a fresh ledger, on each database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/new/ledger.db"
    server = request.getfixturevalue("postgres")
    name = f"fresh_{time.monotonic_ns()}"
    with create_engine(server, isolation_level="AUTOCOMMIT", poolclass=NullPool).connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    return server.replace("/postgres?", f"/{name}?")
