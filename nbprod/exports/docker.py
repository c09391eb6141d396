"""A build context for one version: everything the image needs lies in the folder, and nothing else of the workspace.

The image installs exact versions, loads the package while it is built and compares the golden values, so that an
image that would answer otherwise than the notebook did is not made. It runs as a number without a name or a shell,
and writes below one folder alone: its small workspace, which may be a volume.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from pathlib import Path

from nbprod.exports.lock import lock
from nbprod.exports.origin import Origin
from nbprod.exports.wheel import wheel_of_nbprod

__all__ = ["HOME", "PORT", "TOKEN_FILE", "USER", "context_files"]

HOME = "/opt/nbprod"  #: what the image brings; not written to
WORKSPACE = "/var/lib/nbprod"  #: ledger, spool and tables
TOKEN_FILE = "/run/secrets/nbprod-token"  # noqa: S105 — the place of a secret, not one
PORT = 8000
USER = 10001  #: above the numbers that hosts give to people and services
LIBRARIES = {"lightgbm": "libgomp1"}  #: Debian's packages that wheels expect to find

DOCKERFILE = """\
# Written by `nbprod models export docker`: {ref}, package {short}.
#   docker build --tag {tag} .
#   docker run --read-only --tmpfs /tmp --volume {volume}:{workspace} --publish 127.0.0.1:{port}:{port} \\
#     --volume ./token:{token}:ro {tag}
# The file token holds the bearer token that clients send (nbprod tokens create NAME); without one the server refuses
# to be reached from outside of the container.
ARG BASE=python:{python}-slim
FROM ${{BASE}}
LABEL org.opencontainers.image.title={title} org.opencontainers.image.version={version} nbprod.package={digest}
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
ENV OMP_NUM_THREADS=1
{system}WORKDIR {home}
COPY requirements.lock {wheel} ./
RUN python -m pip install --no-cache-dir --no-deps --requirement requirements.lock
RUN python -m pip install --no-cache-dir --no-deps --no-index ./{wheel}
COPY model.json nbprod.toml ./
COPY package/ package/
RUN install --directory --owner {user} --group {user} --mode 0700 {workspace}
USER {user}:{user}
RUN ["python", "-m", "nbprod.container", "check", "{home}"]
ENV NBPROD_WORKSPACE={workspace} NBPROD_ACTOR=container NBPROD_TOKEN_FILE={token} NBPROD_PORT={port} HOME=/tmp
VOLUME {workspace}
EXPOSE {port}
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \\
  CMD ["python", "-m", "nbprod.container", "ready"]
ENTRYPOINT ["python", "-m", "nbprod.container", "serve", "{home}"]
CMD ["--host", "0.0.0.0", "--workers", "1"]
"""


def context_files(origin: Origin, hashed: str = "") -> Mapping[str, bytes]:
    """The files of the context by name; ``package/`` is the package as it is sealed.

    Parameters
    ----------
    origin
        The version.
    hashed
        A lock with hashes, as for :func:`nbprod.exports.lock.lock`.

    Raises
    ------
    RefusedError
        The package holds a pickle.
    EnvironmentProblem
        A version cannot be pinned.
    """
    origin.refuse_pickle("docker")
    around = origin.environment
    wheel, content = wheel_of_nbprod()
    files = {
        "Dockerfile": _dockerfile(origin, wheel).encode(),
        ".dockerignore": b"token\n",
        "requirements.lock": lock(origin.pins, around["installed"], around["python"], hashed).encode(),
        "model.json": _model(origin).encode(),
        "nbprod.toml": f"[packages]\ntrusted = {json.dumps(list(origin.trusted))}\n".encode(),
        wheel: content,
    }
    for name in origin.sealed.files:
        files[f"package/{name}"] = origin.sealed.read(name)
    files["package/manifest.json"] = Path(origin.sealed.folder, "manifest.json").read_bytes()
    return files


def _dockerfile(origin: Origin, wheel: str) -> str:
    version = origin.version
    wanted = sorted({LIBRARIES[name] for name in origin.pins if name in LIBRARIES})
    system = (
        f"RUN apt-get update && apt-get install --yes --no-install-recommends {' '.join(wanted)} \\\n"
        "  && rm -rf /var/lib/apt/lists/*\n"
        if wanted
        else ""
    )
    return DOCKERFILE.format(
        ref=version.ref,
        short=origin.sealed.digest[:12],
        digest=origin.sealed.digest,
        tag=f"{version.model}:{version.number}",
        volume=version.model,
        title=shlex.quote(version.model),
        version=version.number,
        python=origin.environment["python"],
        system=system,
        home=HOME,
        workspace=WORKSPACE,
        token=TOKEN_FILE,
        wheel=wheel,
        user=USER,
        port=PORT,
    )


def _model(origin: Origin) -> str:
    version = origin.version
    said = {
        "model": version.model,
        "number": version.number,
        "package": origin.sealed.digest,
        "approval": version.approval,
        "note": version.note,
        "registered_by": version.registered_by,
        "private": list(origin.metadata["private"]),
    }
    return json.dumps(said, indent=1, ensure_ascii=False) + "\n"
