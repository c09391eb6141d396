"""A notebook's code as its names tell it: what each statement reads and binds, in the order of the cells."""

from __future__ import annotations

import ast
import builtins
import itertools
import re
import symtable
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from nbprod.notebook.syntax import parse_cell

__all__ = ["PREDEFINED", "Code", "Reading", "Statement", "called", "read_code", "span"]

#: Names that every cell finds: Python's own and IPython's.
PREDEFINED = {
    *dir(builtins),
    "get_ipython",
    "display",
    "In",
    "Out",
    "_",
    "__",
    "___",
    "_i",
    "_ii",
    "_dh",
    "_ih",
    "_oh",
}
ASSIGNED = re.compile(r"^([ \t]*[\w., \t]+=)[ \t]*[%!].*$", re.MULTILINE)
PYTHON_CELLS = {"%%time", "%%capture", "%%prun"}  # cell magics whose body is the notebook's own Python
COMPREHENSIONS = {"listcomp", "setcomp", "dictcomp", "genexpr"}  # functions to Python, carried out where they stand
# What may bind, replace or clear names that nobody can read from the code.
UNREADABLE = re.compile(r"[ \t]*%{1,2}(?:run|pylab|load|store|reset|reset_selective|recall|macro|cython|sql)\b")
NAMESPACE_ACCESS = {"globals", "locals", "vars", "exec", "eval"}


@dataclass(frozen=True)
class Statement:
    """One statement on the outermost level of a cell."""

    node: ast.stmt
    reads: frozenset[str]  #: names it needs when it is carried out
    later: frozenset[str]  #: names its functions need when they are called
    binds: frozenset[str]  #: names it gives a value, replaces or deletes
    is_open: bool  #: it may bind names nobody can read, as ``from x import *`` does


@dataclass(frozen=True)
class Code:
    """One code cell.

    ``statements`` is empty where the cell is in another language or is no Python; ``problem`` says so then.
    """

    id: str
    index: int  #: among all cells of the notebook
    source: str
    statements: tuple[Statement, ...]
    ipython_lines: tuple[str, ...]  #: magics and shell lines, as written
    problem: str = ""

    @property
    def is_readable(self) -> bool:
        """Whether it is known what the cell does with names."""
        return not self.problem and not any(UNREADABLE.match(line) for line in self.ipython_lines)

    @property
    def nodes(self) -> Iterator[ast.AST]:
        """Everything in the cell's code, outer things first."""
        return (node for statement in self.statements for node in ast.walk(statement.node))

    def text(self, node: ast.AST) -> str:
        """The text of a part of the code."""
        start, end = span(self.source, node)
        return self.source[start:end]

    def lines(self, first: int, last: int | None) -> tuple[int, int]:
        """Where some lines, counted from 1, begin and end in the text."""
        starts = line_starts(self.source)
        return starts[first - 1], min(starts[last or first], len(self.source))

    def behind(self, node: ast.stmt) -> str:
        """What stands behind a statement on its last line."""
        line = self.source.split("\n")[(node.end_lineno or 1) - 1]
        return line.encode()[node.end_col_offset :].decode().strip()


class Reading:
    """A whole notebook.

    The notebook is in the form ``tidy`` gives it.
    """

    def __init__(self, notebook: Any) -> None:
        self.cells = [
            read_code(cell.id, index, cell.source)
            for index, cell in enumerate(notebook.cells)
            if cell.cell_type == "code"
        ]

    @cached_property
    def names(self) -> frozenset[str]:
        """Every name in the code, local ones included, and every word where the code cannot be read."""
        found = {name for _, one in self.statements() for name in (*one.reads, *one.later, *one.binds)}
        for cell in self.cells:
            unread = [cell.source] if cell.problem else cell.ipython_lines
            found |= {word for text in unread for word in re.findall(r"\w+", text)}
            found |= {node.id for node in cell.nodes if isinstance(node, ast.Name)}
            found |= {node.arg for node in cell.nodes if isinstance(node, ast.arg)}
        return frozenset(found)

    def statements(self) -> Iterator[tuple[Code, Statement]]:
        """All statements in order, each with its cell."""
        return ((cell, statement) for cell in self.cells for statement in cell.statements)

    def bindings(self, name: str) -> list[tuple[Code, Statement]]:
        """Where a name gets a value."""
        return [(cell, statement) for cell, statement in self.statements() if name in statement.binds]

    def calls(self) -> Iterator[tuple[Code, ast.Call]]:
        """All calls, each with its cell."""
        return ((cell, node) for cell in self.cells for node in cell.nodes if isinstance(node, ast.Call))

    @cached_property
    def origins(self) -> dict[str, str]:
        """What imported names are, by the name they have here: ``pd`` is ``pandas``."""
        found = {}
        for cell in self.cells:
            for node in cell.nodes:
                if isinstance(node, ast.Import):
                    for one in node.names:
                        top = one.name.partition(".")[0]
                        found[one.asname or top] = one.name if one.asname else top
                elif isinstance(node, ast.ImportFrom) and node.module:
                    found |= {one.asname or one.name: f"{node.module}.{one.name}" for one in node.names}
        return found

    def path_of(self, node: ast.expr) -> str:
        """The full dotted name of what is called, as far as imports tell; empty for what has no name."""
        parts = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return ".".join(reversed(parts))
        return ".".join([self.origins.get(node.id, node.id), *reversed(parts)])


