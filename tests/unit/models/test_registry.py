"""Registered models: nothing moves without approval, blessing and the right expectation, and every move is told."""

from datetime import UTC, datetime, timedelta

import pytest

from nbprod.clock import now
from nbprod.domain.blessing import Blessing
from nbprod.domain.check import CheckOutcome, CheckResult
from nbprod.domain.deployment import Deployment
from nbprod.domain.event import Event
from nbprod.domain.package import ModelPackage
from nbprod.domain.run import Run, RunStatus
from nbprod.domain.version import Approval
from nbprod.errors import (
    ConflictError,
    EnvironmentProblem,
    IllegalMoveError,
    NotFoundError,
    RefusedError,
    SettingsError,
    StaleMoveError,
)
from nbprod.lake import Lake
from nbprod.models import Models
from nbprod.models.alias_history import PROMOTED, ROLLED_BACK, version_at, version_stack
from nbprod.store import Store

AT = datetime(2026, 11, 20, 9, tzinfo=UTC)


@pytest.fixture
def store(tmp_path, empty_ledger):
    return Store.open(empty_ledger(tmp_path / "ledger.db"), tmp_path / "files", actor="ana")


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "lake")


@pytest.fixture
def models(store, lake):
    return Models(store, lake)


def a_package(number=1, **changes):
    return ModelPackage(
        **{
            "digest": f"{number:064x}",
            "folder": f"packages/{number}",
            "run_id": None,
            "task": "classification",
            "format": "skops",
            "target": "class",
            "created_at": AT,
            "size_bytes": 1000,
            "metrics": {"roc_auc": 0.9},
            **changes,
        }
    )


def a_run(run_id, **changes):
    return Run(
        **{
            "id": run_id,
            "template": "train",
            "source": "templates/train.ipynb",
            "template_digest": "f" * 64,
            "status": RunStatus.SUCCEEDED,
            "folder": f"runs/{run_id}",
            "created_at": AT,
            **changes,
        }
    )


def ready(models, number=1, model="power"):
    version = models.register(a_package(number), model)
    models.approve(version, "good enough")
    return models.bless_recorded(version, AT)


def champion(models, model="power"):
    return models.resolve(f"{model}@champion").number


def test_packages_get_the_next_integer_and_the_same_one_its_own_back(models):
    first = models.register(a_package(1), "power", note="first")
    second = models.register(a_package(2), "power", caused_by="alert-1")
    again = models.register(a_package(1), "power")
    other = models.register(a_package(1), "weather")

    assert [str(version) for version in (first, second, again, other)] == [
        "power/1",
        "power/2",
        "power/1",
        "weather/1",
    ]
    assert again == first
    assert (first.approval, first.registered_by, second.caused_by) == (Approval.PENDING, "ana", "alert-1")
    kinds = [event.kind for event in models.history("power")]
    assert kinds == ["version.registered-again", "version.registered", "version.registered", "model.created"]
    assert [version.ref for version in models.list("power")] == ["power/2", "power/1"]
    assert len(models.list()) == 3
    with pytest.raises(SettingsError, match="'Power' cannot be a model"):
        models.register(a_package(), "Power")
    with pytest.raises(NotFoundError, match=r"no model pwer\nDid you mean power"):
        models.list("pwer")


def test_a_decision_needs_a_note_and_may_change(models):
    version = models.register(a_package(), "power")
    approved = models.approve(version, "gates passed", actor="ben")
    with pytest.raises(IllegalMoveError, match="power/1 is approved and cannot become approved"):
        models.approve(version, "again")
    with pytest.raises(SettingsError, match="a decision needs a note"):
        models.reject(version, "  ")
    rejected = models.reject("power/1", "leaks the target")

    assert (approved.approval, approved.decided_by, approved.note) == (Approval.APPROVED, "ben", "gates passed")
    assert models.resolve("power/1") == rejected
    assert [(e.kind, e.actor, e.reason) for e in models.history("power", limit=2)] == [
        ("version.rejected", "ana", "leaks the target"),
        ("version.approved", "ben", "gates passed"),
    ]


