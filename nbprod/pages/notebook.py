"""An executed notebook for readers: text and results in order, code on demand, everything foreign made harmless."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from nbprod.domain.run import CellStatus
from nbprod.pages.formatting import size
from nbprod.pages.highlighting import python_source
from nbprod.pages.markdown import markdown, plain_title
from nbprod.pages.sanitising import clean_html, image, svg_image
from nbprod.pages.terminal import plain, terminal
from nbprod.visible import escape

__all__ = ["Reader", "ReaderCell", "read"]

RECORD = "application/vnd.nbprod.record+json"
LONGEST_TEXT = 12_000  # characters of one text output
LONGEST_HTML = 120_000  # characters of one HTML output before cleaning
LONGEST_IMAGE = 4_000_000  # characters of one encoded image
PAGE_TEXT = 190_000  # bytes of markup for all outputs and code together, so that a page stays under 300 kB
PAGE_IMAGES = 16_000_000


@dataclass(frozen=True, kw_only=True)
class ReaderCell:
    """One cell as it is shown."""

    id: str
    body: Markup = field(default_factory=Markup)  #: rendered Markdown; empty for code
    source: Markup | None = None  #: highlighted code, or ``None`` when there is none to show
    outputs: tuple[Markup, ...] = ()
    status: CellStatus | None = None  #: of a code cell, when it is known
    is_folded: bool = False  #: the whole cell is shown on demand only

    @property
    def is_failed(self) -> bool:
        """Whether the run ended here."""
        return self.status is CellStatus.FAILED


@dataclass(frozen=True, kw_only=True)
class Reader:
    """A notebook ready to be shown."""

    title: str  #: its first heading, or nothing
    cells: tuple[ReaderCell, ...]
    defaults: Mapping[str, Any] = field(default_factory=dict)  #: of the parameters cell, where they are literals
    injected: frozenset[str] = frozenset()  #: ids of the cells that were put in to set the parameters


@dataclass
class _Budget:
    """What is left of a page's size; what does not fit is named and left to the notebook."""

    text: int = PAGE_TEXT
    images: int = PAGE_IMAGES
    left_out: list[str] = field(default_factory=list)

    def take(self, markup: Markup, what: str) -> Markup:
        weight = len(markup.encode(errors="replace"))
        if weight > self.text:
            self.left_out.append(what)
            return _mark(f"{what} ({size(weight)}) is left out to keep this page small; it is in the notebook.")
        self.text -= weight
        return markup

    def take_image(self, markup: Markup) -> Markup:
        if len(markup) > min(self.images, LONGEST_IMAGE):
            return _mark(
                f"A picture of {size(len(markup))} is left out to keep this page small; it is in the notebook."
            )
        self.images -= len(markup)
        return markup


def read(
    notebook: Mapping[str, Any], *, statuses: Mapping[str, CellStatus] | None = None, failed_cell: str | None = None
) -> Reader:
    """Make an executed notebook ready to be shown.

    The injected parameters are left out (they are shown as parameters); the tags ``hide-input``, ``remove-input``,
    ``hide-output``, ``remove-output``, ``hide-cell`` and ``remove-cell`` are honoured; widget state is dropped.

    Parameters
    ----------
    notebook
        Of format 4, with outputs.
    statuses
        By cell id.
    failed_cell
        The id of the cell at which the run ended.
    """
    budget = _Budget()
    title = ""
    cells: list[ReaderCell] = []
    defaults: dict[str, Any] = {}
    injected: set[str] = set()
    for number, cell in enumerate(_list(notebook.get("cells"))):
        if not isinstance(cell, Mapping):
            continue
        tags = {str(tag) for tag in _list(_map(cell.get("metadata")).get("tags"))}
        name = str(cell.get("id") or f"cell-{number + 1}")
        if "injected-parameters" in tags:
            injected.add(name)
        if "parameters" in tags:
            defaults = _literals(_text(cell.get("source")))
        if tags & {"injected-parameters", "remove-cell"}:
            continue
        if cell.get("cell_type") == "markdown":
            source = _text(cell.get("source"))
            if not title and not cells:
                title, source = plain_title(source)
            body = markdown(source, attachments=_map(cell.get("attachments")))
            if body.strip():
                cells.append(ReaderCell(id=name, body=budget.take(body, "A text"), is_folded="hide-cell" in tags))
        elif cell.get("cell_type") == "code":
            status = CellStatus.FAILED if name == failed_cell else (statuses or {}).get(name)
            cells.append(_code_cell(cell, name=name, tags=tags, status=status, budget=budget))
    shown = [cell for cell in cells if cell.body or cell.source or cell.outputs or cell.is_failed]
    return Reader(title=title, cells=tuple(shown), defaults=defaults, injected=frozenset(injected))