def read_code(id_: str, index: int, source: str) -> Code:
    """Read one cell; one that is no Python is told by its ``problem``."""
    text = source
    first = source.lstrip().splitlines()[0].strip() if source.strip() else ""
    ipython: list[str] = []
    if first.startswith("%%"):
        ipython.append(first)
        if first.split()[0] not in PYTHON_CELLS:
            return Code(id_, index, source, (), tuple(ipython), problem=f"it is a {first.split()[0]} cell")
        text = source.replace(first, " " * len(first), 1)
    try:
        tree, parsed = parse_cell(ASSIGNED.sub(r"\1 None", text) if _is_broken(text) else text)
    except SyntaxError as error:
        return Code(id_, index, source, (), tuple(ipython), problem=f"line {error.lineno}: {error.msg}")
    # what the parser had to blank, or to put None for, is IPython's
    for before, after in zip(text.split("\n"), parsed.split("\n"), strict=True):
        if before != after:
            ipython.append(before.strip())
    return Code(id_, index, source, tuple(_statement(node) for node in tree.body), tuple(ipython))


def _is_broken(text: str) -> bool:
    try:
        parse_cell(text)
    except SyntaxError:
        return True
    return False


def _statement(node: ast.stmt) -> Statement:
    reads: set[str] = set()
    later: set[str] = set()
    binds: set[str] = set()
    is_open = any(isinstance(one, ast.ImportFrom) and one.names[0].name == "*" for one in ast.walk(node))
    is_open |= any(isinstance(one, ast.Name) and one.id in NAMESPACE_ACCESS for one in ast.walk(node))
    try:
        table = symtable.symtable(ast.unparse(ast.Module([node], [])), "cell", "exec")
    except (SyntaxError, ValueError, RecursionError):  # a return outside of a function, for instance
        return Statement(node, frozenset(), frozenset(), frozenset(), is_open=True)
    for symbol in table.get_symbols():
        if symbol.is_referenced():
            reads.add(symbol.get_name())
        if symbol.is_assigned() or symbol.is_imported():
            binds.add(symbol.get_name())
    for child in table.get_children():
        _inner(child, reads if _is_at_once(child) else later, later, binds)
    if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
        reads.add(node.target.id)
    return Statement(node, frozenset(reads), frozenset(later), frozenset(binds), is_open)


def _inner(table: symtable.SymbolTable, reads: set[str], later: set[str], binds: set[str]) -> None:
    for symbol in table.get_symbols():
        if symbol.is_global() and symbol.is_referenced():
            reads.add(symbol.get_name())
        if symbol.is_global() and symbol.is_assigned():
            binds.add(symbol.get_name())
    for child in table.get_children():
        _inner(child, reads if _is_at_once(child) else later, later, binds)


def _is_at_once(table: symtable.SymbolTable) -> bool:
    return table.get_type() == "class" or table.get_name() in COMPREHENSIONS


def called(node: ast.AST) -> str:
    """The last name of what a call calls: ``read_csv`` of ``pd.read_csv(…)``; empty where it has none."""
    function = node.func if isinstance(node, ast.Call) else None
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def line_starts(source: str) -> list[int]:
    """Where each line begins in the text, and where one more would."""
    return [0, *itertools.accumulate(len(line) + 1 for line in source.split("\n"))]


def span(source: str, node: Any) -> tuple[int, int]:
    """Where a part of the code begins and ends in the text (Python counts columns in bytes)."""
    lines, starts = source.split("\n"), line_starts(source)

    def offset(line: int, column: int) -> int:
        return starts[line - 1] + len(lines[line - 1].encode()[:column].decode())

    return offset(node.lineno, node.col_offset), offset(node.end_lineno, node.end_col_offset)
