"""The ledger and the lake under several processes, and under processes that are killed."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import NullPool, create_engine

from nbprod.domain.run import Run
from nbprod.lake import Lake
from nbprod.store import Store
from nbprod.store.databases import open_database
from nbprod.store.migrations import migrate
from nbprod.store.tables import metadata
from tests.integration import ledger_workers as workers
from tests.integration.ledger_workers import AT, a_package, open_models, race, told_until_killed
from tests.unit.store.test_opening import shape

PROCESSES = 6


def ready(models, number):
    version = models.register(a_package(number), "power")
    models.approve(version, "good")
    return models.bless_recorded(version, AT)


def test_processes_in_a_fresh_folder_all_succeed(url, tmp_path):
    race(workers.add_runs, PROCESSES, tmp_path, url)
    store = Store.open(url, tmp_path / "files")

    with store.read() as session:
        assert session.count(Run) == 3 * PROCESSES
    assert store.verify()[0] == 3 * PROCESSES


def test_of_processes_that_promote_at_once_exactly_one_wins(url, tmp_path):
    models = open_models(url, tmp_path)
    for number in range(1, PROCESSES + 1):
        ready(models, number)
    answers = race(workers.promote, PROCESSES, tmp_path, url)

    assert sorted(answers) == ["StaleMoveError"] * (PROCESSES - 1) + ["won"]
    moves = [event for event in models.history("power") if event.kind == "model.promoted"]
    assert [move.data["version"] for move in moves] == [answers.index("won") + 1]
    assert models.resolve("power@champion").number == answers.index("won") + 1


def test_of_processes_that_register_at_once_each_gets_a_number_of_its_own(url, tmp_path):
    Store.open(url, tmp_path / "files")
    answers = race(workers.register, PROCESSES, tmp_path, url)

    own, shared = {first for first, _ in answers}, {second for _, second in answers}
    assert len(own) == PROCESSES
    assert len(shared) == 1, "one package has one version, whoever registers it"
    assert own | shared == set(range(1, PROCESSES + 2))


def test_a_promotion_that_was_acknowledged_survives_a_kill(tmp_path):
    """A process promotes back and forth until it is killed; what it said it did is there, and history agrees."""
    url = f"sqlite:///{tmp_path}/ledger.db"
    models = open_models(url, tmp_path)
    first, _ = ready(models, 1), ready(models, 2)
    models.promote(first, expect=None)
    for round_number in range(15):
        before = len(models.history("power"))
        told = told_until_killed(workers.promote_for_ever, 0.003 * round_number, tmp_path, url)
        events = list(reversed(models.history("power")))
        done = [event.data["version"] for event in events[before:]]

        assert done[: len(told)] == told, "every acknowledged move is there"
        assert len(done) <= len(told) + 1, "and at most the one that was on its way"
        moves = [event.data for event in events if event.kind == "model.promoted"]
        assert all(later["previous"] == earlier["version"] for earlier, later in pairwise(moves))
        assert models.resolve("power@champion").number == done[-1]
        assert Store.open(url, tmp_path / "files").verify()[0] == len(events)
        with closing(sqlite3.connect(tmp_path / "ledger.db")) as database:
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_processes_that_append_at_once_lose_and_double_nothing(tmp_path):
    race(workers.append, 4, tmp_path)
    rows = Lake(tmp_path / "lake").predictions("power").window()
    ids = rows.to_table(["prediction_id"])["prediction_id"].to_pylist()

    assert len(ids) == len(set(ids)) == 4 * 6 * 5
    assert set(rows.inputs) == {"x", "y0", "y1", "y2", "y3"}


def test_predictions_that_were_acknowledged_survive_a_kill_and_are_not_doubled(tmp_path):
    """After each kill the process repeats what was not acknowledged, as a server does from its spool."""
    lake, first = Lake(tmp_path / "lake"), 0
    for round_number in range(8):
        told = told_until_killed(workers.append_for_ever, 0.01 * round_number, tmp_path, first)
        first = told[-1] + 1
        ids = lake.predictions("power").window().to_table(["prediction_id"])["prediction_id"].to_pylist()

        assert sorted(ids, key=lambda name: int(name[2:])) == [f"p-{step}" for step in range(len(ids))]
        assert len(ids) in {first, first + 1}
    assert lake.predictions("power").compact()["after"] == 1


def test_both_databases_have_exactly_the_tables_the_domain_asks_for(postgres):
    with create_engine(postgres, isolation_level="AUTOCOMMIT", poolclass=NullPool).connect() as connection:
        connection.exec_driver_sql("CREATE DATABASE migrated")
        connection.exec_driver_sql("CREATE DATABASE wanted")
    database = open_database(postgres.replace("/postgres?", "/migrated?"), busy_timeout_s=5)
    with database.transaction(is_write=True) as connection:
        migrate(connection, "migrated")
    wanted = create_engine(postgres.replace("/postgres?", "/wanted?"), poolclass=NullPool)
    metadata.create_all(wanted)

    assert shape(database.engine) == shape(wanted)


def test_events_cannot_be_changed_in_postgresql_either(postgres, tmp_path):
    with create_engine(postgres, isolation_level="AUTOCOMMIT", poolclass=NullPool).connect() as connection:
        connection.exec_driver_sql("CREATE DATABASE kept")
    url = postgres.replace("/postgres?", "/kept?")
    store = Store.open(url, tmp_path / "files")
    with store.write() as session:
        session.event("x", "y")
    with create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool).connect() as connection:
        for statement in ("UPDATE events SET actor = 'eve'", "DELETE FROM events", "TRUNCATE events"):
            with pytest.raises(Exception, match="events are only ever added"):
                connection.exec_driver_sql(statement)

    assert store.verify()[0] == 1


def test_a_read_only_ledger_is_refused_with_what_to_do():
    """Root may write everywhere, so the opening runs as another user."""
    if os.geteuid() != 0:
        pytest.skip("needs root to become somebody who may not write")
    with tempfile.TemporaryDirectory() as folder:
        Store.open(f"sqlite:///{folder}/ledger.db", Path(folder, "files"))
        Path(folder).chmod(0o755)
        Path(folder, "ledger.db").chmod(0o644)
        code = (
            "import os, sys; from nbprod.store import Store; os.setuid(65534); Store.open(sys.argv[1], sys.argv[2])"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, f"sqlite:///{folder}/ledger.db", f"{folder}/files"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    assert "cannot be written: Permission denied" in done.stderr
    assert "Make the file and its folder writable" in done.stderr
