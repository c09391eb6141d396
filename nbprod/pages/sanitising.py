"""Markup made by others, reduced to what can neither run, reach out nor imitate the page around it.

Notebook outputs carry values of the data, so all of it is foreign. Three lines of defence: an allow-list of elements
and attributes here, SVG shown as an image only (where browsers run no script and load nothing), and the policy in the
head of every page, which forbids scripts altogether (an allow-list alone has been passed before: CVE-2026-6658).
"""

from __future__ import annotations

import base64
import re
import xml.etree.ElementTree as ET
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING

from markupsafe import Markup

from nbprod.visible import in_markup, visible

if TYPE_CHECKING:
    from bleach.sanitizer import Cleaner

__all__ = ["clean_html", "image", "svg_image"]

# Elements an output may have; no form, frame, script, style or anything that loads.
_TAGS = """a abbr b blockquote br caption code col colgroup dd del details div dl dt em figcaption figure h3 h4 h5 h6
hr i img ins kbd li mark ol p pre q s samp small span strong sub summary sup table tbody td tfoot th thead tr u
ul var"""
TAGS = frozenset(_TAGS.split())
PLAIN = frozenset(
    {"align", "colspan", "rowspan", "scope", "open", "start", "datetime", "lang", "dir", "alt", "title"}
)
_STYLES = """border-left border-collapse font-style font-weight opacity padding padding-bottom padding-left
padding-right padding-top text-align text-decoration vertical-align white-space"""
STYLES = _STYLES.split()
RASTER = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=\s]*")
LINK = re.compile(r"(?:https?://|mailto:)[^\s\"'<>\\]+", re.IGNORECASE)
# Their text is no text for readers; leaving it out is tidiness, what makes it safe is the allow-list.
UNSEEN = re.compile(
    r"<(script|style|template|noscript|title|head|iframe|object|textarea|select|math)\b.*?(?:</\1\s*>|$)",
    re.IGNORECASE | re.DOTALL,
)
DRAWING = re.compile(r"<svg\b.*?(?:</svg\s*>|$)", re.IGNORECASE | re.DOTALL)
SVG = "{http://www.w3.org/2000/svg}"
XLINK = "{http://www.w3.org/1999/xlink}href"
_SHAPES = """svg g defs desc title symbol use path rect circle ellipse line polyline polygon text tspan textPath
clipPath mask pattern marker linearGradient radialGradient stop style image switch"""
SHAPES = frozenset(_SHAPES.split())
OUTSIDE = re.compile(r"@import|javascript:|url\s*\(\s*['\"]?\s*[^#'\")\s]", re.IGNORECASE)
INK = "svg{color:#1d2733}@media(prefers-color-scheme:dark){svg{color:#e4e8ed}}"


def clean_html(html: str, *, with_links: bool = False) -> Markup:
    """HTML without scripts, events, styles that reach out, forms, frames, ids and addresses elsewhere.

    Parameters
    ----------
    html
        Anything.
    with_links
        Whether ``http``, ``https`` and ``mailto`` links stay: true for text a person wrote, false for output, which
        may hold what a client sent.
    """
    figures: dict[str, str] = {}
    token = sha256(html.encode(errors="replace")).hexdigest()[:24]

    def keep(match: re.Match[str]) -> str:
        # Put back only where the serializer wrote this very element, which it never does inside an attribute.
        name = f"{token}-{len(figures)}"
        figures[f'<span title="{name}"></span>'] = svg_image(match[0])
        return f"<span title={name}></span>"

    text = html.replace("\x00", "")
    text = UNSEEN.sub("", DRAWING.sub(keep, text))
    text = re.sub(r"<(/?)h[12](?=[\s>/])", r"<\1h3", text, flags=re.IGNORECASE)  # a page has one h1, of its own
    cleaned = _cleaner(with_links=with_links).clean(text)
    for place, figure in figures.items():
        cleaned = cleaned.replace(place, figure)
    return Markup(in_markup(cleaned))  # noqa: S704 — cleaned by the allow-list above


