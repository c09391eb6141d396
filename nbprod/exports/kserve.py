"""An InferenceService of KServe around the container of one version; it speaks the Open Inference Protocol, v2."""

from __future__ import annotations

from collections.abc import Mapping

from nbprod.exports.origin import Origin
from nbprod.exports.pods import Running, as_yaml, container, labels, name_of, origins, pod_security, volumes

__all__ = ["manifest_files"]

#: A container of this name is the predictor (KServe, custom predictors); a variable tells its protocol.
PREDICTOR = "kserve-container"
NOTE = """\
Written by `nbprod models export kserve`: {ref}, package {short}.
The pod reads its bearer token from a secret that you make, once:
  kubectl create secret generic {name}-tokens --from-file=token=FILE"""


def manifest_files(origin: Origin, running: Running) -> Mapping[str, bytes]:
    """One file with one document.

    Raises
    ------
    RefusedError
        The package holds a pickle.
    """
    origin.refuse_pickle("kserve")
    version = origin.version
    name = name_of(version.model)
    predictor = container(running, name=PREDICTOR, service=f"{name}-predictor")
    predictor["env"].append({"name": "PROTOCOL", "value": "v2"})
    document = {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {
            "name": name,
            "labels": labels(version),
            # pods of a Deployment, without Knative, whose proxy would ask for health without the token
            "annotations": {"serving.kserve.io/deploymentMode": "Standard", **origins(version)},
        },
        "spec": {
            "predictor": {
                "minReplicas": running.replicas,
                "maxReplicas": running.most_replicas,
                "scaleMetric": "cpu",
                "scaleTarget": 70,
                "automountServiceAccountToken": False,
                "securityContext": pod_security(),
                "containers": [predictor],
                "volumes": volumes(version.model),
            }
        },
    }
    note = NOTE.format(ref=version.ref, short=origin.sealed.digest[:12], name=name)
    return {f"{name}.yaml": as_yaml(document, note=note).encode()}
