"""``python -m nbprod.executors.job FOLDER``: execute one prepared run folder in this process."""

from __future__ import annotations

import sys
from pathlib import Path

from nbprod.domain.request import REQUEST, RunRequest
from nbprod.domain.run import RunStatus
from nbprod.executors.local import execute, finish, keep_kernel

__all__ = ["main"]


def main(folder: Path) -> int:
    """Execute, and stay for as long as the kernel is to be held; 0 when every cell completed, 1 when not."""
    request = RunRequest.from_json((folder / REQUEST).read_bytes())
    try:
        done = execute(request)
    finally:
        finish(request)
    keep_kernel(done.retained)
    return 0 if done.result.status is RunStatus.SUCCEEDED else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
