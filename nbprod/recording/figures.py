"""A matplotlib figure as a small, accessible, reproducible SVG (or a PNG, where drawing it would be too large)."""

from __future__ import annotations

import base64
import io
import re
import sys
from typing import Any

from nbprod.domain.record import Figure
from nbprod.visible import escape

__all__ = ["draw", "is_figure"]

LARGEST_SVG = 1_000_000  # characters; a scatter of a million points is a picture, not a drawing
PNG_DPI = 110


def is_figure(value: object) -> bool:
    """Whether a value is a matplotlib figure or axes; matplotlib is not imported to find out."""
    root = sys.modules.get("matplotlib")
    if root is None or not type(value).__module__.startswith(("matplotlib", "mpl_toolkits")):
        return False
    from matplotlib.artist import Artist

    return isinstance(value, Artist) and (hasattr(value, "savefig") or hasattr(value, "get_xlabel"))


def draw(name: str, value: Any) -> Figure:
    """The picture of a figure (or of the figure that axes belong to), closed so that it is not shown twice.

    The title is the figure's, or its first axes'; the words for those who do not see it are the figure's label, where
    one was set, else the title with what is on the axes.
    """
    import matplotlib as mpl

    figure = value if hasattr(value, "savefig") else value.get_figure()
    title, alt = _title_and_alt(name, figure)
    drawing = io.StringIO()
    # text as text: small, searchable, read aloud; the salt keeps the ids the same from run to run
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(
            drawing, format="svg", bbox_inches="tight", metadata={"Date": None, "Creator": None, "Title": title}
        )
    content, media_type = _accessible(drawing.getvalue(), alt), "image/svg+xml"
    if len(content) > LARGEST_SVG:
        pixels = io.BytesIO()
        figure.savefig(pixels, format="png", bbox_inches="tight", dpi=PNG_DPI, metadata={"Software": None})
        content, media_type = base64.b64encode(pixels.getvalue()).decode("ascii"), "image/png"
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close(figure)
    return Figure(name=name, title=title, alt=alt, media_type=media_type, content=content)


def _title_and_alt(name: str, figure: Any) -> tuple[str, str]:
    axes = list(figure.axes)
    title = figure.get_suptitle() or next((one.get_title() for one in axes if one.get_title()), "")
    title = title or name.replace("_", " ").capitalize()
    if label := str(figure.get_label()):
        return title, label
    seen = [f"{one.get_ylabel()} against {one.get_xlabel()}" for one in axes if one.get_xlabel() and one.get_ylabel()]
    return title, title + (f": {'; '.join(dict.fromkeys(seen))}" if seen else "")


def _accessible(svg: str, alt: str) -> str:
    """The drawing alone, with its words on the root."""
    svg = svg[svg.index("<svg") :]
    return re.sub(r"^<svg\b", f'<svg role="img" aria-label="{escape(alt)}"', svg, count=1)
