"""What adopting a notebook would change, cell by cell, and what comes out when some of it is accepted."""

from __future__ import annotations

import copy
import difflib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

from nbprod.adoption.concerns import concerns
from nbprod.adoption.edit import Declaration, Edit, EditKind
from nbprod.adoption.modules import constants_in, module_edits, module_source
from nbprod.adoption.parameters import parameter_edits, parameters_position, typed_edits
from nbprod.adoption.reading import Reading
from nbprod.adoption.results import model_edits, record_edits
from nbprod.adoption.secrets import SuspectedSecret, secrets_in
from nbprod.domain.fault import NotebookFault
from nbprod.errors import NotebookError
from nbprod.formats.notebook_code import MODULE
from nbprod.notebook.canonical import tidy
from nbprod.notebook.document import dump, has_tag, read_notebook, tagged, unused_id
from nbprod.notebook.redaction import Redactor

__all__ = ["Adoption", "CellChange", "adopt"]

ORIGIN = "nbprod-origin"  # metadata that says, while we work, which cell one was


@dataclass(frozen=True, kw_only=True)
class CellChange:
    """What becomes of one cell."""

    id: str  #: as it will be
    was: str  #: the id it had; empty for a new cell
    asks: str | None  #: the cell whose acceptance this waits for; ``None`` where only its id or its outputs change
    notes: tuple[str, ...]  #: ``3 outputs are taken out``
    diff: tuple[str, ...]  #: lines of a unified diff, without secrets

    def __str__(self) -> str:
        name = f"{self.was} → {self.id}" if self.was and self.was != self.id else self.id
        head = "new cell" if not self.was else "cell"
        notes = f"  ({'; '.join(self.notes)})" if self.notes else ""
        return "\n".join([f"── {head} {name}{notes}", *self.diff])


