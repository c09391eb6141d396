"""What a model holds that only its notebook defines, and which lines of which cell to move into a module."""

from __future__ import annotations

import ast
import linecache
import sys
from dataclasses import dataclass
from types import FunctionType
from typing import Any

from nbprod.errors import UntrustedTypesError
from nbprod.formats.restoring import replaced

__all__ = ["MODULE", "refuse_notebook_code"]

MODULE = "model_parts"  #: the module that is proposed


@dataclass(frozen=True, kw_only=True)
class Defined:
    """A function or class of the notebook."""

    name: str  #: ``Clip``, ``<lambda>``
    where: str  #: ``lines 2 to 7 of cell [3]``; empty where it is not known

    def __str__(self) -> str:
        named = "a lambda" if self.name == "<lambda>" else self.name
        return f"{named} ({self.where})" if self.where else named


def refuse_notebook_code(model: Any) -> None:
    """Refuse a model that holds a function or class of the notebook itself, or a lambda.

    Raises
    ------
    UntrustedTypesError
        Naming the lines to move, and where to.
    """
    found: dict[int, Any] = {}

    def look(value: Any) -> Any:
        thing = value if isinstance(value, FunctionType | type) else type(value)
        is_nameless = isinstance(thing, FunctionType) and "<" in thing.__qualname__
        if getattr(thing, "__module__", "") == "__main__" or is_nameless:
            found.setdefault(id(thing), thing)
        return value

    replaced(model, look)
    if not found:
        return
    things = [Defined(name=thing.__name__, where=_where(thing)) for thing in found.values()]
    named = [each.name for each in things if each.name.isidentifier()]
    imports = f"from {MODULE} import {', '.join(named)}" if named else f"import {MODULE}"
    lambdas = any(each.name == "<lambda>" for each in things)
    raise UntrustedTypesError(
        f"{type(model).__name__} holds what only this notebook defines: {', '.join(map(str, things))}",
        types=[f"{thing.__module__}.{thing.__qualname__}" for thing in found.values()],
        hint=f"Move these lines, with the imports they need, into {MODULE}.py beside the notebook and write "
        f"`{imports}` instead"
        + (", a lambda as a function with a name" if lambdas else "")
        + "; the module then travels with the model. `nbprod notebooks adopt NOTEBOOK` proposes it.",
    )


def _where(thing: Any) -> str:
    """The lines of the cell that defines it, as far as the kernel remembers."""
    code = getattr(thing, "__code__", None)
    if code is not None:
        source = "".join(linecache.getlines(code.co_filename))
        cells = [(_number(source), source)]
    else:
        cells = list(enumerate(getattr(sys.modules["__main__"], "In", ())))[::-1]
    for number, source in cells:
        for node in ast.walk(_tree(source)):
            is_it = isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == thing.__name__
            is_it |= code is not None and isinstance(node, ast.Lambda) and node.lineno == code.co_firstlineno
            if is_it:
                assert isinstance(node, ast.ClassDef | ast.FunctionDef | ast.Lambda)
                first = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", ()))])
                lines = f"line {first}" if first == node.end_lineno else f"lines {first} to {node.end_lineno}"
                return f"{lines} of cell [{number}]" if number else lines
    return ""


def _number(source: str) -> int:
    """The execution count of the cell with this code; 0 where no cell has it."""
    cells = list(getattr(sys.modules["__main__"], "In", ()))
    return next((number for number in range(len(cells) - 1, 0, -1) if cells[number].strip() == source.strip()), 0)


def _tree(source: str) -> ast.Module:
    try:
        return ast.parse("\n".join("pass" if line.startswith(("%", "!")) else line for line in source.split("\n")))
    except SyntaxError:
        return ast.Module([], [])
