"""Only what nothing refers to is removed, whenever the process is killed; the records stay."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nbprod import clock
from nbprod.domain.alert import Alert, AlertStatus
from nbprod.domain.package import ModelPackage
from nbprod.domain.run import Run, RunStatus
from nbprod.domain.version import Approval, ModelVersion, RegisteredModel
from nbprod.errors import NotFoundError
from nbprod.notebook.kernel_retention import HOLD
from nbprod.notebook.lease import Lease
from nbprod.runs import pruning
from nbprod.runs.run_store import RunStore
from nbprod.site import report
from nbprod.store import Session, Store

LONG_AGO = clock.now() - timedelta(days=90)
DIGEST = "ab" * 32


@pytest.fixture
def kept(tmp_path, empty_ledger):
    return RunStore(
        Store.open(empty_ledger(tmp_path / "ledger.db"), tmp_path / "files", actor="ada"), tmp_path / "runs"
    )


def add(kept, number, at=LONG_AGO, status=RunStatus.SUCCEEDED, caused_by=None, **more):
    id_ = f"20260101T00{number:04d}Z-train-{number:04x}"
    folder = kept.folder / id_
    (folder / "files").mkdir(parents=True)
    (folder / "notebook.ipynb").write_text("{}")
    (folder / "files" / "big").write_bytes(b"x" * 1000)
    run = Run(
        id=id_,
        template="train",
        source="train.ipynb",
        template_digest=DIGEST,
        status=status,
        folder=str(folder),
        created_at=at,
        started_at=at,
        ended_at=at if status is not RunStatus.RUNNING else None,
        metrics={"auc": 0.5},
        caused_by=caused_by,
        **more,
    )
    with kept.store.write() as session:
        session.add(run)
        session.event("run.started", id_, data={"template": "train", "caused_by": caused_by})
        session.event(f"run.{status}", id_, data={})
    return run


def folders(kept):
    return {path.name for path in kept.folder.iterdir() if not path.name.startswith(".")}


def test_an_old_run_that_nothing_names_goes_and_its_record_stays(kept):
    old, young = add(kept, 1), add(kept, 2, at=clock.now())
    running = add(kept, 3, status=RunStatus.RUNNING)
    dry = kept.prune(timedelta(days=30), dry_run=True)
    assert (dry.runs, dry.size_bytes, dry.is_dry) == ((old.id,), 1002, True)
    assert folders(kept) == {old.id, young.id, running.id}
    done = kept.prune(timedelta(days=30))
    assert (done.runs, done.size_bytes) == (dry.runs, dry.size_bytes)
    assert folders(kept) == {young.id, running.id}
    assert not list((kept.folder / ".trash").iterdir())
    row = kept.get(old.id)
    assert (row.files, row.metrics) == ("pruned", {"auc": 0.5})
    assert old.id in [run.id for run in kept.list(status="succeeded")]
    with pytest.raises(NotFoundError, match="pruned"):
        kept.results(old.id)
    assert kept.prune(timedelta(days=30)).runs == ()
    with kept.store.read() as session:
        assert [event.subject for event in session.events(kind="run.pruned")] == [old.id]
    kept.store.verify()


# what may name a run, each in the way of its own record
NAMING = {
    "package": lambda session, id_: session.add(
        ModelPackage(
            digest=id_.encode().hex().ljust(64, "0")[-64:],
            folder="f",
            run_id=id_,
            task="regression",
            format="skops",
            target="y",
            created_at=LONG_AGO,
            size_bytes=1,
        )
    ),
    "alert": lambda session, id_: session.add(
        Alert(
            id=f"alert-{id_}",
            deployment="d",
            check="c",
            subject=id_,
            status=AlertStatus.RESOLVED,
            summary="",
            run_id=id_,
            opened_at=LONG_AGO,
            last_seen_at=LONG_AGO,
        )
    ),
    "evidence": lambda session, id_: session.event("version.approved", "m/1", evidence=[id_]),
    "data of an event": lambda session, id_: session.event("retraining.started", "d", data={"runs": {"best": [id_]}}),
    "path in an event": lambda session, id_: session.event(
        "deployment.created", "d", data={"at": f"runs/{id_}/files"}
    ),
    "reason": lambda session, id_: session.event("alert.resolved", "a", reason=f"see run {id_}."),
    "run that stays": lambda session, id_: None,  # see below
}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(ways=st.lists(st.sampled_from([None, *NAMING]), min_size=1, max_size=7), data=st.data())
def test_what_anything_names_survives(tmp_path_factory, empty_ledger, ways, data):
    place = tmp_path_factory.mktemp("pruning")
    kept = RunStore(Store.open(empty_ledger(place / "ledger.db"), place / "files", actor="ada"), place / "runs")
    runs = [add(kept, number, caused_by=None) for number in range(len(ways))]
    for number, (run, way) in enumerate(zip(runs, ways, strict=True)):
        with kept.store.write() as session:
            if way:
                NAMING[way](session, run.id)
        if way == "run that stays":
            add(kept, 100 + number, at=clock.now(), caused_by=run.id)
    chained = data.draw(st.integers(0, len(runs) - 1))
    chain = add(kept, 500, at=LONG_AGO, parameters={"model": f"runs/{runs[chained].id}/files/model"})
    removed = set(kept.prune(timedelta(days=30)).runs)
    named = {run.id for run, way in zip(runs, ways, strict=True) if way}
    assert not removed & named
    assert removed == {run.id for run in runs} - named | {chain.id}  # an unnamed run holds nothing back
    assert folders(kept) == {run.id for run in kept.list(limit=None)} - removed


def test_a_version_holds_its_run_back_and_that_run_its_cause(kept):
    cause = add(kept, 1)
    trained = add(kept, 2, caused_by=cause.id)
    judged = add(kept, 3)
    with kept.store.write() as session:
        NAMING["package"](session, trained.id)
        (package,) = session.list(ModelPackage)
        session.add(RegisteredModel(name="m", created_at=LONG_AGO))
        session.add(
            ModelVersion(
                model="m",
                number=1,
                package=package.digest,
                run_id=trained.id,
                registered_at=LONG_AGO,
                registered_by="ada",
                approval=Approval.PENDING,
                evidence=(judged.id,),
            )
        )
    done = kept.prune(timedelta(days=30))
    assert (done.runs, done.kept) == ((), 3)


def test_a_run_that_goes_does_not_hold_back_the_one_that_caused_it(kept):
    cause = add(kept, 1, status=RunStatus.FAILED)
    again = add(kept, 2, caused_by=cause.id)
    with kept.store.write() as session:
        session.event("run.resumed", again.id, data={"of": cause.id, "cell": "fit"})
    assert kept.prune(timedelta(days=30)).runs == (cause.id, again.id)


@pytest.mark.parametrize(
    ("moment", "target", "is_marked"),
    [
        ("before the mark is kept", (Session, "event"), False),
        ("after the mark", (Path, "rename"), True),
        ("after the rename", (pruning, "sync"), True),
        ("while deleting", (pruning.shutil, "rmtree"), True),
    ],
)
def test_killed_at_any_moment_a_folder_or_a_row_that_says_pruned_is_left(
    kept, monkeypatch, moment, target, is_marked
):
    run = add(kept, 1)

    class Killed(BaseException):
        pass

    def die(*_, **__):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(*target, die)
        with pytest.raises(Killed):
            kept.prune(timedelta(days=30))
    assert kept.get(run.id).is_pruned == is_marked
    assert is_marked or (Path(run.folder) / "files" / "big").stat().st_size == 1000
    kept.prune(timedelta(days=30))  # the next one goes on
    assert kept.get(run.id).is_pruned
    assert folders(kept) == set()
    assert not list((kept.folder / ".trash").iterdir())


def test_the_page_of_a_pruned_run_says_so_and_links_to_nothing(kept):
    run = add(kept, 1)
    kept.prune(timedelta(days=30))
    page = report(kept.get(run.id), Path(run.folder))
    assert "removed to save space" in page
    assert "0.5" in page
    assert 'href="notebook.ipynb"' not in page


def test_a_folder_that_is_elsewhere_or_held_is_left_alone(kept, tmp_path):
    elsewhere = add(kept, 1)
    held = add(kept, 2)
    lease = Lease(Path(held.folder), name=HOLD, cell="fit", until=clock.format_utc(clock.now()), connection_file="k")
    with kept.store.write() as session:
        session.replace(replace(elsewhere, folder=str(tmp_path)), expecting={"status": elsewhere.status})
    assert kept.prune(timedelta(days=30)).runs == ()
    assert folders(kept) == {elsewhere.id, held.id}
    lease.end()
    assert kept.prune(timedelta(days=30)).runs == (held.id,)
