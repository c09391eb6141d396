"""Opening a ledger: what cannot be used is said, and nothing is half-made."""

import shutil
import sqlite3
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect

from nbprod.domain.alert import Alert
from nbprod.errors import StoreError
from nbprod.store import Store, migrations
from nbprod.store.databases import network_file_system, open_database
from nbprod.store.migrations import known, migrate, pending
from nbprod.store.tables import metadata

MOUNTS = """\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 22 0:40 / /home rw,relatime shared:2 - nfs4 server:/home rw
31 30 254:1 / /home/ana/local\\040disk rw,relatime - ext4 /dev/vdb rw
32 22 0:41 / /mnt/c rw - 9p drvfs rw
"""


def shape(engine):
    found = inspect(engine)
    return {
        table: {
            "columns": [(c["name"], str(c["type"]), c["nullable"]) for c in found.get_columns(table)],
            "key": found.get_pk_constraint(table)["constrained_columns"],
            "foreign": sorted((f["constrained_columns"], f["referred_table"]) for f in found.get_foreign_keys(table)),
            "indexes": sorted(
                (i["name"], tuple(i["column_names"]), bool(i["unique"])) for i in found.get_indexes(table)
            ),
        }
        for table in found.get_table_names()
    }


def test_the_steps_make_exactly_the_tables_the_domain_asks_for(tmp_path):
    database = open_database(f"sqlite:///{tmp_path}/a.db", busy_timeout_s=1)
    with database.transaction(is_write=True) as connection:
        migrate(connection, "a.db")
    wanted = create_engine(f"sqlite:///{tmp_path}/b.db")
    metadata.create_all(wanted)

    assert shape(database.engine) == shape(wanted)


def test_steps_are_numbered_without_a_gap_for_each_database():
    for dialect in ("sqlite", "postgresql"):
        assert list(known(dialect)) == list(range(1, len(known(dialect)) + 1))


def test_compiled_files_beside_the_steps_are_no_steps(tmp_path, monkeypatch):
    folder = tmp_path / "migrations"
    shutil.copytree(Path(migrations.__file__).parent, folder, ignore=shutil.ignore_patterns("__pycache__"))
    steps = known("sqlite")
    (folder / "__pycache__").mkdir()
    monkeypatch.setattr(migrations, "files", lambda _: folder)

    assert known.__wrapped__("sqlite") == steps


def test_a_step_is_applied_once(tmp_path):
    database = open_database(f"sqlite:///{tmp_path}/a.db", busy_timeout_s=1)
    with database.transaction(is_write=True) as connection:
        assert pending(connection, "a.db") == list(known("sqlite"))
        migrate(connection, "a.db")
        migrate(connection, "a.db")

        assert pending(connection, "a.db") == []


def test_every_connection_is_durable_and_private(tmp_path):
    store = Store.open(f"sqlite:///{tmp_path}/new/ledger.db", tmp_path / "files")
    with store.read() as session:
        found = [
            session._connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        ]

    assert found == ["wal", 2, 1, 20_000]
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "new/ledger.db").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "files").stat().st_mode) == 0o700


def test_a_file_that_is_no_database_is_left_alone(tmp_path):
    path = tmp_path / "ledger.db"
    path.write_text("these are my notes, " * 100)

    with pytest.raises(
        StoreError, match=r"(?s)ledger.db is not a ledger: it is no SQLite database .*Move the file away"
    ):
        Store.open(f"sqlite:///{path}", tmp_path / "files")
    assert path.read_text() == "these are my notes, " * 100


def test_another_programs_database_is_left_alone(tmp_path):
    with sqlite3.connect(tmp_path / "ledger.db") as database:
        database.execute("CREATE TABLE runs (id TEXT)")
    database.close()

    with pytest.raises(StoreError, match=r"not a ledger of nbprod: it has tables named runs of another program"):
        Store.open(f"sqlite:///{tmp_path}/ledger.db", tmp_path / "files")


def test_alerts_of_an_earlier_nbprod_are_read_as_what_they_are(tmp_path):
    """Each was one column; the one that stands may be resolved, and a new one opened after it."""
    database = open_database(f"sqlite:///{tmp_path}/ledger.db", busy_timeout_s=1)
    with database.transaction(is_write=True) as connection:
        migrations.schema.create(connection)
        for number, (name, statements) in known("sqlite").items():
            if number < 9:
                for statement in statements:
                    connection.exec_driver_sql(statement)
                connection.exec_driver_sql("INSERT INTO schema_migrations VALUES (?, ?, '')", (number, name))
        at = "2026-11-20T09:00:00.000000Z"
        connection.exec_driver_sql(
            "INSERT INTO alerts VALUES ('a1', 'power', 'drift', 'age', 'open', 'age changed', 'r', ?, ?, 3, NULL, NULL, '')",
            (at, at),
        )
    store = Store.open(f"sqlite:///{tmp_path}/ledger.db", tmp_path / "files")

    with store.write() as session:
        (alert,) = session.list(Alert)
        assert [(part.key, part.sentence, part.times_seen) for part in alert.parts] == [
            (("drift", "age"), "age changed", 3)
        ]
        assert (alert.severity, alert.happened, alert.revision) == ("warning", "", 0)
        session.replace(replace(alert, status="resolved", revision=1), expecting={"revision": 0})
        session.add(replace(alert, id="a2"))


def test_a_ledger_of_a_newer_nbprod_is_left_alone(tmp_path):
    url = f"sqlite:///{tmp_path}/ledger.db"
    Store.open(url, tmp_path / "files")
    with sqlite3.connect(tmp_path / "ledger.db") as database:
        database.execute("INSERT INTO schema_migrations VALUES (99, 'tomorrow', '')")
    database.close()

    with pytest.raises(
        StoreError,
        match=rf"(?s)newer nbprod \(its tables are of step 99, this one knows {max(known('sqlite'))}\).*Upgrade",
    ):
        Store.open(url, tmp_path / "files")


def test_a_locked_ledger_is_told_after_the_timeout(tmp_path):
    url = f"sqlite:///{tmp_path}/ledger.db"
    store = Store.open(url, tmp_path / "files", busy_timeout_s=0.05)
    other = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(StoreError, match=r"(?s)is locked by another writer.*Wait until"), store.write():
        pass
    other.close()


def test_a_linked_ledger_is_refused(tmp_path):
    Store.open(f"sqlite:///{tmp_path}/ledger.db", tmp_path / "files")
    (tmp_path / "link.db").symlink_to(tmp_path / "ledger.db")

    with pytest.raises(StoreError, match=r"link\.db is a link"):
        Store.open(f"sqlite:///{tmp_path}/link.db", tmp_path / "files")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("sqlite://", "cannot be kept in memory"),
        ("mysql://host/db", "cannot be kept in mysql"),
        ("::://", "is not an address of a ledger"),
    ],
)
def test_an_address_that_names_no_ledger_is_refused(tmp_path, url, message):
    with pytest.raises(StoreError, match=message):
        Store.open(url, tmp_path / "files")


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/srv/x.db", None),
        ("/home/ana/x.db", "nfs4"),
        ("/homeless/x.db", None),
        ("/home/ana/local disk/x.db", None),
        ("/mnt/c/x.db", "9p"),
    ],
)
def test_a_network_file_system_is_seen(path, kind):
    assert network_file_system(Path(path), MOUNTS) == kind
