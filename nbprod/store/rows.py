"""Frozen values to database rows and back, from the annotations of their fields.

Text, whole numbers and floats are columns of their own type; moments are text that sorts; enums are their value;
everything with parts is JSON text, in which NaN, dates and moments survive.
"""

from __future__ import annotations

import json
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import date, datetime
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from nbprod.clock import format_utc, parse_utc
from nbprod.errors import StoreError

__all__ = ["Codec", "codecs", "decode", "encode", "to_json"]

R = TypeVar("R")

#: Keys under which JSON keeps moments and days; long enough that no parameter of anybody's is one.
DATETIME, DATE = "nbprod:datetime", "nbprod:date"


@dataclass(frozen=True, kw_only=True)
class Codec:
    """How one field becomes a column and comes back."""

    column: type  #: ``str``, ``int`` or ``float``
    is_optional: bool
    is_plain: bool  #: can be compared in a query
    encode: Callable[[Any], Any]
    decode: Callable[[Any], Any]


_CODECS: dict[type, Mapping[str, Codec]] = {}  # annotations are resolved once


def codecs(record: type) -> Mapping[str, Codec]:
    """The codec of each field of a frozen value, in the order of the fields."""
    if record not in _CODECS:
        hints = get_type_hints(record)
        _CODECS[record] = {field.name: _codec(hints[field.name]) for field in fields(record)}
    return _CODECS[record]


def encode(record: Any) -> dict[str, Any]:
    """The row of a frozen value.

    Raises
    ------
    StoreError
        A field holds something that cannot be kept.
    """
    row = {}
    for name, codec in codecs(type(record)).items():
        value = getattr(record, name)
        try:
            row[name] = None if value is None and codec.is_optional else codec.encode(value)
        except (TypeError, ValueError) as problem:
            raise StoreError(
                f"{name} of {record!r} cannot be kept: {problem}",
                hint="Use text, numbers, booleans, dates, and lists or dictionaries of them.",
            ) from problem
    return row


def decode(record: type[R], row: Mapping[str, Any]) -> R:
    """The frozen value of a row."""
    return record(
        **{name: None if row[name] is None else codec.decode(row[name]) for name, codec in codecs(record).items()}
    )


def to_json(value: Any) -> str:
    """JSON text with sorted keys; dates and moments are tagged, numpy scalars become plain, paths become text."""
    return json.dumps(value, default=_plain, sort_keys=True, separators=(",", ":"))


def _in_order(value: Any) -> str:
    """As `to_json`, keys in their order: metrics are shown as they were recorded."""
    return json.dumps(value, default=_plain, separators=(",", ":"))


def _codec(hint: Any) -> Codec:
    is_optional = False
    if get_origin(hint) in {types.UnionType, Union}:
        (hint,) = (part for part in get_args(hint) if part is not types.NoneType)
        is_optional = True

    def made(
        column: type, write: Callable[[Any], Any], read: Callable[[Any], Any], *, is_plain: bool = True
    ) -> Codec:
        return Codec(column=column, is_optional=is_optional, is_plain=is_plain, encode=write, decode=read)

    if hint is str:
        return made(str, _text, str)
    if hint in {int, float}:
        return made(hint, hint, hint)
    if hint is datetime:
        return made(str, format_utc, parse_utc)
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return made(str, lambda value: hint(value).value, hint)
    if get_origin(hint) is tuple:
        part = get_args(hint)[0]
        if isinstance(part, type) and is_dataclass(part):
            read = getattr(part, "read", partial(decode, part))  # one of its own reads what earlier versions wrote
            return made(
                str,
                lambda values: to_json([encode(value) for value in values]),
                lambda text: tuple(read(row) for row in _from_json(text)),
                is_plain=False,
            )
        return made(str, lambda values: to_json(list(values)), lambda text: tuple(_from_json(text)), is_plain=False)
    return made(str, lambda value: _in_order(dict(value)), _from_json, is_plain=False)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not text")
    # neither database keeps lone surrogates, PostgreSQL no NUL; both can come out of a cell's error message
    return str(value).encode("utf-8", "backslashreplace").decode().replace("\x00", "\\x00")


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return {DATETIME: value.isoformat()}
    if isinstance(value, date):
        return {DATE: value.isoformat()}
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    if isinstance(value, Mapping):
        return dict(value)
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        return value.item()
    raise TypeError(f"{value!r} is a {type(value).__name__}")


def _from_json(text: str) -> Any:
    return json.loads(text, object_hook=_tagged)


def _tagged(found: dict[str, Any]) -> Any:
    if found.keys() == {DATETIME} and isinstance(found[DATETIME], str):
        return datetime.fromisoformat(found[DATETIME])
    return date.fromisoformat(found[DATE]) if found.keys() == {DATE} and isinstance(found[DATE], str) else found
