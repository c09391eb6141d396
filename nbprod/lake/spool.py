"""The durable spool: what was answered is here, on the disk, before its answer leaves, until it is in the table.

One SQLite file a writing process, in write-ahead mode with ``synchronous=FULL``. A single thread writes: what waits
when it is free goes into one transaction (group commit), so that all who wait share the price of a sync.
The drainer (:mod:`nbprod.lake.draining`) moves entries on in the order of their numbers and says how far it came; the
writer then removes them. No file has two writing processes: SQLite before 3.51.3 can damage a log that has.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import secrets
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from nbprod.disk import make_folder, reporting_os_errors, sync, write_file
from nbprod.errors import StoreError
from nbprod.lake.entries import Entry, Predictions, decode, encode

__all__ = ["Spool", "SpoolFile", "spool_files"]

TABLES = """
CREATE TABLE IF NOT EXISTS about (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS entries (
  number INTEGER PRIMARY KEY AUTOINCREMENT, rows INTEGER NOT NULL, content BLOB NOT NULL
);
"""
MOST_SLOTS = 512  # writers of one deployment on one machine
MOST_TOGETHER = 256  # entries of one transaction
FORGOTTEN_TOGETHER = 512  # a second's rows at once would keep whoever waits for the disk for 20 ms
BUSY_S = 5.0


@dataclass(kw_only=True)
class Waiting:
    """An entry somebody waits for."""

    rows: int
    content: bytes
    done: asyncio.Future[None] | None


class Spool:
    """The writing side, for one event loop.

    Parameters
    ----------
    folder
        Of the deployment's spools; the first file nobody writes to is taken.
    most_waiting
        Entries that may wait for the disk; beyond it :meth:`put` refuses.

    Raises
    ------
    StoreError
        The folder cannot be written.
    """

    def __init__(self, folder: Path, *, most_waiting: int = 4096) -> None:
        self.most_waiting = most_waiting
        self.failure: str | None = None  #: why the last transaction failed; ``None`` when it did not
        self.kept = 0  #: rows on the disk since the start
        self._waiting: deque[Waiting] = deque()
        self._bell = threading.Event()
        self._rings = False  # the bell is about to be rung
        self._is_closing = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self.path, self._lock = _take_slot(make_folder(folder))
        self._thread = threading.Thread(target=self._write, name="spool", daemon=True)

    def start(self) -> None:
        """Begin to write; call it inside the event loop whose futures are answered."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Entries that are not on the disk yet."""
        return len(self._waiting)

    def put(self, entry: Entry, rows: int, *, durable: bool = True) -> asyncio.Future[None] | None:
        """Hand an entry over; the future is done when it is on the disk, and fails when it cannot be.

        With ``durable=False`` there is no future: the entry is written at once, but nobody waits for it.

        Raises
        ------
        StoreError
            Too many wait, or nobody waits and the disk refused the last transaction.
        """
        if len(self._waiting) >= self.most_waiting:
            raise StoreError("the spool is full: the disk is slower than the requests")
        if not durable and self.failure is not None:
            raise StoreError(f"predictions cannot be kept: {self.failure}")
        assert self._loop is not None
        done = self._loop.create_future() if durable else None
        self._waiting.append(Waiting(rows=rows, content=encode(entry), done=done))
        if not self._rings:  # once for all that the loop works on in this turn: each wakening costs as much as a row
            self._rings = True
            self._loop.call_soon(self._ring)
        return done

    def _ring(self) -> None:
        self._rings = False
        self._bell.set()

    def close(self) -> None:
        """Write what waits, and end."""
        self._is_closing = True
        self._bell.set()
        if self._thread.is_alive():
            self._thread.join(timeout=10)
        os.close(self._lock)

    def _write(self) -> None:
        connection: sqlite3.Connection | None = connect(self.path)
        housekeeping = 0.0
        has_more = False  # to forget
        while True:
            is_idle = not self._bell.wait(timeout=0.0 if has_more else 0.5)
            self._bell.clear()
            if connection is not None and (is_idle or time.monotonic() > housekeeping):
                has_more = False
                with suppress(sqlite3.Error):  # it is tried again
                    has_more = _forget_drained(connection, self.path)
                housekeeping = time.monotonic() + (0.0 if has_more else 0.5)
            while self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), MOST_TOGETHER))]
                try:
                    if connection is None:
                        connection = connect(self.path)
                    _commit(connection, batch)
                    self.failure = None
                    self.kept += sum(item.rows for item in batch)
                    problem: Exception | None = None
                except sqlite3.Error as error:
                    self.failure = str(error)
                    problem = StoreError(f"predictions cannot be kept: {error}")
                    with suppress(sqlite3.Error):
                        if connection is not None:
                            connection.close()
                    connection = None
                    # those nobody waits for have been answered: they stay in line until the disk takes them
                    self._waiting.extendleft(reversed([item for item in batch if item.done is None]))
                self._answer([item.done for item in batch if item.done is not None], problem)
                if problem is not None:
                    break
            if self._is_closing:
                break
        if connection is not None:
            connection.close()

    def _answer(self, futures: list[asyncio.Future[None]], problem: Exception | None) -> None:
        assert self._loop is not None
        with suppress(RuntimeError):  # the loop has ended, and with it whoever waited
            self._loop.call_soon_threadsafe(_settle, futures, problem)