def test_evidence_must_exist(models, store):
    with store.write() as session:
        session.add(a_run("20261120T090000Z-evaluate-aaaa"))
    version = models.register(a_package(), "power")
    with pytest.raises(NotFoundError, match=r"no run 20261120T090000Z-evaluate-aaab\nDid you mean"):
        models.approve(version, "good", evidence=["20261120T090000Z-evaluate-aaab"])
    approved = models.approve(version, "good", evidence=["20261120T090000Z-evaluate-aaaa", "https://example.org/42"])

    assert approved.evidence == ("20261120T090000Z-evaluate-aaaa", "https://example.org/42")


def test_only_an_approved_and_blessed_version_is_promoted(models):
    version = models.register(a_package(), "power")
    with pytest.raises(
        RefusedError,
        match="power/1 is pending, so it cannot be promoted\nApprove it first: nbprod models approve power/1",
    ):
        models.promote(version, expect=None)
    models.approve(version, "good")
    with pytest.raises(
        RefusedError, match=r"power/1 is not blessed: .*\nBless it first: nbprod packages bless 0{11}"
    ):
        models.promote(version, expect=None)
    models.bless_recorded(version, AT)
    alias = models.promote(version, expect=None, reason="the first")

    assert (alias.ref, alias.number, alias.moved_by) == ("power@champion", 1, "ana")
    event = models.history("power", limit=1)[0]
    assert (event.kind, event.subject, event.reason) == ("model.promoted", "power@champion", "the first")
    assert event.data == {"version": 1, "package": version.package, "previous": None}


def test_a_package_blessed_by_itself_blesses_its_versions(models, store):
    version = models.register(a_package(), "power")
    with store.write() as session:
        blessed = session.event("package.blessed", version.package)
    models.approve(version, "good")

    assert models.resolve("power/1").blessed_at == blessed.at == models.list("power")[0].blessed_at
    models.promote("power/1", expect=None)
    second = models.register(a_package(2), "power")
    with store.write() as session:
        session.event("package.blessed", second.package)
        session.event("package.refused", second.package)
    assert models.resolve("power/2").blessed_at is None


def test_blessing_is_asked_for_and_recorded(store, lake):
    asked = []

    def bless(digest):
        asked.append(digest)
        return Blessing(
            digest=digest, passed=True, sentence="equal", rows=5, column=None, largest_difference=0.0, seconds=1.0,
            python="3.11", platform="x", blessed_at=AT,
        )  # fmt: skip

    models = Models(store, lake, bless=bless)
    version = models.bless(models.register(a_package(), "power"))

    assert (version.blessed_at, asked) == (AT, [version.package])
    assert models.history("power", limit=1)[0].kind == "version.blessed"
    with pytest.raises(EnvironmentProblem, match="these models cannot bless"):
        Models(store, lake).bless(version)


def test_an_alias_moves_only_from_where_its_mover_expects_it(models):
    first, second = ready(models, 1), ready(models, 2)
    with pytest.raises(
        StaleMoveError,
        match=r"power@champion names nothing, where power/1 was expected; somebody else moved it first",
    ):
        models.promote(second, expect="power/1")
    models.promote(first, expect=None)
    with pytest.raises(StaleMoveError, match="power@champion names power/1, where nothing was expected"):
        models.promote(second, expect=None)
    with pytest.raises(ConflictError, match="power/1 is power@champion already"):
        models.promote(first, expect=first)
    with pytest.raises(TypeError, match="expect"):
        models.promote(second)
    models.promote(second, expect=first)

    assert champion(models) == 2
    assert len([event for event in models.history("power") if event.kind == "model.promoted"]) == 2


def test_gates_that_did_not_pass_stop_a_promotion_unless_waived_for_ever(store, lake):
    outcome = CheckResult(name="gain", outcome=CheckOutcome.INCONCLUSIVE, sentence="gain -0.03 to 0.01")
    models = Models(store, lake, gate_policy=lambda version: outcome)
    version = ready(models)
    with pytest.raises(
        RefusedError, match=r"gates of power say inconclusive for power/1: gain -0.03 to 0.01\nEvaluate it"
    ):
        models.promote(version, expect=None)
    models.promote(version, expect=None, waive="the old one is broken")

    assert models.history("power", limit=1)[0].data["waived"] == "the old one is broken"
    assert "(gates waived: the old one is broken)" in str(models.why("power/1"))


@pytest.mark.parametrize("waive", [None, "", "  "])
def test_a_waiver_without_a_reason_is_none(store, lake, waive):
    outcome = CheckResult(name="gain", outcome=CheckOutcome.FAILED, sentence="worse")
    models = Models(store, lake, gate_policy=lambda version: outcome)
    version = ready(models)

    with pytest.raises(RefusedError, match="gates of power say failed"):
        models.promote(version, expect=None, waive=waive)


