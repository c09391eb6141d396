"""The 28 tests: each earns its points by the records it needs, and nothing without them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from nbprod.domain.check import CheckOutcome, CheckResult
from nbprod.domain.evaluation import Evaluation
from nbprod.domain.event import Event
from nbprod.domain.monitor import MonitorReport, Verdict
from nbprod.domain.package import ModelPackage
from nbprod.domain.pipeline import PipelineRun, StepResult
from nbprod.domain.rollout import Rollout, RolloutStatus
from nbprod.domain.rollout_plan import Automation
from nbprod.domain.run import PRUNED, Run, RunStatus
from nbprod.domain.scorecard import TESTS, Evidence, JudgedVersion, KeptRows, Means, SealedFacts, SimplerModel
from nbprod.domain.version import Approval, ModelVersion

AT = datetime(2026, 11, 1, tzinfo=UTC)
PASSED, FAILED, DOUBT = CheckOutcome.PASSED, CheckOutcome.FAILED, CheckOutcome.INCONCLUSIVE


def run(name, **fields):
    given = {"template": "train", "source": "train.ipynb", "template_digest": "d", "status": RunStatus.SUCCEEDED}
    given |= {"folder": "/x", "created_at": AT, "ended_at": AT, "actor": "ada", "data": {"data": "f"}}
    return Run(id=name, **{**given, **fields})


def version(number, **fields):
    given = {"model": "power", "package": f"digest{number}", "run_id": f"t{number}", "registered_at": AT}
    given |= {"registered_by": "ada", "approval": Approval.APPROVED, "decided_by": "bo", "decided_at": AT}
    return ModelVersion(number=number, **{**given, "blessed_at": AT, **fields})


def event(kind, subject, **data):
    return Event(number=1, at=AT, actor="ada", kind=kind, subject=subject, evidence=("e1",), data=data)


def check(name, outcome=PASSED, value=0.1, subject=""):
    return CheckResult(name=name, outcome=outcome, sentence=f"{name} is {outcome}", subject=subject, value=value)


def report(name, *checks, of="power/2", metrics=None):
    return MonitorReport(
        run_id=name,
        deployment="live",
        version=of,
        start=AT - timedelta(days=30),
        end=AT,
        verdict=Verdict.HEALTHY,
        sentence="",
        rows=1,
        outcomes=1,
        checks=checks,
        metrics=metrics or {},
        created_at=AT,
    )


def judged(*checks, outcome=PASSED, at=AT, **fields):
    found = Evaluation(
        run_id="e1",
        candidate="digest2",
        champion=None,
        data="f",
        metric="auc",
        policy="p",
        outcome=outcome,
        checks=checks,
    )
    return JudgedVersion(evaluation=found, at=at, **fields)


def rollout(status, plan="shadow,canary:5:25:100"):
    texts = {"slow_ms": 1.0, "horizon": "7d", "longest": "30d", "lease": "2h", "keep_previous": "1d"}
    return Rollout(
        id="r1",
        deployment="live",
        candidate="power/2",
        stable="power/1",
        alias="power@champion",
        status=status,
        plan=plan,
        metrics=(),
        alpha=0.05,
        step_units=100,
        holdback=0.0,
        automation=Automation.AUTO,
        salt="s",
        started_at=AT,
        started_by="ada",
        reason="",
        step_since=AT,
        lease_until=AT,
        ended_at=AT,
        **texts,
    )


def package(number, auc):
    return ModelPackage(
        digest=f"digest{number}",
        folder="",
        run_id=f"t{number}",
        task="classification",
        format="skops",
        target="y",
        created_at=AT,
        size_bytes=1,
        metrics={"auc": auc},
    )


BARE = Evidence(model="power")
BASE = Evidence(
    model="power",
    deployments=("live",),
    champion=version(2),
    versions=(version(2), version(1)),
    trained=run("t2", git="abc123", parameters={"seed": 1}, metrics={"auc": 0.9}),
    runs=(
        run("t2", git="abc123", parameters={"seed": 1}, metrics={"auc": 0.9}),
        run("m1", caused_by="nightly@1"),
        run("m2"),
    ),
    sealed=SealedFacts(inputs=("age", "hour"), importance={"age": 0.7, "hour": 0.3}),
)


def with_(**fields):
    return replace(BASE, **fields)


def by_three(*online):
    """Three versions that are ever better offline, with what they were online."""
    versions = tuple(version(n) for n in (3, 2, 1))
    packages = {f"digest{n}": package(n, 0.7 + n / 100) for n in (1, 2, 3)}
    reports = tuple(report(f"m{n}", of=f"power/{n}", metrics={"auc": value}) for n, value in enumerate(online, 1))
    return with_(versions=versions, packages=packages, reports=reports)


AUTO, HAND, NONE = Means.AUTOMATED, Means.BY_HAND, Means.NONE
BETTER = SimplerModel(kept="hgb", metric="auc", value=0.9, simple=0.8, higher_is_better=True)
AGED = tuple(report(name, check("performance")) for name in ("m1", "m2", "m3"))
#: Of each test: evidence, and what it is worth.
CASES = {
    "data-1": [(BASE, AUTO), (with_(sealed=SealedFacts(inputs=())), NONE)],
    "data-2": [
        (BASE, AUTO),
        (with_(sealed=SealedFacts(inputs=("age", "hour"), importance={"age": 1.0, "hour": 0.0})), NONE),
        (with_(sealed=SealedFacts(inputs=("age",), importance={"age": None})), NONE),
        (with_(sealed=SealedFacts(inputs=("age",))), NONE),
    ],
    "data-3": [(BASE, NONE)],
    "data-4": [(with_(private=("name",)), AUTO), (BASE, NONE), (with_(private=("age",)), NONE)],
    "data-5": [
        (with_(private=("name",)), AUTO),
        (with_(erasures=(event("unit.erased", "live"),)), HAND),
        (with_(private=("name",), deployments=()), NONE),
        (BASE, NONE),
    ],
    "data-6": [(BASE, NONE)],
    "data-7": [(BASE, AUTO), (with_(champion=version(2, blessed_at=None)), NONE)],
    "model-1": [
        (BASE, AUTO),
        (with_(champion=version(2, decided_by="ada")), HAND),
        (with_(champion=version(2, decided_by=None)), NONE),
        (with_(trained=run("t2", git="abc123+")), NONE),
        (with_(trained=run("t2")), NONE),
    ],
    "model-2": [(by_three(0.6, 0.7, 0.8), AUTO), (by_three(0.8, 0.7, 0.6), NONE), (by_three(0.6, 0.7), NONE), (BASE, NONE)],
    "model-3": [
        (with_(runs=tuple(run(f"t{n}", parameters={"depth": n}) for n in (1, 2, 3))), AUTO),
        (with_(runs=tuple(run(f"t{n}", parameters={"depth": 1}) for n in (1, 2, 3))), NONE),
        (with_(runs=tuple(run(f"t{n}", parameters={"depth": n}, data={"data": str(n)}) for n in (1, 2, 3))), NONE),
    ],
    "model-4": [(with_(reports=AGED), AUTO), (with_(reports=AGED[1:] + AGED[:1]), HAND), (with_(reports=AGED[:2]), NONE)],
    "model-5": [(with_(simpler=BETTER), AUTO), (with_(simpler=replace(BETTER, higher_is_better=False)), NONE), (with_(simpler=replace(BETTER, value=0.8)), NONE), (with_(simpler=replace(BETTER, value=0.8, kept="logreg")), AUTO), (BASE, NONE)],
    "model-6": [
        (with_(judged=(judged(check("slices")),)), AUTO),
        (with_(judged=(judged(check("slices", FAILED), slices=4),)), NONE),
        (with_(judged=(judged(slices=4),)), HAND),
        (with_(judged=(judged(),)), NONE),
    ],
    "model-7": [
        (with_(judged=(judged(groups=("sex",)),)), HAND),
        (with_(judged=(judged(groups=("sex",)),), runs=(run("e1", caused_by="alert1"),)), AUTO),
        (with_(judged=(judged(),)), NONE),
    ],
    "infrastructure-1": [
        (with_(runs=(replace(BASE.runs[0], id="again", caused_by="t2"), *BASE.runs)), AUTO),
        (with_(runs=(replace(BASE.runs[0], id="again", caused_by="t2", metrics={"auc": 0.8}), *BASE.runs)), NONE),
        (with_(runs=(replace(BASE.runs[0], id="resumed", caused_by="t2", template_digest="x"), *BASE.runs)), NONE),
        (with_(runs=(replace(BASE.runs[0], id="again", caused_by="t2", status=RunStatus.FAILED), *BASE.runs)), NONE),
        (BASE, NONE),
    ],
    "infrastructure-2": [
        (with_(sealed=SealedFacts(inputs=("a",), compared_rows=900, compared_equal=True)), AUTO),
        (with_(sealed=SealedFacts(inputs=("a",), compared_rows=900)), NONE),
        (BASE, NONE),
    ],
    "infrastructure-3": [
        (
            with_(
                pipelines=(
                    PipelineRun(
                        id="p1",
                        pipeline="weekly",
                        status=RunStatus.SUCCEEDED,
                        created_at=AT,
                        steps=(StepResult(name="train", run_id="t1"),),
                    ),
                )
            ),
            AUTO,
        ),
        (with_(retrainings=(event("retraining.decided", "live"),)), AUTO),
        (with_(pipelines=(PipelineRun(id="p1", pipeline="other", status=RunStatus.SUCCEEDED, created_at=AT),)), NONE),
        (BASE, NONE),
    ],
    "infrastructure-4": [
        (with_(judged=(judged(),), promotion=event("model.promoted", "power@champion", gates="…")), AUTO),
        (with_(judged=(judged(),), promotion=event("model.promoted", "power@champion", gates="…", waived="…")), HAND),
        (with_(judged=(judged(),), promotion=event("model.promoted", "power@champion")), HAND),
        (with_(judged=(judged(at=AT + timedelta(days=1)),), promotion=event("model.promoted", "power@champion")), NONE),
        (with_(judged=(judged(outcome=DOUBT),)), NONE),
        (BASE, NONE),
    ],
    "infrastructure-5": [
        (with_(kept=KeptRows(predictions=3)), AUTO),
        (with_(kept=KeptRows(predictions=3), trained=run("t2", files=PRUNED)), NONE),
        (BASE, NONE),
    ],
    "infrastructure-6": [
        (with_(rollouts=(rollout(RolloutStatus.PROMOTED),)), AUTO),
        (with_(rollouts=(rollout(RolloutStatus.PROMOTED, plan="blue-green"),)), NONE),
        (with_(rollouts=(rollout(RolloutStatus.ABORTED),)), NONE),
        (with_(rollouts=(replace(rollout(RolloutStatus.PROMOTED), candidate="power/1"),)), NONE),
    ],
    "infrastructure-7": [
        (with_(rollouts=(rollout(RolloutStatus.ROLLED_BACK),)), AUTO),
        (with_(rollbacks=(event("model.rolled-back", "power@champion"),)), HAND),
        (BASE, NONE),
    ],
    "monitoring-1": [
        (with_(blessings=(event("package.blessed", "digest2"),) * 2), HAND),
        (with_(blessings=(event("package.blessed", "digest2"),)), NONE),
        (BASE, NONE),
    ],
    "monitoring-2": [
        (with_(reports=(report("m1", check("drift")),)), AUTO),
        (with_(reports=(report("m2", check("drift", FAILED)),)), HAND),  # a change that is found is the test at work
        (with_(reports=(report("m1", check("performance")),)), NONE),
    ],
    "monitoring-3": [
        (with_(kept=KeptRows(parity_equal=5)), AUTO),
        (with_(kept=KeptRows(parity_equal=5, parity_different=1)), NONE),
        (BASE, NONE),
    ],
    "monitoring-4": [(with_(retrains=True), AUTO), (BASE, NONE)],
    "monitoring-5": [
        (with_(reports=(report("m1", check("quality")),)), AUTO),
        (with_(reports=(report("m2", check("quality")),)), HAND),
        (with_(reports=(report("m1", check("quality", FAILED)),)), NONE),
        (BASE, NONE),
    ],
    "monitoring-6": [
        (with_(reports=(report("m1", check("health", subject="p99")),)), AUTO),
        (with_(reports=(report("m1", check("objective", FAILED)),), kept=KeptRows(health_days=9)), NONE),
        (with_(kept=KeptRows(health_days=2)), HAND),
        (with_(kept=KeptRows(health_days=1)), NONE),
        (BASE, NONE),
    ],
    "monitoring-7": [
        (with_(reports=(report("m1", check("performance")),)), AUTO),
        (with_(reports=(report("m2", check("performance")),)), HAND),
        (with_(reports=(report("m1", check("performance", FAILED)),)), NONE),
        (with_(reports=(report("m1", check("performance", DOUBT, value=None)),)), NONE),
        (BASE, NONE),
    ],
}  # fmt: skip


@pytest.mark.parametrize("test", TESTS, ids=lambda test: test.id)
def test_each_earns_by_its_evidence_and_nothing_without(test):
    assert test.rule(BARE).means is NONE
    for found, means in CASES[test.id]:
        seen = test.rule(found)
        assert seen.means is means, seen.sentence
        assert seen.sentence.endswith((".", "passed", "failed"))
        if means is not NONE:
            assert seen.evidence, "points without a record to look at"


def test_there_are_seven_a_section_and_each_is_covered():
    sections = [test.section for test in TESTS]
    assert [sections.count(section) for section in dict.fromkeys(sections)] == [7, 7, 7, 7]
    assert set(CASES) == {test.id for test in TESTS}
