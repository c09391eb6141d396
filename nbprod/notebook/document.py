"""Reads and writes notebooks, finds their cells by id, and tells two of them apart by a digest of what they do."""

from __future__ import annotations

import hashlib
import json
import os
import re
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbprod.disk import write_file
from nbprod.domain.names import nearest
from nbprod.errors import NotebookError, NotFoundError

if TYPE_CHECKING:
    # nbformat takes a second to import, with jsonschema's grammars; a list of runs reads no notebook
    from nbformat import NotebookNode

__all__ = [
    "ADDED_TAGS",
    "code_digest",
    "dump",
    "has_tag",
    "heading",
    "parse",
    "read_notebook",
    "tagged",
    "write_notebook",
]

# cells an execution adds: they are no part of what the author wrote
ADDED_TAGS = {"injected-parameters", "papermill-error-cell-tag"}
OUTPUT_TYPES = ("display_data", "error", "execute_result", "stream")
CELL_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")


def read_notebook(path: str | os.PathLike[str]) -> NotebookNode:
    """Read a notebook file as format 4.5, every cell with an id of its own.

    Raises
    ------
    NotFoundError
        The file is missing; its nearest neighbour is named.
    NotebookError
        It is no text, is broken JSON (the line is named) or is no notebook.
    """
    file = Path(path)
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        raise NotFoundError(f"There is no notebook at {file}", hint=_nearby_notebooks(file)) from None
    except OSError as error:
        raise NotebookError(
            f"{file} cannot be read as a notebook: {error.strerror}", hint="Name a notebook file."
        ) from error
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise NotebookError(
            f"{file} is not a notebook: byte {error.start} is not UTF-8 text",
            hint="Open it in Jupyter and save it again.",
        ) from None
    return parse(text, name=str(file))


def parse(text: str, *, name: str = "the notebook") -> NotebookNode:
    """Read a notebook from its text; see ``read_notebook``.

    Raises
    ------
    NotebookError
        The text is broken JSON (the line is named) or no notebook.
    """
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        line = text.splitlines()[error.lineno - 1 : error.lineno]
        is_conflict = re.search(r"^(<{7}|>{7}) ", text, flags=re.MULTILINE)
        raise NotebookError(
            f"{name} is broken: line {error.lineno}, column {error.colno} is not JSON ({error.msg})"
            + (f": {line[0].strip()[:60]}" if line and line[0].strip() else ""),
            hint="It holds an unfinished merge. Resolve it in git first."
            if is_conflict
            else "Mend that line, or restore the file from git.",
        ) from None
    except RecursionError:
        raise NotebookError(f"{name} is not a notebook: its JSON is nested too deeply", hint="Restore it.") from None
    if not isinstance(document, dict) or not {"cells", "worksheets"} & document.keys():
        raise NotebookError(
            f"{name} is not a notebook: it is JSON without cells",
            hint="Name an .ipynb file that Jupyter has saved.",
        )
    major = document.get("nbformat", 3)
    if type(major) is not int or major not in {2, 3, 4}:
        raise NotebookError(
            f"{name} has the notebook format {major!r}; formats 2 to 4 can be read",
            hint="Open it in Jupyter and save it again.",
        )
    hint = "Mend that place in the file, or open it in Jupyter and save it again."
    if fault := next(_structure_faults(document), ""):
        raise NotebookError(f"{name} is not a valid notebook: {fault}", hint=hint)
    try:
        return _to_current_format(document)
    except Exception as error:  # noqa: BLE001 — what a damaged document leads nbformat's converters into
        reason = str(getattr(error, "message", error)).splitlines() or [type(error).__name__]
        at = _describe_path(document, getattr(error, "absolute_path", ()))
        raise NotebookError(f"{name} is not a valid notebook: {at}{reason[0][:200]}", hint=hint) from None


def write_notebook(notebook: NotebookNode, path: str | os.PathLike[str]) -> None:
    """Write a notebook whole or not at all: a reader, or a crash, never sees half of it.

    A link stays a link, and the rights of an older file stay as they are.

    Raises
    ------
    StoreError
        The file cannot be written; what was there before is still there.
    """
    file = Path(path).resolve()
    mode = file.stat().st_mode & 0o777 if file.exists() else None
    write_file(file, dump(notebook))
    if mode is not None:
        file.chmod(mode)


def dump(notebook: NotebookNode) -> bytes:
    """The bytes a notebook is kept as: indent 1, sorted keys, one source line per JSON line."""
    import nbformat  # delayed, as said above

    text = nbformat.v4.writes(notebook) + "\n"
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:  # a lone surrogate in an output: only an escape can hold it
        return (nbformat.v4.writes(notebook, ensure_ascii=True) + "\n").encode("ascii")


def tagged(notebook: NotebookNode, tag: str) -> Iterator[int]:
    """The positions of the cells that carry a tag."""
    return (index for index, cell in enumerate(notebook.cells) if has_tag(cell, tag))


def has_tag(cell: NotebookNode, tag: str) -> bool:
    """Whether a cell carries a tag."""
    return tag in cell.metadata.get("tags", [])


