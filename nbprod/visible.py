r"""What a text hides, made visible: the one place between foreign text and a terminal or a page.

Control characters, escape sequences, characters that turn the order of reading round, and those that cannot be seen
are written as Python writes them (``\x1b``, ``\u202e``), so that nothing in data or errors can move a cursor, open a
link, set a title, or read otherwise than it is. Everything that is written for people goes through here: errors when
they are made, lines of the command line, values when they become markup, pages when they are finished.
"""

from __future__ import annotations

import html
import re

__all__ = ["escape", "in_json", "in_markup", "visible"]

# Of Unicode 16: control characters but for line feed and tab (Cc), separators of lines and paragraphs (Zl, Zp),
# halves of characters (Cs), noncharacters, and what is ignorable by default (Default_Ignorable_Code_Point: zero
# width, bidirectional, tags, fillers), but for the variation selectors that choose the look of an emoji.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ud800-\udfff\ufdd0-\ufdef\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
    + "".join(f"{chr(plane | 0xFFFE)}{chr(plane | 0xFFFF)}" for plane in range(0, 0x110000, 0x10000))
    + "]"
)
_REFERENCE = re.compile(r"&(?:#[0-9]+|#[xX][0-9a-fA-F]+|[a-zA-Z][a-zA-Z0-9]*);?")


def visible(text: str) -> str:
    r"""The text with everything hidden in it written out; line feeds and tabs stay.

    Examples
    --------
    >>> visible("a\x1b[31mb\u202ec")
    'a\\x1b[31mb\\u202ec'
    """
    return text if text.isascii() and text.isprintable() else _HIDDEN.sub(_written, text.replace("\r\n", "\n"))


def escape(text: str, *, quote: bool = True) -> str:
    """The text as HTML, with everything hidden in it written out."""
    return html.escape(visible(text), quote=quote)


def in_markup(markup: str) -> str:
    """HTML as it is, but for hidden characters and references to them (``&#8238;``)."""

    def seen(match: re.Match[str]) -> str:
        character = html.unescape(match[0])
        return match[0] if character == match[0] or not _HIDDEN.search(character) else visible(character)

    return visible(_REFERENCE.sub(seen, markup))


def in_json(text: str) -> str:
    """JSON that holds the same values, its hidden characters as JSON writes them."""
    return _HIDDEN.sub(_as_json, text)


def _written(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _as_json(match: re.Match[str]) -> str:
    units = match[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))
