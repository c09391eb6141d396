"""Writes given values into a notebook as a cell of literals, so that nothing a caller says is ever run as code."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from datetime import date, datetime, timezone
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from nbprod.domain.coercion import DEEPEST, native
from nbprod.domain.markers import Secret
from nbprod.domain.parameter import is_parameter_name
from nbprod.errors import ParameterError
from nbprod.notebook.document import has_tag, unused_id
from nbprod.notebook.parameters import parameters_cell, read_parameters

if TYPE_CHECKING:
    from nbformat import NotebookNode  # delayed: nbformat takes a second to import

__all__ = ["inject", "injected_source", "literal"]

TAG = "injected-parameters"
# the cell imports under names that no notebook uses, so that its own datetime or Path is never replaced
IMPORTS = {
    "_datetime": "import datetime as _datetime",
    "_Path": "from pathlib import Path as _Path",
    "Secret": "from nbprod import Secret",
}


def inject(notebook: NotebookNode, values: Mapping[str, Any]) -> NotebookNode:
    """A copy of the notebook with the values in a cell of their own, right behind the ``parameters`` cell.

    An earlier injected cell is replaced. Without a ``parameters`` cell the values come before the first code cell.
    Secrets are written as the reference alone.

    Parameters
    ----------
    notebook
        Left as it is.
    values
        By name; already held against the declared parameters.

    Raises
    ------
    ParameterError
        A name is no identifier, or a value has no exact literal.
    NotebookError
        Two cells are tagged ``parameters``.
    """
    secret_names = {parameter.name for parameter in read_parameters(notebook) if parameter.rule.holds_secret}
    for name in secret_names & values.keys():
        if not _is_reference_only(values[name]):
            raise ParameterError(
                f"{name} is not a reference but must be one; its value is not shown",
                names=[name],
                hint="Say where the secret is: env:NAME, file:PATH or cmd:COMMAND.",
            )
    from nbformat.v4 import new_code_cell  # delayed, as said above

    source = injected_source(values)
    result = copy.deepcopy(notebook)
    result.cells = [cell for cell in result.cells if not has_tag(cell, TAG)]
    declared = parameters_cell(result)
    codes = [index for index, cell in enumerate(result.cells) if cell.cell_type == "code"]
    position = next(iter(codes), len(result.cells))
    if declared is not None:
        position = 1 + next(index for index, cell in enumerate(result.cells) if cell is declared)
    cell = new_code_cell(source, id=unused_id(TAG, {cell.id for cell in result.cells}), metadata={"tags": [TAG]})
    result.cells.insert(position, cell)
    return result


def injected_source(values: Mapping[str, Any]) -> str:
    """The text of the injected cell: a comment, the imports its literals need, one assignment a line.

    Raises
    ------
    ParameterError
        All problems, one a line.
    """
    problems = []
    names = []
    lines = []
    called = {name_called for value in values.values() for name_called in _called(value, 0)}
    for name, value in values.items():
        if not is_parameter_name(name) or name in called:
            problems.append(f"{name!r} cannot be the name of a parameter")
            names.append(str(name))
            continue
        try:
            lines.append(f"{name} = {literal(value)}")
        except ValueError as error:
            problems.append(f"{name} cannot be written into the notebook: {error}")
            names.append(name)
    if problems:
        raise ParameterError(
            "\n".join(problems),
            names=names,
            hint="Names are Python identifiers; values are numbers, texts, dates, paths, secrets, and lists and "
            "mappings of them.",
        )
    return "\n".join(
        ["# Parameters", *(line for name_called, line in IMPORTS.items() if name_called in called), *lines]
    )


def literal(value: Any) -> str:
    """The expression that gives exactly this value and does nothing else.

    Raises
    ------
    ValueError
        There is none.
    """
    return _literal(value, 0)


def _literal(value: Any, depth: int) -> str:
    value = native(value)
    kind = type(value)
    if depth > DEEPEST:
        raise ValueError("it is nested too deeply")
    if kind is int:  # Python refuses to read decimal numbers of more than 4,300 digits
        return repr(value) if value.bit_length() < 10_000 else hex(value)
    if kind is float:
        return repr(value) if math.isfinite(value) else f"float({str(value)!r})"
    if value is None or kind in {bool, str, bytes}:
        return repr(value)
    if kind is list:
        return "[" + ", ".join(_literal(one, depth + 1) for one in value) + "]"
    if kind is tuple:
        return "(" + "".join(f"{_literal(one, depth + 1)}, " for one in value).rstrip(" ") + ")"
    if kind is set:
        return "{" + ", ".join(sorted(_literal(one, depth + 1) for one in value)) + "}" if value else "set()"
    if kind is dict:
        pairs = (f"{_literal(key, depth + 1)}: {_literal(one, depth + 1)}" for key, one in value.items())
        return "{" + ", ".join(pairs) + "}"
    if kind is date:
        return f"_datetime.date({value.year}, {value.month}, {value.day})"
    if kind is datetime and (value.tzinfo is None or type(value.tzinfo) is timezone):
        text = value.isoformat()
        if datetime.fromisoformat(text).utcoffset() != value.utcoffset():  # Python loses offsets below a second
            raise ValueError("its offset from UTC is not a whole number of seconds")
        return f"_datetime.datetime.fromisoformat({text!r})"
    if isinstance(value, PurePath):
        return f"_Path({str(value)!r})"
    if kind is Secret:
        return f"Secret({value.reference!r})"
    raise ValueError(f"a {kind.__name__} has no literal")


def _called(value: Any, depth: int) -> set[str]:
    """The names that a value's literal calls; no parameter may replace them."""
    if depth > DEEPEST:
        return set()
    if isinstance(value, Mapping):
        return {word for pair in value.items() for one in pair for word in _called(one, depth + 1)}
    if isinstance(value, list | tuple | set):
        inner = {word for one in value for word in _called(one, depth + 1)}
        return inner or ({"set"} if value == set() else inner)
    if isinstance(value, float):
        return set() if math.isfinite(value) else {"float"}
    if isinstance(value, date):
        return {"_datetime"}
    return {"_Path"} if isinstance(value, PurePath) else {"Secret"} if isinstance(value, Secret) else set()


def _is_reference_only(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(map(_is_reference_only, value.values()))
    if isinstance(value, list | tuple):
        return all(map(_is_reference_only, value))
    return value is None or isinstance(value, Secret)
