"""The one pattern every identifier must match, and the nearest name when it does not exist."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

from nbprod.errors import SettingsError

__all__ = ["check_name", "nearest"]

PATTERN = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,62}[a-z0-9])?")


def check_name(text: str, what: str = "name") -> str:
    """Return the name if it is one: lower-case letters, digits, ``-`` and ``_`` inside, at most 64.

    Names become folder names, URLs and shell words, so nothing else is let in.

    Raises
    ------
    SettingsError
        The name does not match.

    Examples
    --------
    >>> check_name("churn-eu")
    'churn-eu'
    """
    if not isinstance(text, str) or not PATTERN.fullmatch(text):
        raise SettingsError(
            f"{text!r} cannot be a {what}",
            hint="Use 1 to 64 lower-case letters and digits, with - or _ between them, for instance churn-eu.",
        )
    return text


def nearest(wrong: str, known: Iterable[str]) -> str:
    """A sentence for a hint: the nearest known name regardless of case, or the known names.

    Examples
    --------
    >>> nearest("trian", ["train", "score"])
    'Did you mean train? Known: score, train.'
    """
    names = sorted(set(known))
    if not names:
        return "There are none yet."
    folded = {name.casefold(): name for name in names}
    close = [folded[match] for match in difflib.get_close_matches(wrong.casefold(), folded, n=1)]
    listed = ", ".join(names[:12]) + (", …" if len(names) > 12 else "")
    return (f"Did you mean {close[0]}? " if close else "") + f"Known: {listed}."
