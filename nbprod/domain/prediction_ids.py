"""Ids of predictions: UUIDs of version 7 (RFC 9562, section 5.7), which sort by the moment they were made."""

from __future__ import annotations

import os
from datetime import datetime

__all__ = ["prediction_ids"]


def prediction_ids(count: int, at: datetime) -> list[str]:
    """As many new ids as asked for, sorted; the first 48 bits are the moment in milliseconds, the rest is chance.

    Examples
    --------
    >>> from datetime import UTC
    >>> prediction_ids(1, datetime(2026, 11, 20, tzinfo=UTC))[0][:15]
    '019a9eea-7400-7'
    """
    moment = f"{int(at.timestamp() * 1000):012x}"
    head = f"{moment[:8]}-{moment[8:]}-7"
    chance = os.urandom(10 * count).hex()
    made = []
    for start in range(0, len(chance), 20):
        part = chance[start : start + 20]
        variant = "89ab"[int(part[3], 16) & 3]
        made.append(f"{head}{part[:3]}-{variant}{part[4:7]}-{part[7:19]}")
    return sorted(made)
