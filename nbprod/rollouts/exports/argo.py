"""AnalysisTemplates of Argo Rollouts: a ``web`` metric that asks a server, or a ``job`` with the notebook."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

from nbprod.domain.duration import parse_duration
from nbprod.domain.rollout_verdict import Act, RolloutVerdict
from nbprod.errors import SettingsError
from nbprod.rollouts.exports.place import Place, as_yaml, label

__all__ = ["files"]

EVERY_S = 60  #: a server knows of a verdict half a second after it was recorded
EVERY_JOB_S = 600  #: a job executes the notebook
NOTE = """\
Written by `nbprod rollouts export argo {verdict.deployment}`.
{name}-harmless is for the background of a canary: it fails, and the canary is aborted, once a verdict speaks against
the candidate or no clean analysis renewed its share in time.
{name}-goes-on is for a step: it succeeds once the verdict is to advance (argument may: promote for the last one).
A verdict that is obeyed here is not obeyed twice: start the rollout with --automation advise."""
OF_TOKENS = """
The token, with the scope read, is in a secret that you make, once:
  kubectl create secret generic {name}-tokens --from-file=token=FILE"""


def files(verdict: RolloutVerdict, place: Place, at: datetime) -> dict[str, str]:
    """One manifest with two templates.

    Raises
    ------
    SettingsError
        Neither a server nor an image was given, or both.
    """
    del at  # the templates ask for the verdict of their own moment
    if bool(place.url) == bool(place.image):
        raise SettingsError(
            "argo needs to know where the verdict comes from",
            hint="Give --url of a server for a web metric, or --image with nbprod in it for a job.",
        )
    name = label(verdict.deployment)
    if place.url:
        harmless, goes_on = _web(place)
        args = [{"name": "token", "valueFrom": {"secretKeyRef": {"name": f"{name}-tokens", "key": "token"}}}]
    else:
        harmless, goes_on = _job(verdict, place)
        args = []
    may = {"name": "may", "value": str(Act.ADVANCE)}
    documents = [_template(f"{name}-harmless", harmless, args), _template(f"{name}-goes-on", goes_on, [may, *args])]
    note = NOTE + (OF_TOKENS if place.url else "")
    return {f"{name}-analysis.yaml": as_yaml(note, verdict, *documents)}


def _web(place: Place) -> tuple[dict[str, Any], dict[str, Any]]:
    web = {
        "url": f"{place.needed_url('argo')}/rollout",
        "headers": [{"key": "Authorization", "value": "Bearer {{args.token}}"}],
        "timeoutSeconds": 10,
        "jsonPath": "{$.may}",
    }
    often = math.ceil(parse_duration(place.longest).total_seconds() / EVERY_S)
    shared = {"name": "nbprod", "interval": f"{EVERY_S}s", "failureLimit": 0}
    harmless = {
        **shared,
        "successCondition": f"result.{Act.KEEP} == true",
        "failureCondition": f"result.{Act.KEEP} == false",
        "provider": {"web": web},
    }
    # neither condition holds while the verdict is hold: inconclusive, and asked again
    goes_on = {
        **shared,
        "count": often,
        "consecutiveSuccessLimit": 1,
        "inconclusiveLimit": often,
        "successCondition": "result.{{args.may}} == true",
        "failureCondition": f"result.{Act.ROLLBACK} == true",
        "provider": {"web": web},
    }
    return harmless, goes_on


def _job(verdict: RolloutVerdict, place: Place) -> tuple[dict[str, Any], dict[str, Any]]:
    def metric(*words: str, interval: int | None = None) -> dict[str, Any]:
        command = ["python", "-m", "nbprod", "--workspace", place.workspace, "rollouts", "verdict", *words]
        container = {
            "name": "nbprod",
            "image": place.image,
            "command": [word.replace("$(", "$$(") for word in command],  # Kubernetes would fill it in
            "volumeMounts": [{"name": "workspace", "mountPath": place.workspace}],
        }
        pod = {
            "restartPolicy": "Never",
            "containers": [container],
            "volumes": [{"name": "workspace", "persistentVolumeClaim": {"claimName": "nbprod-workspace"}}],
        }
        repeated = {"interval": f"{interval}s"} if interval else {}
        job = {"spec": {"backoffLimit": 0, "template": {"spec": pod}}}
        return {"name": "nbprod", **repeated, "failureLimit": 0, "provider": {"job": job}}

    harmless = metric(verdict.deployment, "--analyse", "--may", str(Act.KEEP), interval=EVERY_JOB_S)
    return harmless, metric(verdict.deployment, "--may", "{{args.may}}", "--wait", place.longest)


def _template(name: str, metric: dict[str, Any], args: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AnalysisTemplate",
        "metadata": {"name": name},
        "spec": {**({"args": args} if args else {}), "metrics": [metric]},
    }
