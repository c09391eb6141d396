"""What runs in a container of ``nbprod models export docker``: checks the package, serves it, asks how it is.

::

    python -m nbprod.container check FOLDER            # while the image is built: the golden values must come out
    python -m nbprod.container serve FOLDER [--host …] # at the start: options are those of nbprod serve
    python -m nbprod.container ready | live            # a probe: exit code 0 or 1

Every route of a server with tokens needs one, so a probe from outside would have to hold it in clear text; this one
reads it from the file it is mounted as (``NBPROD_TOKEN_FILE``), and loads nothing but the standard library.
"""

from __future__ import annotations

import http.client
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from nbprod.errors import NbprodError

__all__ = ["main"]

PORT = "NBPROD_PORT"  #: of the environment, so that server and probes agree; 8000 where it is not said
TIMEOUT_S = 4.0
USAGE = "python -m nbprod.container check FOLDER | serve FOLDER [OPTION …] | ready | live\n"


def main(arguments: Sequence[str]) -> int:
    """Do what the first argument says; the exit code is 1 for anything that went wrong and 2 for no such thing."""
    try:
        match arguments:
            case ["check", folder]:
                with tempfile.TemporaryDirectory(prefix="nbprod-check-") as scratch:
                    sys.stdout.write(f"{_admitted(Path(folder), Path(scratch))} gives its golden values here\n")
            case ["serve", folder, *options]:
                workspace = Path(os.environ.get("NBPROD_WORKSPACE", "."))
                name = _admitted(Path(folder), workspace)
                # in this very process, so that the container's signals reach the server
                words = ["-m", "nbprod", "serve", name, "--port", str(_port()), *options]
                os.execv(sys.executable, [sys.executable, *words])  # noqa: S606
            case [("ready" | "live") as what]:
                return _probe(what)
            case _:
                sys.stderr.write(USAGE)
                return 2
    except NbprodError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _admitted(home: Path, folder: Path) -> str:
    """Take the folder's version into a workspace, made if need be; return the deployment's name."""
    from nbprod.exports.admission import Admission  # delayed: probes load the standard library alone
    from nbprod.workspace import open_workspace

    shutil.copyfile(home / "nbprod.toml", folder / "nbprod.toml")
    workspace = open_workspace(folder)
    if text := _token():
        workspace.tokens.admit("container", text, scopes=("predict", "read"))
    return Admission(
        store=workspace.store,
        packages=workspace.packages,
        models=workspace.models,
        deployments=workspace.deployments,
    ).admit(home)


def _token() -> str:
    """The bearer token that is mounted as a file, or nothing."""
    file = os.environ.get("NBPROD_TOKEN_FILE")
    return Path(file).read_text(encoding="utf-8").strip() if file and Path(file).is_file() else ""


def _port() -> int:
    return int(os.environ.get(PORT, "8000"))


def _probe(what: str) -> int:
    headers = {"Authorization": f"Bearer {text}"} if (text := _token()) else {}
    connection = http.client.HTTPConnection("127.0.0.1", _port(), timeout=TIMEOUT_S)
    try:
        connection.request("GET", f"/v2/health/{what}", headers=headers)
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        sys.stderr.write(f"not {what}: {error}\n")
        return 1
    finally:
        connection.close()
    if status != http.client.OK:
        sys.stderr.write(f"not {what}: status {status}\n")
    return int(status != http.client.OK)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
