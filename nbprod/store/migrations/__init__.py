"""Numbered steps that make and change the ledger's tables, each applied once and whole.

A step is ``NNNN_name.sql`` for every database, or ``NNNN_name.<dialect>.sql`` for one; statements are parted by blank
lines. A released step is never edited: a change of ``domain/`` that needs another column is a step of its own.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from sqlalchemy import Connection, func, inspect, select

from nbprod.clock import format_utc, now
from nbprod.errors import StoreError
from nbprod.store.tables import schema

__all__ = ["known", "migrate", "pending"]


@cache
def known(dialect: str) -> dict[int, tuple[str, tuple[str, ...]]]:
    """Name and statements of each step, by number, in order."""
    steps: dict[int, tuple[str, tuple[str, ...]]] = {}
    found = (file for file in files(__package__).iterdir() if file.name.endswith(".sql"))  # not __pycache__
    for file in sorted(found, key=lambda file: file.name):
        stem, *only, _ = file.name.split(".")
        if not only or only == [dialect]:
            number, _, name = stem.partition("_")
            statements = (part.strip() for part in file.read_text(encoding="utf-8").split("\n\n"))
            steps[int(number)] = (name, tuple(part for part in statements if part))
    return steps


def pending(connection: Connection, ledger: str) -> list[int]:
    """Numbers of the steps this database has not seen.

    Raises
    ------
    StoreError
        It has seen steps this nbprod does not know, or holds somebody else's tables.
    """
    steps = known(connection.dialect.name)
    tables = set(inspect(connection).get_table_names())
    if schema.name not in tables:
        if ours := tables & {"runs", "events", "models"}:
            raise StoreError(
                f"the database {ledger} is not a ledger of nbprod: it has tables named "
                f"{', '.join(sorted(ours))} of another program",
                hint="Give nbprod a database of its own.",
            )
        return list(steps)
    newest = connection.scalar(select(func.max(schema.c.number))) or 0
    if newest > max(steps):
        raise StoreError(
            f"the ledger {ledger} was written by a newer nbprod "
            f"(its tables are of step {newest}, this one knows {max(steps)})",
            hint="Upgrade nbprod here; nothing was changed.",
        )
    return [number for number in steps if number > newest]


def migrate(connection: Connection, ledger: str) -> None:
    """Apply the steps this database has not seen, inside the caller's transaction."""
    steps = known(connection.dialect.name)
    for number in pending(connection, ledger):
        name, statements = steps[number]
        if number == 1:
            schema.create(connection, checkfirst=True)
        for statement in statements:
            connection.exec_driver_sql(statement)
        connection.execute(schema.insert().values(number=number, name=name, applied_at=format_utc(now())))
