"""Manifests against the published types: lightkube-models carries those of Kubernetes, generated from its OpenAPI."""

import re
import sys
from dataclasses import MISSING, dataclass, field, fields
from importlib import import_module
from types import ModuleType, UnionType
from typing import Union, get_args, get_origin, get_type_hints

import pytest
import yaml

from nbprod.errors import SettingsError
from nbprod.exports.pods import Running, name_of

# The types come without the client they are made for; this is all they need of it.
CORE = ModuleType("lightkube.core.schema")
CORE.DictMixin, CORE.field, CORE.dataclass = object, field, dataclass
sys.modules.setdefault("lightkube.core.schema", CORE)
KINDS = {
    "Deployment": import_module("lightkube.models.apps_v1").Deployment,
    "Service": import_module("lightkube.models.core_v1").Service,
    "HorizontalPodAutoscaler": import_module("lightkube.models.autoscaling_v2").HorizontalPodAutoscaler,
}
SPEC = import_module("lightkube.models.autoscaling_v2").HorizontalPodAutoscalerSpec
POD = import_module("lightkube.models.core_v1").PodSpec
META = import_module("lightkube.models.meta_v1").ObjectMeta
#: ComponentExtensionSpec of serving.kserve.io/v1beta1 (pkg/apis/serving/v1beta1/component.go), what is used of it.
EXTENSION = {"minReplicas": int, "maxReplicas": int, "scaleTarget": int, "scaleMetric": str}


def check(value, kind, path=""):
    """Whether plain data have the form of a published type: known fields, right types, nothing required missing."""
    if get_origin(kind) in {Union, UnionType}:
        kinds = [one for one in get_args(kind) if one is not type(None)]
        kind = type(value) if type(value) in kinds else kinds[0]  # IntOrString is a union of both
    if get_origin(kind) is list:
        assert isinstance(value, list), path
        for number, one in enumerate(value):
            check(one, get_args(kind)[0], f"{path}[{number}]")
    elif get_origin(kind) is dict or kind is dict:
        assert isinstance(value, dict), path
    elif hasattr(kind, "__dataclass_fields__"):
        hints = get_type_hints(kind, vars(sys.modules[kind.__module__]))
        known = {one.metadata.get("json", one.name): one.name for one in fields(kind)}
        needed = {name for name, one in known.items() if kind.__dataclass_fields__[one].default is MISSING}
        assert needed <= set(value) <= set(known), f"{path}: {needed ^ set(value)}"
        for name, one in value.items():
            check(one, hints[known[name]], f"{path}.{name}")
    elif isinstance(kind, type) and kind in {str, int, bool, float}:
        assert type(value) is kind, f"{path}: {value!r} is no {kind.__name__}"


def running(**more):
    return Running(image="registry.example/nbprod/electricity:1", **more)


@pytest.fixture
def kubernetes(exports, version, tmp_path):
    (path,) = exports.kubernetes(version, tmp_path, running(hosts=("models.example.org",)))
    return {one["kind"]: one for one in yaml.safe_load_all(path.read_text())}


@pytest.fixture
def kserve(exports, version, tmp_path):
    (path,) = exports.kserve(version, tmp_path, running(replicas=1))
    return yaml.safe_load(path.read_text())


@pytest.mark.parametrize("kind", KINDS)
def test_each_document_has_the_published_form(kubernetes, kind):
    assert set(kubernetes) == set(KINDS)
    check(kubernetes[kind], KINDS[kind], kind)


def test_the_check_notices_a_wrong_field():
    with pytest.raises(AssertionError, match="kinds"):
        check({"scaleTargetRef": {"kinds": "x", "name": "y"}, "maxReplicas": 1}, SPEC)
    with pytest.raises(AssertionError, match="no int"):
        check({"scaleTargetRef": {"kind": "x", "name": "y"}, "maxReplicas": "1"}, SPEC)
    with pytest.raises(AssertionError, match="maxReplicas"):
        check({"scaleTargetRef": {"kind": "x", "name": "y"}}, SPEC)


