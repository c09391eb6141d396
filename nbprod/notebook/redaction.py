"""Takes the values of secrets, and their usual encodings, out of everything a kernel says before it is written."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

__all__ = ["Redactor"]

MARK = "[secret]"
SHORTEST = 4  # a value of fewer characters occurs everywhere, and protects nothing


class Redactor:
    """Replaces secrets by a mark.

    Printed text may arrive cut in the middle of a secret, so the end of a text that could be the beginning of one is
    held back until more comes.
    """

    def __init__(self, values: Iterable[str] = ()) -> None:
        shapes = {shape for value in values if len(value) >= SHORTEST for shape in encodings(value)}
        self.shapes = sorted(shapes, key=len, reverse=True)
        self.longest = max(map(len, self.shapes), default=0)
        self.pending: dict[tuple[str, str], str] = {}

    def text(self, text: str) -> str:
        """The text without secrets."""
        for shape in self.shapes:
            if shape in text:
                text = text.replace(shape, MARK)
        return text

    def anywhere(self, value: Any) -> Any:
        """The same for every text inside lists and mappings."""
        if not self.shapes:
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.text(name): self.anywhere(one) for name, one in value.items()}
        if isinstance(value, list):
            return [self.anywhere(one) for one in value]
        return value

    def printed(self, cell: str, stream: str, text: str) -> str:
        """The next part of a stream, without secrets; what may be the beginning of one comes later."""
        if not self.shapes:
            return text
        text = self.text(self.pending.pop((cell, stream), "") + text)
        for size in range(min(self.longest - 1, len(text)), 0, -1):
            end = text[-size:]
            if any(shape.startswith(end) for shape in self.shapes):
                self.pending[cell, stream] = end
                return text[:-size]
        return text

    def rest(self, cell: str) -> list[tuple[str, str]]:
        """What was held back of a cell's streams, now that nothing more comes."""
        return [(stream, self.pending.pop((id_, stream))) for id_, stream in list(self.pending) if id_ == cell]

    def file(self, path: Path) -> None:
        """Take secrets out of a text file that another process wrote."""
        if self.shapes and path.exists():
            before = path.read_text(errors="surrogateescape")
            if (after := self.text(before)) != before:
                path.write_text(after, errors="surrogateescape")


def encodings(value: str) -> set[str]:
    """A value as programs write it: plain, in JSON, in a URL, in hexadecimal, in base 64."""
    raw = value.encode()
    shapes = {value, quote(value), quote(value, safe=""), quote_plus(value), raw.hex(), raw.hex().upper()}
    shapes |= {json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1], repr(value)[1:-1]}
    for before in range(3):  # inside a longer text the letters depend on where the value begins
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            coded = encode(b"\0" * before + raw).decode().rstrip("=")
            whole = (before + len(raw)) % 3 == 0
            shapes.add(coded[(0, 2, 3)[before] : None if whole else -1])
    return {shape for shape in shapes if len(shape) >= SHORTEST}