@pytest.mark.parametrize("name", ["jira:42", "https:example", "run:20261120"])
def test_evidence_is_an_address_only_with_its_slashes(models, name):
    """A mistyped address or id must not pass as evidence."""
    version = models.register(a_package(), "power")

    with pytest.raises(NotFoundError, match=f"no run {name}"):
        models.approve(version, "good", evidence=[name])


def test_a_package_is_evidence_too(models):
    version = models.register(a_package(), "power")

    assert models.approve(version, "good", evidence=[version.package]).evidence == (version.package,)


def test_gates_that_passed_leave_nothing_to_waive(store, lake):
    outcome = CheckResult(name="gain", outcome=CheckOutcome.PASSED, sentence="gain 0.19 to 0.23")
    models = Models(store, lake, gate_policy=lambda version: outcome)
    models.promote(ready(models), expect=None, waive="just in case")

    data = models.history("power", limit=1)[0].data
    assert data["gates"] == "passed: gain 0.19 to 0.23"
    assert "waived" not in data


def test_rolling_back_goes_to_the_one_before_and_then_further_back(models):
    versions = [ready(models, number) for number in (1, 2, 3)]
    for before, version in zip([None, *versions], versions, strict=False):
        models.promote(version, expect=before)

    assert models.rollback("power", reason="drift").number == 2
    assert models.rollback("power", reason="drift too", expect="power/2").number == 1
    with pytest.raises(StaleMoveError, match="power@champion names power/1, where power/2 was expected"):
        models.rollback("power", reason="me too", expect="power/2")
    with pytest.raises(ConflictError, match="cannot be rolled back: no earlier version is approved"):
        models.rollback("power", reason="further")
    with pytest.raises(NotFoundError, match="no alias power@nobody"):
        models.rollback("power", "nobody", reason="x")
    assert [event.kind for event in models.history("power", limit=2)] == ["model.rolled-back"] * 2


def test_rolling_back_skips_a_version_rejected_since(models):
    versions = [ready(models, number) for number in (1, 2, 3)]
    for before, version in zip([None, *versions], versions, strict=False):
        models.promote(version, expect=before)
    models.reject("power/2", "leaks")
    models.rollback("power", reason="drift")

    assert champion(models) == 1


def test_what_an_alias_names_cannot_be_rejected(models):
    models.promote(ready(models), expect=None)
    with pytest.raises(ConflictError, match="power/1 is power@champion and cannot be rejected\nRoll back or promote"):
        models.reject("power/1", "bad")
    assert models.resolve("power/1").approval is Approval.APPROVED


def test_the_champion_of_an_earlier_moment_is_known(models):
    first, second = ready(models, 1), ready(models, 2)
    before = now()
    models.promote(first, expect=None)
    between = now()
    models.promote(second, expect=first)

    assert models.champion_at("power", between) == models.resolve("power/1")
    assert models.champion_at("power", now()).number == 2
    with pytest.raises(NotFoundError, match="power@champion named no version at"):
        models.champion_at("power", before)
    with pytest.raises(NotFoundError, match="no model pow"):
        models.champion_at("pow", now())


def test_a_name_means_one_version_or_is_asked_about(models):
    ready(models, 1)
    assert models.resolve("power").number == 1
    models.promote("power", expect=None)
    ready(models, 2)

    assert models.resolve("power@champion").number == 1
    assert (models.find("power@champion"), models.find("power@nobody")) == (models.resolve("power/1"), None)
    with pytest.raises(
        SettingsError, match="power has 2 versions\nSay which, for instance power@champion or power/2"
    ):
        models.resolve("power")
    with pytest.raises(NotFoundError, match=r"no model version power/9\nDid you mean power/"):
        models.resolve("power/9")
    with pytest.raises(NotFoundError, match=r"no alias power@champ\nDid you mean power@champion"):
        models.resolve("power@champ")
    with pytest.raises(SettingsError, match="does not name a model version"):
        models.resolve("power//1")


