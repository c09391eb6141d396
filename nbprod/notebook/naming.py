"""Names cells by words: by what stands above them, by what they do, or by what they assign."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from nbprod.notebook.document import has_tag
from nbprod.notebook.syntax import parsed

if TYPE_CHECKING:
    from nbformat import NotebookNode  # delayed: nbformat takes a second to import

__all__ = ["display_names", "id_for", "is_wordlike"]

WORD = re.compile(r"[a-z]{2,}[0-9]{0,2}|[a-z]|[0-9]{1,3}")
RANDOM = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{8}|cell-[0-9]+")
HEADING = re.compile(r"^ {0,3}#{1,6}[ \t]+(.+?)[ \t]*#*[ \t]*$", re.MULTILINE)
LONGEST = 60  # characters

FILLERS = {"", "the", "a", "an", "of", "and", "to", "it", "is", "in", "on", "with", "for", "by", "from"}
# What a cell does, by the functions and methods it calls; of several the first one here names it.
ACTIONS = tuple(
    (re.compile(pattern), word)
    for pattern, word in (
        ("train_test_split", "split-rows"),
        ("fit|fit_predict|train", "fit"),
        (r"read_(?:csv|table|parquet|excel|json|sql|feather|frame)|load_\w+|loadtxt|open_dataset", "load-data"),
        (r"\w+_score|score|\w+_error|\w+_loss|classification_report|confusion_matrix|cross_val\w*", "score"),
        (r"plot|show|hist|scatter|bar|boxplot|heatmap|subplots|figure|imshow|\w+plot", "plot"),
        ("predict|predict_proba", "predict"),
        (r"to_(?:csv|parquet|excel|json|sql|pickle)|savefig|dump|save\w*", "save"),
        (
            r"fillna|dropna|merge|concat|get_dummies|fit_transform|transform|astype|map|apply|drop\w*",
            "prepare-data",
        ),
        (r"groupby|pivot\w*|agg|value_counts|corr|resample", "summarise"),
        ("head|tail|describe|info|sample|isna|isnull|nunique", "look-at-data"),
    )
)


def id_for(notebook: NotebookNode, position: int) -> str:
    """A name for a cell, from its tag, its place, the words above it, what it does or what it assigns."""
    cell = notebook.cells[position]
    if has_tag(cell, "parameters"):
        return "parameters"
    if position == 0 and cell.cell_type == "markdown":
        return "title"
    if cell.cell_type == "markdown":
        return "about-" + (slug(cell.source) or "this")
    tree = parsed(cell.source)
    if tree is not None and tree.body and all(isinstance(one, ast.Import | ast.ImportFrom) for one in tree.body):
        return "imports"
    above = notebook.cells[position - 1] if position else None
    if above is not None and above.cell_type == "markdown" and position > 1 and (heading := slug(above.source)):
        return heading
    if tree is not None and (action := _action(tree)):
        return action
    names = [
        node.id
        for statement in (tree.body if tree else [])
        for node in ast.walk(statement)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    ]
    return (slug(names[0]) if names else "") or "step"


def is_wordlike(cell_id: str) -> bool:
    """Whether an id says something: ``load-data``, and not ``e4566234`` or ``cell-3``."""
    return not RANDOM.fullmatch(cell_id) and all(WORD.fullmatch(word) for word in cell_id.split("-"))


def display_names(notebook: NotebookNode) -> dict[str, str]:
    """What people call the code cells whose ids say nothing, by id.

    The first cell below a heading is called by that, any other by its own first line.
    """
    found: dict[str, str] = {}
    above = ""
    for number, cell in enumerate(notebook.cells, 1):
        if cell.cell_type == "markdown":
            above = next((match[1] for match in reversed(list(HEADING.finditer(cell.source)))), above)
        elif cell.cell_type == "code":
            if not is_wordlike(cell.id):
                line = next((line.strip(" \t#") for line in cell.source.splitlines() if line.strip(" \t#")), "")
                name = " ".join((above or line or f"cell {number}").split())
                found[cell.id] = name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"
            above = ""
    return found


def slug(text: str) -> str:
    """The first words of a text as an id: at most three, without fillers."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    found = [word for word in re.findall(r"[a-z]+", first.lower()) if word not in FILLERS and len(word) > 1]
    return "-".join(found[:3])[:60].strip("-")


def _action(tree: ast.Module) -> str:
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    by_name = {getattr(call.func, "attr", getattr(call.func, "id", "")): call.func for call in reversed(calls)}
    for pattern, word in ACTIONS:
        found = next((function for name, function in by_name.items() if pattern.fullmatch(name)), None)
        if found is None:
            continue
        owner = found.value if word == "fit" and isinstance(found, ast.Attribute) else None
        subject = slug(owner.id) if isinstance(owner, ast.Name) else "model" if word == "fit" else ""
        return f"{word}-{subject}" if subject else word
    return ""
