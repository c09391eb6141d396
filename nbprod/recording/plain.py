"""Single values of plain Python as JSON and back, exactly.

Numbers carry their type, because a notebook saved by a browser comes back with ``1`` for ``1.0`` and with the last
digits of large integers rounded away.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from functools import partial
from pathlib import Path, PurePath
from typing import Any
from zoneinfo import ZoneInfo

__all__ = ["READERS", "decode_zone", "encode_plain", "encode_zone", "is_plain", "is_unicode"]

SAFE_INTEGER = 2**53 - 1  # the largest a browser keeps


def is_plain(value: object) -> bool:
    """Whether a value is one that ``encode_plain`` knows."""
    return (
        value is None or type(value) in PLAIN or type(value) in {bool, str, int, float} or isinstance(value, PurePath)
    )


def encode_plain(value: Any) -> Any:
    """One plain value as JSON.

    Raises
    ------
    TypeError
        A moment is in a time zone without a name.
    """
    kind = type(value)
    if value is None or kind is bool:
        return value
    if kind is str:
        return value if is_unicode(value) else {"type": "str", "value": json.dumps(value)}
    if kind is int:
        return value if abs(value) <= SAFE_INTEGER else {"type": "int", "value": hex(value)}
    if kind is float:
        is_odd = not math.isfinite(value) or (value == 0 and math.copysign(1, value) < 0)
        return {"type": "float", "value": repr(value) if is_odd else value}
    if isinstance(value, PurePath):
        return {"type": "path", "value": encode_plain(str(value))}
    return {"type": kind.__name__, **PLAIN[kind](value)}


def encode_zone(zone: tzinfo | None) -> Any:
    """A time zone by its name, or by its offset.

    Raises
    ------
    TypeError
        The zone has neither.
    """
    if zone is None:
        return None
    if isinstance(zone, timezone):
        offset = zone.utcoffset(None)
        return [offset.days, offset.seconds, offset.microseconds]
    name = getattr(zone, "key", None) or getattr(zone, "zone", None)  # zoneinfo, pytz
    if not isinstance(name, str):
        raise TypeError(f"a moment in the time zone {zone!r}")
    return name


def decode_zone(node: Any) -> tzinfo | None:
    """The time zone that ``encode_zone`` wrote down."""
    if node is None:
        return None
    return ZoneInfo(node) if isinstance(node, str) else timezone(timedelta(*node))


def is_unicode(text: str) -> bool:
    """Whether a notebook's file can hold a text; it cannot hold a lone surrogate."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _wall_clock(value: datetime | time) -> dict[str, Any]:
    wall = value.replace(tzinfo=None, fold=0).isoformat()
    return {"value": wall, "fold": value.fold, "zone": encode_zone(value.tzinfo)}


def _read_wall_clock(kind: type[datetime | time], node: Mapping[str, Any]) -> datetime | time:
    return kind.fromisoformat(node["value"]).replace(tzinfo=decode_zone(node["zone"]), fold=node["fold"])


PLAIN: dict[type, Callable[[Any], dict[str, Any]]] = {
    bytes: lambda value: {"value": base64.b64encode(value).decode("ascii")},
    complex: lambda value: {"value": [repr(value.real), repr(value.imag)]},
    date: lambda value: {"value": value.isoformat()},
    datetime: _wall_clock,
    time: _wall_clock,
    timedelta: lambda value: {"value": [value.days, value.seconds, value.microseconds]},
    Decimal: lambda value: {"value": str(value)},
}
READERS: dict[str, Callable[[Mapping[str, Any]], Any]] = {
    "str": lambda node: json.loads(node["value"]),
    "int": lambda node: int(node["value"], 16),
    "float": lambda node: float(node["value"]),
    "bytes": lambda node: base64.b64decode(node["value"], validate=True),
    "complex": lambda node: complex(*map(float, node["value"])),
    "date": lambda node: date.fromisoformat(node["value"]),
    "datetime": partial(_read_wall_clock, datetime),
    "time": partial(_read_wall_clock, time),
    "timedelta": lambda node: timedelta(*node["value"]),
    "Decimal": lambda node: Decimal(node["value"]),
    "path": lambda node: Path(
        node["value"] if isinstance(node["value"], str) else json.loads(node["value"]["value"])
    ),
}
