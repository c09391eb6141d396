"""What surrounds a run: the state of the git tree and the installed distributions."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
import sys
from functools import cache
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

__all__ = ["capture_environment", "environment_digest", "git_state"]

THREAD_LIMITS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS")


def git_state(folder: Path) -> str | None:
    """The commit, with ``+`` after it when tracked files have changes; ``None`` outside a git tree."""

    def git(*arguments: str) -> str | None:
        try:
            done = subprocess.run(  # noqa: S603
                ["git", "-C", str(folder), *arguments],  # noqa: S607 — whichever git the user has
                capture_output=True,
                text=True,
                timeout=10,
                check=True,
                env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
            )
        except (OSError, subprocess.SubprocessError):
            return None
        return done.stdout.strip()

    if not any((above / ".git").exists() for above in (folder, *folder.parents)):
        return None
    status = git("status", "--porcelain=v2", "--branch", "--untracked-files=no")
    if status is None:
        return None
    lines = status.splitlines()
    commit = next((line.split()[2] for line in lines if line.startswith("# branch.oid ")), "(initial)")
    return commit + ("+" if any(not line.startswith("#") for line in lines) else "")


@cache
def capture_environment() -> dict[str, Any]:
    """Interpreter, system and the version of every installed distribution; read once in a process."""
    found: dict[str, str] = {}
    for distribution in distributions():
        name = distribution.metadata["Name"]
        if name:
            found.setdefault(name.lower().replace("_", "-"), distribution.version)
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "system": platform.system(),
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "executable": sys.executable,
        "threads": {name: os.environ[name] for name in THREAD_LIMITS if name in os.environ},
        "distributions": dict(sorted(found.items())),
    }


def environment_digest(environment: dict[str, Any]) -> str:
    """SHA-256 over what decides how code behaves: interpreter, system and distributions."""
    deciding = {
        name: environment[name] for name in ("python", "implementation", "system", "machine", "distributions")
    }
    return hashlib.sha256(json.dumps(deciding, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
