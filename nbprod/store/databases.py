"""Connections to SQLite and PostgreSQL, set up so that an acknowledged write is on disk and no two writers overlap.

Write-ahead log with ``synchronous=FULL`` (NORMAL acknowledges commits that a power loss takes back), both read back
on every connection because builds and libraries differ. Writers start with ``BEGIN IMMEDIATE``: a busy timeout does
not help a transaction that read before somebody else wrote. On PostgreSQL one advisory lock gives writers the same
order, so that READ COMMITTED loses nothing. No pool: a connection never crosses a fork and none is left to close.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Engine, NullPool, create_engine
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from nbprod.errors import EnvironmentProblem, StoreError

__all__ = ["Database", "network_file_system", "open_database"]

# These give no shared memory between hosts, or break locks; both corrupt a write-ahead log.
NETWORK = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "9p", "lustre", "gpfs", "beegfs", "glusterfs", "ceph"}
NETWORK |= {
    f"fuse.{name}" for name in ("sshfs", "s3fs", "gcsfuse", "rclone", "glusterfs", "ceph", "juicefs", "goofys")
}
WRITERS = 0x6E627072  # the advisory lock of nbprod's writers; "nbpr"

EXPLANATIONS = (
    ("locked", "is locked by another writer", "Wait until the other command has ended, then try again."),
    ("lock timeout", "is locked by another writer", "Wait until the other command has ended, then try again."),
    ("readonly", "cannot be written", "Make the file and its folder writable, or choose another [store] ledger."),
    ("read-only", "cannot be written", "Make the file and its folder writable, or choose another [store] ledger."),
    ("not a database", "is not a ledger: it is no SQLite database", "Move the file away, or correct [store] ledger."),
    ("malformed", "is damaged", "Restore it from a copy; the run folders are whole and can be read without it."),
    (
        "full",
        "could not be written: the disk is full",
        "Free space and repeat the command; nothing was written.",
    ),
    ("unable to open", "cannot be opened", "Check that its folder exists, is writable, and has room."),
    ("disk i/o", "could not be read or written: the disk refuses", "Check the disk's space and health."),
    ("connection", "cannot be reached", "Check the address in [store] ledger and that the server runs."),
    ("authentication", "refused the login", "Check the user and password in [store] ledger."),
)


@dataclass(frozen=True, kw_only=True)
class Database:
    """A ledger's database, and the name errors call it by."""

    engine: Engine
    name: str  #: a path, or an address without its password

    @contextmanager
    def transaction(self, *, is_write: bool) -> Iterator[Connection]:
        """A connection inside one transaction, committed at the end or undone whole."""
        with self._telling(), self.engine.connect() as connection:
            is_sqlite = connection.dialect.name == "sqlite"
            connection.exec_driver_sql("BEGIN IMMEDIATE" if is_write and is_sqlite else "BEGIN")
            try:
                if not is_sqlite:
                    _order_writers(connection, is_write=is_write)
                yield connection
                connection.exec_driver_sql("COMMIT")
            except BaseException:
                with suppress(SQLAlchemyError):  # a full disk or a lost server has undone it already
                    connection.exec_driver_sql("ROLLBACK")
                raise

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """Turn the database's complaint into one that says what to do."""
        try:
            yield
        except (DBAPIError, sqlite3.Error) as problem:
            message = (
                str(problem.orig if isinstance(problem, DBAPIError) else problem).strip().split("\n", maxsplit=1)[0]
            )
            if "disk i/o" in message.lower() and _is_full(self.name):
                message = "the disk is full"  # the index of the log is mapped memory: SQLite cannot say why it fails
            for fragment, what, hint in EXPLANATIONS:
                if fragment in message.lower():
                    raise StoreError(f"the ledger {self.name} {what} ({message})", hint=hint) from problem
            raise StoreError(f"the ledger {self.name} refused: {message}") from problem


def _is_full(name: str) -> bool:
    """Whether the disk a ledger's file is on has no room for another step of its log."""
    try:
        return shutil.disk_usage(Path(name).parent).free < 1 << 20
    except OSError:
        return False


