"""Moments as ISO 8601 text or datetimes: microseconds of the clock of a column's own zone."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

__all__ = ["clock_microseconds", "moment_of", "zone_of"]

EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 — of any zone's own clock
FIXED = re.compile(r"UTC([+-])(\d\d):(\d\d)")
ISO = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?"
    r"(?:[T ](\d\d)(?::(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?)?)?"
    r"(Z|[+-]\d\d(?::?\d\d)?)?"
)
DASHLESS = re.compile(r"(\d{4})(\d\d)(\d\d)")


def zone_of(dtype: str) -> tzinfo | None:
    """The zone in the name of a pandas dtype; none where the column was without one.

    Raises
    ------
    ValueError
        The zone is not known here.
    """
    _, comma, name = dtype.rstrip("]").partition(", ")
    if not comma:
        return None
    if name == "UTC":
        return UTC
    if found := FIXED.fullmatch(name):
        sign, hours, minutes = found.groups()
        offset = timedelta(hours=int(hours), minutes=int(minutes))
        return timezone(-offset if sign == "-" else offset)
    return ZoneInfo(name)


def moment_of(text: str) -> datetime | None:
    """A moment from ISO 8601 text; ``None`` where it is none."""
    found = ISO.fullmatch(text)
    if found is None:
        found = DASHLESS.fullmatch(text)
        if found is None:
            return None
        parts: tuple[str | None, ...] = (*found.groups(), None, None, None, None, None)
    else:
        parts = found.groups()
    year, month, day, hour, minute, second, fraction, zone = parts
    if hour is not None and day is None:
        return None
    if zone is not None and hour is None:
        return None
    try:
        made = datetime(  # noqa: DTZ001 — the zone follows
            int(year or 1), int(month or 1), int(day or 1), int(hour or 0), int(minute or 0), int(second or 0),
            int((fraction or "0").ljust(6, "0")[:6]),
        )  # fmt: skip
        return made if zone is None else made.replace(tzinfo=_offset(zone))
    except ValueError:
        return None


def _offset(text: str) -> tzinfo:
    if text == "Z":
        return UTC
    digits = text[1:].replace(":", "").ljust(4, "0")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-offset if text[0] == "-" else offset)


def clock_microseconds(moment: datetime, zone: tzinfo | None) -> float:
    """What the clock of a zone shows, in microseconds since its 1970; a moment without a zone is one of UTC."""
    if moment.tzinfo is not None or (zone is not None and zone is not UTC):
        aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
        moment = aware.astimezone(zone or UTC).replace(tzinfo=None)
    return float((moment - EPOCH) // timedelta(microseconds=1))
