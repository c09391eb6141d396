"""The ledger: all or nothing, compare-and-set, and events that are only ever added."""

import json
import sqlite3
from contextlib import closing
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbprod.domain.alert import Alert, AlertStatus
from nbprod.domain.check import Cause, CheckOutcome, CheckResult
from nbprod.domain.event import Event
from nbprod.domain.monitor import MonitorReport, Verdict
from nbprod.domain.run import EndCause, Run, RunStatus
from nbprod.domain.version import Alias
from nbprod.errors import ConflictError, NotFoundError, StaleMoveError, StoreError
from nbprod.store import Store
from nbprod.store.rows import decode, encode
from nbprod.store.tables import KINDS

AT = datetime(2026, 11, 20, 9, 44, 13, 123456, tzinfo=UTC)


@pytest.fixture
def store(tmp_path):
    return Store.open(f"sqlite:///{tmp_path}/ledger.db", tmp_path / "files", actor="ana")


def a_run(number=1, **changes):
    return Run(
        **{
            "id": f"20261120T094413Z-train-{number:04x}",
            "template": "train",
            "source": "templates/train.ipynb",
            "template_digest": "0" * 64,
            "status": RunStatus.QUEUED,
            "folder": "runs/x",
            "created_at": AT + timedelta(seconds=number),
            **changes,
        }
    )


def an_alert(id_="a1", **changes):
    return Alert(
        **{
            "id": id_,
            "deployment": "power",
            "check": "drift",
            "subject": "vicprice",
            "status": AlertStatus.OPEN,
            "summary": "vicprice changed",
            "run_id": "r",
            "opened_at": AT,
            "last_seen_at": AT,
            **changes,
        }
    )


def test_a_record_comes_back_equal(store):
    report = MonitorReport(
        run_id="r1",
        deployment="power",
        version="electricity/1",
        start=AT,
        end=AT + timedelta(days=30),
        verdict=Verdict.ALARM,
        sentence="three columns changed",
        rows=1440,
        outcomes=1200,
        checks=(
            CheckResult(name="drift", outcome=CheckOutcome.FAILED, sentence="moved", value=0.4, low=0.1, high=0.6),
        ),
        changed=("vicprice", "vicdemand"),
        metrics={"accuracy": 0.75},
        tables={"predictions": 12},
    )
    with store.write() as session:
        session.add(report)

    with store.read() as session:
        assert session.get(MonitorReport, "r1") == report


def test_a_report_kept_by_an_older_version_is_read(store, tmp_path):
    """Its checks had fewer fields, and said in the text of a rule what has fields now."""
    report = MonitorReport(
        run_id="r1",
        deployment="power",
        version=None,
        start=AT,
        end=AT + timedelta(days=30),
        verdict=Verdict.ALARM,
        sentence="…",
        rows=1440,
        outcomes=1200,
        checks=(CheckResult(name="drift", subject="age", outcome=CheckOutcome.FAILED, sentence="…"),),
    )
    with store.write() as session:
        session.add(report)
    old = [
        {"name": "drift", "subject": "age", "outcome": "failed", "sentence": "…", "rule": "as the reference has it"}
    ]
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as database, database:
        database.execute("UPDATE monitor_reports SET checks = ?", [json.dumps(old)])

    with store.read() as session:
        read = session.get(MonitorReport, "r1")

    assert read.checks[0].cause is Cause.SOURCE
    assert read.next_step.startswith("First look at where age comes from")


