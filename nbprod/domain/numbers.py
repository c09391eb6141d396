"""Numbers as people read them: the same on the command line, in sentences, in notebooks and on pages."""

from __future__ import annotations

import math
from numbers import Real

__all__ = ["number"]

LARGEST_WHOLE = 1e15  # above, a float does not hold every whole number, and nobody counts digits


def number(value: object, digits: int = 4, *, signed: bool = False) -> str:
    """A number for people: whole ones whole, thousands apart, else so many digits; a dash for what is missing.

    Parameters
    ----------
    value
        What is no number is given back as its text.
    digits
        Significant digits of a number that is not whole; digits before the point are never cut.
    signed
        Write the plus of a positive number.

    Examples
    --------
    >>> number(15550.0), number(15549.6), number(0.123456), number(1234.56), number(None)
    ('15,550', '15,550', '0.1235', '1,235', '—')
    """
    if value is None:
        return "—"
    if isinstance(value, bool) or not isinstance(value, Real):
        return str(value)
    size = float(value)
    if not math.isfinite(size):
        return "not a number" if math.isnan(size) else ("∞" if size > 0 else "-∞")
    sign = "+" if signed else ""
    if abs(size) < LARGEST_WHOLE and (size.is_integer() or abs(size) >= 10 ** (digits - 1)):
        return f"{round(size):{sign},}"
    return f"{size:{sign},.{digits}g}"
