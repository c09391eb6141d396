"""SVG comparisons: bars, the reference beside the current distribution, and values with their intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nbprod.domain.check import CheckOutcome
from nbprod.pages.svg import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    RED,
    Scale,
    element,
    empty,
    fit,
    nice_ticks,
    picture,
    real,
    short,
    text,
)

__all__ = ["IntervalRow", "bars", "histogram_pair", "intervals"]

SIGNS = {CheckOutcome.PASSED: ("✓", GREEN), CheckOutcome.FAILED: ("✕", RED), CheckOutcome.INCONCLUSIVE: ("?", ORANGE)}


@dataclass(frozen=True, kw_only=True)
class IntervalRow:
    """A value between two others, and what a check said of it."""

    label: str
    value: float | None
    low: float | None = None
    high: float | None = None
    outcome: CheckOutcome | None = None


def bars(title: str, values: Mapping[str, float | None], *, desc: str = "", width: int = 360) -> str:
    """Horizontal bars with their names and values; negative ones go to the left of zero."""
    if not values:
        return empty(title, width, 60, "bars")
    row, numbers = 22, [real(value) for value in values.values()]
    known = [number for number in numbers if number is not None] or [0.0]
    label = min(max(len(str(name)) for name in values) * 6.4 + 8, width * 0.42)
    x = Scale(low=min(0.0, *known), high=max(0.0, *known) or 1.0, start=label + 4, end=width - 54)
    if x.low < 0:  # room for the numbers of negative bars
        x = Scale(low=x.low, high=max(x.high, 0.0), start=label + 52, end=width - 54)
    parts = []
    for n, (name, number) in enumerate(zip(values, numbers, strict=True)):
        y = 4 + n * row
        parts.append(text(fit(name, label), label - 4, y + 13, text_anchor="end", title=name))
        if number is not None:
            start, end = sorted((x(0), x(number)))
            parts.append(
                element("rect", x=start, y=y + 2, width=max(end - start, 1.0), height=row - 7, rx=2, fill=BLUE)
            )
        beside = x(0) if number is None else x(number)
        below = number is not None and number < 0
        parts.append(
            text(
                short(number),
                beside + (-5 if below else 5),
                y + 13,
                text_anchor="end" if below else "start",
                opacity=".85",
            )
        )
    parts.append(
        element("line", x1=x(0), x2=x(0), y1=2, y2=len(values) * row + 2, stroke="currentColor", opacity=".4")
    )
    words = desc or ", ".join(f"{name} {short(number)}" for name, number in zip(values, numbers, strict=True))
    return picture(parts, width=width, height=len(values) * row + 8, title=title, desc=words, kind="bars")


def histogram_pair(
    title: str,
    reference: Sequence[float | None],
    current: Sequence[float | None],
    *,
    edges: Sequence[float] = (),
    labels: Sequence[str] = (),
    desc: str = "",
    width: int = 360,
    height: int = 150,
) -> str:
    """The reference (grey area) and the current values (line) over the same bins or categories, as shares.

    Parameters
    ----------
    reference, current
        Counts or weights by bin, of equal length; each is divided by its own total.
    edges
        Bin edges, one more than bins; or
    labels
        the categories' names, one a bin.
    """
    old, new = _shares(reference), _shares(current)
    bins = min(len(old), len(new))
    if bins == 0 or (sum(old) == 0 and sum(new) == 0):
        return empty(title, width, height, "histogram")
    old, new = old[:bins], new[:bins]
    bottom, top = height - 20, 24
    y = Scale(low=0.0, high=max(old + new), start=bottom, end=top)
    x = Scale(low=0, high=bins, start=6, end=width - 6)
    gap = 0.16 if labels else 0.0
    parts = [
        element(
            "rect",
            x=x(n + gap),
            y=y(share),
            width=x(1 - 2 * gap) - x(0),
            height=bottom - y(share),
            fill=GREY,
            opacity=".45",
            title=f"reference {share:.1%}",
        )
        for n, share in enumerate(old)
    ]
    if labels:
        parts += [
            element(
                "line",
                x1=x(n + 0.06),
                x2=x(n + 0.94),
                y1=y(share),
                y2=y(share),
                stroke=BLUE,
                stroke_width=2.6,
                title=f"current {share:.1%}",
            )
            for n, share in enumerate(new)
        ]
        slot = x(1) - x(0)
        parts += [
            text(fit(label, slot - 2), x(n + 0.5), height - 6, text_anchor="middle", opacity=".8")
            for n, label in enumerate(labels[:bins])
            if slot >= 16
        ]
    else:
        steps = [f"{x(n + side):.1f},{y(share):.1f}" for n, share in enumerate(new) for side in (0, 1)]
        parts.append(element("polyline", points=" ".join(steps), fill="none", stroke=BLUE, stroke_width=2))
        if len(edges) > 1:
            parts.append(text(short(edges[0]), 6, height - 6, opacity=".8"))
            parts.append(text(short(edges[-1]), width - 6, height - 6, text_anchor="end", opacity=".8"))
    parts.append(element("line", x1=6, x2=width - 6, y1=bottom, y2=bottom, stroke="currentColor", opacity=".4"))
    parts.append(element("rect", x=6, y=4, width=14, height=9, fill=GREY, opacity=".45") + text("reference", 25, 12))
    parts.append(element("line", x1=92, x2=108, y1=9, y2=9, stroke=BLUE, stroke_width=2.4) + text("current", 113, 12))
    moved = sum(abs(a - b) for a, b in zip(old, new, strict=True)) / 2
    words = desc or f"{moved:.0%} of the distribution lies in other {'categories' if labels else 'bins'} than before"
    return picture(parts, width=width, height=height, title=title, desc=words, kind="histogram")


def _shares(counts: Sequence[float | None]) -> list[float]:
    numbers = [max(real(count) or 0.0, 0.0) for count in counts]
    total = sum(numbers)
    return [number / total for number in numbers] if total > 0 else numbers


def intervals(
    title: str, rows: Sequence[IntervalRow], *, rule: float | None = None, desc: str = "", width: int = 360
) -> str:
    """Values with their intervals as dots and whiskers, and the outcome in a word; ``rule`` draws a vertical line."""
    known = [n for row in rows for n in map(real, (row.value, row.low, row.high)) if n is not None]
    if not known:
        return empty(title, width, 60, "intervals")
    row_height = 34
    low, high = (
        min([*known, *([rule] if rule is not None else [])]),
        max([*known, *([rule] if rule is not None else [])]),
    )
    ticks = nice_ticks(low, high, 3)
    x = Scale(low=ticks[0], high=ticks[-1], start=24, end=width - 24)
    bottom = len(rows) * row_height + 6
    parts = [
        element("line", x1=x(tick), x2=x(tick), y1=4, y2=bottom, stroke="currentColor", opacity=".12")
        + text(short(tick), x(tick), bottom + 14, text_anchor="middle", opacity=".72")
        for tick in ticks
    ]
    if rule is not None:
        parts.append(
            element(
                "line",
                x1=x(rule),
                x2=x(rule),
                y1=4,
                y2=bottom,
                stroke=RED,
                stroke_dasharray="4 3",
                title=f"rule {short(rule)}",
            )
        )
    words = []
    for n, row in enumerate(rows):
        sign, colour = SIGNS[row.outcome] if row.outcome else ("", BLUE)
        y = 6 + n * row_height
        value, least, most = real(row.value), real(row.low), real(row.high)
        said = f"{sign} {row.outcome}" if row.outcome else ""
        number = short(value) + (
            f" ({short(least)} to {short(most)})" if least is not None and most is not None else ""
        )
        parts.append(text(fit(row.label, width * 0.38), 4, y + 11, title=row.label))
        parts.append(text(f"{number}  {said}".strip(), width - 4, y + 11, text_anchor="end", opacity=".9"))
        if least is not None and most is not None:
            parts.append(
                element(
                    "line",
                    x1=x(least),
                    x2=x(most),
                    y1=y + 22,
                    y2=y + 22,
                    stroke=colour,
                    stroke_width=3,
                    stroke_linecap="round",
                    opacity=".55",
                )
            )
        if value is not None:
            parts.append(element("circle", cx=x(value), cy=y + 22, r=4.4, fill=colour))
        words.append(f"{row.label} {number}{', ' + row.outcome if row.outcome else ''}")
    return picture(
        parts, width=width, height=bottom + 20, title=title, desc=desc or "; ".join(words), kind="intervals"
    )