parts = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False)
    | st.text()
    | st.dates()
    | st.datetimes(timezones=st.just(UTC)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
moments = st.datetimes(min_value=datetime(1000, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 — bounds are naive by rule


@given(
    parameters=st.dictionaries(st.text(max_size=5), parts, max_size=4),
    metrics=st.dictionaries(st.text(max_size=5), st.floats(allow_nan=False), max_size=4),
    cause=st.none() | st.sampled_from(EndCause),
    created_at=moments,
    ended_at=st.none() | moments,
)
def test_any_run_survives_the_row(parameters, metrics, cause, created_at, ended_at):
    run = a_run(parameters=parameters, metrics=metrics, cause=cause, created_at=created_at, ended_at=ended_at)

    assert decode(Run, encode(run)) == run


def test_not_a_number_survives():
    assert str(decode(Run, encode(a_run(metrics={"auc": float("nan")}))).metrics["auc"]) == "nan"


def test_text_that_no_database_keeps_is_escaped_and_an_unknown_part_is_refused(store):
    with store.write() as session:
        session.add(a_run(error="broken \udc80 \x00"))
        with pytest.raises(
            StoreError, match=r"(?s)parameters of <Run .* cannot be kept: .*object.*Use text, numbers"
        ):
            session.add(a_run(2, parameters={"model": object()}))

    with store.read() as session:
        assert session.list(Run)[0].error == "broken \\udc80 \\x00"


def test_a_second_record_of_one_key_is_refused(store):
    with store.write() as session:
        session.add(a_run())

    with (
        pytest.raises(ConflictError, match="there is a run 20261120T094413Z-train-0001 already"),
        store.write() as session,
    ):
        session.add(a_run())


def test_one_alert_stays_open_for_one_subject(store):
    with store.write() as session:
        session.add(an_alert())
    with pytest.raises(ConflictError, match="alert a2 cannot be added"), store.write() as session:
        session.add(an_alert("a2"))
    with store.write() as session:
        session.replace(an_alert(status=AlertStatus.RESOLVED), expecting={"status": AlertStatus.OPEN})
        session.add(an_alert("a2"))


def test_what_a_record_names_must_exist(store):
    with (
        pytest.raises(ConflictError, match="alias power@champion cannot be added: FOREIGN KEY"),
        store.write() as session,
    ):
        session.add(Alias(model="power", name="champion", number=1, moved_at=AT, moved_by="ana"))


def test_a_missing_record_is_told_with_the_nearest_name(store):
    with store.write() as session:
        session.add(a_run())

        assert session.find(Run, "nothing") is None
        with pytest.raises(
            NotFoundError, match=r"no run 20261120T094413Z-train-0002\nDid you mean 20261120T094413Z-train-0001"
        ):
            session.get(Run, "20261120T094413Z-train-0002")
        with pytest.raises(StoreError, match="a alias is named by model and name"):
            session.get(Alias, "power")


def test_lists_are_filtered_ordered_and_limited(store):
    with store.write() as session:
        for number in range(1, 7):
            status = RunStatus.FAILED if number % 3 == 0 else RunStatus.SUCCEEDED
            session.add(a_run(number, status=status, template="train" if number < 5 else "score"))

        def numbers(*args, **kwargs):
            return [int(run.id[-4:], 16) for run in session.list(Run, *args, **kwargs)]

        assert numbers() == [6, 5, 4, 3, 2, 1]
        assert numbers(limit=2) == [6, 5]
        assert numbers(newest_first=False, limit=2) == [1, 2]
        assert numbers({"status": RunStatus.FAILED}) == [6, 3]
        assert numbers({"status": "failed"}) == [6, 3]
        assert numbers({"template": ["score"], "status": (RunStatus.FAILED, RunStatus.SUCCEEDED)}) == [6, 5]
        assert numbers({"status": []}) == []
        assert numbers({"ended_at": None}, limit=None) == [6, 5, 4, 3, 2, 1]
        assert numbers(since=AT + timedelta(seconds=2), until=AT + timedelta(seconds=4)) == [3, 2]
        assert session.count(Run, {"status": "failed"}) == 2


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ({"stats": 1}, r"cannot be found by 'stats'\nDid you mean status"),
        ({"parameters": 1}, "cannot be found by 'parameters'"),
        ({"status": "done"}, "no Run has a status like 'done'"),
    ],
)
def test_a_filter_that_cannot_be_asked_is_told(store, where, message):
    with store.read() as session, pytest.raises(StoreError, match=message):
        session.list(Run, where)


def test_a_change_needs_what_the_caller_saw(store):
    with store.write() as session:
        session.add(a_run())
        session.replace(a_run(status=RunStatus.RUNNING), expecting={"status": RunStatus.QUEUED})

    message = "run 20261120T094413Z-train-0001: status is running and cause is not set, where queued and not set was expected"
    with pytest.raises(StaleMoveError, match=message), store.write() as session:
        session.replace(a_run(status=RunStatus.CANCELLED), expecting={"status": RunStatus.QUEUED, "cause": None})
    with store.read() as session:
        assert session.list(Run)[0].status is RunStatus.RUNNING
    with pytest.raises(NotFoundError, match="no run"), store.write() as session:
        session.replace(a_run(9), expecting={"status": RunStatus.QUEUED})
    with pytest.raises(StoreError, match="must say what it expects"), store.write() as session:
        session.replace(a_run(), expecting={})


def test_a_transaction_is_kept_whole_or_not_at_all(store):
    with pytest.raises(KeyboardInterrupt), store.write() as session:  # noqa: PT012 — the end of the block is the point
        session.add(a_run())
        session.event("run.queued", "x")
        raise KeyboardInterrupt

    with store.read() as session:
        assert (session.list(Run), session.events()) == ([], [])


def test_a_reader_sees_one_moment_and_cannot_write(store):
    with store.read() as session:
        before = session.count(Run)
        with store.write() as writer:
            writer.add(a_run())

        assert session.count(Run) == before == 0
        with pytest.raises(StoreError, match=r"only reads\nUse store.write"):
            session.add(a_run(2))
        with pytest.raises(StoreError, match="only reads"):
            session.event("x", "y")


def test_events_are_numbered_and_found_by_subject_kind_and_time(store):
    with store.write() as session:
        first = session.event("model.approved", "power/1", reason="good", evidence=["r1"], data={"n": 1})
        session.event("model.promoted", "power@champion", actor="ben", at=AT)
        session.event("alert.opened", "a1")

        assert first == Event(
            number=1, at=first.at, actor="ana", kind="model.approved", subject="power/1", reason="good",
            evidence=("r1",), data={"n": 1},
        )  # fmt: skip
        assert [event.number for event in session.events()] == [3, 2, 1]
        assert [event.number for event in session.events("power/1")] == [1]
        assert [event.number for event in session.events(["power/1", "a1"])] == [3, 1]
        assert [event.actor for event in session.events(kind="model.promoted")] == ["ben"]
        assert [event.number for event in session.events(until=AT + timedelta(seconds=1))] == [2]
        assert [event.number for event in session.events(limit=1)] == [3]
    assert store.verify()[0] == 3


@pytest.mark.parametrize(
    ("statements", "broken"),
    [
        (["UPDATE events SET actor = 'eve' WHERE number = 2"], 2),
        (["DELETE FROM events WHERE number = 2"], 3),
        (["DELETE FROM events WHERE number = 2", "UPDATE events SET number = 2 WHERE number = 3"], 2),
    ],
)
def test_a_changed_event_is_refused_and_shows_when_forced(store, tmp_path, statements, broken):
    with store.write() as session:
        for number in range(3):
            session.event("model.approved", f"power/{number}")
    database = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
    with pytest.raises(sqlite3.IntegrityError, match="events are only ever added"):
        database.execute(statements[0])
    database.execute("DROP TRIGGER events_are_never_changed")
    database.execute("DROP TRIGGER events_are_never_removed")
    for statement in statements:
        database.execute(statement)
    database.close()

    with pytest.raises(StoreError, match=f"event {broken} of the ledger .* is not what was written"):
        store.verify()


def test_two_threads_count_without_losing_one(store):
    """Read, then write: the order that loses most updates without BEGIN IMMEDIATE."""
    from concurrent.futures import ThreadPoolExecutor

    with store.write() as session:
        session.add(an_alert(times_seen=0))

    def see(_):
        with store.write() as session:
            alert = session.get(Alert, "a1")
            session.replace(
                replace(alert, times_seen=alert.times_seen + 1), expecting={"times_seen": alert.times_seen}
            )

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(see, range(40)))
    with store.read() as session:
        assert session.get(Alert, "a1").times_seen == 40


def test_every_kind_is_keyed_and_ordered_by_its_own_fields():
    for record, kind in KINDS.items():
        assert {*kind.key, kind.at} <= {field.name for field in fields(record)}


def test_the_store_says_where_it_is(store, tmp_path):
    assert repr(store) == f"<Store {tmp_path}/ledger.db, files in {tmp_path}/files>"
