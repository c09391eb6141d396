"""How a CSV file is to be read, where somebody said so: in ``[data.NAME]``, by keyword or behind a path's ``#``."""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

from nbprod.domain.names import nearest
from nbprod.errors import SettingsError

__all__ = ["CSV_ENDINGS", "CsvFormat", "data_place", "split_format"]

CHOICES: Mapping[str, tuple[str, ...]] = {
    "delimiter": (",", ";", "\t", "|"),
    "decimal": (".", ","),
    "thousands": (".", ",", "'", " "),
    "dates": ("day-first", "month-first"),
}
SIGN_OF = {
    "comma": ",",
    "semicolon": ";",
    "tab": "\t",
    "\\t": "\t",
    "pipe": "|",
    "point": ".",
    "dot": ".",
    "space": " ",
}
CSV_ENDINGS = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz")
#: What an entry of ``[data]`` may hold beside the format; the last three are for people.
DATA_KEYS = ("path", "target", "time", "description")


@dataclass(frozen=True, kw_only=True)
class CsvFormat:
    """What was said about a CSV file; what is empty is found in the file itself.

    Raises
    ------
    SettingsError
        A value is none of those allowed, or two contradict each other.
    """

    encoding: str = ""  #: a codec Python knows: ``utf-8``, ``cp1252``, ``utf-16``
    delimiter: str = ""  #: between two cells: ``,`` ``;`` ``|`` or a tab
    decimal: str = ""  #: before the fraction of a number: ``.`` or ``,``
    thousands: str = ""  #: between groups of three digits: ``.`` ``,`` ``'`` or a space
    dates: str = ""  #: ``day-first`` or ``month-first``

    def __post_init__(self) -> None:
        for name, allowed in CHOICES.items():
            value = getattr(self, name)
            value = SIGN_OF.get(value, value) if isinstance(value, str) else value
            if value != "" and value not in allowed:
                raise SettingsError(
                    f"{name} = {value!r} is no way to read a CSV file",
                    hint=f"Give one of {', '.join(map(repr, allowed))}, or leave it out: it is found.",
                )
            object.__setattr__(self, name, value)
        if self.encoding:
            object.__setattr__(self, "encoding", _codec(self.encoding))
        if self.decimal and self.decimal == self.thousands:
            raise SettingsError(
                f"decimal and thousands are both {self.decimal!r}", hint="Give one of them; the other follows."
            )
        if self.delimiter and self.delimiter == self.thousands == ",":
            raise SettingsError("delimiter and thousands are both ','", hint="Only one of them can be a comma.")
        if self.thousands in {".", ","} and not self.decimal:
            object.__setattr__(self, "decimal", "," if self.thousands == "." else ".")

    @classmethod
    def of(cls, given: Mapping[str, Any], *, where: str) -> CsvFormat:
        """Read a table of settings; ``where`` names it in errors.

        Raises
        ------
        SettingsError
            A key is unknown, or a value cannot be.
        """
        known = [field.name for field in fields(cls)]
        for name, value in given.items():
            if name not in known:
                raise SettingsError(f"{where} has an unknown setting {name}", hint=nearest(name, known))
            if not isinstance(value, str):
                raise SettingsError(f"{name} of {where} is {value!r}, but must be a text", hint=f'{name} = "…"')
        try:
            return cls(**given)
        except SettingsError as error:
            raise SettingsError(f"{where}: {error.message}", hint=error.hint) from None

    @property
    def fragment(self) -> str:
        """What is written behind a path: ``#decimal=%2C&dates=day-first``; empty when nothing was said."""
        said = {name: value for name, value in asdict(self).items() if value}
        return f"#{urlencode(said, quote_via=quote)}" if said else ""


def split_format(location: str) -> tuple[str, CsvFormat]:
    """A path or URL and what is said behind its ``#`` about how to read it.

    Raises
    ------
    SettingsError
        What is said there is no format.

    Examples
    --------
    >>> split_format("sales.csv#decimal=,")[1].decimal
    ','
    """
    place, mark, said = location.rpartition("#")
    if not mark or "=" not in said or not place.lower().endswith(CSV_ENDINGS):
        return location, CsvFormat()
    return place, CsvFormat.of(dict(parse_qsl(said, keep_blank_values=True)), where=place)


def data_place(name: str, entry: Mapping[str, Any]) -> tuple[str, CsvFormat]:
    """The path or URL of ``[data.NAME]``, and how it is to be read.

    Raises
    ------
    SettingsError
        There is no path, a setting is unknown, or its value cannot be.
    """
    where = f"[data.{name}]"
    formats = [field.name for field in fields(CsvFormat)]
    for key in entry:
        if key not in DATA_KEYS and key not in formats:
            raise SettingsError(f"{where} has an unknown setting {key}", hint=nearest(key, [*DATA_KEYS, *formats]))
    path = entry.get("path")
    if not isinstance(path, str) or not path:
        raise SettingsError(f"{where} has no path", hint='Say where the data are: path = "data/sales.csv".')
    said = {key: value for key, value in entry.items() if key in formats}
    form = CsvFormat.of(said, where=where)
    if said and not split_format(path)[0].lower().endswith(CSV_ENDINGS):
        raise SettingsError(
            f"{where} says {', '.join(said)} of {path}, which is no CSV file",
            hint=f"Leave it out, or give a path that ends with one of {', '.join(CSV_ENDINGS)}.",
        )
    return path, form


def _codec(name: str) -> str:
    try:
        info = codecs.lookup(name)
    except (LookupError, ValueError):
        info = None
    if info is None or not getattr(info, "_is_text_encoding", True):
        raise SettingsError(
            f"encoding = {name!r} is no text encoding", hint="Spreadsheets write utf-8, cp1252 (Latin-1) or utf-16."
        )
    return info.name
