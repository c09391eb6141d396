"""What the text cells of a column say: numbers and moments as they are written in different countries.

A reading holds for a whole column or not at all: it is tried on every cell, and what two readings understand
differently is not decided here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["DATES", "NUMBERS", "Column", "Convert", "readings"]

Convert = Callable[[pa.Array], pa.Array | None]
NUMBERS = (".", ",")  #: the sign before the fraction
DATES = ("day-first", "month-first", "year-first")
_LIKE = {" ": (" ", "\u00a0", "\u202f"), "'": ("'", "\u2019")}  # signs that stand for the same
_GROUPS = {sign: (other, *_LIKE["'"], *_LIKE[" "]) for sign, other in ((".", ","), (",", "."))}
_DATE = {
    "day-first": r"^\s*(?P<d>\d{1,2})(?:\.(?P<m>\d{1,2})\.|/(?P<m2>\d{1,2})/|-(?P<m3>\d{1,2})-)",
    "month-first": r"^\s*(?P<m>\d{1,2})(?:\.(?P<d>\d{1,2})\.|/(?P<d2>\d{1,2})/|-(?P<d3>\d{1,2})-)",
    "year-first": r"^\s*(?P<y>\d{4})(?:/(?P<m>\d{1,2})/|\.(?P<m2>\d{1,2})\.)(?P<d>\d{1,2})",
}
_YEAR = r"(?P<y>\d{4}|\d\d)"
_TIME = (
    r"(?:,?[ T\x{00a0}]+(?P<H>\d{1,2}):(?P<M>\d\d)(?::(?P<S>\d\d)(?:[.,](?P<f>\d{1,6}))?)?"
    r"(?:[ \x{00a0}\x{202f}]?(?P<p>[AaPp]\.?[Mm]\.?))?(?:\s*Uhr)?)?\s*$"
)
_CENTURY = 69  # POSIX: years of two digits are 1969 to 2068


@dataclass
class Column:
    """One column while its cells are looked at: the readings that understood every cell so far.

    Attributes
    ----------
    converters
        How each reading that still holds makes values of cells.
    differ
        Whether two of them ever gave different values.
    example
        A cell they understand differently.
    """

    converters: dict[str, Convert]
    differ: bool = False
    example: tuple[str, str, str] = ("", "", "")
    types: dict[str, set[pa.DataType]] = field(default_factory=dict)

    def look(self, cells: pa.Array) -> None:
        """Drop each reading that does not understand all of these cells."""
        values = {}
        for reading, convert in list(self.converters.items()):
            found = convert(cells)
            if found is None:
                del self.converters[reading]
            else:
                values[reading] = found
                self.types.setdefault(reading, set()).add(found.type)
        kept = [(reading, values[reading]) for reading in self.converters]
        if len(kept) > 1 and not self.differ and not _alike(kept[0][1], kept[1][1]):
            self.differ = True
            place = next(row for row in range(len(cells)) if kept[0][1][row].as_py() != kept[1][1][row].as_py())
            self.example = (str(cells[place]).strip(), str(kept[0][1][place]), str(kept[1][1][place]))

    def type_of(self, reading: str) -> pa.DataType:
        """The narrowest type that holds every value of a reading."""
        found = self.types.get(reading, set()) - {pa.null()}
        wide = (pa.float64(), pa.timestamp("us"), pa.timestamp("s"))
        return next((type_ for type_ in wide if type_ in found), next(iter(found), pa.null()))


def readings(*, thousands: str = "", only: Iterable[str] = (*NUMBERS, *DATES)) -> dict[str, Convert]:
    """How each reading makes values of text cells; it gives ``None`` when it does not understand all of them.

    Parameters
    ----------
    thousands
        The only sign that may stand between groups of digits; any usual one when empty.
    only
        The readings asked for.
    """
    made: dict[str, Convert] = {}
    for reading in only:
        if reading in DATES:
            made[reading] = partial(_moments, pattern=_DATE[reading] + ("" if reading == "year-first" else _YEAR))
        else:
            groups = _LIKE.get(thousands, (thousands,)) if thousands else _GROUPS[reading]
            made[reading] = partial(_numbers, decimal=reading, groups=[sign for sign in groups if sign != reading])
    return made


def _alike(first: pa.Array, second: pa.Array) -> bool:
    return bool(first.type == second.type and first.equals(second))


def _all(found: pa.Array) -> bool:
    return bool(pc.all(found, min_count=0).as_py())


def _numbers(cells: pa.Array, *, decimal: str, groups: Sequence[str]) -> pa.Array | None:
    grouped = "|".join(rf"\d{{1,3}}(?:{re.escape(sign)}\d{{3}})+" for sign in groups)
    digits = rf"(?:\d+|{grouped})" if grouped else r"\d+"
    fraction = re.escape(decimal)
    pattern = rf"^[+-]?(?:{digits}(?:{fraction}\d*)?|{fraction}\d+)(?:[eE][+-]?\d+)?$"
    cells = pc.utf8_trim_whitespace(cells)
    if cells.null_count == len(cells):
        return pa.nulls(len(cells))
    if not _all(pc.match_substring_regex(cells, pattern)):
        return None
    plain = pc.replace_substring_regex(cells, rf"^\+|[{re.escape(''.join(groups))}]", "") if groups else cells
    if not pc.any(pc.match_substring_regex(plain, rf"[{fraction}eE]")).as_py():
        try:
            return pc.cast(plain, pa.int64())
        except pa.ArrowInvalid:  # more digits than a whole number of 64 bits has
            pass
    return pc.cast(pc.replace_substring(plain, decimal, "."), pa.float64())


def _moments(cells: pa.Array, *, pattern: str) -> pa.Array | None:
    if cells.null_count == len(cells):
        return pa.nulls(len(cells))
    found = pc.extract_regex(cells, pattern + _TIME)
    if found.null_count > cells.null_count:
        return None
    parts = {name: found.field(name) for name in (one.name for one in found.type)}
    year = parts["y"]
    is_short = pc.equal(pc.utf8_length(year), 2)
    century = pc.if_else(pc.greater_equal(_whole(year), _CENTURY), "19", "20")
    year = pc.if_else(is_short, pc.binary_join_element_wise(century, year, ""), year)
    month, day = (_first(parts, name) for name in ("m", "d"))
    date = pc.binary_join_element_wise(year, pc.utf8_lpad(month, 2, "0"), pc.utf8_lpad(day, 2, "0"), "-")
    date = pc.if_else(cells.is_valid(), date, None)
    try:
        if not pc.any(pc.greater(pc.utf8_length(parts["H"]), 0)).as_py():
            return pc.cast(date, pa.date32())
        return _with_time(date, parts)
    except pa.ArrowInvalid:  # the 31st of February, 25 o'clock
        return None


def _with_time(date: pa.Array, parts: dict[str, pa.Array]) -> pa.Array:
    afternoon = pc.match_substring_regex(parts["p"], "^[Pp]")
    halved = pc.greater(pc.utf8_length(parts["p"]), 0)
    hour = _whole(parts["H"])
    if pc.any(pc.and_(halved, pc.or_(pc.greater(hour, 12), pc.less(hour, 1)))).as_py():
        raise pa.ArrowInvalid("no hour of half a day")
    twelve = pc.if_else(pc.equal(hour, 12), 0, hour)
    hour = pc.if_else(halved, pc.add(twelve, pc.if_else(afternoon, 12, 0)), hour)
    clock = pc.binary_join_element_wise(
        *(pc.utf8_lpad(part, 2, "0") for part in (pc.cast(hour, pa.string()), parts["M"], parts["S"])), ":"
    )
    text = pc.binary_join_element_wise(date, clock, "T")
    if not pc.any(pc.greater(pc.utf8_length(parts["f"]), 0)).as_py():
        return pc.cast(text, pa.timestamp("s"))
    text = pc.binary_join_element_wise(text, pc.utf8_rpad(parts["f"], 6, "0"), ".")
    return pc.cast(text, pa.timestamp("us"))


def _whole(text: pa.Array) -> pa.Array:
    return pc.cast(pc.if_else(pc.equal(text, ""), "0", text), pa.int64())


def _first(parts: dict[str, pa.Array], name: str) -> pa.Array:
    """The alternative of a part that matched."""
    found = [one for key, one in parts.items() if key.rstrip("23") == name]
    return pc.binary_join_element_wise(*found, "") if len(found) > 1 else found[0]
