"""Moves functions and classes that go into a model out of the notebook, into a module that travels with the model."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from nbprod.adoption.edit import Edit, EditKind, Replacement
from nbprod.adoption.literals import value_of
from nbprod.adoption.reading import PREDEFINED, Code, Reading, Statement, called, span
from nbprod.domain.fault import NotebookFault

__all__ = ["ESTIMATORS", "constants_in", "module_edits", "module_source"]

#: Libraries whose estimators keep the functions and classes they are given.
ESTIMATORS = ("sklearn.", "xgboost.", "lightgbm.", "catboost.", "imblearn.")
Definition = ast.FunctionDef | ast.ClassDef


@dataclass
class _Cell:
    """What leaves one cell."""

    code: Code
    names: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    parts: list[Replacement] = field(default_factory=list)


def module_edits(reading: Reading, module: str) -> tuple[list[Edit], list[NotebookFault]]:
    """For each cell, what moves into the module; a warning for what needs values of the notebook."""
    found = _Moves(reading)
    for name in found.wanted():
        found.move(name)
    for cell, node in found.lambdas():
        found.name_lambda(cell, node)
    edits = []
    for id_, moved in found.cells.items():
        names = ", ".join(moved.names)
        first, *others = sorted(moved.parts, key=lambda part: part.start)
        line = f"from {module} import {names}\n"
        if first.text:  # a lambda, inside of a statement
            start = moved.code.source.rfind("\n", 0, first.start) + 1
            parts = (Replacement(start=start, end=start, text=line), first, *others)
        else:
            parts = (Replacement(start=first.start, end=first.end, text=line), *others)
        sentence = f"moves {names} into {module}.py, which travels with the model"
        edits.append(
            Edit(kind=EditKind.MODULE, cell=id_, sentence=sentence, replacements=parts, module=tuple(moved.texts))
        )
    return edits, found.faults


def module_source(edits: Iterable[Edit]) -> str:
    """The text of the module that some edits ask for; empty where none does."""
    texts = list(dict.fromkeys(text for edit in edits for text in edit.module))
    if not texts:
        return ""
    kinds = {text: type(ast.parse(text).body[0]) for text in texts}
    imports = sorted(text for text in texts if kinds[text] in {ast.Import, ast.ImportFrom})
    constants = [text for text in texts if kinds[text] is ast.Assign]
    rest = [text for text in texts if kinds[text] in {ast.FunctionDef, ast.ClassDef}]
    head = ['"""Parts of models; this module travels with them."""', "\n".join(imports), "\n".join(constants)]
    return "\n\n".join([each for each in head if each] + [f"\n{text}" for text in rest]) + "\n"


def constants_in(edits: Iterable[Edit]) -> set[str]:
    """Names of the notebook's constants that come into the module as they are."""
    texts = {text for edit in edits for text in edit.module}
    return {node.targets[0].id for text in texts if isinstance(node := ast.parse(text).body[0], ast.Assign)}  # type: ignore[attr-defined]