def open_database(url: str, *, busy_timeout_s: float) -> Database:
    """The database of a ledger's URL; of SQLite, its folder is made, and private, if it does not exist.

    Raises
    ------
    StoreError
        The URL names no database nbprod can keep a ledger in, or one on a network file system.
    EnvironmentProblem
        The database's driver is not installed.
    """
    try:
        parsed = make_url(url if "://" in url else f"sqlite:///{url}")
        dialect = parsed.get_backend_name()
    except ArgumentError as problem:
        raise StoreError(
            f"{url!r} is not an address of a ledger", hint="Write sqlite:///ledger.db, say."
        ) from problem
    if dialect == "sqlite":
        return _sqlite(parsed, busy_timeout_s=busy_timeout_s)
    if dialect != "postgresql":
        raise StoreError(f"a ledger cannot be kept in {dialect}", hint="Use SQLite or PostgreSQL.")
    try:
        engine = create_engine(
            parsed.set(drivername="postgresql+psycopg"),
            isolation_level="AUTOCOMMIT",
            poolclass=NullPool,
            connect_args={"connect_timeout": 10, "options": f"-c lock_timeout={int(busy_timeout_s * 1000)}"},
        )
    except (ModuleNotFoundError, NoSuchModuleError) as problem:
        raise EnvironmentProblem(
            "the driver for PostgreSQL is not installed", hint="Install it: pip install 'nbprod[postgres]'."
        ) from problem
    return Database(engine=engine, name=parsed.render_as_string(hide_password=True))


def network_file_system(path: Path, mounts: str) -> str | None:
    """The type of the network file system a path is on, or ``None`` for a local one.

    Parameters
    ----------
    path
        Absolute, without links.
    mounts
        The text of Linux's ``/proc/self/mountinfo``.
    """
    found, kind = -1, None
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        point = Path(before.split()[4].replace("\\040", " "))
        if path.is_relative_to(point) and len(point.parts) >= found:  # later mounts cover earlier ones
            found, kind = len(point.parts), after.split()[0]
    return kind if kind in NETWORK else None


def _sqlite(url: URL, *, busy_timeout_s: float) -> Database:
    if not url.database or url.database == ":memory:":
        raise StoreError("a ledger cannot be kept in memory", hint="Write sqlite:///ledger.db, say.")
    path = Path(url.database).absolute()
    if path.is_symlink():
        raise StoreError(
            f"the ledger {path} is a link", hint="SQLite damages linked databases; give the path of the file itself."
        )
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as problem:
        raise StoreError(
            f"the ledger at {path} cannot be written: {problem.strerror}",
            hint="Make the file and its folder writable, or choose another [store] ledger.",
        ) from problem
    mounts = Path("/proc/self/mountinfo")
    if mounts.exists() and (kind := network_file_system(path.resolve(), mounts.read_text(errors="replace"))):
        raise StoreError(
            f"the ledger {path} would be on a network file system ({kind}), which damages SQLite databases",
            hint="Put [store] ledger on a local disk, or use PostgreSQL: postgresql+psycopg://host/database.",
        )
    engine = create_engine(
        "sqlite://", creator=_opener(path, busy_timeout_s), isolation_level="AUTOCOMMIT", poolclass=NullPool
    )
    return Database(engine=engine, name=str(path))


def _opener(path: Path, busy_timeout_s: float) -> Callable[[], sqlite3.Connection]:
    def opened() -> sqlite3.Connection:
        connection = sqlite3.connect(path, timeout=busy_timeout_s, isolation_level=None, check_same_thread=False)
        try:
            _set_up(connection, deadline=time.monotonic() + busy_timeout_s)
        except BaseException:
            connection.close()
            raise
        return connection

    return opened


def _set_up(connection: sqlite3.Connection, *, deadline: float) -> None:
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = FULL")
    while True:  # the first switch to the log does not wait for others as other statements do
        try:
            (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
            break
        except sqlite3.OperationalError as problem:
            if "locked" not in str(problem) or time.monotonic() > deadline:
                raise
            time.sleep(0.005)
    found = (mode, *(connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("synchronous", "foreign_keys")))
    if found != ("wal", 2, 1):
        raise sqlite3.OperationalError(f"journal, synchronous and foreign keys are {found}, not ('wal', 2, 1)")


def _order_writers(connection: Connection, *, is_write: bool) -> None:
    if is_write:
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITERS})")
    else:
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
