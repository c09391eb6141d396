"""A condition on the values of a row, such as ``amount > 1000 and country != "SE"``: read, checked, never executed.

The words are those of Python expressions, of which only comparisons of a column with plain values are allowed, joined
by ``and``, ``or`` and ``not``. A column whose name is no identifier is written in quotes: ``"hours per week" > 40``.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from nbprod.errors import SettingsError

__all__ = ["Comparison", "Condition", "Joined"]

LONGEST = 500  # characters
FORM = 'Compare columns with values: amount > 1000 and country != "SE"; == None for a missing one.'
ORDERED: Mapping[type[ast.cmpop], tuple[str, Callable[[Any, Any], bool]]] = {
    ast.Lt: ("<", operator.lt),
    ast.LtE: ("<=", operator.le),
    ast.Gt: (">", operator.gt),
    ast.GtE: (">=", operator.ge),
}
EQUAL: Mapping[type[ast.cmpop], str] = {ast.Eq: "==", ast.NotEq: "!=", ast.In: "in", ast.NotIn: "not in"}
COMPARE = dict(ORDERED.values())
Plain = str | int | float | bool | None


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One column beside one value, or beside several."""

    column: str
    sign: str  #: ``<``, ``<=``, ``>``, ``>=``, ``==``, ``!=``, ``in``, ``not in``
    value: Plain | tuple[Plain, ...]

    def holds(self, row: Mapping[str, Any]) -> bool:
        """Whether it holds; a missing value equals ``None``, and is neither more nor less than anything."""
        given = row.get(self.column)
        if given is not None and given != given:  # noqa: PLR0124 — NaN
            given = None
        if self.sign in COMPARE:
            is_like = isinstance(given, str) == isinstance(self.value, str)
            return given is not None and is_like and COMPARE[self.sign](given, self.value)
        among = self.value if isinstance(self.value, tuple) else (self.value,)
        return any(_same(given, one) for one in among) is (self.sign in {"==", "in"})

    @property
    def comparisons(self) -> tuple[Comparison, ...]:
        """Itself."""
        return (self,)


@dataclass(frozen=True, kw_only=True)
class Joined:
    """Conditions of which all, any, or none must hold."""

    how: str  #: ``and``, ``or``, ``not``
    parts: tuple[Comparison | Joined, ...]

    def holds(self, row: Mapping[str, Any]) -> bool:
        """Whether it is true of a row."""
        held = (part.holds(row) for part in self.parts)
        return all(held) if self.how == "and" else any(held) if self.how == "or" else not any(held)

    @property
    def comparisons(self) -> tuple[Comparison, ...]:
        """Every comparison in it."""
        return tuple(one for part in self.parts for one in part.comparisons)


@dataclass(frozen=True, kw_only=True)
class Condition:
    """What was written, and what it means."""

    text: str
    meaning: Comparison | Joined

    @classmethod
    def parse(cls, text: str) -> Condition:
        """Read a condition.

        Raises
        ------
        SettingsError
            It is something else.

        Examples
        --------
        >>> Condition.parse("amount > 1000").holds({"amount": 1200})
        True
        """
        text = text.strip()
        if len(text) > LONGEST:
            raise SettingsError(f"a condition has {len(text):,} characters", hint=f"At most {LONGEST}.")
        try:
            body = ast.parse(text, mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError) as problem:
            raise SettingsError(f"{text!r} is no condition", hint=FORM) from problem
        return cls(text=text, meaning=_meaning(body, text))

    def holds(self, row: Mapping[str, Any]) -> bool:
        """Whether it is true of a row."""
        return self.meaning.holds(row)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns it reads."""
        return tuple(dict.fromkeys(one.column for one in self.meaning.comparisons))

    def __str__(self) -> str:
        return self.text


def _meaning(node: ast.expr, text: str) -> Comparison | Joined:
    match node:
        case ast.BoolOp(op=how, values=parts):
            name = "and" if isinstance(how, ast.And) else "or"
            return Joined(how=name, parts=tuple(_meaning(part, text) for part in parts))
        case ast.UnaryOp(op=ast.Not(), operand=part):
            return Joined(how="not", parts=(_meaning(part, text),))
        case ast.Compare(left=left, ops=[sign], comparators=[right]):
            return _comparison(_column(left, text), sign, right, text)
    raise SettingsError(f"{text!r} is no condition", hint=FORM)


def _comparison(column: str, sign: ast.cmpop, right: ast.expr, text: str) -> Comparison:
    if type(sign) in ORDERED:
        value = _value(right, text)
        if value is None or isinstance(value, bool):
            raise SettingsError(f"{text!r}: nothing is more or less than {value}", hint="Write == or !=.")
        return Comparison(column=column, sign=ORDERED[type(sign)][0], value=value)
    if type(sign) not in EQUAL:
        raise SettingsError(f"{text!r} is no condition", hint=FORM)
    name = EQUAL[type(sign)]
    if not name.endswith("in"):
        return Comparison(column=column, sign=name, value=_value(right, text))
    if not isinstance(right, ast.List | ast.Tuple | ast.Set) or not right.elts:
        raise SettingsError(f"{text!r}: {name} needs a list", hint='For instance: country in ["SE", "NO"].')
    return Comparison(column=column, sign=name, value=tuple(_value(one, text) for one in right.elts))


def _column(node: ast.expr, text: str) -> str:
    match node:
        case ast.Name(id=name):
            return name
        case ast.Constant(value=str(name)):
            return name
    raise SettingsError(f"{text!r}: a column stands on the left", hint=FORM)


def _value(node: ast.expr, text: str) -> Plain:
    match node:
        case ast.Constant(value=str() | bool() | int() | float() | None as value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)) if not isinstance(
            value, bool
        ):
            return -value
    raise SettingsError(f"{text!r}: a number, a text, True, False or None stands on the right", hint=FORM)


def _same(given: Any, value: Plain) -> bool:
    return bool(given == value) and isinstance(given, bool) == isinstance(value, bool)
