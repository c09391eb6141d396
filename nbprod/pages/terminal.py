"""What a cell printed, as a terminal would have left it: carriage returns obeyed, colours as classes, all escaped."""

from __future__ import annotations

import re

from markupsafe import Markup

from nbprod.visible import escape

__all__ = ["plain", "terminal"]

COLOURS = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
SGR = re.compile(r"\x1b\[([0-9;]*)m")
# Other control sequences and system commands (titles, links), and what is left of control characters.
OTHER = re.compile(
    r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b\[[0-9;?]*[A-Za-ln-~]|\x1b[@-Z\\^_]|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f]"
)


def terminal(text: str) -> Markup:
    """Text with ANSI sequences as escaped HTML with classes such as ``ansi-red`` and ``ansi-bold``."""
    parts: list[str] = []
    bold, colour, at = False, "", 0
    overwritten = _overwrite(text)
    for match in SGR.finditer(overwritten):
        parts.append(_piece(overwritten[at : match.start()], bold=bold, colour=colour))
        at = match.end()
        codes = [int(code) for code in match[1].split(";") if code] or [0]
        if codes[0] in {38, 48}:  # 256 and true colours: their numbers are no codes of their own
            codes = []
        for code in codes:
            if code == 0:
                bold, colour = False, ""
            elif code in {1, 22}:
                bold = code == 1
            elif 30 <= code <= 37 or 90 <= code <= 97:
                colour = COLOURS[code % 10]
            elif code == 39:
                colour = ""
    parts.append(_piece(overwritten[at:], bold=bold, colour=colour))
    return Markup("".join(parts))  # noqa: S704 — every piece went through escape


def plain(text: str) -> str:
    """The text without any control sequence."""
    return OTHER.sub("", SGR.sub("", _overwrite(text))).replace("\x1b", "")


def _overwrite(text: str) -> str:
    """Progress bars write over their own line; only what stayed on the screen is kept."""
    lines = text.replace("\r\n", "\n").split("\n")
    return "\n".join(line.rstrip("\r").rsplit("\r", 1)[-1] for line in lines)


def _piece(text: str, *, bold: bool, colour: str) -> str:
    clean = escape(OTHER.sub("", text).replace("\x1b", ""), quote=False)
    names = " ".join(name for name in (colour and f"ansi-{colour}", "ansi-bold" if bold else "") if name)
    return f'<span class="{names}">{clean}</span>' if names and clean else clean
