"""The Python of a cell: its syntax tree, with IPython's own lines blanked and all line numbers kept."""

from __future__ import annotations

import ast
import re

__all__ = ["parse_cell", "parsed"]

MAGIC = re.compile(r"[ \t]*[%!?].*|.*\?[ \t]*")


def parse_cell(source: str) -> tuple[ast.Module, str]:
    """The syntax tree of a cell and the text it was made of.

    A magic, a shell line or a help line is blanked only where Python cannot read it, so a text over several lines
    that looks like one stays as it is.

    Raises
    ------
    SyntaxError
        A line is neither Python nor IPython's.
    """
    lines = source.replace("\r\n", "\n").split("\n")
    for _ in range(len(lines) + 1):
        text = "\n".join(lines)
        try:
            return ast.parse(text), text
        except SyntaxError as error:
            wrong = (error.lineno or 0) - 1
            if not 0 <= wrong < len(lines) or not lines[wrong].strip() or not MAGIC.fullmatch(lines[wrong]):
                raise
            lines[wrong] = ""
        except (ValueError, RecursionError, MemoryError) as error:  # a NUL, or brackets without end
            raise SyntaxError(str(error) or "it is nested too deeply") from None
    raise SyntaxError("it is not Python")


def parsed(source: str) -> ast.Module | None:
    """The syntax tree of a cell, or ``None`` where it is not Python."""
    try:
        return parse_cell(source)[0]
    except SyntaxError:
        return None
