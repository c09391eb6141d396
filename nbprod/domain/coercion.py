"""The exact value that a text from a command line, or a Python value, stands for under a rule."""

from __future__ import annotations

import ast
import difflib
import json
import math
import re
from collections.abc import Callable
from datetime import date, datetime, timezone
from pathlib import Path, PurePath
from typing import Any, TypeVar

from nbprod.domain.markers import Secret
from nbprod.domain.type_rule import TypeRule, ValueKind
from nbprod.errors import ParameterError

__all__ = ["DEEPEST", "coerce", "native"]

Number = TypeVar("Number", int, float)
DEEPEST = 40  # levels of nested containers; Python's own parser gives up at about 100
TRUE = {"true", "yes", "on", "1"}
FALSE = {"false", "no", "off", "0"}
NONE = {"", "none", "null"}
EXACT = {
    ValueKind.BOOL: bool,
    ValueKind.INT: int,
    ValueKind.FLOAT: float,
    ValueKind.STR: str,
    ValueKind.COLUMN: str,
    ValueKind.LIST: list,
    ValueKind.TUPLE: tuple,
}


def coerce(rule: TypeRule, value: Any, *, text: bool = False) -> Any:
    """The exact value under a rule.

    Parameters
    ----------
    rule
        What is allowed.
    value
        A Python value, or the text of one.
    text
        The value came from a command line, so ``None`` may be meant even where a text is allowed.

    Raises
    ------
    ValueError
        The value is not allowed. The message adds what ``rule.describe()`` does not say; it may be empty.
    """
    value = native(value)
    if value is None or (rule.optional and isinstance(value, str) and _means_none(rule, value, text=text)):
        if rule.optional or rule.kind is ValueKind.ANY:
            return None
        raise ValueError
    if rule.kind is ValueKind.UNION:
        return _union(rule, value, text=text)
    if rule.kind is ValueKind.ANY:
        return _guess(value) if text and isinstance(value, str) else _plain_value(value, 0)
    return READERS[rule.kind](rule, value)


def native(value: Any) -> Any:
    """A numpy scalar as the Python value it holds; everything else as it is. numpy need not be installed."""
    if type(value).__module__ == "numpy" and getattr(value, "ndim", 1) == 0 and value.dtype.kind in "biufU":
        return value.item()
    return value


def _means_none(rule: TypeRule, value: str, *, text: bool) -> bool:
    word = value.strip().lower()
    return word in NONE and (not rule.takes_text or (text and word != ""))


