"""The ledger: records that change by compare-and-set alone, and events that are only ever added.

::

    store = Store.open("sqlite:///…/ledger.db", files="…/.nbprod")
    with store.write() as session:                       # one transaction: all or nothing
        run = session.get(Run, "20261120T094413Z-train-7f3a")
        session.replace(replace(run, status=RunStatus.RUNNING), expecting={"status": run.status})
        session.event("run.started", run.id)

Each event carries a SHA-256 over itself and the one before, so that a change made behind nbprod's back shows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, delete, func, select, update
from sqlalchemy.exc import IntegrityError

from nbprod import settings
from nbprod.clock import now
from nbprod.domain.event import Event
from nbprod.domain.names import nearest
from nbprod.errors import ConflictError, NotFoundError, StaleMoveError, StoreError
from nbprod.store import migrations
from nbprod.store.databases import Database, open_database
from nbprod.store.files import Files
from nbprod.store.queries import filtered, is_key, key_of, matches
from nbprod.store.rows import decode, encode, to_json
from nbprod.store.tables import RecordKind, events, kind_of

__all__ = ["Session", "Store"]

R = TypeVar("R")


class Store:
    """The ledger and the files of one workspace; safe to share between threads and to keep across a fork.

    Parameters
    ----------
    database
        Where the ledger is.
    files
        Where run folders, packages and reports are.
    actor
        Who is named by events that name nobody else.
    """

    def __init__(self, database: Database, files: Files, *, actor: str) -> None:
        self._database = database
        self.files = files
        self.actor = actor

    @classmethod
    def open(
        cls, ledger_url: str, files: Path | str, *, actor: str | None = None, busy_timeout_s: float = 20.0
    ) -> Store:
        """Open a ledger, or make it: any number of processes may do so at once.

        Parameters
        ----------
        ledger_url
            ``sqlite:///path`` or ``postgresql+psycopg://…``; a bare path means SQLite.
        files
            A folder, or an fsspec URL.
        actor
            Who acts; by default ``NBPROD_ACTOR`` or the name of the login.
        busy_timeout_s
            How long to wait for another writer.

        Raises
        ------
        StoreError
            It cannot be opened: read-only, locked, no database, made by a newer nbprod, on a network file system.
        """
        database = open_database(ledger_url, busy_timeout_s=busy_timeout_s)
        with database.transaction(is_write=False) as connection:
            is_behind = bool(migrations.pending(connection, database.name))
        if is_behind:
            with database.transaction(is_write=True) as connection:
                migrations.migrate(connection, database.name)
        return cls(database, Files(files), actor=actor or settings.actor())

    @contextmanager
    def write(self) -> Iterator[Session]:
        """One transaction that may write; kept whole at the end, undone whole when anything is raised.

        Keep it short: writers wait for each other.
        """
        with self._database.transaction(is_write=True) as connection:
            yield Session(connection, actor=self.actor, is_write=True)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """One transaction that sees a single moment of the ledger."""
        with self._database.transaction(is_write=False) as connection:
            yield Session(connection, actor=self.actor, is_write=False)

    def verify(self) -> tuple[int, str]:
        """Recompute the chain of events; return their number and the newest digest, to be kept elsewhere.

        Raises
        ------
        StoreError
            An event was changed, removed or slipped in.
        """
        number, digest = 0, ""
        with self._database.transaction(is_write=False) as connection:
            for row in connection.execute(select(events).order_by(events.c.number)).mappings():
                number += 1
                event = decode(Event, dict(row))
                digest = _chained(digest, encode(event))
                if event.number != number or row["digest"] != digest:
                    raise StoreError(
                        f"event {event.number} of the ledger {self._database.name} is not what was written",
                        hint="Compare with a copy: somebody changed the database without nbprod.",
                    )
        return number, digest

    def __repr__(self) -> str:
        return f"<Store {self._database.name}, files in {self.files.root}>"


class Session:
    """What can be asked of the ledger, and told to it, inside one transaction."""

    def __init__(self, connection: Connection, *, actor: str, is_write: bool) -> None:
        self._connection = connection
        self._actor = actor
        self._is_write = is_write

    def add(self, record: Any) -> None:
        """Add a record.

        Raises
        ------
        ConflictError
            Its key, or something that must be its alone, exists already.
        """
        self._check_write()
        kind = kind_of(type(record))
        key = key_of(kind, record)
        if self.find(kind.record, *key) is not None:
            raise ConflictError(f"there is a {kind.noun} {kind.name(key)} already; nothing was changed")
        try:
            self._connection.execute(kind.table.insert().values(encode(record)))
        except IntegrityError as problem:
            raise ConflictError(
                f"the {kind.noun} {kind.name(key)} cannot be added: {str(problem.orig).splitlines()[0]}",
                hint="A value that must be unique exists already, or something it names does not exist.",
            ) from problem

    def find(self, kind: type[R], *key: Any) -> R | None:
        """The record of a key, or ``None``."""
        known = kind_of(kind)
        row = self._connection.execute(select(known.table).where(is_key(known, key))).mappings().first()
        return None if row is None else decode(kind, dict(row))

    def get(self, kind: type[R], *key: Any) -> R:
        """The record of a key.

        Raises
        ------
        NotFoundError
            There is none; the hint names the nearest.
        """
        found = self.find(kind, *key)
        if found is None:
            raise self._not_found(kind_of(kind), key)
        return found

    def count(
        self,
        kind: type[Any],
        where: Mapping[str, Any] | None = None,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> int:
        """How many records ``list`` would give without a limit."""
        known = kind_of(kind)
        query = select(func.count()).select_from(known.table)
        return (
            self._connection.scalar(filtered(query, known.table, kind, where, at=known.at, since=since, until=until))
            or 0
        )

    def replace(self, record: Any, *, expecting: Mapping[str, Any]) -> None:
        """Write a changed record where it still is what the caller saw (compare-and-set).

        Parameters
        ----------
        record
            The new state, usually from ``dataclasses.replace``.
        expecting
            Fields and the values they had when the caller looked.

        Raises
        ------
        StaleMoveError
            Somebody changed one of them first; nothing was changed.
        NotFoundError
            There is no such record.
        """
        self._check_write()
        if not expecting:
            raise StoreError("a change must say what it expects to find", hint="Give expecting={'status': …}.")
        kind = kind_of(type(record))
        key = key_of(kind, record)
        expected = [matches(kind.table, kind.record, name, value) for name, value in expecting.items()]
        changed = self._connection.execute(
            update(kind.table).where(is_key(kind, key), *expected).values(encode(record))
        )
        if changed.rowcount == 1:
            return
        current: Any = self.get(kind.record, *key)
        seen = " and ".join(f"{name} is {_shown(getattr(current, name))}" for name in expecting)
        hoped = " and ".join(_shown(value) for value in expecting.values())
        raise StaleMoveError(
            f"{kind.noun} {kind.name(key)}: {seen}, where {hoped} was expected; somebody moved first",
            hint="Look again, then decide again.",
        )

    def remove(self, record: Any, *, expecting: Mapping[str, Any]) -> None:
        """Forget a record where it still is what the caller saw; events about it stay.

        Raises
        ------
        StaleMoveError
            Somebody changed or removed it first; nothing was changed.
        """
        self._check_write()
        kind = kind_of(type(record))
        expected = [matches(kind.table, kind.record, name, value) for name, value in expecting.items()]
        gone = self._connection.execute(delete(kind.table).where(is_key(kind, key_of(kind, record)), *expected))
        if gone.rowcount != 1:
            raise StaleMoveError(f"the {kind.noun} {kind.name(key_of(kind, record))} was changed or removed first")

    def event(
        self,
        kind: str,
        subject: str,
        *,
        reason: str = "",
        evidence: Sequence[str] = (),
        data: Mapping[str, Any] | None = None,
        actor: str | None = None,
        at: datetime | None = None,
    ) -> Event:
        """Add an event to the chain.

        Parameters
        ----------
        kind
            ``model.promoted``, say.
        subject
            What it happened to: ``electricity@champion``, a run id.
        reason
            Why, in words.
        evidence
            Run ids and package digests.
        data
            Further facts.
        actor, at
            Who and when, if not the store's actor now.
        """
        self._check_write()
        newest = self._connection.execute(
            select(events.c.number, events.c.digest).order_by(events.c.number.desc()).limit(1)
        ).first()
        event = Event(
            number=newest.number + 1 if newest else 1,
            at=at or now(),
            actor=actor or self._actor,
            kind=kind,
            subject=subject,
            reason=reason,
            evidence=tuple(evidence),
            data=dict(data or {}),
        )
        row = encode(event)
        digest = _chained(newest.digest if newest else "", row)
        self._connection.execute(events.insert().values(**row, digest=digest))
        return decode(Event, dict(row))

    def events(
        self,
        subject: str | Sequence[str] | None = None,
        kind: str | Sequence[str] | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = 50,
    ) -> list[Event]:
        """Events, newest first, in the order they were written.

        Parameters
        ----------
        subject, kind
            One, or a list of them.
        since, until
            First moment included and first moment excluded.
        limit
            How many at most; ``None`` for all.
        """
        where = {name: value for name, value in (("subject", subject), ("kind", kind)) if value is not None}
        query = filtered(select(events), events, Event, where, at="at", since=since, until=until)
        query = query.order_by(events.c.number.desc()).limit(limit)
        return [decode(Event, dict(row)) for row in self._connection.execute(query).mappings()]

    def list(
        self,
        kind: type[R],
        where: Mapping[str, Any] | None = None,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = 50,
        newest_first: bool = True,
    ) -> list[R]:
        """Records in the order of time.

        Parameters
        ----------
        kind
            The class of the records.
        where
            Values by field; a list or tuple means any of them, ``None`` means not set.
        since, until
            First moment included and first moment excluded, of when they were made (of a monitor report: its window's
            end).
        limit
            How many at most; ``None`` for all.
        newest_first
            The order.
        """
        known = kind_of(kind)
        order = [known.table.c[name] for name in (known.at, *known.key)]
        query = filtered(select(known.table), known.table, kind, where, at=known.at, since=since, until=until)
        query = query.order_by(*(column.desc() if newest_first else column for column in order)).limit(limit)
        return [decode(kind, dict(row)) for row in self._connection.execute(query).mappings()]

    def _check_write(self) -> None:
        if not self._is_write:
            raise StoreError("this session only reads", hint="Use store.write().")

    def _not_found(self, kind: RecordKind, key: tuple[Any, ...]) -> NotFoundError:
        columns = [kind.table.c[name] for name in kind.key]
        newest = select(*columns).order_by(kind.table.c[kind.at].desc()).limit(200)
        names = [kind.name(tuple(row)) for row in self._connection.execute(newest)]
        name = kind.name(key)
        return NotFoundError(f"there is no {kind.noun} {name}", hint=nearest(name, names))


def _shown(value: Any) -> str:
    return "not set" if value is None else str(value) if isinstance(value, StrEnum) else repr(value)


def _chained(before: str, row: Mapping[str, Any]) -> str:
    return sha256(f"{before}\n{to_json(row)}".encode()).hexdigest()
