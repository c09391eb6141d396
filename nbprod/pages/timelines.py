"""SVG timelines: what the cells of a run did when, and which version an alias named when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from nbprod.domain.run import CellResult, CellStatus
from nbprod.pages.formatting import duration
from nbprod.pages.svg import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    RED,
    Scale,
    element,
    fit,
    picture,
    seconds,
    text,
    time_ticks,
)

__all__ = ["Lane", "Span", "cell_timeline", "lanes"]

SIGNS = {
    CellStatus.COMPLETED: ("✓", GREEN),
    CellStatus.FAILED: ("✕", RED),
    CellStatus.RUNNING: ("…", BLUE),
    CellStatus.SKIPPED: ("—", GREY),
    CellStatus.PENDING: ("·", GREY),
}
MOST_CELLS = 60


def cell_timeline(
    title: str, cells: Sequence[CellResult], *, titles: Mapping[str, str] | None = None, width: int = 720
) -> str:
    """One row a code cell: its name, when it ran, how long, with CPU time and peak memory where they are known.

    Parameters
    ----------
    cells
        In order of the notebook; those without times get no bar.
    titles
        Headings by cell id; the id stands where there is none.
    """
    known = [cell for cell in cells if cell.started_at is not None]
    shown = list(cells)[:MOST_CELLS]
    narrow = width < 500
    row = 35 if narrow else 22
    said = [_said(cell) for cell in shown]
    right = min(max((len(words) for words in said), default=0) * 6.4 + 16, 150 if narrow else 240)
    label = width - right if narrow else 180
    ends = [at for cell in known for at in (cell.started_at, cell.ended_at) if at is not None]
    start, end = (seconds(min(ends)), seconds(max(ends))) if ends else (0.0, 1.0)
    x = Scale(
        low=start,
        high=max(end, start + 0.001),
        start=6.0 if narrow else label + 8.0,
        end=width - (6.0 if narrow else right),
    )
    parts: list[str] = []
    for n, cell in enumerate(shown):
        y = 4.0 + n * row
        sign, colour = SIGNS[cell.status]
        name = (titles or {}).get(cell.id) or cell.called
        parts.append(text(sign, 8, y + 14, fill=colour, text_anchor="middle", font_weight=700))
        parts.append(text(fit(name, label - 24), 20, y + 14, title=f"{cell.called}: {cell.status}"))
        parts.append(text(fit(said[n], right - 4), width - 4, y + 14, text_anchor="end", opacity=".85"))
        if cell.started_at is not None:
            parts += _bar(cell, x, top=y + (20 if narrow else 5), colour=colour, end=end)
    height = 8.0 + len(shown) * row
    if not narrow and known:
        parts += [element("line", x1=x.start, x2=x.start, y1=4, y2=height - 4, stroke="currentColor", opacity=".25")]
    if len(cells) > len(shown):
        parts.append(
            text(f"and {len(cells) - len(shown)} more cells, in the notebook", 20, height + 10, opacity=".8")
        )
        height += 18
    if not cells:
        parts, height = [text("no cell was executed", width / 2, 30, text_anchor="middle", opacity=".65")], 50.0
    return picture(parts, width=width, height=height, title=title, desc=_words(cells), kind="timeline")


def _said(cell: CellResult) -> str:
    """How long, how much memory, and how it ended if not well."""
    if cell.status in {CellStatus.SKIPPED, CellStatus.PENDING}:
        return "not run"
    facts = [_took(cell), f"{cell.peak_memory_mb:,.0f} MB" if cell.peak_memory_mb else ""]
    if cell.status is not CellStatus.COMPLETED:
        facts.append(str(cell.cause or cell.status))
    return " · ".join(fact for fact in facts if fact)


def _bar(cell: CellResult, x: Scale, *, top: float, colour: str, end: float) -> list[str]:
    assert cell.started_at is not None
    begin = seconds(cell.started_at)
    stop = seconds(cell.ended_at) if cell.ended_at else end
    left, wide = x(begin), max(x(stop) - x(begin), 2.0)
    parts = [
        element("rect", x=left, y=top, width=wide, height=9, rx=2, fill=colour, opacity=".38", title=_took(cell))
    ]
    if cell.cpu_s is not None and stop > begin:  # the solid part is the share of the time in which one core worked
        share = min(max(cell.cpu_s / (stop - begin), 0.0), 1.0)
        parts.append(
            element(
                "rect",
                x=left,
                y=top,
                width=max(wide * share, 1.0),
                height=9,
                rx=2,
                fill=colour,
                title=f"{duration(cell.cpu_s)} of CPU time",
            )
        )
    return parts


def _took(cell: CellResult) -> str:
    if cell.started_at is None or cell.ended_at is None:
        return ""
    return duration((cell.ended_at - cell.started_at).total_seconds())


def _words(cells: Sequence[CellResult]) -> str:
    counts = {status: sum(cell.status is status for cell in cells) for status in CellStatus}
    said = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
    failed = next((cell for cell in cells if cell.status is CellStatus.FAILED), None)
    timed = [cell for cell in cells if cell.started_at and cell.ended_at]
    longest = max(timed, key=lambda cell: (cell.ended_at or 0) - (cell.started_at or 0), default=None)  # type: ignore[operator]
    return (
        f"{len(cells)} code cells: {said or 'none ran'}"
        + (f"; longest {longest.called} with {_took(longest)}" if longest else "")
        + (f"; {failed.called} failed{f' ({failed.cause})' if failed.cause else ''}" if failed else "")
    )


@dataclass(frozen=True, kw_only=True)
class Span:
    """Something that held from one moment to another; ``end=None`` still holds."""

    start: datetime
    end: datetime | None
    label: str


@dataclass(frozen=True, kw_only=True)
class Lane:
    """A named row of spans."""

    label: str
    spans: Sequence[Span]


def lanes(title: str, rows: Sequence[Lane], *, until: datetime, width: int = 720) -> str:
    """Which of several things held when: rows of labelled spans over one time axis; open spans reach to ``until``."""
    spans = [span for row in rows for span in row.spans]
    if not spans:
        said = text("no data yet", width / 2, 30, text_anchor="middle", opacity=".65")
        return picture([said], width=width, height=50, title=title, desc="no data yet", kind="lanes")
    last = max(seconds(until), *(seconds(span.end or span.start) for span in spans))
    x = Scale(low=min(seconds(span.start) for span in spans), high=last, start=6.0, end=width - 6.0)
    parts: list[str] = []
    words = []
    for n, row in enumerate(rows):
        y = 4.0 + n * 46
        parts.append(text(fit(row.label, width - 12), 6, y + 11, font_weight=600))
        for k, span in enumerate(sorted(row.spans, key=lambda one: one.start)):
            left, right = x(seconds(span.start)), x(seconds(span.end) if span.end else last)
            wide = max(right - left - 1.5, 2.0)
            colour = (BLUE, GREEN, ORANGE)[k % 3]
            until_words = f"{span.end:%Y-%m-%d}" if span.end else "now"
            parts.append(
                element(
                    "rect",
                    x=left,
                    y=y + 17,
                    width=wide,
                    height=20,
                    rx=3,
                    fill=colour,
                    opacity=".3",
                    title=f"{span.label}: {span.start:%Y-%m-%d} to {until_words}",
                )
            )
            if wide > len(span.label) * 6.4 + 6:
                parts.append(text(span.label, left + 6, y + 31))
            words.append(f"{row.label} {span.label} from {span.start:%Y-%m-%d} to {until_words}")
    bottom = len(rows) * 46 + 6
    parts += [
        element("line", x1=x(at), x2=x(at), y1=bottom - 4, y2=bottom, stroke="currentColor", opacity=".4")
        + text(label, min(max(x(at), 30), width - 30), bottom + 12, text_anchor="middle", opacity=".72")
        for at, label in time_ticks(x.low, x.high, max(int(width / 110), 2))
    ]
    return picture(parts, width=width, height=bottom + 18, title=title, desc="; ".join(words), kind="lanes")
