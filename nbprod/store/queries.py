"""Conditions of the ledger's queries, from field names and plain values."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, and_

from nbprod.clock import format_utc
from nbprod.domain.names import nearest
from nbprod.errors import StoreError
from nbprod.store.rows import codecs
from nbprod.store.tables import RecordKind

__all__ = ["filtered", "is_key", "key_of", "matches"]


def key_of(kind: RecordKind, record: Any) -> tuple[Any, ...]:
    """The key of a record."""
    return tuple(getattr(record, name) for name in kind.key)


def is_key(kind: RecordKind, key: tuple[Any, ...]) -> ColumnElement[bool]:
    """The condition that a row has a key.

    Raises
    ------
    StoreError
        The key has too many or too few parts.
    """
    if len(key) != len(kind.key):
        raise StoreError(f"a {kind.noun} is named by {' and '.join(kind.key)}, not by {key!r}")
    return and_(*(kind.table.c[name] == value for name, value in zip(kind.key, key, strict=True)))


def matches(table: Table, record: type, name: str, value: Any) -> ColumnElement[bool]:
    """The condition that a field has a value, one of a list, or none.

    Raises
    ------
    StoreError
        There is no such field, it cannot be compared, or it can have no such value.
    """
    codec = codecs(record).get(name)
    if codec is None or not codec.is_plain:
        known = [field for field, codec in codecs(record).items() if codec.is_plain]
        raise StoreError(f"a {record.__name__} cannot be found by {name!r}", hint=nearest(name, known))
    column = table.c[name]
    try:
        if value is None:
            return column.is_(None)
        if isinstance(value, (list, tuple, set, frozenset)):
            return column.in_([codec.encode(part) for part in value])
        return column == codec.encode(value)
    except (TypeError, ValueError) as problem:
        raise StoreError(f"no {record.__name__} has a {name} like {value!r}: {problem}") from problem


def filtered(
    query: Select[Any],
    table: Table,
    record: type,
    where: Mapping[str, Any] | None,
    *,
    at: str,
    since: datetime | None,
    until: datetime | None,
) -> Select[Any]:
    """A query for the rows that match all of ``where`` from ``since`` (included) to ``until`` (excluded)."""
    query = query.where(*(matches(table, record, name, value) for name, value in (where or {}).items()))
    if since is not None:
        query = query.where(table.c[at] >= format_utc(since))
    return query if until is None else query.where(table.c[at] < format_utc(until))