@cache
def _cleaner(*, with_links: bool) -> Cleaner:
    from bleach.css_sanitizer import CSSSanitizer  # delayed: a tenth of a second
    from bleach.sanitizer import Cleaner

    def allowed(tag: str, name: str, value: str) -> bool:
        if name == "href":
            return tag == "a" and with_links and bool(LINK.fullmatch(value))
        if name == "src":
            return tag == "img" and bool(RASTER.fullmatch(value))
        if name == "class":  # only names that mean nothing to the page around it
            return all(word.startswith("nbp-") or word == "dataframe" for word in value.split())
        return name in PLAIN or name == "style"

    return Cleaner(
        tags=TAGS,
        attributes=allowed,
        protocols={"http", "https", "mailto", "data"},
        css_sanitizer=CSSSanitizer(allowed_css_properties=STYLES),
        strip=True,
        strip_comments=True,
    )


def image(media_type: str, base64_text: str, alt: str) -> Markup:
    """A raster image as part of the page; one whose bytes are not base64 is named, not shown."""
    source = f"data:{media_type};base64,{''.join(base64_text.split())}"
    if not RASTER.fullmatch(source):
        return Markup('<p class="left-out">An image that cannot be read is left out here.</p>')
    return Markup('<img class="raster" alt="{}" src="{}">').format(alt, source)


def svg_image(svg: str, alt: str = "") -> Markup:
    """A drawing as an image of the page, after scripts, events, foreign content and addresses are taken out.

    Parameters
    ----------
    svg
        SVG text; what is not well-formed is named, not shown.
    alt
        Used when the drawing has no label or title of its own.
    """
    left_out = Markup('<p class="left-out">A drawing that cannot be read is left out here.</p>')
    if "<!ENTITY" in svg:  # the one way to make a small text a large tree; external DTDs are never read
        return left_out
    start = svg.find("<svg")
    text = svg[start:] if start >= 0 else svg
    if "xmlns=" not in text[: text.find(">")]:
        text = text.replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"', 1)
    if "xlink:" in text and "xmlns:xlink" not in text[: text.find(">")]:
        text = text.replace("<svg", '<svg xmlns:xlink="http://www.w3.org/1999/xlink"', 1)
    try:
        root = ET.fromstring(text)  # noqa: S314 — no DTD and no entity is left in it
    except (ET.ParseError, ValueError):  # ValueError: half a character
        return left_out
    if root.tag != f"{SVG}svg":
        return left_out
    _prune(root)
    _show_hidden(root)
    if "currentColor" in svg:
        style = ET.Element(f"{SVG}style")
        style.text = INK
        root.insert(0, style)
    else:
        root.set("style", "background:#fff")  # drawn for white paper
    label = root.get("aria-label") or (root.findtext(f"{SVG}title") or "").strip() or alt or "Figure"
    ET.register_namespace("", SVG[1:-1])
    ET.register_namespace("xlink", XLINK[1:-5])
    data = base64.b64encode(ET.tostring(root)).decode()
    return Markup('<img class="drawing" alt="{}" src="data:image/svg+xml;base64,{}">').format(label[:2000], data)


def _show_hidden(root: ET.Element) -> None:
    """The drawing is encoded, and so out of reach of what looks at the finished page."""
    for node in root.iter():
        node.text, node.tail = (visible(text) if text else text for text in (node.text, node.tail))
        node.attrib.update({name: visible(value) for name, value in node.attrib.items()})


def _prune(node: ET.Element) -> None:
    for child in list(node):
        tag = child.tag if isinstance(child.tag, str) else ""
        is_foreign = not tag.startswith(SVG) or tag.removeprefix(SVG) not in SHAPES
        if is_foreign or (tag == f"{SVG}style" and OUTSIDE.search(child.text or "")):
            node.remove(child)
        else:
            _prune(child)
    for name in list(node.attrib):
        value = node.attrib[name].strip()
        is_address = name in {"href", XLINK}
        if (
            name.lower().startswith("on")
            or (is_address and not (value.startswith("#") or RASTER.fullmatch(value)))
            or (not is_address and OUTSIDE.search(value))
        ):
            del node.attrib[name]