def test_the_lineage_is_on_one_page(models, store, lake):
    with store.write() as session:
        session.add(
            a_run("train-1", data={"data": "sha256:abc"}, git="1234+", parameters={"seed": 7}, metrics={"auc": 0.91})
        )
        session.add(a_run("evaluate-1", template="evaluate", metrics={"gain": 0.2}))
        session.add(Deployment(name="prices", model="power@champion", created_at=AT, created_by="ana"))
        session.add(Deployment(name="pinned", model="power/2", created_at=AT, created_by="ana"))
    version = models.register(a_package(1, run_id="train-1"), "power")
    models.approve(version, "better <b>by far</b>", evidence=["evaluate-1"])
    models.bless_recorded(version, AT)
    models.promote(version, expect=None, reason="it was better")
    lake.predictions("prices").append(
        {"prediction_id": ["p-1"], "prediction": ["UP"], "version": ["power/1"], "at": [AT]}, {"x": [1.5]}, private=()
    )
    lineage = models.why("power@champion")
    of_prediction = models.why("p-1")

    text = str(lineage)
    for told in ("sha256:abc", "templates/train.ipynb", "1234+", "seed", "evaluate-1", "gain 0.2", "better <b>by far</b>",
                 "model.promoted power@champion: it was better (on evaluate-1)", "prices", "0" * 63 + "1"):  # fmt: skip
        assert told in text, told
    assert "pinned" not in text
    assert "<b>" not in lineage._repr_html_()
    assert "&lt;b&gt;by far" in lineage._repr_html_()
    assert lineage.run.id == "train-1"
    assert of_prediction.prediction["inputs"] == {"x": 1.5}
    assert of_prediction.version == lineage.version
    assert "p-1 is power/1" in str(of_prediction)
    assert repr(lineage) == "<Lineage of power@champion: power/1, 4 events>"
    assert lineage.evaluations[0].id == "evaluate-1"
    assert models.why("power").version == models.why(version).version


def test_the_lineage_of_nothing_is_told(models, store, lake):
    with store.write() as session:
        session.add(Deployment(name="theirs", model=None, created_at=AT, created_by="ana"))
    lake.predictions("theirs").append({"prediction_id": ["p-9"], "prediction": [1.0]}, private=())

    with pytest.raises(NotFoundError, match="'p-8' is neither a model nor the id of a kept prediction"):
        models.why("p-8")
    with pytest.raises(NotFoundError, match="p-9 of theirs was made by an external model"):
        models.why("p-9")


def test_a_run_that_left_the_ledger_is_still_named(models):
    models.register(a_package(1, run_id="gone"), "power")
    assert "gone (no longer in the ledger)" in str(models.why("power/1"))


def test_the_lineage_tells_by_whom_a_version_was_followed(models, store):
    """A move away from a version concerns it too; deployments of other models and of none do not."""
    first, second = ready(models, 1), ready(models, 2)
    with store.write() as session:
        session.add(Deployment(name="theirs", model=None, created_at=AT, created_by="ana"))
        session.add(Deployment(name="other", model="demand/1", created_at=AT, created_by="ana"))
        session.add(Deployment(name="pinned", model="power/1", created_at=AT, created_by="ana"))
    models.promote(first, expect=None)
    models.promote(second, expect=first, reason="better by far")

    lineage = models.why("power/1")

    assert [event.reason for event in lineage.events if event.kind == "model.promoted"] == ["", "better by far"]
    assert (lineage.aliases, lineage.deployments) == ((), ("pinned",))


def test_a_move_at_a_moment_has_happened_at_it():
    def event(number, version):
        return Event(number=number, at=AT, actor="ana", kind="model.promoted", subject="", data={"version": version})

    assert version_at([event(1, 1), event(2, 2)], AT) == 2
    assert version_at([event(1, 1)], AT - timedelta(seconds=1)) is None


def test_rolling_back_twice_leaves_what_was_held_before_both():
    def event(number, kind, version):
        return Event(number=number, at=AT, actor="ana", kind=kind, subject="", data={"version": version})

    moves = [event(1, PROMOTED, 1), event(2, PROMOTED, 2), event(3, PROMOTED, 3), event(4, ROLLED_BACK, 2)]

    assert version_stack(moves) == [1, 2]
    assert version_stack([*moves, event(5, PROMOTED, 1), event(6, ROLLED_BACK, 2)]) == [1, 2]
    assert version_stack(
        [event(1, PROMOTED, 1), event(2, PROMOTED, 2), event(3, PROMOTED, 2), event(4, ROLLED_BACK, 1)]
    ) == [1]