class _Moves:
    """Collects what moves."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.cells: dict[str, _Cell] = {}
        self.faults: list[NotebookFault] = []
        self.moved: set[str] = set()
        self.defined = {
            statement.node.name: (cell, statement)
            for cell, statement in reading.statements()
            if isinstance(statement.node, Definition)
        }

    def wanted(self) -> Iterator[str]:
        """Classes of estimators that are used, and functions given to estimators, in the order of the notebook."""
        made = {called(call) for _, call in self.reading.calls()}
        given = {each.id for _, call in self._calls() for each in _arguments(call) if isinstance(each, ast.Name)}
        for name, (_, statement) in self.defined.items():
            node = statement.node
            bases = [self.reading.path_of(base) for base in node.bases] if isinstance(node, ast.ClassDef) else []
            is_estimator = any(base.startswith(ESTIMATORS) for base in bases) and name in made
            if is_estimator or name in given:
                yield name

    def lambdas(self) -> Iterator[tuple[Code, ast.Lambda]]:
        """Lambdas given to estimators."""
        for cell, call in self._calls():
            yield from ((cell, each) for each in _arguments(call) if isinstance(each, ast.Lambda))

    def _calls(self) -> Iterator[tuple[Code, ast.Call]]:
        return (
            (cell, call)
            for cell, call in self.reading.calls()
            if self.reading.path_of(call.func).startswith(ESTIMATORS)
        )

    def move(self, name: str) -> None:
        """Move a function or class, and what it needs, if all of it can move."""
        needed = self._needed(name)
        if needed is None:
            return
        for each in needed:
            if each in self.moved or each not in self.defined:
                continue
            self.moved.add(each)
            cell, statement = self.defined[each]
            start, end = _lines(cell, statement)
            home = self.cells.setdefault(cell.id, _Cell(cell))
            home.names.append(each)
            home.texts += [*self._context(statement.reads | statement.later), cell.source[start:end].rstrip("\n")]
            home.parts.append(Replacement(start=start, end=end, text=""))

    def name_lambda(self, cell: Code, node: ast.Lambda) -> None:
        """Make a lambda a function of the module."""
        own = {each.arg for each in ast.walk(node.args) if isinstance(each, ast.arg)}
        reads = {each.id for each in ast.walk(node.body) if isinstance(each, ast.Name)} - own
        if missing := self._missing(reads):
            self._warn(cell, "a lambda", missing)
            return
        for each in sorted(reads & self.defined.keys()):
            self.move(each)
        number = 1
        while (name := f"function_{number}") in self.reading.names | self.moved:
            number += 1
        self.moved.add(name)
        start, end = span(cell.source, node)
        home = self.cells.setdefault(cell.id, _Cell(cell))
        home.names.append(name)
        text = f"def {name}({ast.unparse(node.args)}):\n    return {ast.unparse(node.body)}"
        home.texts += [*self._context(reads), text]
        home.parts.append(Replacement(start=start, end=end, text=name))

    def _needed(self, name: str) -> list[str] | None:
        """The name and all definitions it needs; ``None``, and a warning, where one needs a value of the notebook."""
        found: list[str] = []
        waiting = [name]
        while waiting:
            each = waiting.pop()
            if each in found:
                continue
            found.append(each)
            cell, statement = self.defined[each]
            reads = (statement.reads | statement.later) - {each}
            if missing := self._missing(reads):
                self._warn(cell, each, missing)
                return None
            waiting += sorted(reads & self.defined.keys())
        return found

    def _missing(self, reads: Iterable[str]) -> list[str]:
        known = PREDEFINED | self.reading.origins.keys() | self.defined.keys()
        return sorted(name for name in set(reads) - known if not self._constant(name))

    def _constant(self, name: str) -> str:
        """The one statement that gives a name a literal; empty where it is something else."""
        bindings = self.reading.bindings(name)
        if len(bindings) != 1:
            return ""
        cell, statement = bindings[0]
        node = statement.node
        is_plain = isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name)
        return cell.text(node) if is_plain and value_of(node.value) is not None else ""  # type: ignore[attr-defined]

    def _context(self, reads: Iterable[str]) -> list[str]:
        """Imports and constants that some code needs."""
        texts = []
        for name in sorted(set(reads)):
            if name in self.reading.origins:
                texts.append(_import(self.reading, name))
            elif name not in PREDEFINED and name not in self.defined:
                texts.append(self._constant(name))
        return texts

    def _warn(self, cell: Code, name: str, missing: list[str]) -> None:
        sentence = (
            f"{name} goes into a model and needs {', '.join(missing)} of this notebook: give it as an argument, "
            "then it can move into a module that travels with the model"
        )
        self.faults.append(NotebookFault(file="", cell=cell.id, rule="module", sentence=sentence))


def _arguments(call: ast.Call) -> list[ast.expr]:
    return [*call.args, *(keyword.value for keyword in call.keywords)]


def _lines(cell: Code, statement: Statement) -> tuple[int, int]:
    """Where the lines of a definition begin and end, decorators and comments above it included."""
    node = statement.node
    assert isinstance(node, Definition)
    first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
    lines = cell.source.split("\n")
    while first > 1 and lines[first - 2].startswith("#"):
        first -= 1
    return cell.lines(first, node.end_lineno)


def _import(reading: Reading, name: str) -> str:
    """The import of one name, as one line."""
    for cell in reading.cells:
        for node in cell.nodes:
            for alias in node.names if isinstance(node, ast.Import | ast.ImportFrom) else ():
                bound = alias.asname or (alias.name.partition(".")[0] if isinstance(node, ast.Import) else alias.name)
                if bound == name:
                    source = (
                        f"from {'.' * node.level}{node.module or ''} " if isinstance(node, ast.ImportFrom) else ""
                    )
                    return f"{source}import {alias.name}" + (f" as {alias.asname}" if alias.asname else "")
    raise AssertionError(name)