def heading(notebook: NotebookNode) -> tuple[str, str]:
    """The first heading and the paragraph below it; empty texts where there are none."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and cell.source.strip():
            blocks = [block.strip() for block in re.split(r"\n\s*\n", cell.source.strip())]
            match = re.match(r"#{1,6}\s+(.+?)\s*#*\s*(?:\n|$)", blocks[0])
            if not match:
                return "", " ".join(blocks[0].split())
            rest = blocks[0][match.end() :].strip() or next(iter(blocks[1:]), "")
            return match[1], " ".join(rest.split())
    return "", ""


def code_digest(notebook: NotebookNode) -> str:
    """SHA-256 over what the author wrote: the text of code and Markdown cells, and which one holds the parameters.

    Ids, outputs, counts, metadata, line-end style and cells that an execution adds do not matter.
    """
    written = [
        [cell.cell_type, has_tag(cell, "parameters"), cell.source.replace("\r\n", "\n").rstrip("\n")]
        for cell in notebook.cells
        if cell.cell_type in {"code", "markdown"} and not ADDED_TAGS & set(cell.metadata.get("tags", []))
    ]
    return hashlib.sha256(json.dumps(written, separators=(",", ":")).encode("ascii")).hexdigest()


def _to_current_format(document: dict[str, Any]) -> NotebookNode:
    """Bring a document to format 4.5. Ids that are missing or double are made from the cell's position."""
    import nbformat  # delayed, as said above

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nbformat warns of old formats and missing ids; both are mended here
        if document.get("nbformat", 3) < 4 or "worksheets" in document:
            notebook = nbformat.convert(nbformat.from_dict(document), 4)
        else:
            notebook = nbformat.v4.to_notebook_json(document)
        seen: set[str] = set()
        for number, cell in enumerate(notebook.cells, 1):
            cell_id = cell.get("id")
            if not isinstance(cell_id, str) or not CELL_ID.fullmatch(cell_id) or cell_id in seen:
                cell_id = unused_id(f"cell-{number}", seen)
            cell["id"] = cell_id
            seen.add(cell_id)
        if notebook.nbformat == 4 and notebook.nbformat_minor < 5:
            notebook["nbformat_minor"] = 5
        nbformat.validate(notebook)
    return notebook


def _structure_faults(document: dict[str, Any]) -> Iterator[str]:
    """What nbformat's converters would stumble over, or name by a schema; of notebooks of format 4."""
    if not isinstance(document.get("metadata", {}), dict):
        yield "metadata: it is no JSON object"
    if document.get("nbformat", 3) < 4 and "worksheets" not in document:
        yield "it has cells as format 4 has them, and does not say nbformat 4"
    cells = document.get("cells", [])
    for number, cell in enumerate(cells if isinstance(cells, list) else []):
        at = _describe_path(document, ("cells", number))
        if not isinstance(cell, dict):
            yield f"{at}it is no JSON object"
            continue
        if cell.get("cell_type") not in {"code", "markdown", "raw"}:
            yield f"{at}its cell_type is {cell.get('cell_type')!r}, not code, markdown or raw"
        if not isinstance(cell.get("metadata", {}), dict):
            yield f"{at}its metadata are no JSON object"
        outputs = cell.get("outputs", [])
        if not isinstance(outputs, list):
            yield f"{at}its outputs are no list"
            continue
        for inner, output in enumerate(outputs):
            kind = output.get("output_type") if isinstance(output, dict) else None
            if kind not in OUTPUT_TYPES:
                at = _describe_path(document, ("cells", number, "outputs", inner))
                yield f"{at}its output_type is {kind!r}, not one of {', '.join(OUTPUT_TYPES)}"


def _describe_path(document: dict[str, Any], path: Iterable[str | int]) -> str:
    """Which cell and which output of it a path inside a notebook leads to: ``cell 3 (load-data), output 1: ``."""
    parts = list(path)
    steps = []
    if len(parts) > 1 and parts[0] == "cells" and isinstance(parts[1], int):
        cell = document["cells"][parts[1]]
        named = cell.get("id") if isinstance(cell, dict) else None
        steps.append(f"cell {parts[1] + 1}" + (f" ({named})" if named else ""))
        parts = parts[2:]
    if len(parts) > 1 and parts[0] == "outputs" and isinstance(parts[1], int):
        steps.append(f"output {parts[1] + 1}")
        parts = parts[2:]
    if parts:
        steps.append(".".join(str(part) for part in parts))
    return ", ".join(steps) + ": " if steps else ""


def unused_id(wanted: str, taken: set[str]) -> str:
    """The id itself if nobody has it, else with the first free number behind it."""
    free = wanted
    number = 2
    while free in taken:
        free = f"{wanted}-{number}"
        number += 1
    return free


def _nearby_notebooks(file: Path) -> str:
    try:
        names = [path.name for path in file.parent.glob("*.ipynb")]
    except OSError:
        names = []
    return f"In that folder: {nearest(file.name, names)}" if names else "Check the path."
