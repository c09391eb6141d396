"""Finds literals inside calls and classes that a job would want to change, and gives each a free name."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import PurePath

from nbprod.adoption.edit import Declaration, Edit, EditKind, Replacement
from nbprod.adoption.literals import LONGEST, READERS, SEED_NAMES, annotation_of, is_file, value_of
from nbprod.adoption.reading import Code, Reading, called, span
from nbprod.adoption.secrets import NAME as SECRET_NAME
from nbprod.domain.parameter import is_parameter_name

__all__ = ["literals_in_calls"]

SEED_KEYWORDS = {"random_state", "seed"}
SEED_CALLS = {"numpy.random.seed", "random.seed", "numpy.random.default_rng", "numpy.random.RandomState"}
SETTINGS_CALLS = {"Namespace", "SimpleNamespace"}
SETTINGS_CLASS = re.compile(
    r"(?:cfg|config|configuration|args|params|hparams|settings|hyperparameters)", re.IGNORECASE
)


def literals_in_calls(reading: Reading, reserved: set[str], secrets: frozenset[str]) -> Iterator[Edit]:
    """Literals inside calls that a job wants to change: files that are read, seeds, settings given together."""
    pool = _NamePool(reading, reserved)
    for cell in reading.cells:
        if cell.problem:
            continue
        for node in cell.nodes:
            for wanted, literal, help_text in _settings_in(node):
                annotation = annotation_of(value_of(literal))
                text = _exact(cell, literal)
                is_secret = any(secret in f"{text} {help_text}" for secret in secrets)
                if not annotation or not text or is_secret or len(text) > LONGEST:
                    continue
                name = "" if SECRET_NAME.fullmatch(wanted) else pool.name(wanted)
                if name:
                    declaration = Declaration(name=name, annotation=annotation, value=text, help=help_text)
                    yield _lift(cell, [literal], declaration)
    yield from _seeds(reading, pool)


class _NamePool:
    """Hands out names that occur nowhere in the notebook."""

    def __init__(self, reading: Reading, reserved: set[str]) -> None:
        self.reserved = reserved | reading.names
        self.names = reserved

    def name(self, wanted: str) -> str:
        """The wanted name, or the next free one with a number; empty where it cannot be a name."""
        wanted = re.sub(r"\W+", "_", wanted).strip("_").lower()
        if not wanted or not is_parameter_name(wanted) or wanted[0].isdigit():
            return ""
        number, name = 2, wanted
        while name in self.reserved:
            name, number = f"{wanted}_{number}", number + 1
        self.reserved = self.reserved | {name}
        self.names = self.names | {name}
        return name


def _settings_in(node: ast.AST) -> Iterator[tuple[str, ast.expr, str]]:
    """The settings of one call or class: a name for each, its literal and what it is."""
    if (
        isinstance(node, ast.Call)
        and READERS.fullmatch(called(node))
        and node.args
        and is_file(value_of(node.args[0]))
    ):
        yield f"{PurePath(str(value_of(node.args[0]))).stem}_path", node.args[0], "a file to read"
    elif isinstance(node, ast.Call) and called(node) in SETTINGS_CALLS:
        for keyword in node.keywords:
            if keyword.arg and value_of(keyword.value) is not None:
                yield keyword.arg, keyword.value, f"{keyword.arg} of {called(node)}"
    elif isinstance(node, ast.Call) and called(node) == "add_argument" and node.args:
        option = str(value_of(node.args[-1]) or "").lstrip("-")
        given = {keyword.arg: keyword.value for keyword in node.keywords if keyword.arg}
        if "default" in given and value_of(given["default"]) is not None:
            yield (
                option,
                given["default"],
                " ".join(str(value_of(given.get("help")) or f"the option {option}").split()),  # it becomes a comment
            )
    elif isinstance(node, ast.ClassDef) and SETTINGS_CLASS.fullmatch(node.name):
        for statement in node.body:
            if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
                name = statement.targets[0].id
                if value_of(statement.value) is not None and len(statement.targets) == 1:
                    yield f"{node.name}_{name}", statement.value, f"{name} of {node.name}"


def _seeds(reading: Reading, free: _NamePool) -> Iterator[Edit]:
    """The seed that is written most often, wherever it is written."""
    if any(SEED_NAMES.fullmatch(name) for name in free.names):
        return
    found: list[tuple[Code, ast.expr, int]] = []
    for cell, call in reading.calls():
        literals = [one.value for one in call.keywords if one.arg in SEED_KEYWORDS]
        if reading.path_of(call.func) in SEED_CALLS:
            literals += call.args[:1]
        found += [(cell, one, value_of(one)) for one in literals if type(value_of(one)) is int and _exact(cell, one)]
    if not found:
        return
    seed = Counter(value for _, _, value in found).most_common(1)[0][0]
    name = free.name("seed")
    declaration = Declaration(name=name, annotation="int", value=str(seed), help="of everything random")
    by_cell: dict[str, tuple[Code, list[ast.expr]]] = {}
    for cell, literal, value in found:
        if value == seed:
            by_cell.setdefault(cell.id, (cell, []))[1].append(literal)
    for cell, literals in by_cell.values():
        yield _lift(cell, literals, declaration)


def _lift(cell: Code, literals: list[ast.expr], declaration: Declaration) -> Edit:
    spans = [span(cell.source, literal) for literal in literals]
    return Edit(
        kind=EditKind.PARAMETER,
        cell=cell.id,
        sentence=f"{declaration.value} becomes the parameter {declaration.name}",
        declaration=declaration,
        replacements=tuple(Replacement(start=start, end=end, text=declaration.name) for start, end in spans),
    )


def _exact(cell: Code, literal: ast.expr) -> str:
    """The text of a literal; empty where Python does not say its place, as inside f-strings before 3.12."""
    try:
        text = cell.text(literal)
        return text if repr(ast.literal_eval(text)) == repr(value_of(literal)) else ""
    except (IndexError, ValueError, SyntaxError):
        return ""