def _settle(futures: list[asyncio.Future[None]], problem: Exception | None) -> None:
    for future in futures:
        if future.done():  # the client went away
            continue
        if problem is None:
            future.set_result(None)
        else:
            future.set_exception(problem)


def _commit(connection: sqlite3.Connection, batch: list[Waiting]) -> None:
    # one statement, a transaction by itself: between several, this thread would wait for the one that answers
    places = ", ".join(["(?, ?)"] * len(batch))
    values = [value for item in batch for value in (item.rows, item.content)]
    connection.execute(f"INSERT INTO entries (rows, content) VALUES {places}", values)  # noqa: S608 — only marks


def connect(path: Path, *, busy_s: float = BUSY_S) -> sqlite3.Connection:
    """A connection whose commits are on the disk when they return."""
    connection = sqlite3.connect(path, isolation_level=None, timeout=busy_s, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        if connection.execute("PRAGMA synchronous").fetchone()[0] != 2:
            raise sqlite3.OperationalError("this SQLite does not sync its commits")  # noqa: TRY301
    except BaseException:
        connection.close()
        raise
    return connection


def _forget_drained(connection: sqlite3.Connection, path: Path) -> bool:
    """Remove some of what is in the table; true where there is more.

    Where it was asked for, nothing of it is left in the file or its log in the end.
    """
    upto = _drained(path, _name(connection))
    first = connection.execute("SELECT min(number) FROM entries").fetchone()[0]
    if first is not None and first <= upto:
        last = min(upto, first + FORGOTTEN_TOGETHER - 1)
        connection.execute("DELETE FROM entries WHERE number <= ?", (last,))
        if last < upto:
            return True
    wish = path.with_suffix(".shrink")
    if wish.exists():
        connection.execute("VACUUM")
        if connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0:
            wish.unlink(missing_ok=True)
    return False


def _units_in(line: bytes) -> list[Any]:
    entry = msgspec.json.decode(line)["entry"]
    return [entry.get("unit"), *entry.get("units", ())]


def _name(connection: sqlite3.Connection) -> str:
    return str(connection.execute("SELECT value FROM about WHERE name = 'name'").fetchone()[0])


def _drained(path: Path, name: str) -> int:
    """The last entry the tables have; half a number is a smaller one, and the tables know what they have."""
    try:
        whose, _, number = path.with_suffix(".drained").read_text(encoding="ascii").partition(" ")
        return int(number) if whose == name else 0
    except (OSError, ValueError):
        return 0


def _take_slot(folder: Path) -> tuple[Path, int]:
    for number in range(MOST_SLOTS):
        path = folder / f"{number}.db"
        lock = _locked(path)
        if lock is None:
            continue
        try:
            path.touch(mode=0o600, exist_ok=True)
            with closing(connect(path)) as connection:
                connection.executescript(TABLES)
                connection.execute(
                    "INSERT OR IGNORE INTO about VALUES ('name', ?)", (f"spool-{secrets.token_hex(12)}",)
                )
            sync(folder)
        except (OSError, sqlite3.Error) as problem:
            os.close(lock)
            raise StoreError(f"the spool {path} cannot be opened: {problem}") from problem
        return path, lock
    raise StoreError(f"{folder} has {MOST_SLOTS} writers already")


def _locked(path: Path) -> int | None:
    """The lock of a spool's writer, if there is none; it ends with its holder, however that ends."""
    lock = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        return None
    return lock


def spool_files(folder: Path) -> list[SpoolFile]:
    """The spools of a deployment on this machine."""
    return [SpoolFile(path) for path in sorted(folder.glob("*.db"))] if folder.is_dir() else []


class SpoolFile:
    """The reading side of one spool, for the drainer and for those who look an id up."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def name(self) -> str:
        """The name of its transactions, which no other spool has."""
        with self._reading() as connection:
            return _name(connection)

    @property
    def backlog(self) -> int:
        """Rows that are not in the table yet."""
        with self._reading() as connection:
            query = "SELECT coalesce(sum(rows), 0) FROM entries WHERE number > ?"
            return int(connection.execute(query, (_drained(self.path, _name(connection)),)).fetchone()[0])

    @property
    def newest(self) -> int:
        """The number of the newest entry; 0 when there is none."""
        with self._reading() as connection:
            return int(connection.execute("SELECT coalesce(max(number), 0) FROM entries").fetchone()[0])

    @property
    def age_s(self) -> float:
        """Seconds since the oldest prediction that is not in the table yet; 0 when all are."""
        oldest = self.entries(most_rows=1)
        if not oldest or not isinstance(oldest[0][1], Predictions):
            return 0.0
        return max(0.0, time.time() - oldest[0][1].at_us / 1e6)

    @property
    def aside(self) -> int:
        """Entries the table refused, kept beside the spool for somebody to look at."""
        path = self.path.with_suffix(".aside")
        return path.read_bytes().count(b"\n") if path.exists() else 0

    def entries(self, *, most_rows: int = 50_000) -> list[tuple[int, Entry]]:
        """The oldest entries the tables do not have, with their numbers."""
        found: list[tuple[int, Entry]] = []
        rows = 0
        with self._reading() as connection:
            query = "SELECT number, rows, content FROM entries WHERE number > ? ORDER BY number"
            for number, count, content in connection.execute(query, (_drained(self.path, _name(connection)),)):
                found.append((number, decode(content)))
                rows += count
                if rows >= most_rows:
                    break
        return found

    def tell_drained(self, upto: int) -> None:
        """Say how far the tables have it; where nobody writes to this spool, remove it here."""
        with reporting_os_errors(f"writing {self.path.with_suffix('.drained')}"):
            self.path.with_suffix(".drained").write_text(f"{self.name} {upto}", encoding="ascii")
        self._tidy_if_alone()

    def set_aside(self, number: int, entry: Entry, reason: str) -> None:
        """Keep an entry the table refuses in a file beside, so that those after it get through."""
        line = encode({"number": number, "reason": reason, "entry": entry}) + b"\n"
        with reporting_os_errors(f"writing {self.path.with_suffix('.aside')}"):
            descriptor = os.open(self.path.with_suffix(".aside"), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                os.write(descriptor, line)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def erase_aside(self, unit: str) -> int:
        """Forget entries of a unit that the table had refused; return how many."""
        path = self.path.with_suffix(".aside")
        if not path.exists():
            return 0
        lines = path.read_bytes().splitlines(keepends=True)
        left = [line for line in lines if unit not in _units_in(line)]
        if len(left) < len(lines):
            write_file(path, b"".join(left))
        return len(lines) - len(left)

    def shrink(self, *, within_s: float = 15.0) -> bool:
        """Have nothing left of removed entries in the file or its log; false if its writer did not do it in time."""
        wish = self.path.with_suffix(".shrink")
        wish.touch(mode=0o600)
        deadline = time.monotonic() + within_s
        while wish.exists() and time.monotonic() < deadline:
            self._tidy_if_alone()
            time.sleep(0.1)
        return not wish.exists()

    def _tidy_if_alone(self) -> None:
        lock = _locked(self.path)
        if lock is None:
            return
        try:
            with closing(connect(self.path)) as connection:
                while _forget_drained(connection, self.path):
                    pass
        except sqlite3.Error as problem:
            raise StoreError(f"the spool {self.path} cannot be written: {problem}") from problem
        finally:
            os.close(lock)

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(f"{self.path.as_uri()}?mode=ro", uri=True, timeout=BUSY_S)) as connection:
                yield connection
        except sqlite3.Error as problem:
            raise StoreError(f"the spool {self.path} cannot be read: {problem}") from problem

    def __repr__(self) -> str:
        return f"<SpoolFile {self.path}>"
