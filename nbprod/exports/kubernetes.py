"""Deployment, Service and HorizontalPodAutoscaler of one version, for ``kubectl apply``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nbprod.exports.origin import Origin
from nbprod.exports.pods import Running, as_yaml, container, labels, name_of, origins, pod_security, volumes

__all__ = ["manifest_files"]

TARGET_PERCENT = 70  #: of the CPU asked for, above which the autoscaler adds pods
DRAIN_S = 20  #: the server drains within 10 s after SIGTERM
NOTE = """\
Written by `nbprod models export kubernetes`: {ref}, package {short}.
Pods read their bearer token from a secret that you make, once:
  kubectl create secret generic {name}-tokens --from-file=token=FILE
Predictions are kept on the volume called workspace. emptyDir ends with its pod: for predictions that must outlive it,
give the container NBPROD_STORE_FILES and NBPROD_STORE_LEDGER (an object store, a PostgreSQL), or each pod a claim."""


def manifest_files(origin: Origin, running: Running) -> Mapping[str, bytes]:
    """One file with three documents.

    Raises
    ------
    RefusedError
        The package holds a pickle.
    """
    origin.refuse_pickle("kubernetes")
    version = origin.version
    name = name_of(version.model)
    note = NOTE.format(ref=version.ref, short=origin.sealed.digest[:12], name=name)
    documents = (_deployment(origin, running, name), _service(origin, name), _autoscaler(origin, running, name))
    return {f"{name}.yaml": as_yaml(*documents, note=note).encode()}


def _about(origin: Origin, name: str) -> dict[str, Any]:
    return {"name": name, "labels": labels(origin.version), "annotations": origins(origin.version)}


def _selector(origin: Origin) -> dict[str, str]:
    """Labels that stay when the version changes: a Deployment's selector cannot."""
    every = labels(origin.version)
    return {key: every[key] for key in ("app.kubernetes.io/name", "app.kubernetes.io/instance")}


def _deployment(origin: Origin, running: Running, name: str) -> dict[str, Any]:
    version = origin.version
    pod = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": DRAIN_S,
        "securityContext": pod_security(),
        "containers": [container(running, name="nbprod", service=name)],
        "volumes": volumes(version.model),
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _about(origin, name),
        # no replicas: the autoscaler has that number, and applying the file again must not reset it
        "spec": {
            "revisionHistoryLimit": 5,
            "selector": {"matchLabels": _selector(origin)},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            "template": {
                "metadata": {"labels": labels(version), "annotations": origins(version)},
                "spec": pod,
            },
        },
    }


def _service(origin: Origin, name: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _about(origin, name),
        "spec": {
            "type": "ClusterIP",
            "selector": _selector(origin),
            "ports": [{"name": "http", "port": 80, "targetPort": "http1", "protocol": "TCP"}],
        },
    }


def _autoscaler(origin: Origin, running: Running, name: str) -> dict[str, Any]:
    target = {"type": "Utilization", "averageUtilization": TARGET_PERCENT}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": _about(origin, name),
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
            "minReplicas": running.replicas,
            "maxReplicas": running.most_replicas,
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
        },
    }
