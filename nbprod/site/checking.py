"""Check a built site: links lead somewhere, the network is asked for nothing, pages are light and readable by all."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from nbprod.errors import NotFoundError
from nbprod.pages.box import BOXED
from nbprod.pages.layout import POLICY
from nbprod.pages.scoring_form import MOST_BYTES
from nbprod.site.places import SCORING

__all__ = ["PageFault", "check"]

INDEX_BYTES = 100_000
PAGE_BYTES = 300_000  # without its pictures
LOADS = {"src", "srcset", "poster", "data", "background", "action", "formaction"}
LOADING = {"script", "iframe", "object", "embed", "base", "form", "audio", "video", "frame", "portal"}
PICTURE = re.compile(r"data:image/[^\"'\s)]*")
OUTSIDE = re.compile(r"url\(\s*['\"]?(?!data:|#)|@import", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class PageFault:
    """What is wrong with which page."""

    page: str
    rule: str  #: ``links``, ``requests``, ``size``, ``policy``, ``alt``, ``h1``, ``lang``, ``title``
    sentence: str

    def __str__(self) -> str:
        return f"{self.page}: {self.rule}: {self.sentence}"


@dataclass
class _Seen(HTMLParser):
    """What a page holds that the rules speak of."""

    headings: int = 0
    lang: str = ""
    title: str = ""
    policy: str = ""
    links: list[str] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)
    unnamed: list[str] = field(default_factory=list)
    inside: str = ""
    scripts: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what a tag asks for."""
        given = {name: value or "" for name, value in attrs}
        self.inside = tag
        self.ids.update(given[name] for name in ("id",) if name in given)
        self.headings += tag == "h1"
        if tag == "html":
            self.lang = given.get("lang", "")
        if tag == "meta" and given.get("http-equiv", "").lower() == "content-security-policy":
            self.policy = given.get("content", "")
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if tag == "link" and given.get("rel") == "alternate":
            self.links.append(given.get("href", ""))
        elif tag == "link" and not given.get("href", "").startswith("data:"):
            self.loads.append(given.get("href", tag))
        if tag == "img" and not given.get("alt"):
            self.unnamed.append("an image has no alternative text")
        if tag == "svg" and not (given.get("aria-label") or given.get("aria-hidden")):
            self.unnamed.append("a drawing has no alternative text")
        if tag == "script" and "src" not in given:
            if given.get("type") != "application/json":  # a block of data is not executed
                self.scripts.append("")
            else:
                self.inside = "data"
        elif tag in LOADING:
            self.loads.append(tag)
        asked = {name: given[name] for name in LOADS & given.keys() if not given[name].startswith("data:")}
        self.loads += [f"{tag} {name} {address[:80]}" for name, address in sorted(asked.items())]
        self.loads += [f"{tag} {name}" for name in given if name.startswith("on")]
        if OUTSIDE.search(given.get("style", "")):
            self.loads.append(f"{tag} style")

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002 — the parser passes it
        """Note that the text of a tag is over."""
        self.inside = ""

    def handle_data(self, data: str) -> None:
        """Note the title, and what a style sheet asks for."""
        if self.inside == "title":
            self.title += data.strip()
        if self.inside == "script" and self.scripts:
            self.scripts[-1] += data
        if self.inside == "style" and OUTSIDE.search(data):
            self.loads.append("style sheet")


def check(folder: Path | str) -> list[PageFault]:
    """Check every page of a built site.

    Parameters
    ----------
    folder
        Where it was built.

    Returns
    -------
    list of Fault
        Empty when all is well.

    Raises
    ------
    NotFoundError
        There is no site in the folder.
    """
    root = Path(folder)
    if not (root / "index.html").is_file():
        raise NotFoundError(f"there is no site in {root}", hint="Build it: nbprod site build.")
    pages = {path.resolve(): _read(path) for path in sorted(root.rglob("*.html")) if not path.name.endswith(BOXED)}
    faults: list[PageFault] = []
    for path, (text, seen) in pages.items():
        page = path.relative_to(root.resolve()).as_posix()
        found = [*_page_faults(page, text, seen), *(("links", one) for one in _link_faults(root, path, seen, pages))]
        faults += [PageFault(page=page, rule=rule, sentence=sentence) for rule, sentence in found]
    return faults


def _read(path: Path) -> tuple[str, _Seen]:
    text = path.read_text(encoding="utf-8")
    seen = _Seen()
    seen.feed(text)
    return text, seen


def _page_faults(page: str, text: str, seen: _Seen) -> Iterator[tuple[str, str]]:
    if seen.scripts and not page.endswith(SCORING):
        yield "requests", "it would load or run something: script, which only a page that scores may"
    for asked in seen.loads:
        yield "requests", f"it would load or run something: {asked}"
    allowed = [f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'" for script in seen.scripts]
    needed = POLICY + (f"; script-src {' '.join(allowed)}" if allowed else "")
    if seen.policy != needed:
        yield "policy", "its policy does not forbid everything it does not need"
    for sentence in seen.unnamed:
        yield "alt", sentence
    if seen.headings != 1:
        yield "h1", f"it has {seen.headings} headings of the first level, not one"
    if not seen.lang:
        yield "lang", "it does not say its language"
    if not seen.title:
        yield "title", "it has no title"
    weight = len(PICTURE.sub("", text).encode())
    most = INDEX_BYTES if page == "index.html" else MOST_BYTES if page.endswith(SCORING) else PAGE_BYTES
    if weight > most:
        yield "size", f"it weighs {weight:,} bytes without pictures, more than {most:,}"


def _link_faults(root: Path, path: Path, seen: _Seen, pages: dict[Path, tuple[str, _Seen]]) -> Iterator[str]:
    for href in dict.fromkeys(seen.links):
        parts = urlsplit(href)
        if parts.scheme in {"http", "https", "mailto"}:
            continue  # a person wrote it in a notebook's text; it is followed by hand alone
        if parts.scheme or parts.netloc or parts.path.startswith("/"):
            yield f"{href} is not relative"
            continue
        target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
        if not target.is_relative_to(root.resolve()):
            yield f"{href} leads out of the site"
        elif not target.exists():
            yield f"{href} leads nowhere"
        elif parts.fragment:
            there = pages.get(target)
            if there is not None and unquote(parts.fragment) not in there[1].ids:
                yield f"{href} leads to no place in that page"
