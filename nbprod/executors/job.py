"""``python -m nbprod.executors.job FOLDER``: execute one prepared run folder in this process."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

from nbprod.domain.request import REQUEST, RunRequest
from nbprod.domain.run import RunStatus
from nbprod.executors.local import execute

__all__ = ["main"]


def main(folder: Path) -> int:
    """Execute; 0 when every cell completed, 1 when not."""
    request = RunRequest.from_json((folder / REQUEST).read_bytes())
    try:
        result = execute(request)
    finally:
        if request.finish:
            module, _, name = request.finish.partition(":")
            getattr(import_module(module), name)(folder)
    return 0 if result.status is RunStatus.SUCCEEDED else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
