"""The small HTML card a frozen value shows in a notebook; everything in it is escaped here."""

from __future__ import annotations

from collections.abc import Iterable

from nbprod.visible import escape

__all__ = ["card"]


def card(title: str, rows: Iterable[tuple[str, object]]) -> str:
    """A titled two-column table, at home in light and dark notebooks, with no style sheet and no script.

    Parameters
    ----------
    title
        Plain text, escaped.
    rows
        Names and values as plain text, escaped; rows whose value is ``None`` or empty are left out.
    """
    body = "".join(
        f"<tr><th style='text-align:left;font-weight:500;opacity:.7;padding:1px 12px 1px 0'>{escape(str(name))}</th>"
        f"<td style='text-align:left;padding:1px 0'>{escape(str(value))}</td></tr>"
        for name, value in rows
        if value is not None and value != ""
    )
    return (
        "<div class='nbp-card' style='border-left:3px solid #2f6f8f;padding:2px 0 2px 10px;margin:4px 0'>"
        f"<strong>{escape(title)}</strong><table style='border-collapse:collapse;margin:2px 0'>{body}</table></div>"
    )
