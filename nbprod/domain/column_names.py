"""Parameters that name columns, held against the columns of the data they are to be in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from nbprod.domain.names import nearest
from nbprod.domain.parameter import Parameter
from nbprod.domain.type_rule import TypeRule, ValueKind
from nbprod.errors import ParameterError

__all__ = ["check_columns"]


def check_columns(
    parameters: Iterable[Parameter], given: Mapping[str, Any], columns: Mapping[str, Sequence[str]]
) -> None:
    """Refuse a column that its data set does not have.

    Parameters
    ----------
    parameters
        What the notebook declares.
    given
        Their values.
    columns
        The columns of each data set that is known, by the name of its parameter.

    Raises
    ------
    ParameterError
        All wrong names at once, each with the nearest column, regardless of case.
    """
    problems, hints, names = [], [], []
    for parameter in parameters:
        for column, of in _named(parameter.rule, given.get(parameter.name)):
            if of in columns and column not in columns[of]:
                problems.append(f"{parameter.name}: {of} ({given[of]}) has no column {column!r}.")
                hints.append(nearest(column, columns[of]))
                names.append(parameter.name)
    if problems:
        raise ParameterError(
            "\n".join(problems), names=list(dict.fromkeys(names)), hint=" ".join(dict.fromkeys(hints))
        )


def _named(rule: TypeRule, value: Any) -> Iterator[tuple[str, str]]:
    """The columns a value names, each with the parameter of its data set."""
    if rule.kind is ValueKind.COLUMN and isinstance(value, str):
        yield value, rule.of
    elif rule.kind is ValueKind.UNION:
        if not any(option.kind is ValueKind.CHOICE and value in option.choices for option in rule.inner):
            for option in rule.inner:
                yield from _named(option, value)
    elif rule.kind in {ValueKind.LIST, ValueKind.TUPLE} and rule.inner and isinstance(value, list | tuple):
        inner = rule.inner if rule.kind is ValueKind.TUPLE and not rule.any_length else (rule.inner[0],) * len(value)
        for item, one in zip(inner, value, strict=False):
            yield from _named(item, one)
    elif rule.kind is ValueKind.DICT and rule.inner and isinstance(value, Mapping):
        for pair in value.items():
            for item, one in zip(rule.inner, pair, strict=True):
                yield from _named(item, one)
