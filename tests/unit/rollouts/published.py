"""What is used of published types of others, as JSON Schema; each says where it was published.

Read in the sources and written down by hand: every field that nbprod writes, what is required, nothing else allowed.
"""

from typing import Any

NUMBER = {"type": ["integer", "string"]}  # x-kubernetes-int-or-string
TEXT = {"type": "string"}


def form(required: tuple[str, ...], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


def every(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


#: argoproj/argo-rollouts, manifests/crds/analysis-template-crd.yaml, at 9f8d111d8f8e (August 2026), Apache License 2.0.
#: The job's spec is a JobSpec of batch/v1, checked apart.
ANALYSIS_TEMPLATE = form(
    ("apiVersion", "kind", "metadata", "spec"),
    apiVersion={"const": "argoproj.io/v1alpha1"},
    kind={"const": "AnalysisTemplate"},
    metadata=form(("name",), name={"type": "string", "pattern": r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"}),
    spec=form(
        (),
        args=every(
            form(
                ("name",),
                name=TEXT,
                value=TEXT,
                valueFrom=form((), secretKeyRef=form(("key", "name"), key=TEXT, name=TEXT)),
            )
        ),
        metrics=every(
            form(
                ("name", "provider"),
                name=TEXT,
                interval=TEXT,
                count=NUMBER,
                failureLimit=NUMBER,
                inconclusiveLimit=NUMBER,
                consecutiveSuccessLimit=NUMBER,
                successCondition=TEXT,
                failureCondition=TEXT,
                provider=form(
                    (),
                    job=form(("spec",), spec={"type": "object"}),
                    web=form(
                        ("url",),
                        url=TEXT,
                        headers=every(form(("key", "value"), key=TEXT, value=TEXT)),
                        jsonPath=TEXT,
                        timeoutSeconds={"type": "integer"},
                    ),
                ),
            )
        ),
    ),
)

#: fluxcd/flagger, artifacts/flagger/crd.yaml, at 023004dabdcb, Apache License 2.0: webhooks of a Canary's analysis.
CANARY_PATCH = form(
    ("spec",),
    spec=form(
        ("analysis",),
        analysis=form(
            ("webhooks",),
            webhooks=every(
                form(
                    ("name", "url"),
                    name=TEXT,
                    url=TEXT,
                    timeout={"type": "string", "pattern": "^[0-9]+(m|s)"},
                    type={
                        "enum": [
                            "",
                            "confirm-rollout",
                            "pre-rollout",
                            "rollout",
                            "confirm-promotion",
                            "post-rollout",
                            "event",
                            "rollback",
                            "confirm-traffic-increase",
                        ]
                    },
                )
            ),
        ),
    ),
)

#: kserve/kserve, pkg/apis/serving/v1beta1/component.go, ComponentExtensionSpec: an int64, Apache License 2.0.
INFERENCE_SERVICE_PATCH = form(
    ("spec",),
    spec=form(
        ("predictor",),
        predictor=form(
            ("canaryTrafficPercent",), canaryTrafficPercent={"type": "integer", "minimum": 0, "maximum": 100}
        ),
    ),
)