def test_names_lead_from_the_service_and_the_autoscaler_to_the_pods(kubernetes):
    deployment, service, scaler = kubernetes.values()
    pod = deployment["spec"]["template"]
    ports = {port["name"] for port in pod["spec"]["containers"][0]["ports"]}

    assert service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
    assert deployment["spec"]["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    assert service["spec"]["ports"][0]["targetPort"] in ports
    assert scaler["spec"]["scaleTargetRef"]["name"] == deployment["metadata"]["name"]
    assert "replicas" not in deployment["spec"]


def test_a_selector_stays_when_the_version_changes(kubernetes, version):
    """A Deployment's selector cannot be changed, so no version is in it."""
    assert str(version.number) not in kubernetes["Deployment"]["spec"]["selector"]["matchLabels"].values()
    assert (
        kubernetes["Deployment"]["spec"]["template"]["metadata"]["annotations"]["nbprod/package"] == version.package
    )


def of_pod(kubernetes, kserve):
    predictor = {name: value for name, value in kserve["spec"]["predictor"].items() if name not in EXTENSION}
    return {"kubernetes": kubernetes["Deployment"]["spec"]["template"]["spec"], "kserve": predictor}


@pytest.mark.parametrize("target", ["kubernetes", "kserve"])
def test_a_pod_may_do_nothing_it_need_not(kubernetes, kserve, target):
    """The level restricted of the Pod Security Standards, and a root file system that is only read."""
    pod = of_pod(kubernetes, kserve)[target]
    (container,) = pod["containers"]
    security = container["securityContext"]

    assert pod["securityContext"]["runAsNonRoot"] is security["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 10_000
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert security["readOnlyRootFilesystem"] is True
    assert security["allowPrivilegeEscalation"] is False
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert pod["automountServiceAccountToken"] is False


@pytest.mark.parametrize("target", ["kubernetes", "kserve"])
def test_a_pod_is_probed_and_bounded_and_writes_on_volumes_alone(kubernetes, kserve, target):
    pod = of_pod(kubernetes, kserve)[target]
    (container,) = pod["containers"]

    assert {"startupProbe", "readinessProbe", "livenessProbe"} <= container.keys()
    assert container["resources"]["requests"] == container["resources"]["limits"] == {"cpu": "1", "memory": "1Gi"}
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}
    assert "/var/lib/nbprod" in {mount["mountPath"] for mount in container["volumeMounts"]}


def test_the_token_is_a_secret_that_no_file_holds(kubernetes, kserve):
    for pod in of_pod(kubernetes, kserve).values():
        (token,) = (volume for volume in pod["volumes"] if volume["name"] == "token")
        assert token["secret"]["secretName"] == f"{name_of('electricity_eu')}-tokens"


def test_the_server_is_told_every_name_it_is_called_by(kubernetes):
    """It answers no request to a name it does not know; Kubernetes fills in the namespace."""
    (container,) = kubernetes["Deployment"]["spec"]["template"]["spec"]["containers"]
    name = kubernetes["Service"]["metadata"]["name"]
    hosts = [
        value for word, value in zip(container["args"], container["args"][1:], strict=False) if word == "--allow-host"
    ]

    assert {name, f"{name}.$(POD_NAMESPACE).svc", "models.example.org"} <= set(hosts)
    assert "POD_NAMESPACE" in {one["name"] for one in container["env"]}


def test_the_inference_service_is_a_pod_with_the_extension_and_the_v2_protocol(kserve):
    predictor = kserve["spec"]["predictor"]
    pod = {name: value for name, value in predictor.items() if name not in EXTENSION}

    assert (kserve["apiVersion"], kserve["kind"]) == ("serving.kserve.io/v1beta1", "InferenceService")
    assert set(kserve) == {"apiVersion", "kind", "metadata", "spec"}
    check(kserve["metadata"], META, "metadata")
    check(pod, POD, "predictor")
    for name, kind in EXTENSION.items():
        assert type(predictor[name]) is kind
    assert [one["name"] for one in predictor["containers"]] == ["kserve-container"]
    assert {"name": "PROTOCOL", "value": "v2"} in predictor["containers"][0]["env"]


@pytest.mark.parametrize("model", ["electricity", "electricity_eu", "7days", "a" * 64, "a_b", "a-b"])
def test_a_model_s_name_becomes_one_that_kubernetes_allows(model):
    """RFC 1035 labels, which Services need, with room for what is appended; different models keep different names."""
    assert re.fullmatch(r"[a-z]([a-z0-9-]{0,52}[a-z0-9])?", name_of(model))
    assert name_of("a_b") != name_of("a-b")


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"image": "no image"}, "no container image"),
        ({"image": ""}, "no container image"),
        ({"cpu": "two"}, "no amount of cpu"),
        ({"memory": "1 GB"}, "no amount of memory"),
        ({"replicas": 11}, "no range"),
        ({"hosts": ("a b",)}, "no name of a host"),
    ],
)
def test_what_a_cluster_would_refuse_is_refused_here(more, told):
    with pytest.raises(SettingsError, match=told):
        Running(**{"image": "nbprod:1", **more})
