"""What an annotation or a literal default says about a parameter, read from its syntax alone."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from nbprod.domain.markers import Range, Secret
from nbprod.domain.type_rule import TypeRule, ValueKind
from nbprod.errors import ParameterError

__all__ = ["NotLiteralError", "literal_value", "rule_of_annotation", "rule_of_default"]

KINDS = {
    "bool": ValueKind.BOOL,
    "int": ValueKind.INT,
    "float": ValueKind.FLOAT,
    "str": ValueKind.STR,
    "date": ValueKind.DATE,
    "datetime": ValueKind.DATETIME,
    "Path": ValueKind.PATH,
    "PurePath": ValueKind.PATH,
    "Secret": ValueKind.SECRET,
    "Dataset": ValueKind.DATASET,
    "Model": ValueKind.MODEL,
    "Column": ValueKind.COLUMN,
    "list": ValueKind.LIST,
    "List": ValueKind.LIST,
    "Sequence": ValueKind.LIST,
    "tuple": ValueKind.TUPLE,
    "Tuple": ValueKind.TUPLE,
    "dict": ValueKind.DICT,
    "Dict": ValueKind.DICT,
    "Mapping": ValueKind.DICT,
}
NAMED_VALUES = {"nan": math.nan, "NaN": math.nan, "inf": math.inf, "UTC": UTC, "utc": UTC}


class NotLiteralError(ValueError):
    """An expression that only a kernel can evaluate."""


def rule_of_annotation(node: ast.expr) -> TypeRule:
    """The rule of an annotation; one that says nothing known allows any plain value.

    Raises
    ------
    ParameterError
        A ``Range`` that is none.
    """
    if isinstance(node, ast.Constant) and isinstance(node.value, str):  # a quoted annotation
        try:
            return rule_of_annotation(ast.parse(node.value, mode="eval").body)
        except SyntaxError:
            return TypeRule()
    if isinstance(node, ast.Constant) and node.value is None:
        return TypeRule(optional=True)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _either(_alternatives(node))
    if isinstance(node, ast.Subscript):
        return _of_subscript(_last_name(node.value), node.slice)
    kind = KINDS.get(_last_name(node), ValueKind.ANY)
    return TypeRule(kind=kind)


def rule_of_default(value: Any) -> TypeRule:
    """The rule where there is no annotation: as the default is."""
    for kind, python_type in (
        (ValueKind.BOOL, bool),
        (ValueKind.INT, int),
        (ValueKind.FLOAT, float),
        (ValueKind.STR, str),
        (ValueKind.LIST, list),
        (ValueKind.TUPLE, tuple),
        (ValueKind.DICT, dict),
        (ValueKind.DATETIME, datetime),
        (ValueKind.DATE, date),
        (ValueKind.PATH, Path),
        (ValueKind.SECRET, Secret),
    ):
        if isinstance(value, python_type):
            return TypeRule(kind=kind)
    return TypeRule(optional=value is None)


def literal_value(node: ast.expr) -> Any:
    """The value of a literal, or of a well-known constructor of literals such as ``date(2026, 1, 31)``.

    Raises
    ------
    NotLiteralError
        The expression is neither.
    """
    try:
        return _literal(node)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:  # {[]: 1}, date(2026, 2, 30), …
        raise NotLiteralError(str(error)) from None


def _literal(node: ast.expr) -> Any:
    if isinstance(node, ast.Constant) and not isinstance(node.value, type(...)):
        return node.value
    if isinstance(node, ast.List | ast.Tuple | ast.Set):
        items = [_literal(item) for item in node.elts]
        return items if isinstance(node, ast.List) else tuple(items) if isinstance(node, ast.Tuple) else set(items)
    if isinstance(node, ast.Dict):
        if None in node.keys:
            raise NotLiteralError("a mapping is unpacked")
        return {_literal(key): _literal(one) for key, one in zip(node.keys, node.values, strict=True) if key}
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        number = _literal(node.operand)
        if isinstance(number, int | float) and not isinstance(number, bool):
            return -number if isinstance(node.op, ast.USub) else number
    if isinstance(node, ast.Attribute) and node.attr in NAMED_VALUES:
        return NAMED_VALUES[node.attr]
    if isinstance(node, ast.Name) and node.id in {"UTC", "nan", "inf"}:
        return NAMED_VALUES[node.id]
    name = _last_name(node.func) if isinstance(node, ast.Call) else ""
    is_method = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and name in BUILTINS
    if isinstance(node, ast.Call) and not is_method and (make := CONSTRUCTORS.get(name)):
        arguments = [_literal(argument) for argument in node.args]
        named = {keyword.arg: _literal(keyword.value) for keyword in node.keywords if keyword.arg}
        if len(named) == len(node.keywords):
            return make(*arguments, **named)
    raise NotLiteralError(f"{ast.unparse(node)} is not a literal")


BUILTINS = {"dict", "list", "tuple", "set", "float"}  # as a method, ``alerts.list("x")``, each is something else
CONSTRUCTORS: dict[str, Callable[..., Any]] = {
    "dict": dict,
    "list": list,
    "tuple": tuple,
    "set": set,
    "float": float,
    "date": date,
    "datetime": datetime,
    "fromisoformat": datetime.fromisoformat,
    "timezone": timezone,
    "timedelta": timedelta,
    "Path": Path,
    "PurePath": Path,
    "Secret": Secret,
}


def _last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _alternatives(node: ast.expr) -> list[ast.expr]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return [*_alternatives(node.left), *_alternatives(node.right)]
    return [node]


def _either(options: list[ast.expr]) -> TypeRule:
    is_none = [isinstance(option, ast.Constant) and option.value is None for option in options]
    rules = [rule_of_annotation(option) for option, none in zip(options, is_none, strict=True) if not none]
    optional = any(is_none) or any(rule.optional for rule in rules)
    if len(rules) == 1:
        return replace(rules[0], optional=optional)
    if not rules or any(rule.kind is ValueKind.ANY for rule in rules):
        return TypeRule(optional=optional)
    return TypeRule(
        kind=ValueKind.UNION, inner=tuple(replace(rule, optional=False) for rule in rules), optional=optional
    )


def _of_subscript(name: str, node: ast.expr) -> TypeRule:
    parts = list(node.elts) if isinstance(node, ast.Tuple) else [node]
    if name == "Optional":
        return replace(rule_of_annotation(node), optional=True)
    if name == "Union":
        return _either([one for part in parts for one in _alternatives(part)])
    if name in {"Final", "ClassVar"}:
        return rule_of_annotation(node)
    if name == "Literal":
        return _of_choices(parts)
    if name == "Annotated":
        return _of_annotated(parts)
    kind = KINDS.get(name, ValueKind.ANY)
    if kind is ValueKind.TUPLE and isinstance(parts[-1], ast.Constant) and parts[-1].value is ...:
        return TypeRule(kind=kind, inner=(rule_of_annotation(parts[0]),), any_length=True)
    is_whole = len(parts) == {ValueKind.LIST: 1, ValueKind.DICT: 2}.get(kind, len(parts))
    if kind not in {ValueKind.LIST, ValueKind.TUPLE, ValueKind.DICT} or not is_whole:
        return TypeRule(kind=kind)
    return TypeRule(kind=kind, inner=tuple(map(rule_of_annotation, parts)))


def _of_choices(parts: list[ast.expr]) -> TypeRule:
    try:
        values = [literal_value(part) for part in parts]
    except NotLiteralError:
        return TypeRule()
    choices = tuple(value for value in values if value is not None)
    return TypeRule(kind=ValueKind.CHOICE, choices=choices, optional=None in values)


def _of_annotated(parts: list[ast.expr]) -> TypeRule:
    rule = rule_of_annotation(parts[0])
    for part in parts[1:]:
        if isinstance(part, ast.Call) and _last_name(part.func) == "Range":
            try:
                ends = [literal_value(argument) for argument in part.args]
                bounds = Range(*ends, **{str(keyword.arg): literal_value(keyword.value) for keyword in part.keywords})
            except (NotLiteralError, TypeError) as error:
                raise ParameterError(
                    f"{ast.unparse(part)} is not a range: {error}", hint="Write Range(low, high) with two numbers."
                ) from None
            rule = replace(rule, low=bounds.low, high=bounds.high)
        elif isinstance(part, ast.Call) and _last_name(part.func) == "ColumnOf":
            rule = replace(rule, kind=ValueKind.COLUMN, of=_text_of(part))
    return rule


def _text_of(call: ast.Call) -> str:
    arguments = [*call.args, *(keyword.value for keyword in call.keywords)]
    if len(arguments) == 1 and isinstance(arguments[0], ast.Constant) and isinstance(arguments[0].value, str):
        return arguments[0].value
    raise ParameterError(
        f"{ast.unparse(call)} names no data set", hint='Write ColumnOf("data") with the name of a Dataset parameter.'
    )
