"""The container of one version as Kubernetes and KServe describe it: who it is, what it may do, how it is asked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import yaml

from nbprod.domain.version import ModelVersion
from nbprod.errors import SettingsError
from nbprod.exports.docker import PORT, TOKEN_FILE, USER, WORKSPACE

__all__ = ["Running", "as_yaml", "container", "labels", "name_of", "origins", "pod_security", "volumes"]

LONGEST = 63  # characters of a label and of a name (RFC 1123)
QUANTITY = re.compile(r"[0-9]+(\.[0-9]+)?(m|k|[KMGT]i|[MGT])?")
HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:@-]{0,511}")


@dataclass(frozen=True, kw_only=True)
class Running:
    """How much of a cluster a version may use.

    Raises
    ------
    SettingsError
        A value is none that Kubernetes understands.
    """

    image: str  #: as pushed: built from the context of ``export docker``
    replicas: int = 2
    most_replicas: int = 10  #: of the autoscaler
    hosts: tuple[str, ...] = ()  #: names beside the Service's own that clients call the server by
    cpu: str = "1"  #: as Kubernetes writes it: ``500m``, ``2``
    memory: str = "1Gi"

    def __post_init__(self) -> None:
        if not IMAGE.fullmatch(self.image):
            raise SettingsError(
                f"{self.image!r} is no container image",
                hint="Build and push the context of nbprod models export docker, and give --image NAME:TAG.",
            )
        for host in self.hosts:
            if not HOST.fullmatch(host):
                raise SettingsError(f"{host!r} is no name of a host", hint="For instance models.example.org.")
        for what, value in {"cpu": self.cpu, "memory": self.memory}.items():
            if not QUANTITY.fullmatch(value):
                raise SettingsError(f"{value!r} is no amount of {what}", hint="For instance 500m or 2; 512Mi or 1Gi.")
        if not 1 <= self.replicas <= self.most_replicas:
            raise SettingsError(
                f"{self.replicas} to {self.most_replicas} replicas is no range",
                hint="At least 1, and not more than most.",
            )


def name_of(model: str) -> str:
    """The model's name as Kubernetes allows it: a letter first; a changed one gets a mark, so no two become one."""
    plain = model.replace("_", "-")
    plain = plain if plain[0].isalpha() else f"m-{plain}"
    if plain == model and len(plain) <= LONGEST - len("-tokens"):
        return plain
    return f"{plain[:40].rstrip('-')}-{sha256(model.encode()).hexdigest()[:8]}"


def labels(version: ModelVersion) -> dict[str, str]:
    """The recommended labels of Kubernetes; the first two select pods and never change."""
    return {
        "app.kubernetes.io/name": "nbprod",
        "app.kubernetes.io/instance": name_of(version.model),
        "app.kubernetes.io/version": str(version.number),
    }


def origins(version: ModelVersion) -> dict[str, str]:
    """Annotations that lead from a pod back to the ledger."""
    return {"nbprod/version": version.ref, "nbprod/package": version.package}


def container(running: Running, *, name: str, service: str) -> dict[str, Any]:
    """The one container of a pod: no rights, nothing written but its volumes, asked for its health from inside.

    A request for a probe would have to hold the token in clear text, because every route of a server with tokens
    needs one; a command in the container reads it where it is mounted.

    Parameters
    ----------
    running
        What it may use.
    name
        Of the container.
    service
        Name of the Service in front of it: the server answers only requests to names it knows.
    """
    amount = {"cpu": running.cpu, "memory": running.memory}
    return {
        "name": name,
        "image": running.image,
        "imagePullPolicy": "IfNotPresent",
        "args": _arguments(service, running.hosts),
        "env": [{"name": "POD_NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}}],
        "ports": [{"name": "http1", "containerPort": PORT, "protocol": "TCP"}],
        "startupProbe": _asked("ready", periodSeconds=2, failureThreshold=60, timeoutSeconds=5),
        "readinessProbe": _asked("ready", periodSeconds=5, failureThreshold=2, timeoutSeconds=5),
        "livenessProbe": _asked("live", periodSeconds=20, failureThreshold=3, timeoutSeconds=5),
        "resources": {"requests": amount, "limits": amount},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "privileged": False,
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
        },
        "volumeMounts": [
            {"name": "workspace", "mountPath": WORKSPACE},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 — a folder of the container, of memory or disk of the pod
            {"name": "token", "mountPath": TOKEN_FILE, "subPath": "token", "readOnly": True},
        ],
    }


def pod_security() -> dict[str, Any]:
    """What the level *restricted* of the Pod Security Standards asks for."""
    return {
        "runAsNonRoot": True,
        "runAsUser": USER,
        "runAsGroup": USER,
        "fsGroup": USER,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def volumes(model: str) -> list[dict[str, Any]]:
    """Where a pod writes, and the secret with its token, which no file here holds."""
    return [
        {"name": "workspace", "emptyDir": {}},
        {"name": "tmp", "emptyDir": {}},
        {"name": "token", "secret": {"secretName": f"{name_of(model)}-tokens", "defaultMode": 0o440}},
    ]


def as_yaml(*documents: dict[str, Any], note: str) -> str:
    """Documents as ``kubectl apply`` reads them, a note before them."""
    remark = "".join(f"# {line}\n" for line in note.splitlines())
    return remark + "---\n".join(yaml.safe_dump(one, sort_keys=False, width=1000) for one in documents)


def _arguments(service: str, hosts: Sequence[str]) -> list[str]:
    """Of ``nbprod serve``; Kubernetes itself fills in ``$(POD_NAMESPACE)``."""
    inside = [service, *(f"{service}.$(POD_NAMESPACE){end}" for end in ("", ".svc", ".svc.cluster.local"))]
    named = [word for host in (*inside, *hosts) for word in ("--allow-host", host)]
    return ["--host", "0.0.0.0", "--port", str(PORT), *named]  # noqa: S104 — the pod's own address, behind tokens


def _asked(what: str, **how: int) -> dict[str, Any]:
    return {"exec": {"command": ["python", "-m", "nbprod.container", what]}, **how}