def _literals(source: str) -> dict[str, Any]:
    """Names that are set to literals, by their value; nothing is executed."""
    found: dict[str, Any] = {}
    try:
        statements = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return found
    for one in statements:
        target = one.targets[0] if isinstance(one, ast.Assign) else getattr(one, "target", None)
        if isinstance(one, ast.Assign | ast.AnnAssign) and isinstance(target, ast.Name) and one.value is not None:
            with suppress(ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
                found[target.id] = ast.literal_eval(one.value)
    return found


def _code_cell(
    cell: Mapping[str, Any], *, name: str, tags: set[str], status: CellStatus | None, budget: _Budget
) -> ReaderCell:
    code = _text(cell.get("source")).strip("\n")
    source = None
    if code.strip() and "remove-input" not in tags:
        source = budget.take(python_source(code) if len(code) < 20_000 else Markup(escape(code)), "A cell's code")  # noqa: S704
    outputs: list[Markup] = []
    if "remove-output" not in tags:
        outputs = [
            shown
            for output in _joined(_list(cell.get("outputs")))
            if (shown := _output(output, name=name, budget=budget))
        ]
    if "hide-output" in tags and outputs:
        outputs = [Markup("<details><summary>Output</summary>{}</details>").format(Markup().join(outputs))]
    return ReaderCell(id=name, source=source, outputs=tuple(outputs), status=status, is_folded="hide-cell" in tags)


def _joined(outputs: Iterable[Any]) -> list[Mapping[str, Any]]:
    """The outputs, with pieces of one stream that follow each other made one."""
    joined: list[Mapping[str, Any]] = []
    for output in outputs:
        if not isinstance(output, Mapping):
            continue
        last = joined[-1] if joined else {}
        if output.get("output_type") == "stream" == last.get("output_type") and output.get("name") == last.get(
            "name"
        ):
            joined[-1] = {**last, "text": _text(last.get("text")) + _text(output.get("text"))}
        else:
            joined.append(output)
    return joined


def _output(output: Mapping[str, Any], *, name: str, budget: _Budget) -> Markup | None:
    kind = output.get("output_type")
    if kind == "stream":
        stream = str(output.get("name"))
        return _printed(_text(output.get("text")), budget, label="" if stream == "stdout" else "messages")
    if kind == "error":
        trace = "\n".join(_text(line) for line in _list(output.get("traceback")))
        head = plain(f"{output.get('ename', '')}: {output.get('evalue', '')}")[:2000]
        return Markup('<div class="raised"><p><strong>{}</strong></p>{}</div>').format(
            head, _printed(trace, budget) or ""
        )
    data = _map(output.get("data"))
    described = _map(output.get("metadata"))
    alternatives = (_shown(media_type, data, described, name=name, budget=budget) for media_type in ORDER)
    found = next((markup for markup in alternatives if markup), None)
    if found or not data:
        return found
    kinds = ", ".join(sorted(str(media_type) for media_type in data))
    return _mark(f"An output of type {kinds} is not shown here; it is in the notebook.")


ORDER = (
    "text/html",
    "image/svg+xml",
    "image/png",
    "image/jpeg",
    "image/gif",
    "image/webp",
    "text/markdown",
    "text/latex",
    "text/plain",
    "application/json",
    RECORD,
)


def _shown(
    media_type: str, data: Mapping[str, Any], described: Mapping[str, Any], *, name: str, budget: _Budget
) -> Markup | None:
    """One alternative of an output, or ``None`` when it is absent or nothing of it is left after cleaning."""
    if media_type not in data:
        return None
    value = data[media_type]
    if media_type in {"application/json", RECORD}:
        return _printed(json.dumps(value, indent=1, default=str, ensure_ascii=False), budget)
    text = _text(value)
    alt = str(_map(described.get(media_type)).get("alt") or described.get("alt") or "")
    if media_type == "text/html":
        return _html(text, budget)
    if media_type == "image/svg+xml":
        return budget.take_image(svg_image(text, alt or f"Figure of cell {name}"))
    if media_type.startswith("image/"):
        return budget.take_image(image(media_type, text, alt or f"Figure of cell {name}"))
    if media_type == "text/markdown":
        return budget.take(markdown(text[:LONGEST_HTML]), "A text")
    return _printed(text, budget)


def _html(text: str, budget: _Budget) -> Markup | None:
    if len(text) > LONGEST_HTML and "data:image/" not in text:
        return _mark(f"A table or display of {size(len(text))} is left out here; it is in the notebook.")
    if (
        "sk-top-container" in text
    ):  # scikit-learn's diagram is nothing without its 50 kB of style: its text says as much
        return None
    cleaned = clean_html(text)
    if not cleaned.striptags().strip() and "<img" not in cleaned:
        return None
    frame = Markup('<div class="shown" tabindex="0" role="group" aria-label="Output">{}</div>').format(cleaned)
    return budget.take_image(frame) if "data:image/" in cleaned else budget.take(frame, "A table or display")


def _printed(text: str, budget: _Budget, *, label: str = "") -> Markup | None:
    if not text.strip():
        return None
    if len(text) > LONGEST_TEXT:
        cut = len(text) - LONGEST_TEXT
        head, tail = text[: LONGEST_TEXT * 2 // 3], text[-LONGEST_TEXT // 3 :]
        text = f"{head}\n… {cut:,} characters are left out here; they are in the notebook …\n{tail}"
    caption = Markup('<p class="kind">{}</p>').format(label) if label else Markup()
    body = Markup('{}<pre class="printed" tabindex="0">{}</pre>').format(caption, terminal(text.rstrip()))
    return budget.take(body, "Text")


def _mark(words: str) -> Markup:
    return Markup('<p class="left-out">{}</p>').format(words)


def _text(value: object) -> str:
    """Multi-line text as notebooks keep it: one string or a list of lines."""
    if isinstance(value, list | tuple):
        return "".join(str(line) for line in value)
    return value if isinstance(value, str) else ("" if value is None else str(value))


def _list(value: object) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else []


def _map(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
