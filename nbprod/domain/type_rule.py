"""The rule a parameter's annotation states: which values are allowed, and how to say so."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

__all__ = ["TypeRule", "ValueKind"]


class ValueKind(StrEnum):
    """What a value is."""

    ANY = "any"  #: no annotation, or one that says nothing: any literal
    BOOL = "bool"
    INT = "int"
    FLOAT = "float"
    STR = "str"
    CHOICE = "choice"  #: ``Literal["a", "b"]``
    LIST = "list"
    TUPLE = "tuple"
    DICT = "dict"
    DATE = "date"
    DATETIME = "datetime"
    PATH = "path"
    SECRET = "secret"  # noqa: S105 — the name of a kind; kept by reference alone
    DATASET = "dataset"
    MODEL = "model"
    COLUMN = "column"  #: of a data set
    UNION = "union"  #: ``int | str``


NOUNS = {
    ValueKind.ANY: ("a plain value", "plain values"),
    ValueKind.BOOL: ("true or false", "true or false"),
    ValueKind.INT: ("a whole number", "whole numbers"),
    ValueKind.FLOAT: ("a number", "numbers"),
    ValueKind.STR: ("a text", "texts"),
    ValueKind.DATE: ("a date such as 2026-01-31", "dates such as 2026-01-31"),
    ValueKind.DATETIME: ("a moment such as 2026-01-31T09:30", "moments such as 2026-01-31T09:30"),
    ValueKind.PATH: ("a path", "paths"),
    ValueKind.SECRET: ("a reference such as env:NAME, file:PATH or cmd:COMMAND", "references such as env:NAME"),
    ValueKind.DATASET: ("a data set's name, a path or a URL", "data sets' names, paths or URLs"),
    ValueKind.MODEL: ("a model such as churn@champion or churn/2", "models such as churn@champion"),
    ValueKind.COLUMN: ("a column's name", "columns' names"),
}
CONTAINERS = {
    ValueKind.LIST: ("a list", "lists"),
    ValueKind.TUPLE: ("a tuple", "tuples"),
    ValueKind.DICT: ("a mapping", "mappings"),
}


@dataclass(frozen=True, kw_only=True)
class TypeRule:
    """Which values are allowed; built from an annotation, or from a default where there is none."""

    kind: ValueKind = ValueKind.ANY
    optional: bool = False  #: ``None`` is allowed
    choices: tuple[Any, ...] = ()  #: of a choice
    low: float | None = None  #: smallest number allowed
    high: float | None = None  #: largest number allowed
    inner: tuple[TypeRule, ...] = ()  #: of list: (item,); of dict: (key, value); of tuple: each; of union: each
    any_length: bool = False  #: of a tuple: ``tuple[int, ...]``
    of: str = ""  #: of a column: the parameter that names its data set

    @property
    def is_container(self) -> bool:
        """Whether values hold other values."""
        return self.kind in CONTAINERS

    @property
    def takes_text(self) -> bool:
        """Whether some text that is no spelling of anything else is allowed."""
        if self.kind is ValueKind.UNION:
            return any(rule.takes_text for rule in self.inner)
        return self.kind in {
            ValueKind.ANY,
            ValueKind.STR,
            ValueKind.PATH,
            ValueKind.DATASET,
            ValueKind.MODEL,
            ValueKind.COLUMN,
        } or (self.kind is ValueKind.CHOICE and any(isinstance(choice, str) for choice in self.choices))

    @property
    def holds_secret(self) -> bool:
        """Whether values, or a part of them, must never be shown."""
        return self.kind is ValueKind.SECRET or any(rule.holds_secret for rule in self.inner)

    def describe(self, *, plural: bool = False) -> str:
        """What is allowed, in words.

        Examples
        --------
        >>> TypeRule(kind=ValueKind.FLOAT, low=0.05, high=0.5, optional=True).describe()
        'a number between 0.05 and 0.5, or none'
        """
        return self._nouns(plural=plural) + self._bounds() + (", or none" if self.optional else "")

    def _nouns(self, *, plural: bool) -> str:
        if self.kind is ValueKind.CHOICE:
            return "one of " + ", ".join(map(repr, self.choices))
        if self.kind is ValueKind.UNION:
            return " or ".join(rule.describe(plural=plural) for rule in self.inner)
        if not self.is_container:
            return NOUNS[self.kind][plural]
        noun = CONTAINERS[self.kind][plural]
        if not self.inner:
            return noun
        if self.kind is ValueKind.DICT:
            return f"{noun} from {self.inner[0].describe(plural=True)} to {self.inner[1].describe(plural=True)}"
        if self.kind is ValueKind.TUPLE and not self.any_length:
            return f"{noun} of " + " and ".join(rule.describe() for rule in self.inner)
        return f"{noun} of {self.inner[0].describe(plural=True)}"

    def _bounds(self) -> str:
        if self.low is not None and self.high is not None:
            return f" between {self.low} and {self.high}"
        if self.low is not None:
            return f" of at least {self.low}"
        return f" of at most {self.high}" if self.high is not None else ""
