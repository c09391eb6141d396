"""Markdown as clean HTML that fits under a page's own headings; pictures from elsewhere become their words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from nbprod.pages.sanitising import clean_html

if TYPE_CHECKING:
    from mistune import Markdown

__all__ = ["markdown", "plain_title"]

HEADING = re.compile(r"\s*#\s+(.+?)\s*#*\s*(?:\n|$)")
ATTACHED = re.compile(r"\(attachment:([^)\s]+)\)")


def plain_title(source: str) -> tuple[str, str]:
    """Split Markdown into its opening heading of the first level, as plain text, and the rest.

    Examples
    --------
    >>> plain_title("# Train a *model*")
    ('Train a model', '')
    """
    match = HEADING.match(source)
    if not match:
        return "", source
    words = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", match[1])
    return re.sub(r"[*`]|(?<!\w)_|_(?!\w)", "", words).strip(), source[match.end() :]


def markdown(source: str, *, attachments: Mapping[str, Any] | None = None) -> Markup:
    """Markdown as clean HTML, its headings two levels down.

    Parameters
    ----------
    source
        Markdown, possibly with HTML in it; both are cleaned.
    attachments
        Pictures by name, by media type, as a notebook's cell keeps them.
    """

    def embedded(match: re.Match[str]) -> str:
        bundle = (attachments or {}).get(match[1])
        media_type, data = next(iter(bundle.items()), ("", "")) if isinstance(bundle, Mapping) else ("", "")
        return f"(data:{media_type};base64,{''.join(str(data).split())})"

    html = str(_renderer()(ATTACHED.sub(embedded, source)))
    return clean_html(html, with_links=True)


@cache
def _renderer() -> Markdown:
    import mistune  # delayed: only pages need it

    class Below(mistune.HTMLRenderer):
        """Headings under the page's own, and pictures only from the text itself."""

        def heading(self, text: str, level: int, **attributes: Any) -> str:
            return super().heading(text, min(level + 2, 6), **attributes)

        def image(self, text: str, url: str, title: str | None = None) -> str:  # noqa: ARG002 — the renderer passes it
            if url.startswith("data:image/"):
                return f'<img alt="{mistune.escape(text)}" src="{mistune.escape(url)}">'
            return mistune.escape(text or "picture")

    # Escaping is the cleaner's work: people write <br> and <details> in their notebooks.
    return mistune.create_markdown(
        escape=False, renderer=Below(escape=False), plugins=["table", "strikethrough", "task_lists"]
    )
