"""Files for those who run the traffic elsewhere, against the types they published."""

from datetime import UTC, datetime, timedelta
from importlib import import_module

import jsonschema
import pytest
import yaml

from nbprod.domain.rollout import RolloutAnalysis, RolloutDecision, RolloutStatus
from nbprod.domain.rollout_verdict import Act, verdict_of
from nbprod.errors import SettingsError
from nbprod.rollouts.exports import KINDS, Place
from tests.integration.exports.test_manifests import check
from tests.unit.domain.test_rollout import HOUR, NOW, a_rollout
from tests.unit.rollouts.published import ANALYSIS_TEMPLATE, CANARY_PATCH, INFERENCE_SERVICE_PATCH

JOB = import_module("lightkube.models.batch_v1").JobSpec
URL = Place(url="http://nbprod:8000")


def written(kind, place=URL, *, rollout=None, analysis=None, at=NOW):
    verdict = verdict_of(rollout or a_rollout(step=1, deployment="churn_eu"), analysis)
    ((name, content),) = KINDS[kind](verdict, place, at).items()
    assert name.endswith(".yaml")
    assert "_" not in name
    return [*yaml.safe_load_all(content)]


def test_argo_asks_a_server():
    """Two templates of the published form: one for the background, one for a step, both with the token of a secret."""
    harmless, goes_on = written("argo")
    for document in (harmless, goes_on):
        jsonschema.validate(document, ANALYSIS_TEMPLATE)
        (metric,) = document["spec"]["metrics"]
        assert metric["provider"]["web"]["url"] == "http://nbprod:8000/rollout"
        assert metric["failureLimit"] == 0
    assert "count" not in harmless["spec"]["metrics"][0]  # it goes on until the canary ends
    step = goes_on["spec"]["metrics"][0]
    assert step["count"] == step["inconclusiveLimit"] == timedelta(days=14) / timedelta(minutes=1)
    assert {arg["name"] for arg in goes_on["spec"]["args"]} == {"may", "token"}


@pytest.mark.parametrize("decision", [*RolloutDecision])
def test_argo_reads_the_answer_of_the_server_as_it_is_meant(decision):
    """Every condition names what ``/rollout`` tells; of success and failure at most one holds."""
    verdict = verdict_of(
        a_rollout(step=1),
        RolloutAnalysis(run_id="r", rollout="r1", at=NOW, step=1, decision=decision, sentence="so"),
    )
    told = verdict.may(NOW)
    states = []
    for document in written("argo"):
        (metric,) = document["spec"]["metrics"]
        found = []
        for condition in (metric["successCondition"], metric["failureCondition"]):
            name, wanted = condition.replace("{{args.may}}", "advance").removeprefix("result.").split(" == ")
            found.append(told[name] is (wanted == "true"))
        assert not all(found)
        states.append("succeeds" if found[0] else "fails" if found[1] else "waits")
    expected = {"promote": ["succeeds"] * 2, "advance": ["succeeds"] * 2, "roll back": ["fails"] * 2}
    assert states == expected.get(decision, ["succeeds", "waits"])


def test_argo_executes_the_notebook_in_a_job():
    """A JobSpec as Kubernetes published it; the command ends by an exit code."""
    for document, words in zip(
        written("argo", Place(image="registry.example/nbprod:1", workspace="/w")),
        (["--analyse", "--may", "keep"], ["--may", "{{args.may}}", "--wait", "14d"]),
        strict=True,
    ):
        jsonschema.validate(document, ANALYSIS_TEMPLATE)
        spec = document["spec"]["metrics"][0]["provider"]["job"]["spec"]
        check(spec, JOB)
        (container,) = spec["template"]["spec"]["containers"]
        assert container["command"] == [
            *("python", "-m", "nbprod", "--workspace", "/w", "rollouts", "verdict", "churn_eu"),
            *words,
        ]


def test_flagger_asks_by_webhooks():
    """Each kind of hook asks for what its 200 leads to."""
    (document,) = written("flagger")
    jsonschema.validate(document, CANARY_PATCH)
    hooks = {hook["type"]: hook["url"].rsplit("/", 1)[1] for hook in document["spec"]["analysis"]["webhooks"]}
    assert hooks == {"confirm-traffic-increase": "advance", "confirm-promotion": "promote", "rollback": "rollback"}
    assert set(hooks.values()) <= {*Act}


@pytest.mark.parametrize(
    ("changes", "at", "percent"),
    [
        ({"step": 2}, NOW, 25),
        ({"step": 2}, NOW + HOUR, 0),
        ({}, NOW, 0),
        ({"step": 4, "status": RolloutStatus.PROMOTED}, datetime(2027, 1, 1, tzinfo=UTC), 100),
        ({"step": 4, "status": RolloutStatus.PROMOTED, "holdback": 0.055}, NOW, 94),
        ({"step": 2, "status": RolloutStatus.ROLLED_BACK}, NOW, 0),
        ({"plan": "canary:29:100"}, NOW, 29),
    ],
)
def test_kserve_gets_the_share_of_the_moment(changes, at, percent):
    """Nothing once the lease is over; whole percent, never more than the share."""
    (document,) = written("kserve", rollout=a_rollout(**changes), at=at)
    jsonschema.validate(document, INFERENCE_SERVICE_PATCH)
    assert document == {"spec": {"predictor": {"canaryTrafficPercent": percent}}}


@pytest.mark.parametrize(
    ("kind", "place"),
    [
        ("argo", Place()),
        ("argo", Place(url="http://a", image="b")),
        ("flagger", Place()),
        ("flagger", Place(url="a b")),
    ],
)
def test_what_is_missing_is_named(kind, place):
    """A server, or an image; nothing is written without."""
    with pytest.raises(SettingsError) as refused:
        written(kind, place)
    assert "--url" in refused.value.hint
