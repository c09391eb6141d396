"""What commands print: records as a table for people or as JSON for programs; talk goes to stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

import typer

from nbprod.domain.plain import plain

__all__ = ["AsJson", "Limit", "emit", "emit_one", "say"]

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON: a list for `list`, one record for `show`.")]
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, help="At most this many, newest first.")]


def say(text: str) -> None:
    """Talk to the person: one line on stderr."""
    sys.stderr.write(text + "\n")


def emit(records: Sequence[Any], columns: Sequence[str], *, as_json: bool, empty: str = "Nothing yet.") -> None:
    """Print records on stdout.

    Parameters
    ----------
    records
        Frozen values or dictionaries.
    columns
        The fields a person sees; JSON has them all.
    as_json
        Whether a program reads.
    empty
        What a person is told when there is none.
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
    for column in columns:
        table.add_column(column.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*(_cell(row.get(column)) for column in columns))
    # a pipe gets one line a record, whatever the terminal's width
    Console(width=None if sys.stdout.isatty() else 400, highlight=False, markup=False).print(table)


def emit_one(record: Any, *, as_json: bool) -> None:
    """Print one record on stdout: its fields one a line, or one JSON object."""
    content = plain(record)
    if as_json:
        print_json(content)
        return
    width = max((len(name) for name in content), default=0)
    for name, value in content.items():
        if value not in (None, "", [], {}):
            sys.stdout.write(f"{name.replace('_', ' '):<{width}}  {_cell(value)}\n")


def print_json(content: Any) -> None:
    """Print JSON on stdout, keys in the order of the fields."""
    sys.stdout.write(json.dumps(content, ensure_ascii=False, indent=2, allow_nan=False) + "\n")


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, Mapping):
        return _joined(f"{name}={_cell(item)}" for name, item in value.items())
    if isinstance(value, list):
        return _joined(_cell(item) for item in value)
    text = str(value)
    return text[:16].replace("T", " ") if len(text) == 27 and text.endswith("Z") else text


def _joined(parts: Iterable[str]) -> str:
    return ", ".join(parts)
