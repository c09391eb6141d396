"""Finds the literals that a job would want to change: settings near the top, paths and seeds.

A literal is moved into the parameters cell only where that cannot change what the notebook does: its name is bound
once, read nowhere before, and nothing in between can bind or clear names unseen.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from nbprod.adoption.edit import Declaration, Edit, EditKind, Replacement
from nbprod.adoption.lifting import literals_in_calls
from nbprod.adoption.literals import LONGEST, SEED_NAMES, annotation_of, fits, is_file, value_of
from nbprod.adoption.reading import PREDEFINED, Code, Reading, Statement, called, span
from nbprod.adoption.secrets import NAME as SECRET_NAME
from nbprod.domain.fault import NotebookFault
from nbprod.domain.parameter import is_parameter_name
from nbprod.errors import NotebookError
from nbprod.notebook.parameters import parse_parameters

__all__ = ["parameter_edits", "parameters_position", "typed_edits"]

CHANGING = {"append", "extend", "insert", "add", "update", "pop", "remove", "clear", "sort", "reverse", "setdefault"}


def parameters_position(reading: Reading) -> int:
    """The index, among the code cells, of the first one that does more than import and set up."""
    for number, cell in enumerate(reading.cells):
        nodes = [statement.node for statement in cell.statements]
        if (
            cell.problem
            or not cell.is_readable
            or not all(isinstance(one, ast.Import | ast.ImportFrom) for one in nodes)
        ):
            return number
        if cell.source.strip() and not nodes and not cell.ipython_lines:  # comments: they may head what follows
            return number
    return len(reading.cells)


def parameter_edits(reading: Reading, secrets: frozenset[str]) -> tuple[list[Edit], list[NotebookFault]]:
    """Every literal that can become a parameter, and why some that look like one cannot.

    No text of a secret comes into a parameter, which is recorded with every run.
    """
    position = parameters_position(reading)
    edits: list[Edit] = []
    faults: list[NotebookFault] = []
    for number, cell, statement in _candidates(reading):
        name, value, annotation = _assignment(statement.node)
        text = f"{cell.text(statement.node)} {_comment_behind(cell, statement.node)}"
        if SECRET_NAME.fullmatch(name) or any(secret in text for secret in secrets):
            continue  # a parameter is recorded with every run, and its comment is shown wherever it is
        if _is_counter(reading, name):
            continue
        if reason := _why_not(reading, name, number, position, cell, statement):
            faults.append(
                NotebookFault(
                    file="",
                    cell=cell.id,
                    rule="parameter",
                    sentence=f"{name} looks like a parameter and stays where it is: {reason}",
                )
            )
            continue
        if _is_changed(reading, name):
            continue
        assert value is not None
        declaration = Declaration(
            name=name,
            annotation=annotation or annotation_of(value_of(value)),
            value=ast.unparse(value) if "\n" in cell.text(value) else cell.text(value),
            help=_comment_behind(cell, statement.node) or _purpose(reading, name, value_of(value), cell),
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
    edits = _in_place(reading, edits, position)
    reserved = {edit.declaration.name for edit in edits if edit.declaration}
    if all(cell.is_readable or cell.problem for cell in reading.cells[position:]):  # nothing clears what is above
        edits = _without_overlaps([*edits, *literals_in_calls(reading, reserved, secrets)])
    return edits, faults


def _without_overlaps(edits: list[Edit]) -> list[Edit]:
    """The edits without those that touch text an earlier one has taken."""
    used: dict[str, list[Replacement]] = {}
    result = []
    for edit in edits:
        before = used.setdefault(edit.cell, [])
        free = tuple(one for one in edit.replacements if not any(one.overlaps(other) for other in before))
        before.extend(free)
        if free:
            result.append(replace(edit, replacements=free))
    return result


def _candidates(reading: Reading) -> Iterator[tuple[int, Code, Statement]]:
    """Assignments of literals: near the top (before the first fit), named as constants, paths and seeds anywhere."""
    is_top = True
    for number, cell in enumerate(reading.cells):
        for statement in cell.statements:
            name, value, annotation = _assignment(statement.node)
            literal = value_of(value)
            if value is None or not annotation_of(literal) or len(cell.text(value)) > LONGEST:
                continue
            if annotation and not fits(annotation, literal):
                continue
            is_setting = name.isupper() or SEED_NAMES.fullmatch(name) or is_file(literal)
            if is_parameter_name(name) and not name.startswith("_") and (is_top or is_setting):
                yield number, cell, statement
        if any(called(node).startswith("fit") for node in cell.nodes):
            is_top = False


def _assignment(node: ast.stmt) -> tuple[str, ast.expr | None, str]:
    """The one name a statement assigns to, the value and the annotation; no value where it is anything else."""
    if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
        return node.targets[0].id, node.value, ""
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return node.target.id, node.value, ast.unparse(node.annotation)
    return "", None, ""


def _why_not(reading: Reading, name: str, number: int, position: int, cell: Code, statement: Statement) -> str:
    """Why a name cannot be moved to the top; empty where it can."""
    bound = reading.bindings(name)
    if len(bound) > 1:
        cells = ", ".join(dict.fromkeys(where.id for where, _ in bound))
        return f"it is assigned more than once ({cells})"
    node = statement.node
    behind = cell.behind(node)
    if node.col_offset or (behind and not behind.startswith("#")):
        return "it shares a line with other code"
    known = {
        word for above in reading.cells[:position] for one in above.statements for word in one.binds
    } | PREDEFINED
    annotation = node.annotation if isinstance(node, ast.AnnAssign) else None
    names = {one.id for one in ast.walk(annotation) if isinstance(one, ast.Name)} if annotation else set()
    if unknown := names - known:
        return f"its annotation needs {min(unknown)}, which is not imported in a cell of its own above"
    for other, statement_above in reading.statements():
        if statement_above is statement:
            break
        if name in statement_above.reads | statement_above.later:
            return f"{other.id} reads it before"
    for between in reading.cells[min(position, number) : number + 1]:
        if not between.is_readable and re.search(rf"\b{re.escape(name)}\b", between.source.replace("\n", " ")):
            return f"{between.id} cannot be read"
        if not between.is_readable and not between.problem:
            return f"{between.id} may bind or clear names"
        if any(one.is_open for one in between.statements):
            return f"{between.id} may bind or clear names"
    unreadable = [one.id for one in reading.cells if one.problem and re.search(rf"\b{name}\b", one.source)]
    return f"{unreadable[0]} cannot be read" if unreadable else ""


def _is_counter(reading: Reading, name: str) -> bool:
    """Whether a name is counted up or goes through a loop: nobody takes it for a setting."""
    bound = [statement.node for _, statement in reading.bindings(name)]
    return len(bound) > 1 and any(isinstance(node, ast.AugAssign | ast.For) for node in bound)


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


def _comment_behind(cell: Code, node: ast.stmt) -> str:
    return re.sub(r"^#+:?\s*", "", cell.behind(node)).strip()


def _without(cell: Code, node: ast.stmt) -> Replacement:
    """Take out the lines of a statement, its comment with them."""
    start, end = cell.lines(node.lineno, node.end_lineno)
    return Replacement(start=start, end=end, text="")


def _in_place(reading: Reading, edits: list[Edit], position: int) -> list[Edit]:
    """Where the first cell is nothing but parameters, it becomes the parameters cell, its own comments in place."""
    home = reading.cells[position] if position < len(reading.cells) else None
    here = [edit for edit in edits if home is not None and edit.cell == home.id]
    if home is None or home.ipython_lines or not here or len(here) != len(home.statements):
        return edits
    result = [edit for edit in edits if edit not in here]
    in_place = []
    for edit, statement in zip(here, home.statements, strict=True):
        assert edit.declaration is not None
        node, declaration = statement.node, edit.declaration
        start, end = span(home.source, node)
        text = f"{declaration.name}: {declaration.annotation} = {home.text(node.value)}"  # type: ignore[attr-defined]
        if not _comment_behind(home, node):
            text += f"  # {declaration.help}"
        change = Replacement(start=start, end=end, text=text)
        in_place.append(replace(edit, replacements=(change,), in_place=True))
    return [*in_place, *result]


def _purpose(reading: Reading, name: str, value: Any, home: Code) -> str:
    """What a name is for, from the first place that uses it."""
    if SEED_NAMES.fullmatch(name):
        return "of everything random"
    if is_file(value):
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


def typed_edits(cell: Code) -> list[Edit]:
    """Types and comments for the lines of a parameters cell that have none, as notebooks for papermill are written.

    The type is the one nbprod takes from the default anyway, so what a run accepts stays the same.
    """
    try:
        declared = {one.name: one for one in parse_parameters(cell.source, cell=cell.id)}
    except NotebookError:
        return []  # said by nbprod notebooks check, and by each run
    edits = []
    for statement in cell.statements:
        node = statement.node
        name, value, annotation = _assignment(node)
        wanted = annotation or annotation_of(value_of(value))
        is_whole = annotation and declared[name].help
        is_told = not annotation and name in declared and declared[name].annotation  # by a comment "type: …"
        if value is None or not wanted or is_whole or is_told or "\n" in cell.text(node):
            continue
        start, end = span(cell.source, node)
        behind = cell.source[end:].split("\n")[0].strip()
        if behind and not behind.startswith("#"):
            continue
        comment = "" if declared[name].help else f"  # {_purpose_of_name(name)}"
        text = f"{name}: {wanted} = {cell.text(value)}{comment}"
        edits.append(
            Edit(
                kind=EditKind.PARAMETER,
                cell=cell.id,
                sentence=f"{name} gets a type" if not annotation else f"{name} gets a comment",
                replacements=(Replacement(start=start, end=end, text=text),),
            )
        )
    return edits


def _purpose_of_name(name: str) -> str:
    return "of everything random" if SEED_NAMES.fullmatch(name) else name.replace("_", " ").lower().strip()
