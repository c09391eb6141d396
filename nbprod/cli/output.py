"""What commands print: records as a table for people or as JSON for programs; talk goes to stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

import typer

from nbprod.domain.numbers import number
from nbprod.domain.plain import plain
from nbprod.visible import in_json, visible

__all__ = ["AsJson", "Limit", "emit", "emit_one", "print_json", "put", "say"]

GAP = 2  #: columns between two cells
PIPE_WIDTH = 80  #: of lines that are cut, where there is no terminal to fit

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON: a list for `list`, one record for `show`.")]
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, help="At most this many, newest first.")]


def say(text: str) -> None:
    """Talk to the person: one line on stderr."""
    sys.stderr.write(visible(text) + "\n")


def put(text: object, end: str = "\n") -> None:
    """Print a line on stdout."""
    sys.stdout.write(visible(str(text)) + end)


def emit(
    records: Sequence[Any],
    columns: Sequence[str],
    *,
    as_json: bool,
    empty: str = "Nothing yet.",
    cut: str = "",
) -> None:
    """Print records on stdout.

    Parameters
    ----------
    records
        Frozen values or dictionaries.
    columns
        The fields a person sees, each by its ``…_name`` where there is one; JSON has them all.
    as_json
        Whether a program reads.
    empty
        What a person is told when there is none.
    cut
        The column that is cut so that a line fits the terminal, or 80 columns in a pipe; JSON has it whole.
    """
    rows = [plain(record) for record in records]
    if as_json:
        print_json(rows)
        return
    if not rows:
        say(empty)
        return
    from rich.console import Console  # delayed: rich takes 0.1 s
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    cells = {
        column: [visible(_cell(row.get(f"{column}_name") or row.get(column)).replace("\n", " ")) for row in rows]
        for column in columns
    }
    is_terminal = sys.stdout.isatty()
    if cut:
        cells[cut] = _cut(cells, cut, Console().width if is_terminal else PIPE_WIDTH)
    for column in columns:
        heading = visible(column.replace("_", " "))
        if column == cut:  # the heading is no longer than what stands below it
            heading = heading if max(map(len, cells[cut])) >= len(heading) else ""
        table.add_column(heading, overflow="fold", no_wrap=bool(cut))
    for line in zip(*cells.values(), strict=True):
        table.add_row(*line)
    # a pipe gets one line a record, whatever the terminal's width
    Console(width=None if is_terminal and not cut else 400, highlight=False, markup=False).print(table)


def _cut(cells: Mapping[str, Sequence[str]], cut: str, width: int) -> list[str]:
    """The texts of one column, so short that the lines fit a width; the others are never cut."""
    from rich.cells import cell_len, set_cell_size

    others = [max(map(cell_len, [name, *texts])) + GAP for name, texts in cells.items() if name != cut]
    left = max(width - sum(others), 0)
    return [
        text if cell_len(text) <= left else (set_cell_size(text, left - 1) + "…" if left else "")
        for text in cells[cut]
    ]


def emit_one(record: Any, *, as_json: bool) -> None:
    """Print one record on stdout: its fields one a line, or one JSON object."""
    content = plain(record)
    if as_json:
        print_json(content)
        return
    width = max((len(name) for name in content), default=0)
    for name, value in content.items():
        if value not in (None, "", [], {}) and not content.get(f"{name}_name"):
            put(f"{name.replace('_', ' '):<{width}}  {_cell(value)}")


def print_json(content: Any) -> None:
    """Print JSON on stdout, keys in the order of the fields."""
    sys.stdout.write(in_json(json.dumps(content, ensure_ascii=False, indent=2, allow_nan=False)) + "\n")


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return number(value)
    if isinstance(value, Mapping):
        return _joined(f"{name}={_cell(item)}" for name, item in value.items())
    if isinstance(value, list):
        return _joined(_cell(item) for item in value)
    text = str(value)
    return text[:16].replace("T", " ") if len(text) == 27 and text.endswith("Z") else text


def _joined(parts: Iterable[str]) -> str:
    return ", ".join(parts)
