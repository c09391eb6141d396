"""Lengths of time as people write them: ``30m``, ``24h``, ``30d``, ``4w``."""

from __future__ import annotations

import re
from datetime import timedelta

from nbprod.errors import SettingsError

__all__ = ["parse_duration"]

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def parse_duration(text: str) -> timedelta:
    """The length that a text such as ``24h`` stands for.

    Raises
    ------
    SettingsError
        The text is not a whole number followed by s, m, h, d or w.

    Examples
    --------
    >>> parse_duration("30m")
    datetime.timedelta(seconds=1800)
    """
    match = re.fullmatch(r"([1-9][0-9]{0,4})([smhdw])", text)
    if not match:
        raise SettingsError(
            f"{text!r} is not a length of time", hint="Write a number and s, m, h, d or w: 30m, 24h, 30d, 4w."
        )
    return timedelta(**{UNITS[match[2]]: int(match[1])})
