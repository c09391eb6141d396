"""The pencil of the charts: escaped SVG elements, scales, ticks and labels that read on light and dark pages."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from nbprod.visible import escape

__all__ = [
    "BLUE",
    "GREEN",
    "GREY",
    "ORANGE",
    "RED",
    "Scale",
    "element",
    "empty",
    "fit",
    "moment_words",
    "nice_ticks",
    "picture",
    "real",
    "seconds",
    "short",
    "text",
    "time_ticks",
]

# Middle tones with a contrast of at least 3:1 on white and on the dark page, so that one drawing serves both.
BLUE, ORANGE, GREEN, RED, GREY = "#3a86b4", "#c8702a", "#44935f", "#d0524a", "#86909c"

LARGEST = 1e300  # beyond it, the differences of two numbers overflow
CHARACTER = 0.58  # mean width of a character in a system sans serif, in font sizes


def real(value: object) -> float | None:
    """The value as a finite number, or ``None``: missing, infinite and foreign values are gaps, never errors."""
    if value is None or isinstance(value, str | bytes):
        return None
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None
    return number if abs(number) < LARGEST else None  # false for NaN


def seconds(at: datetime | float) -> float:
    """A position on an axis: a moment in seconds since 1970, a number as it is."""
    if isinstance(at, datetime):
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    return float(at)


def short(value: float | None, digits: int = 3) -> str:
    """A number for a label: ``0.842``, ``1,204``, ``3.1e-07``, ``1.2 M``, or a dash for what is missing."""
    number = real(value)
    if number is None:
        return "—"
    if number == 0:
        return "0"
    size = abs(number)
    if size >= 1e12 or size < 1e-4:
        return f"{number:.{max(digits - 2, 0)}e}"
    if size >= 1e6:
        unit, name = (1e9, "G") if size >= 1e9 else (1e6, "M")
        return f"{number / unit:.{digits}g} {name}".replace("e+", "e")
    if number == int(number) or size >= 1000:
        return f"{number:,.0f}"
    places = max(0, digits - 1 - math.floor(math.log10(size)))
    written = f"{number:.{places}f}"
    return written.rstrip("0").rstrip(".") if places else written


def fit(label: object, width: float, size: float = 11) -> str:
    """The label, shortened with an ellipsis to about ``width`` pixels at font size ``size``."""
    words = " ".join(str(label).split())
    room = max(1, int(width / (size * CHARACTER)))
    return words if len(words) <= room else words[: max(1, room - 1)] + "…"


def element(name: str, content: str = "", /, **attributes: object) -> str:
    """One SVG element; attributes are escaped, numbers rounded, ``_`` in names written as ``-``.

    ``content`` is markup made by this function: text goes through :func:`text`. ``title`` adds a tooltip.
    """
    tooltip = attributes.pop("title", None)
    inside = (f"<title>{escape(str(tooltip))}</title>" if tooltip else "") + content
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_attribute(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    return f"<{name}{written}>{inside}</{name}>" if inside else f"<{name}{written}/>"


def _attribute(value: object) -> str:
    if isinstance(value, float):
        rounded = f"{value:.1f}".removesuffix(".0")
        return "0" if rounded == "-0" else rounded
    return escape(str(value))


def text(label: object, x: float, y: float, **attributes: object) -> str:
    """A piece of text at a point, escaped."""
    clean = "".join(character for character in str(label) if character >= " ")
    return element("text", escape(clean), x=x, y=y, **attributes)


@dataclass(frozen=True, kw_only=True)
class Scale:
    """A straight map from values to pixels; an empty range maps to its middle."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """The pixel of a value."""
        width = self.high - self.low
        share = (value - self.low) / width if width > 0 else 0.5
        return self.start + share * (self.end - self.start)


def nice_ticks(low: float, high: float, count: int = 4) -> list[float]:
    """Round values that cover a range in steps of 1, 2 or 5 times a power of ten."""
    if not high > low:
        pad = abs(low) * 0.1 or 1.0
        low, high = low - pad, high + pad
    raw = (high - low) / max(count, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [position * step for position in range(first, last + 1)]


def time_ticks(low: float, high: float, count: int = 4) -> list[tuple[float, str]]:
    """Round moments inside a range of seconds since 1970, with their labels in UTC."""
    start, end = datetime.fromtimestamp(low, UTC), datetime.fromtimestamp(high, UTC)
    span = high - low
    for step_s, form in (
        (5, "%H:%M:%S"),
        (15, "%H:%M:%S"),
        (60, "%H:%M"),
        (300, "%H:%M"),
        (900, "%H:%M"),
        (3600, "%H:%M"),
        (6 * 3600, "%-d %b %H:%M"),
        (86400, "%-d %b"),
        (7 * 86400, "%-d %b"),
    ):
        if span / step_s <= count + 1:
            first = math.ceil(low / step_s) * step_s
            moments = [
                datetime.fromtimestamp(first + n * step_s, UTC) for n in range(int((high - first) // step_s) + 1)
            ]
            return [(at.timestamp(), _moment(at, form)) for at in moments]
    for months in (1, 2, 3, 6, 12, 24, 60, 120, 600):
        if span / (months * 30.4 * 86400) <= count + 1:
            return list(_month_ticks(start, end, months))
    return [(low, str(start.year)), (high, str(end.year))]


def _month_ticks(start: datetime, end: datetime, months: int) -> Iterable[tuple[float, str]]:
    number = math.ceil((start.year * 12 + start.month - 1) / months) * months
    year = None
    while (at := datetime(number // 12, number % 12 + 1, 1, tzinfo=UTC)) <= end:
        if at >= start:
            label = str(at.year) if months >= 12 else f"{at:%b}" + ("" if at.year == year else f" {at.year}")
            year = at.year
            yield at.timestamp(), label
        number += months


def _moment(at: datetime, form: str) -> str:
    return at.strftime(form.replace("%-d", str(at.day)))


def moment_words(at: float, span: float) -> str:
    """A moment in words, as exact as the span of its axis asks for."""
    moment = datetime.fromtimestamp(at, UTC)
    return f"{moment.day} {moment:%b %Y}" + (f" {moment:%H:%M}" if span < timedelta(days=3).total_seconds() else "")


def picture(
    parts: Sequence[str], *, width: float, height: float, title: str, desc: str, kind: str, stretch: bool = True
) -> str:
    """The finished SVG with its alternative text; the same values give the same bytes.

    Parameters
    ----------
    parts
        Elements made by :func:`element` and :func:`text`.
    width, height
        Size in pixels at which text has its true size.
    title, desc
        What it shows, and what there is to see, for readers who do not see it.
    kind
        Class name after ``nbp-``.
    stretch
        Whether it fills its column (at most a third wider than drawn) or keeps its size.
    """
    label = f"{title}. {desc}" if desc else title
    style = f"width:100%;max-width:{width * 1.35:.0f}px;height:auto" if stretch else "vertical-align:middle"
    return element(
        "svg",
        f"<desc>{escape(desc)}</desc>" + "".join(parts),
        xmlns="http://www.w3.org/2000/svg",
        class_=f"nbp-chart nbp-{kind}",
        viewBox=f"0 0 {width:.0f} {height:.0f}",
        width=f"{width:.0f}",
        height=f"{height:.0f}",
        role="img",
        aria_label=label,
        font_family="system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif",
        font_size=11,
        fill="currentColor",
        style=style,
    )


def empty(title: str, width: int, height: int, kind: str, *, words: str = "no data yet", stretch: bool = True) -> str:
    """The picture of no values: it says so."""
    said = text(words, width / 2, height / 2 + 4, text_anchor="middle", opacity=".65")
    return picture([said], width=width, height=height, title=title, desc=words, kind=kind, stretch=stretch)