@dataclass(frozen=True, kw_only=True)
class Adoption:
    """A proposal. Nothing was executed, and nothing is written before somebody says so."""

    path: Path
    before: NotebookNode
    tidied: NotebookNode
    edits: tuple[Edit, ...]
    faults: tuple[NotebookFault, ...]  #: what a reader should know; values of secrets are not in them
    secrets: tuple[SuspectedSecret, ...]
    position: int  #: of the parameters cell, where it is a new one
    module: str = ""  #: the name of the file beside the notebook that functions and classes of the model move into

    @property
    def parameters(self) -> tuple[Declaration, ...]:
        """The declarations of the parameters cell, without those of an existing one."""
        return tuple({edit.declaration.name: edit.declaration for edit in self.edits if edit.declaration}.values())

    @property
    def is_needed(self) -> bool:
        """Whether anything would change."""
        return dump(self.notebook()) != dump(self.before)

    @cached_property
    def redactor(self) -> Redactor:
        """Takes the secrets out of what is shown."""
        return Redactor(one.value for one in self.secrets)

    def only(self, accept: Callable[[str], bool]) -> Adoption:
        """The proposal without the edits of cells that are not accepted.

        What moves into the module moves together or stays, because parts of it need each other.
        """
        accepted = tuple(edit for edit in self.edits if accept(edit.cell))
        if any(edit.module for edit in self.edits if edit not in accepted):
            accepted = tuple(edit for edit in accepted if not edit.module)
        return replace(self, edits=accepted)

    @property
    def module_source(self) -> str:
        """What is written beside the notebook as :attr:`module`; empty where nothing moves."""
        return module_source(self.edits)

    def notebook(self) -> NotebookNode:
        """The notebook as it would be; every cell of the old one is still there."""
        result = self._applied()
        for cell in result.cells:
            cell.metadata.pop(ORIGIN, None)
        return result

    def changes(self) -> Iterator[CellChange]:
        """What becomes of each cell, for those that change."""
        for cell in self._applied().cells:
            origin = cell.metadata.get(ORIGIN, {})
            number = origin.get("index")
            was = self.before.cells[number] if number is not None else None
            old = was.source if was is not None else ""
            lines = list(difflib.unified_diff(old.splitlines(), cell.source.splitlines(), lineterm="", n=2))[2:]
            notes = []
            if has_tag(cell, "parameters") and not (was is not None and has_tag(was, "parameters")):
                notes.append("tagged parameters")
            if was is not None and cell.cell_type == "code" and was.outputs:
                notes.append("its outputs are taken out")
            if lines or notes or was is None or was.id != cell.id:
                yield CellChange(
                    id=cell.id,
                    was=was.id if was is not None else "",
                    asks=origin.get("asks"),
                    notes=tuple(notes),
                    diff=tuple(self.redactor.text(line) for line in lines),
                )

    def _applied(self) -> NotebookNode:
        result = copy.deepcopy(self.tidied)
        for number, cell in enumerate(result.cells):
            cell.metadata[ORIGIN] = {"index": number}
        cells = {cell.id: cell for cell in result.cells}
        changed = dict.fromkeys(edit.cell for edit in self.edits)
        for id_ in changed:
            parts = [one for edit in self.edits if edit.cell == id_ for one in edit.replacements]
            if parts:
                cells[id_]["source"] = _replaced(cells[id_].source, parts)
                cells[id_].metadata[ORIGIN]["asks"] = id_
        self._declare(result, cells)
        for edit in self.edits:
            if edit.new_cell:
                at = next(index for index, cell in enumerate(result.cells) if cell is cells[edit.cell])
                while at + 1 < len(result.cells) and "behind" in result.cells[at + 1].metadata.get(ORIGIN, {}):
                    at += 1
                id_ = unused_id(edit.new_cell.id, {cell.id for cell in result.cells})
                result.cells.insert(at + 1, _new(edit.new_cell.source, id_, behind=edit.cell, asks=edit.cell))
        if any(edit.kind in {EditKind.RECORD, EditKind.SAVE_MODEL} for edit in self.edits):
            _import_nbprod(result)
        return result

    def _declare(self, result: NotebookNode, cells: dict[str, NotebookNode]) -> None:
        """Put the declarations into the cell that is nothing else already, or into a new one."""
        if not self.parameters:
            return
        home = next((edit.cell for edit in self.edits if edit.in_place), None)
        there = {edit.declaration.name for edit in self.edits if edit.in_place and edit.declaration}
        lines = [str(one) for one in self.parameters if one.name not in there]
        if home is not None:
            cell = cells[home]
            cell["source"] = "\n".join([cell.source, *lines])
            cell.metadata["tags"] = [*cell.metadata.get("tags", []), "parameters"]
            cell["id"] = unused_id("parameters", {one.id for one in result.cells if one is not cell})
            return
        id_ = unused_id("parameters", {cell.id for cell in result.cells})
        new = _new("\n".join(lines), id_, asks="parameters")
        new.metadata["tags"] = ["parameters"]
        result.cells.insert(self.position, new)


def adopt(path: Path) -> Adoption:
    """Read a notebook that was not written for nbprod, and propose what makes it a job that also runs by hand.

    Raises
    ------
    NotFoundError
        The file is missing.
    NotebookError
        It is no notebook, is written in another language, has no code, or is what a run left behind.
    """
    before = read_notebook(path)
    _refuse(before, path)
    tidied = tidy(before)
    reading = Reading(tidied)
    secrets = secrets_in(reading)
    faults: list[NotebookFault] = []
    homes = [tidied.cells[index].id for index in tagged(tidied, "parameters")]
    if homes:
        edits = [edit for cell in reading.cells if cell.id in homes for edit in typed_edits(cell)]
    else:
        edits, faults = parameter_edits(reading, frozenset(one.value for one in secrets))
    module = _module(path)
    moved, more = module_edits(reading, module)
    fixed = constants_in(moved)  # a parameter would change the notebook's value and not the module's
    edits = [
        edit
        for edit in edits
        if not any(edit.overlaps(one) for one in moved)
        and not (edit.declaration is not None and edit.declaration.name in fixed)
    ]
    edits += moved
    faults = [*faults, *more]
    for find in (record_edits, model_edits):
        found, more = find(reading)
        edits, faults = edits + found, faults + more
    counts = [cell.execution_count for cell in before.cells if cell.cell_type == "code"]
    reported = [*concerns(reading, counts, before.metadata, secrets), *faults]
    redactor = Redactor(one.value for one in secrets)
    return Adoption(
        path=path,
        before=before,
        tidied=tidied,
        edits=tuple(edits),
        faults=tuple(replace(one, file=str(path), sentence=redactor.text(one.sentence)) for one in reported),
        secrets=tuple(secrets),
        position=_parameters_position(tidied, reading),
        module=f"{module}.py",
    )


