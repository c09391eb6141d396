"""How the bytes of a CSV file become cells: its encoding, what stands between cells, and lines before the header."""

from __future__ import annotations

import codecs
import csv
import io
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import IO

from nbprod.domain.csv_format import CsvFormat
from nbprod.errors import DataError

__all__ = ["Dialect", "find_dialect"]

_CHUNK_BYTES = 1 << 20
_HEAD_BYTES = 1 << 16  # what the delimiter is found in
_HEAD_ROWS = 100
_TELLING_BYTES = 1 << 17  # of lines with other than ASCII letters, which an encoding is found by
_BOMS = (  # the longer first: a mark of UTF-32 starts as one of UTF-16 does
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
#: What spreadsheets and databases write besides Unicode, the usual ones first: of two that fit alike, the first.
_OTHERS = ("cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp932", "gb18030", "big5", "euc_kr", "mac_roman")
_CHAOS = 0.1  # a decoding this much worse than the best, on charset-normalizer's scale from 0 to 1, still may be it
_SEPARATOR_LINE = re.compile(r"\"?sep=(.)\"?\s*", re.IGNORECASE)  # Excel's own first line


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """How bytes become cells."""

    encoding: str
    delimiter: str
    skip_lines: int = 0  #: before the header


def find_dialect(name: str, opener: Callable[[], IO[bytes]], said: CsvFormat, *, tabs: bool = False) -> Dialect:
    """Find what was not said; the encoding is held against every byte.

    Raises
    ------
    DataError
        The bytes are no text, or not in the encoding that was said, or there is no header.
    """
    encoding = _encoding(name, opener, said.encoding)
    with opener() as file:
        head = codecs.getincrementaldecoder(encoding)(errors="replace").decode(file.read(_HEAD_BYTES))
    lines = head.splitlines(keepends=True)
    if "\0" in head:
        raise DataError(f"{name} is no CSV text", hint="Its ending says CSV; it holds binary data.")
    if not lines or not lines[0].strip():
        raise DataError(f"{name} starts with an empty line", hint="The first line must name the columns.")
    if marked := _SEPARATOR_LINE.fullmatch(lines[0]):
        return Dialect(encoding=encoding, delimiter=said.delimiter or marked[1], skip_lines=1)
    delimiter = said.delimiter or ("\t" if tabs else max(",;\t|", key=lambda sign: _regularity(head, sign)))
    return Dialect(encoding=encoding, delimiter=delimiter)


def _regularity(head: str, delimiter: str) -> tuple[float, int]:
    """The share of rows with as many cells as the header, if those are several; then how many cells it has."""
    rows = list(islice(csv.reader(io.StringIO(head, newline=None), delimiter=delimiter), _HEAD_ROWS + 1))
    rows = [row for row in rows[: -1 if 1 < len(rows) <= _HEAD_ROWS else None] if row]  # the last may be cut off
    cells = len(rows[0]) if rows else 0
    if cells < 2:
        return (0.0, 0)
    return (sum(len(row) == cells for row in rows) / len(rows), cells)


def _encoding(name: str, opener: Callable[[], IO[bytes]], said: str) -> str:
    with opener() as file:
        start = file.read(1024)
    marked = next((found for mark, found in _BOMS if start.startswith(mark)), "")
    if said:
        # a mark at the start is no part of the first column's name
        tried = marked if marked == f"{said}-sig" or (marked and said.startswith(marked)) else said
        if not _decodes(opener, tried):
            raise DataError(
                f"{name} is not {said} text",
                hint="Its encoding was given; leave the setting out to have it found, or give another one.",
            )
        return tried
    zeros = [start[first::2].count(0) for first in (0, 1)]
    if not marked and max(zeros) > len(start) // 4:
        marked = "utf-16-be" if zeros[0] > zeros[1] else "utf-16-le"
    for unicode in (marked,) if marked else ("utf-8",):
        if _decodes(opener, unicode):
            return unicode
    if marked or start.count(0):
        raise DataError(f"{name} is no CSV text", hint="Its ending says CSV; it holds binary data.")
    found = _likeliest(opener)
    if not found or not _decodes(opener, found):
        raise DataError(
            f"{name} is no UTF-8 text, and its encoding cannot be told",
            hint='Say it: encoding = "cp1252" in [data.NAME], or PATH#encoding=cp1252; or save it as UTF-8.',
        )
    return found


def _decodes(opener: Callable[[], IO[bytes]], encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        with opener() as file:
            while chunk := file.read(_CHUNK_BYTES):
                decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeError:
        return False
    return True


def _likeliest(opener: Callable[[], IO[bytes]]) -> str:
    """The likeliest encoding of the lines that are not ASCII; empty when none fits."""
    from charset_normalizer import from_bytes  # delayed: only files that are no UTF-8 need it

    telling = b"".join(_telling_lines(opener))
    matches = from_bytes(telling, cp_isolation=list(_OTHERS), threshold=0.5)
    least = min((match.chaos for match in matches), default=0.0)
    fitting = {
        encoding
        for match in matches
        if match.chaos <= least + _CHAOS
        for encoding in match.could_be_from_charset
        if encoding in _OTHERS
    }
    ranked = sorted(fitting, key=lambda encoding: (_broken_words(telling, encoding), _OTHERS.index(encoding)))
    return ranked[0] if ranked else ""


def _telling_lines(opener: Callable[[], IO[bytes]]) -> Iterator[bytes]:
    taken = 0
    with opener() as file:
        for line in file:
            if not line.isascii():
                yield line
                taken += len(line)
                if taken > _TELLING_BYTES:
                    return


def _broken_words(telling: bytes, encoding: str) -> int:
    """How often a sign that belongs into no word stands in front of a letter: ``£ódŸ`` for Łódź."""
    try:
        text = telling.decode(encoding)
    except UnicodeDecodeError:
        return len(telling)
    return sum(
        not one.isascii() and unicodedata.category(one) in {"Sc", "Sk", "No", "Cc", "Cn", "Po"} and after.isalpha()
        for one, after in pairwise(text)
        if one not in "¿¡§"
    )