def _bool(_: TypeRule, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    word = value.strip().lower() if isinstance(value, str) else ""
    if word in TRUE | FALSE:
        return word in TRUE
    raise ValueError


def _int(rule: TypeRule, value: Any) -> int:
    if isinstance(value, float):
        raise ValueError("a float is not cut to a whole number silently")  # noqa: TRY004 — see coerce
    is_text = isinstance(value, str) and re.fullmatch(r"\s*[+-]?[0-9]+(_[0-9]+)*\s*", value)
    if not is_text and (not isinstance(value, int) or isinstance(value, bool)):
        raise ValueError
    return _in_range(rule, int(value))


def _float(rule: TypeRule, value: Any) -> float:
    if isinstance(value, bool) or not (
        isinstance(value, int | float) or (isinstance(value, str) and value.isascii())
    ):
        raise ValueError
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    except ValueError:
        raise ValueError from None
    if math.isinf(number) and not (isinstance(value, float) or (isinstance(value, str) and "inf" in value.lower())):
        raise ValueError("it is too large for a float")
    if isinstance(value, int) and int(number) != value:
        raise ValueError("a float cannot hold it exactly")
    return _in_range(rule, number)


def _in_range(rule: TypeRule, number: Number) -> Number:
    if rule.low is None and rule.high is None:
        return number
    is_finite = isinstance(number, int) or math.isfinite(number)
    too_low = rule.low is not None and number < rule.low
    too_high = rule.high is not None and number > rule.high
    if too_low or too_high or not is_finite:
        raise ValueError
    return number


def _str(_: TypeRule, value: Any) -> str:
    if isinstance(value, str):
        return str.__str__(value)
    raise ValueError


def _place(_: TypeRule, value: Any) -> str:
    if isinstance(value, str | PurePath) and str(value).strip():
        return str(value)
    raise ValueError


def _path(_: TypeRule, value: Any) -> Path:
    if isinstance(value, str | PurePath) and str(value) and "\0" not in str(value):
        return Path(value)
    raise ValueError


def _secret(_: TypeRule, value: Any) -> Secret:
    try:
        return value if isinstance(value, Secret) else Secret(value)
    except ParameterError:
        raise ValueError from None  # the text may be the secret itself


def _date(_: TypeRule, value: Any) -> date:
    if isinstance(value, str):
        try:
            return date.fromisoformat(value.strip())
        except ValueError:
            raise ValueError from None
    if isinstance(value, date) and not isinstance(value, datetime):
        return date(value.year, value.month, value.day)
    raise ValueError


def _datetime(_: TypeRule, value: Any) -> datetime:
    if isinstance(value, str):
        try:
            return datetime.fromisoformat(value.strip())
        except ValueError:
            raise ValueError from None
    if not isinstance(value, datetime) or value != value:  # noqa: PLR0124 — pandas' NaT is a datetime
        raise ValueError
    if getattr(value, "nanosecond", 0):
        raise ValueError("it has nanoseconds, which a datetime cannot hold")
    zone = value.utcoffset()
    clock = (value.hour, value.minute, value.second, value.microsecond)
    return datetime(value.year, value.month, value.day, *clock, tzinfo=None if zone is None else timezone(zone))


def _choice(rule: TypeRule, value: Any) -> Any:
    for choice in rule.choices:
        if type(choice) is type(value) and choice == value:
            return choice
    if isinstance(value, str):
        for choice in rule.choices:
            word = value.strip().capitalize() if isinstance(choice, bool) else value.strip()
            if word == str(choice):
                return choice
        if close := difflib.get_close_matches(value, [c for c in rule.choices if isinstance(c, str)], n=1):
            raise ValueError(f"did you mean {close[0]!r}?")
    raise ValueError


def _list(rule: TypeRule, value: Any) -> list[Any]:
    values, text = _many(value)
    item = rule.inner[0] if rule.inner else TypeRule()
    return [_within(f"item {i}", item, one, text=text) for i, one in enumerate(values, 1)]


def _tuple(rule: TypeRule, value: Any) -> tuple[Any, ...]:
    if not rule.inner or rule.any_length:
        return tuple(_list(rule, value))
    values, text = _many(value)
    if len(values) != len(rule.inner):
        raise ValueError(f"it has {len(values)} items, not {len(rule.inner)}")
    pairs = enumerate(zip(rule.inner, values, strict=True), 1)
    return tuple(_within(f"item {i}", inner, one, text=text) for i, (inner, one) in pairs)


def _dict(rule: TypeRule, value: Any) -> dict[Any, Any]:
    mapping = _literal(value) if isinstance(value, str) else value
    if not isinstance(mapping, dict):
        raise ValueError  # noqa: TRY004 — one exception: "not allowed"
    key_rule, value_rule = rule.inner or (TypeRule(), TypeRule())
    return {
        _within("a key", key_rule, key): _within(f"the value at {key!r}", value_rule, one)
        for key, one in mapping.items()
    }


READERS: dict[ValueKind, Callable[[TypeRule, Any], Any]] = {
    ValueKind.BOOL: _bool,
    ValueKind.INT: _int,
    ValueKind.FLOAT: _float,
    ValueKind.STR: _str,
    ValueKind.CHOICE: _choice,
    ValueKind.LIST: _list,
    ValueKind.TUPLE: _tuple,
    ValueKind.DICT: _dict,
    ValueKind.DATE: _date,
    ValueKind.DATETIME: _datetime,
    ValueKind.PATH: _path,
    ValueKind.SECRET: _secret,
    ValueKind.DATASET: _place,
    ValueKind.MODEL: _place,
    ValueKind.COLUMN: _str,
}


def _union(rule: TypeRule, value: Any, *, text: bool) -> Any:
    def rank(option: TypeRule) -> tuple[bool, bool]:
        """A value keeps its type where it may; the text of something is that thing before it is a text."""
        if isinstance(value, str) and text:
            return option.takes_text, False
        return type(value) is not EXACT.get(option.kind), not option.takes_text and isinstance(value, str)

    said = []
    for option in sorted(rule.inner, key=rank):
        if isinstance(value, str) and option.is_container and value.strip()[:1] not in {"[", "(", "{"}:
            continue  # "a, b" is a list only where nothing but a list is allowed
        try:
            return coerce(option, value, text=text)
        except (ValueError, TypeError) as error:
            said.append(str(error))
    raise ValueError(next(filter(None, said), ""))


def _within(place: str, rule: TypeRule, value: Any, *, text: bool = False) -> Any:
    try:
        return coerce(rule, value, text=text)
    except ValueError as error:
        shown = "" if rule.holds_secret else f", {value!r},"
        raise ValueError(f"{place}{shown} is not {rule.describe()}" + (f": {error}" if str(error) else "")) from None


def _many(value: Any) -> tuple[list[Any], bool]:
    """The items of a list, of its literal or JSON, or of ``a, b``; and whether they are texts still to be read."""
    stripped = value.strip() if isinstance(value, str) else ""
    if isinstance(value, str) and stripped[:1] not in {"[", "("}:
        return ([part.strip() for part in stripped.split(",")] if stripped else []), True
    values = _literal(stripped) if isinstance(value, str) else value
    if not isinstance(values, list | tuple):
        raise ValueError  # noqa: TRY004 — one exception: "not allowed"
    return list(values), False


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            raise ValueError("it is neither JSON nor a Python literal") from None


def _guess(text: str) -> Any:
    """What a text means where nothing is declared: none, true, false, a number, else itself."""
    word = text.strip().lower()
    if word in {"none", "true", "false"}:
        return {"none": None, "true": True, "false": False}[word]
    for kind in (ValueKind.INT, ValueKind.FLOAT):
        try:
            return coerce(TypeRule(kind=kind), text)
        except ValueError:
            continue
    return text


def _plain_value(value: Any, depth: int) -> Any:
    value = native(value)
    if depth > DEEPEST:
        raise ValueError("it is nested too deeply")
    if value is None or type(value) in {bool, int, float, str, bytes, date, Secret}:
        return value
    if type(value) in {list, tuple, set}:
        return type(value)(_plain_value(one, depth + 1) for one in value)
    if type(value) is dict:
        return {_plain_value(key, depth + 1): _plain_value(one, depth + 1) for key, one in value.items()}
    if isinstance(value, PurePath):
        return Path(value)
    if isinstance(value, datetime):
        return _datetime(TypeRule(), value)
    raise ValueError(f"a {type(value).__name__} cannot be written into a notebook as a literal")