def _module(path: Path) -> str:
    """A name for a module that is not taken by another file beside the notebook."""
    number, name = 2, MODULE
    while path.with_name(f"{name}.py").exists():
        name, number = f"{MODULE}_{number}", number + 1
    return name


def _refuse(notebook: NotebookNode, path: Path) -> None:
    kernel = notebook.metadata.get("kernelspec", {})
    language = notebook.metadata.get("language_info", {}).get("name") or kernel.get("language") or "python"
    if str(language).lower() not in {"python", "ipython", "python3"} or kernel.get("name") in {"ir", "irkernel"}:
        raise NotebookError(
            f"{path} is written in {language}; adopt reads Python",
            hint="It can be run with nbprod run as it is, if its kernel is installed.",
        )
    if added := [cell.id for cell in notebook.cells if has_tag(cell, "injected-parameters")]:
        raise NotebookError(
            f"{path} is what a run left behind: the cell {added[0]} holds the values that run was given",
            hint="Adopt the notebook it was made from, or take the tag injected-parameters off that cell.",
        )
    if not any(cell.cell_type == "code" and cell.source.strip() for cell in notebook.cells):
        raise NotebookError(
            f"{path} has no code, so there is nothing to run as a job", hint="Write a code cell first."
        )


def _parameters_position(notebook: NotebookNode, reading: Reading) -> int:
    """Where a new parameters cell comes: behind title and imports, before the heading of the first real cell."""
    number = parameters_position(reading)
    at = reading.cells[number].index if number < len(reading.cells) else len(notebook.cells)
    above = notebook.cells[at - 1] if at > 1 else None
    is_heading = above is not None and above.cell_type == "markdown" and above.source.lstrip().startswith("##")
    return at - 1 if is_heading else at


def _replaced(source: str, parts: list[Any]) -> str:
    for part in sorted(parts, key=lambda one: one.start, reverse=True):
        source = source[: part.start] + part.text + source[part.end :]
    return source.strip("\n") if source.strip() else "# its values are parameters now"


def _import_nbprod(notebook: NotebookNode) -> None:
    """Import nbprod where the notebook imports first, if that is above its first use; else where it is used first."""
    reading = Reading(notebook)
    users = [cell for cell, call in reading.calls() if reading.path_of(call.func).startswith("nbprod.")]
    if not users or reading.origins.get("nbprod") == "nbprod":
        return
    last: dict[str, int] = {}
    for cell, statement in reading.statements():
        if type(statement.node).__name__ in {"Import", "ImportFrom"} and cell.index <= users[0].index:
            last.setdefault(cell.id, 0)
            last[cell.id] = statement.node.end_lineno or 0
    home = next(iter(last), users[0].id)
    cell = next(one for one in notebook.cells if one.id == home)
    lines = cell.source.split("\n")
    lines.insert(last.get(home, 0), "import nbprod")
    cell["source"] = "\n".join(lines)


def _new(source: str, id_: str, **origin: str) -> NotebookNode:
    return new_code_cell(source, id=id_, metadata={ORIGIN: origin})
