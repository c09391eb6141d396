"""The one form notebooks have in git: what departs from it, and a tool that mends what a tool can mend."""

from __future__ import annotations

import ast
import copy
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from nbformat import NotebookNode, from_dict

from nbprod.domain.fault import NotebookFault
from nbprod.errors import NotebookError
from nbprod.notebook.document import dump, has_tag, heading, read_notebook, tagged, unused_id, write_notebook
from nbprod.notebook.naming import id_for, is_wordlike
from nbprod.notebook.parameters import read_parameters
from nbprod.notebook.syntax import parsed

__all__ = ["faults", "faults_in_file", "tidy", "tidy_file"]

MOST_LINES = 15  # of a code cell
MOST_FUNCTION_LINES = 3  # a helper this small may live in a notebook
KEPT_CELL_METADATA = {"tags", "jupyter", "slideshow"}
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
HOME_PATH = re.compile(r"(/home|/Users|/root|/mnt|/tmp|/opt|/var|/data|/workspace)/|[A-Za-z]:[\\/]|~[\\/]")


def faults_in_file(path: Path) -> list[NotebookFault]:
    """The faults of a file: of the notebook, and of how its JSON is written.

    Raises
    ------
    NotebookError
        The file is missing or no notebook.
    """
    notebook = read_notebook(path)
    found = list(faults(notebook, file=str(path), is_template=path.resolve().parent.name == "templates"))
    if path.read_bytes() != dump(notebook):
        found.append(
            NotebookFault(
                file=str(path),
                cell="-",
                rule="json",
                sentence="the JSON is not in the order, indentation and line layout that git keeps",
                is_mended_by_tidy=True,
            )
        )
    return found


def tidy_file(path: Path) -> bool:
    """Whether a file had to be mended; it is rewritten only then.

    Raises
    ------
    NotebookError
        The file is missing or no notebook.
    """
    mended = tidy(read_notebook(path))
    if path.read_bytes() == dump(mended):
        return False
    write_notebook(mended, path)
    return True


def faults(notebook: NotebookNode, *, file: str = "notebook", is_template: bool = False) -> Iterator[NotebookFault]:
    """Where a notebook departs from the form nbprod keeps in git.

    A template must have parameters, each with an annotation, a literal default and a comment.
    """

    def fault(cell: str, rule: str, sentence: str, *, mended: bool = False) -> NotebookFault:
        return NotebookFault(file=file, cell=cell, rule=rule, sentence=sentence, is_mended_by_tidy=mended)

    if extra := sorted(set(notebook.metadata) - METADATA.keys()):
        yield fault("-", "metadata", f"notebook metadata nobody needs in git: {', '.join(extra)}", mended=True)
    elif dict(notebook.metadata) != METADATA:
        yield fault("-", "metadata", "the kernel is not the plain python3", mended=True)
    title, paragraph = heading(notebook)
    if not title or not paragraph or notebook.cells[0].cell_type != "markdown":
        yield fault(
            notebook.cells[0].id if notebook.cells else "-",
            "first-cell",
            "the first cell is not a heading with one paragraph that says what this notebook does",
        )
    for cell_id, times in Counter(cell.id for cell in notebook.cells).items():
        if times > 1:
            yield fault(cell_id, "cell-id", f"{times} cells have this id", mended=True)
    for cell in notebook.cells:
        if not is_wordlike(cell.id):
            yield fault(cell.id, "cell-id", "the id is not words such as load-data", mended=True)
        if extra := sorted(set(cell.metadata) - KEPT_CELL_METADATA):
            yield fault(cell.id, "metadata", f"metadata nobody needs in git: {', '.join(extra)}", mended=True)
        if cell.cell_type == "code":
            if cell.outputs:
                yield fault(cell.id, "outputs", "it has outputs", mended=True)
            if cell.execution_count is not None:
                yield fault(cell.id, "outputs", "it has an execution count", mended=True)
            if has_tag(cell, "injected-parameters"):
                yield fault(
                    cell.id, "parameters", "an injected cell belongs to a run, not to a notebook", mended=True
                )
            for rule, sentence in _code_faults(cell):
                yield fault(cell.id, rule, sentence)
    if len(importing := [cell.id for cell in notebook.cells if _imports(cell)]) > 1:
        yield fault(importing[1], "imports", f"imports belong together in one cell, here {importing[0]}")
    for cell_id, sentence in _parameter_faults(notebook, is_template=is_template):
        yield fault(cell_id, "parameters", sentence)


