"""The only reader of the wall clock, and the ids that sort by time."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime

__all__ = ["format_utc", "now", "parse_utc", "time_id"]


def now() -> datetime:
    """The present moment, aware, in UTC, to the microsecond."""
    return datetime.now(UTC)


def format_utc(at: datetime) -> str:
    """Write a moment as text that sorts: ``2026-11-20T09:44:13.000000Z``.

    Raises
    ------
    ValueError
        The moment has no time zone.
    """
    if at.tzinfo is None:
        raise ValueError(f"{at!r} has no time zone; give an aware moment, for instance nbprod.clock.now()")
    return at.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def parse_utc(text: str) -> datetime:
    """Read an ISO 8601 date or moment; one without a zone is taken as UTC."""
    at = datetime.fromisoformat(text)
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def time_id(noun: str, at: datetime | None = None) -> str:
    """Make an id that sorts by time: ``20261120T094413Z-train-7f3a``.

    The last four hex digits are random, so two made in one second differ.
    """
    moment = (at or now()).astimezone(UTC)
    return f"{moment:%Y%m%dT%H%M%SZ}-{noun}-{secrets.token_hex(2)}"
