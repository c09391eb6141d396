"""What a notebook recorded: the media type its outputs carry, and a recorded figure."""

from __future__ import annotations

from dataclasses import dataclass

from nbprod.visible import escape

__all__ = ["RECORD_TYPE", "Figure"]

RECORD_TYPE = "application/vnd.nbprod.record+json"


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A picture out of a notebook.

    It was drawn by whoever wrote the notebook: show it as an image (``<img>``), never as part of a page.
    """

    name: str
    title: str
    alt: str  #: what there is to see, in words
    media_type: str  #: ``image/svg+xml`` or ``image/png``
    content: str  #: the SVG, or the PNG in base64

    @property
    def source(self) -> str:
        """A ``data:`` address for an ``<img>``; scripts in it do not run there."""
        from base64 import b64encode

        content = self.content if self.media_type == "image/png" else b64encode(self.content.encode()).decode()
        return f"data:{self.media_type};base64,{content}"

    def __repr__(self) -> str:
        return f"<Figure {self.name}: {self.title}>"

    def _repr_html_(self) -> str:
        return f'<img src="{escape(self.source)}" alt="{escape(self.alt)}" style="max-width:100%">'
