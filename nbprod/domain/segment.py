"""A segment: the rows that meet one or two conditions on their inputs, as reports write it and as it is read back."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from nbprod.domain.names import nearest
from nbprod.domain.numbers import number
from nbprod.errors import SettingsError

__all__ = ["Condition", "ConditionKind", "parse_segment", "segment_sentence"]

NUMBER = r"[-+]?(?:\d[\d,]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
OPERATOR = r"(?:is missing|=|>=|<)"


class ConditionKind(StrEnum):
    """What is asked of a column."""

    VALUE = "value"  #: it is this one
    RANGE = "range"  #: it is a number from ``low`` (included) to ``high`` (excluded)
    MISSING = "missing"  #: there is none


@dataclass(frozen=True, kw_only=True)
class Condition:
    """One condition on one input."""

    column: str
    kind: ConditionKind
    value: Any = None
    low: float | None = None  #: ``None``: no lower bound
    high: float | None = None  #: ``None``: no upper bound

    @classmethod
    def read(cls, written: Mapping[str, Any]) -> Condition:
        """A condition from its fields as they were written down."""
        return cls(**{**written, "kind": ConditionKind(written["kind"])})

    def __str__(self) -> str:
        match self.kind:
            case ConditionKind.MISSING:
                return f"{self.column} is missing"
            case ConditionKind.VALUE:
                return f"{self.column} = {self.value}"
        bounds = [
            f"{sign} {number(bound)}" for sign, bound in ((">=", self.low), ("<", self.high)) if bound is not None
        ]
        return f"{self.column} {' and '.join(bounds)}"


def segment_sentence(conditions: Sequence[Condition]) -> str:
    """All conditions of a segment in words."""
    return " and ".join(map(str, conditions))


def parse_segment(text: str, columns: Collection[str]) -> tuple[Condition, ...]:
    """Read what reports write of a segment.

    Parameters
    ----------
    text
        ``region = north and hour >= 18``; also ``hour >= 6 and < 18`` and ``age is missing``.
    columns
        The inputs there are; a name may hold any words.

    Raises
    ------
    SettingsError
        It cannot be read, or names no input.

    Examples
    --------
    >>> [str(one) for one in parse_segment("hour >= 18 and region = north", ["hour", "region"])]
    ['hour >= 18', 'region = north']
    """
    names = "|".join(sorted(map(re.escape, columns), key=len, reverse=True)) or r"(?!)"
    one = re.compile(
        rf"(?P<column>{names}) (?:is (?P<missing>missing)|= (?P<value>.+?)"
        rf"|>= (?P<low>{NUMBER})(?: and < (?P<high>{NUMBER}))?|< (?P<below>{NUMBER}))"
        rf"(?:$| and (?=(?:{names}) {OPERATOR}))",
        re.DOTALL,
    )
    found, place = [], 0
    while place < len(text):
        match = one.match(text, place)
        if match is None:
            word = text[place:].split(" ", maxsplit=1)[0]
            raise SettingsError(
                f"{text[place:]!r} is no condition on an input",
                hint=f"Write region = north and hour >= 18. {nearest(word, columns)}",
            )
        found.append(_condition(match))
        place = match.end()
    if not found:
        raise SettingsError("a segment has at least one condition", hint="Write region = north and hour >= 18.")
    return tuple(found)


def _condition(match: re.Match[str]) -> Condition:
    if match["missing"]:
        return Condition(column=match["column"], kind=ConditionKind.MISSING)
    if match["value"] is not None:
        return Condition(column=match["column"], kind=ConditionKind.VALUE, value=match["value"])
    low, high = (
        None if text is None else float(text.replace(",", ""))
        for text in (match["low"], match["high"] or match["below"])
    )
    return Condition(column=match["column"], kind=ConditionKind.RANGE, low=low, high=high)
