"""The page of two runs side by side: what differs, the code of each changed cell, the figures beside each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from nbprod.domain.record import Figure
from nbprod.domain.run import Run
from nbprod.pages.formatting import run_sentence
from nbprod.pages.layout import render
from nbprod.pages.sanitising import image, svg_image

__all__ = ["run_comparison"]

TONES = {"+": "added", "-": "removed", "@": "place"}


def run_comparison(
    a: Run,
    b: Run,
    *,
    rows: Sequence[tuple[str, str, Any, Any]],
    cells: Mapping[str, str],
    code: Mapping[str, str],
    figures: tuple[Mapping[str, Figure], Mapping[str, Figure]],
) -> str:
    """Make the page.

    Parameters
    ----------
    rows
        Every difference as (part, name, a, b).
    cells
        What became of each cell that differs, by id.
    code
        A unified diff by cell id.
    figures
        The recorded figures of each run by name.
    """
    parts: dict[str, list[tuple[str, Any, Any]]] = {}
    for part, name, before, after in rows:
        parts.setdefault(part, []).append((name, before, after))
    names = dict.fromkeys([*figures[0], *figures[1]])
    return render(
        "run_comparison.html.j2",
        title=f"{a.id} and {b.id}",
        nav=[],
        a=a,
        b=b,
        sentences=(run_sentence(a), run_sentence(b)),
        parts=parts,
        code=[(cell, what, _lines(code.get(cell, ""))) for cell, what in cells.items()],
        figures=[(name, _same(figures, name), *(_picture(each.get(name)) for each in figures)) for name in names],
    )


def _same(figures: tuple[Mapping[str, Figure], Mapping[str, Figure]], name: str) -> bool:
    first, second = (each.get(name) for each in figures)
    return first is not None and second is not None and first.content == second.content


def _lines(diff: str) -> list[tuple[str, str]]:
    return [(TONES.get(line[:1], "same"), line) for line in diff.splitlines()]


def _picture(figure: Figure | None) -> Markup:
    if figure is None:
        return Markup('<p class="left-out">not recorded</p>')
    if figure.media_type == "image/svg+xml":
        return svg_image(figure.content, figure.alt)
    return image(figure.media_type, figure.content, figure.alt)