def tidy(notebook: NotebookNode) -> NotebookNode:
    """A copy with everything mended that needs no author: outputs, counts, metadata, ids, injected cells."""
    result = copy.deepcopy(notebook)
    result["metadata"] = from_dict(METADATA)
    result["nbformat"], result["nbformat_minor"] = 4, 5
    result.cells = [cell for cell in result.cells if not has_tag(cell, "injected-parameters")]
    ids = Counter(cell.id for cell in result.cells)
    taken = {cell_id for cell_id in ids if is_wordlike(cell_id)}
    seen: set[str] = set()
    for position, cell in enumerate(result.cells):
        if cell.cell_type == "code":
            cell["outputs"] = []
            cell["execution_count"] = None
        cell["source"] = cell.source.replace("\r\n", "\n").rstrip("\n")
        cell["metadata"] = from_dict(
            {key: value for key, value in cell.metadata.items() if key in KEPT_CELL_METADATA}
        )
        if not is_wordlike(cell.id) or cell.id in seen:
            cell["id"] = unused_id(id_for(result, position), taken)
            taken.add(cell.id)
        seen.add(cell.id)
    return result


def _imports(cell: NotebookNode) -> bool:
    tree = parsed(cell.source) if cell.cell_type == "code" else None
    return tree is not None and any(isinstance(one, ast.Import | ast.ImportFrom) for one in tree.body)


def _code_faults(cell: NotebookNode) -> Iterator[tuple[str, str]]:
    lines = sum(1 for line in cell.source.splitlines() if line.strip())
    if lines > MOST_LINES and not has_tag(cell, "parameters"):
        yield "length", f"{lines} lines, more than {MOST_LINES}; move the work into a module"
    if not cell.source.strip():
        yield "length", "the cell is empty"
    if cell.source.startswith("%%"):
        return  # a cell in another language
    tree = parsed(cell.source)
    if tree is None:
        yield "syntax", "the code is not Python"
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            yield "function", f"the class {node.name} belongs in a module"
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            if (node.end_lineno or node.lineno) - node.lineno >= MOST_FUNCTION_LINES:
                yield "function", f"the function {node.name} belongs in a module"
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and HOME_PATH.match(node.value):
            yield "path", f"{node.value!r} is a path of one machine"


def _parameter_faults(notebook: NotebookNode, *, is_template: bool) -> Iterator[tuple[str, str]]:
    found = [notebook.cells[index].id for index in tagged(notebook, "parameters")]
    if len(found) > 1:
        yield found[1], f"{len(found)} cells are tagged parameters: {', '.join(found)}"
        return
    try:
        parameters = read_parameters(notebook)
    except NotebookError as error:
        yield found[0], error.message
        return
    if not is_template:
        return
    if not found:
        yield "-", "a template has one cell tagged parameters"
        return
    for parameter in parameters:
        if not parameter.annotation:
            yield found[0], f"{parameter.name} has no annotation"
        if not parameter.help:
            yield found[0], f"{parameter.name} has no comment, which is its help"
        if parameter.is_computed:
            yield found[0], f"{parameter.name} has a default that only a kernel can evaluate"
        elif not parameter.is_required:
            try:
                parameter.coerce(parameter.default)
            except NotebookError as error:
                yield found[0], f"the default of {error.message}"
    cell = notebook.cells[next(tagged(notebook, "parameters"))]
    tree = parsed(cell.source)
    for statement in tree.body if tree else []:
        if not isinstance(statement, ast.AnnAssign | ast.Assign | ast.Import | ast.ImportFrom):
            yield found[0], f"{ast.unparse(statement)[:40]!r} is not a parameter"
