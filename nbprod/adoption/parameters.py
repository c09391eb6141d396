"""Finds the literals that a job would want to change: settings near the top, paths and seeds.

A literal is moved into the parameters cell only where that cannot change what the notebook does: its name is bound
once, read nowhere before, and nothing in between can bind or clear names unseen.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import PurePath
from typing import Any

from nbprod.adoption.edit import Declaration, Edit, EditKind, Replacement
from nbprod.adoption.reading import Code, Reading, Statement, called, span
from nbprod.domain.coercion import coerce
from nbprod.domain.fault import Fault
from nbprod.domain.parameter import is_parameter_name
from nbprod.notebook.annotations import rule_of_annotation

__all__ = ["first_place", "parameter_edits"]

LONGEST = 300  # characters of a literal; a longer one is data, not a setting
READERS = re.compile(r"read_\w+|loadtxt|genfromtxt|imread|open_dataset|load_workbook")
FILE = re.compile(r"[^\n{}<>|]*\.(?:csv|tsv|parquet|xlsx?|json|jsonl|feather|txt|dat|pkl|pickle|h5|gz|zip|db|npz?)")
SEED_NAMES = re.compile(r"(?:.*_)?(?:seed|random_state)", re.IGNORECASE)
SEED_KEYWORDS = {"random_state", "seed"}
SEED_CALLS = {"numpy.random.seed", "random.seed", "numpy.random.default_rng", "numpy.random.RandomState"}
SETTINGS_CALLS = {"Namespace", "SimpleNamespace"}
SETTINGS_CLASS = re.compile(
    r"(?:cfg|config|configuration|args|params|hparams|settings|hyperparameters)", re.IGNORECASE
)
CHANGING = {"append", "extend", "insert", "add", "update", "pop", "remove", "clear", "sort", "reverse", "setdefault"}


def first_place(reading: Reading) -> int:
    """The index, among the code cells, of the first one that does more than import and set up."""
    for number, cell in enumerate(reading.cells):
        nodes = [statement.node for statement in cell.statements]
        if (
            cell.problem
            or not cell.is_readable
            or not all(isinstance(one, ast.Import | ast.ImportFrom) for one in nodes)
        ):
            return number
        if cell.source.strip() and not nodes and not cell.own_lines:  # comments: they may head what follows
            return number
    return len(reading.cells)


def parameter_edits(reading: Reading, secrets: frozenset[str]) -> tuple[list[Edit], list[Fault]]:
    """Every literal that can become a parameter, and why some that look like one cannot.

    Parameters
    ----------
    secrets
        Texts that must not come into a parameter, which is recorded with every run.
    """
    place = first_place(reading)
    edits: list[Edit] = []
    kept: list[Fault] = []
    for number, cell, statement in _candidates(reading):
        if any(secret in cell.text(statement.node) for secret in secrets):
            continue
        name = statement.node.targets[0].id if isinstance(statement.node, ast.Assign) else statement.node.target.id  # type: ignore[attr-defined]
        if why := _why_not(reading, name, number, place, cell, statement):
            if why != "-":
                kept.append(_fault(cell.id, f"{name} looks like a parameter and stays where it is: {why}"))
            continue
        value = statement.node.value  # type: ignore[attr-defined]
        annotation = _annotation(_value(value))
        declaration = Declaration(
            name=name,
            annotation=annotation,
            value=" ".join(cell.text(value).split("\n")) if "\n" not in cell.text(value) else ast.unparse(value),
            help=_comment_behind(cell, statement.node) or _purpose(reading, name, _value(value), cell),
        )
        edits.append(
            Edit(
                kind=EditKind.PARAMETER,
                cell=cell.id,
                sentence=f"{name} becomes a parameter",
                declaration=declaration,
                replacements=(_without(cell, statement.node),),
            )
        )
    edits = _in_place(reading, edits, place)
    taken = {edit.declaration.name for edit in edits if edit.declaration}
    if all(
        cell.is_readable or cell.problem for cell in reading.cells[place:]
    ):  # nothing clears what is set at the top
        edits = _apart([*edits, *_lifted(reading, taken, secrets)])
    return edits, kept


def _apart(edits: list[Edit]) -> list[Edit]:
    """The edits without those that touch text an earlier one has taken."""
    used: dict[str, list[Replacement]] = {}
    result = []
    for edit in edits:
        before = used.setdefault(edit.cell, [])
        free = tuple(
            one
            for one in edit.replacements
            if not any(one.start < other.end and other.start < one.end for other in before)
        )
        before.extend(free)
        if free:
            result.append(replace(edit, replacements=free))
    return result


def _candidates(reading: Reading) -> Iterator[tuple[int, Code, Statement]]:
    """Assignments of literals: near the top (before the first fit), named as constants, paths and seeds anywhere."""
    is_top = True
    for number, cell in enumerate(reading.cells):
        for statement in cell.statements:
            node = statement.node
            if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
                name, value = node.targets[0].id, node.value
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
                name, value = node.target.id, node.value
            else:
                continue
            literal = _value(value)
            if not _annotation(literal) or len(cell.text(value)) > LONGEST:
                continue
            is_setting = name.isupper() or SEED_NAMES.fullmatch(name) or _is_file(literal)
            if is_parameter_name(name) and not name.startswith("_") and (is_top or is_setting):
                yield number, cell, statement
        if any(called(node).startswith("fit") for node in cell.nodes):
            is_top = False


def _why_not(reading: Reading, name: str, number: int, place: int, cell: Code, statement: Statement) -> str:
    """Why a name cannot be moved to the top; ``-`` where nobody needs to hear it."""
    bound = reading.bindings(name)
    if len(bound) > 1:
        places = ", ".join(dict.fromkeys(where.id for where, _ in bound))
        is_counter = any(isinstance(one.node, ast.AugAssign | ast.For) for _, one in bound)
        return "-" if is_counter else f"it is assigned more than once ({places})"
    node = statement.node
    lines = cell.source.split("\n")
    behind = lines[(node.end_lineno or 1) - 1].encode()[node.end_col_offset :].decode().strip()
    if node.col_offset or (behind and not behind.startswith("#")):
        return "it shares a line with other code"
    for other, earlier in reading.statements():
        if earlier is statement:
            break
        if name in earlier.reads | earlier.later:
            return f"{other.id} reads it before"
    for between in reading.cells[min(place, number) : number + 1]:
        if not between.is_readable and re.search(rf"\b{re.escape(name)}\b", between.source.replace("\n", " ")):
            return f"{between.id} cannot be read"
        if not between.is_readable and not between.problem:
            return f"{between.id} may bind or clear names"
        if any(one.is_open for one in between.statements):
            return f"{between.id} may bind or clear names"
    unreadable = [one.id for one in reading.cells if one.problem and re.search(rf"\b{name}\b", one.source)]
    if unreadable:
        return f"{unreadable[0]} cannot be read"
    return "-" if _is_changed(reading, name) else ""


def _is_changed(reading: Reading, name: str) -> bool:
    """Whether the value of a name is added to or changed in place: it is a result, not a setting."""
    for cell in reading.cells:
        for node in cell.nodes:
            if isinstance(node, ast.Attribute) and node.attr in CHANGING and _is_name(node.value, name):
                return True
            if (
                isinstance(node, ast.Subscript)
                and isinstance(node.ctx, ast.Store | ast.Del)
                and _is_name(node.value, name)
            ):
                return True
    return False


def _is_name(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _annotation(value: Any) -> str:
    """The annotation under which exactly this value is a valid default; empty where it is no setting."""
    kind = type(value).__name__
    if isinstance(value, list) and value:
        kinds = {type(one).__name__ for one in value}
        kind = f"list[{kinds.pop()}]" if len(kinds) == 1 and kinds <= {"int", "float", "str", "bool"} else "list"
    elif (
        isinstance(value, tuple)
        and 0 < len(value) <= 4
        and all(type(one) in {int, float, str, bool} for one in value)
    ):
        kind = f"tuple[{', '.join(type(one).__name__ for one in value)}]"
    elif not isinstance(value, bool | int | float | str | dict) or value in ("", {}):
        return ""
    if isinstance(value, str) and "\n" in value:
        return ""
    try:
        kept = coerce(rule_of_annotation(ast.parse(kind, mode="eval").body), value)
    except ValueError:
        return ""
    return kind if type(kept) is type(value) and repr(kept) == repr(value) else ""


def _is_file(value: Any) -> bool:
    return isinstance(value, str) and bool(FILE.fullmatch(value))


def _comment_behind(cell: Code, node: ast.stmt) -> str:
    line = cell.source.split("\n")[(node.end_lineno or 1) - 1]
    behind = line.encode()[node.end_col_offset :].decode().strip()
    return re.sub(r"^#+:?\s*", "", behind).strip()


def _without(cell: Code, node: ast.stmt) -> Replacement:
    """Take out the lines of a statement, its comment with them."""
    lines = cell.source.split("\n")
    start = sum(len(line) + 1 for line in lines[: node.lineno - 1])
    end = sum(len(line) + 1 for line in lines[: node.end_lineno])
    return Replacement(start=start, end=min(end, len(cell.source)), text="")


def _in_place(reading: Reading, edits: list[Edit], place: int) -> list[Edit]:
    """Where the first cell is nothing but parameters, it becomes the parameters cell, its own comments in place."""
    home = reading.cells[place] if place < len(reading.cells) else None
    here = [edit for edit in edits if home is not None and edit.cell == home.id]
    if home is None or home.own_lines or not here or len(here) != len(home.statements):
        return edits
    result = [edit for edit in edits if edit not in here]
    stayed = []
    for edit, statement in zip(here, home.statements, strict=True):
        assert edit.declaration is not None
        node, said = statement.node, edit.declaration
        start, end = span(home.source, node)
        text = f"{said.name}: {said.annotation} = {home.text(node.value)}"  # type: ignore[attr-defined]
        if not _comment_behind(home, node):
            text += f"  # {said.help}"
        change = Replacement(start=start, end=end, text=text)
        stayed.append(replace(edit, replacements=(change,), in_place=True))
    return [*stayed, *result]


def _purpose(reading: Reading, name: str, value: Any, home: Code) -> str:
    """What a name is for, from the first place that uses it."""
    if SEED_NAMES.fullmatch(name):
        return "of everything random"
    if _is_file(value):
        return "a file to read"
    for _, call in reading.calls():
        function = called(call) or "a call"
        for keyword in call.keywords:
            if keyword.arg and _is_name(keyword.value, name):
                return f"{keyword.arg} of {function}" if keyword.arg != name else f"given to {function}"
        if any(_is_name(one, name) for one in call.args):
            return f"given to {function}"
    users = [cell.id for cell, one in reading.statements() if name in one.reads | one.later]
    return f"used in {users[0]}" if users else f"set in {home.id}, not used"


def _lifted(reading: Reading, taken: set[str], secrets: frozenset[str]) -> Iterator[Edit]:
    """Literals inside calls that a job wants to change: files that are read, seeds, settings given together."""
    free = _Free(reading, taken)
    for cell in reading.cells:
        if cell.problem:
            continue
        for node in cell.nodes:
            for wanted, literal, words in _settings_in(node):
                text = cell.text(literal)
                if any(secret in text for secret in secrets) or len(text) > LONGEST:
                    continue
                name = free.name(wanted)
                if name and (annotation := _annotation(_value(literal))):
                    yield _lift(
                        cell, [literal], Declaration(name=name, annotation=annotation, value=text, help=words)
                    )
    yield from _seeds(reading, free)


class _Free:
    """Hands out names that occur nowhere in the notebook."""

    def __init__(self, reading: Reading, taken: set[str]) -> None:
        self.taken = taken | reading.names
        self.names = taken

    def name(self, wanted: str) -> str:
        """The wanted name, or the next free one with a number; empty where it cannot be a name."""
        wanted = re.sub(r"\W+", "_", wanted).strip("_").lower()
        if not wanted or not is_parameter_name(wanted) or wanted[0].isdigit():
            return ""
        number, name = 2, wanted
        while name in self.taken:
            name, number = f"{wanted}_{number}", number + 1
        self.taken = self.taken | {name}
        self.names = self.names | {name}
        return name


def _settings_in(node: ast.AST) -> Iterator[tuple[str, ast.expr, str]]:
    """The settings of one call or class: a name for each, its literal and what it is."""
    if (
        isinstance(node, ast.Call)
        and READERS.fullmatch(called(node))
        and node.args
        and _is_file(_value(node.args[0]))
    ):
        yield f"{PurePath(str(_value(node.args[0]))).stem}_path", node.args[0], "a file to read"
    elif isinstance(node, ast.Call) and called(node) in SETTINGS_CALLS:
        for keyword in node.keywords:
            if keyword.arg and _value(keyword.value) is not None:
                yield keyword.arg, keyword.value, f"{keyword.arg} of {called(node)}"
    elif isinstance(node, ast.Call) and called(node) == "add_argument" and node.args:
        option = str(_value(node.args[-1]) or "").lstrip("-")
        given = {keyword.arg: keyword.value for keyword in node.keywords if keyword.arg}
        if "default" in given and _value(given["default"]) is not None:
            yield (
                option,
                given["default"],
                str(_value(given.get("help")) or f"the option {option}").replace("\n", " "),
            )
    elif isinstance(node, ast.ClassDef) and SETTINGS_CLASS.fullmatch(node.name):
        for statement in node.body:
            if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
                name = statement.targets[0].id
                if _value(statement.value) is not None and len(statement.targets) == 1:
                    yield f"{node.name}_{name}", statement.value, f"{name} of {node.name}"


def _value(node: ast.expr | None) -> Any:
    """The value of a literal; ``None`` where there is none, which no setting is."""
    try:
        return ast.literal_eval(node) if node is not None else None
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return None


def _seeds(reading: Reading, free: _Free) -> Iterator[Edit]:
    """The seed that is written most often, wherever it is written."""
    if any(SEED_NAMES.fullmatch(name) for name in free.names):
        return
    found: list[tuple[Code, ast.expr, int]] = []
    for cell, call in reading.calls():
        literals = [one.value for one in call.keywords if one.arg in SEED_KEYWORDS]
        if reading.path_of(call.func) in SEED_CALLS:
            literals += call.args[:1]
        found += [(cell, one, _value(one)) for one in literals if type(_value(one)) is int]
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


def _fault(cell: str, sentence: str) -> Fault:
    return Fault(file="", cell=cell, rule="parameter", sentence=sentence)
