"""The frame every page shares: templates with escaping on, one style sheet, and a policy that forbids scripts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from nbprod.clock import format_utc
from nbprod.pages import formatting
from nbprod.visible import in_markup

__all__ = ["POLICY", "Link", "badge", "drawing", "figure", "look", "render", "when"]

# Nothing is loaded, run, framed or sent: what the allow-lists let through by mistake still cannot act.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"


@dataclass(frozen=True, kw_only=True)
class Link:
    """A way to another page, relative, or words alone when there is none."""

    label: str
    href: str | None = None
    note: str = ""  #: said after it


def render(template: str, **values: Any) -> str:
    """Fill a template of ``nbprod/resources/pages``; every value that is not markup of ours is escaped."""
    return in_markup(_environment().get_template(template).render(**values))


def badge(status: Any, words: str = "") -> Markup:
    """A status as a word with a tone; the colour never stands alone."""
    return Markup('<span class="badge {}">{}</span>').format(formatting.tone(status), words or str(status))


def when(at: datetime | None) -> Markup:
    """A moment that machines can read too."""
    if at is None:
        return Markup("—")
    return Markup('<time datetime="{}">{}</time>').format(format_utc(at), formatting.moment(at))


def figure(caption: str, draw: Callable[[int], str], widths: Sequence[int] = (720, 310)) -> Markup:
    """A chart with its caption, drawn once for wide screens and once for phones, so that its text keeps its size.

    Parameters
    ----------
    caption
        Plain text above the chart.
    draw
        Makes the chart at a width in pixels.
    widths
        The wide one and the narrow one, or a single one for both.
    """
    names = ("wide", "narrow") if len(widths) > 1 else ("",)
    drawn = Markup().join(
        Markup('<div class="{}">{}</div>').format(f"chart {name}".strip(), drawing(draw(width)))
        for name, width in zip(names, widths, strict=True)
    )
    return Markup("<figure><figcaption>{}</figcaption>{}</figure>").format(caption, drawn)


def drawing(svg: str) -> Markup:
    """A chart of :mod:`nbprod.pages.charts` as markup; those escape what they are given."""
    return Markup(svg)  # noqa: S704 — made by our own charts


@cache
def look() -> str:
    """A digest of templates and style: pages made with another one are made again."""
    folder = files("nbprod").joinpath("resources", "pages")
    parts = sorted((part.name, part.read_bytes()) for part in folder.iterdir() if part.is_file())
    return sha256(repr(parts).encode()).hexdigest()[:16]


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("nbprod", "resources/pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = files("nbprod").joinpath("resources", "pages", "style.css").read_text(encoding="utf-8")
    environment.globals |= {
        "policy": POLICY,
        "style": Markup(_squeezed(style)),  # noqa: S704 — a file of this package
        "badge": badge,
        "when": when,
        "duration": formatting.duration,
    }
    environment.filters |= {
        "number": formatting.number,
        "plural": formatting.plural,
        "size": formatting.size,
        "shown": formatting.shown,
    }
    return environment


def _squeezed(style: str) -> str:
    """The style sheet without indentation and comments: it is part of every page."""
    lines = (line.strip() for line in style.splitlines())
    return "\n".join(line for line in lines if line and not (line.startswith("/*") and line.endswith("*/")))
