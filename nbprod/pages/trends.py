"""SVG trends: lines over time with bands, limits and marked events, and the sparkline beside a word."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

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
    moment_words,
    nice_ticks,
    picture,
    real,
    seconds,
    short,
    text,
    time_ticks,
)

__all__ = ["Limit", "Mark", "Series", "sparkline", "trend"]

LINES = ((BLUE, None), (ORANGE, "6 3"), (GREEN, "2 3"), (GREY, "8 3 2 3"), (RED, "1 2"))


@dataclass(frozen=True, kw_only=True)
class Series:
    """One line of a trend; missing values are gaps."""

    name: str
    x: Sequence[datetime] | Sequence[float]
    y: Sequence[float | None]
    low: Sequence[float | None] = ()  #: the band's lower edge, as long as ``y``
    high: Sequence[float | None] = ()


@dataclass(frozen=True, kw_only=True)
class Mark:
    """Something that happened at a point of the x axis."""

    x: datetime | float
    label: str


@dataclass(frozen=True, kw_only=True)
class Limit:
    """A level the values are held against."""

    y: float
    label: str


@dataclass(frozen=True)
class _Points:
    """The finite points of a series, in order of x, and its runs without a gap."""

    series: Series
    runs: list[list[tuple[float, float]]] = field(default_factory=list)

    @classmethod
    def of(cls, series: Series) -> _Points:
        places = zip(map(real, map(seconds, series.x)), series.y, strict=False)
        rows = sorted(((x, y) for x, y in places if x is not None), key=lambda row: row[0])
        points = cls(series)
        whole = True
        for x, value in rows:
            y = real(value)
            if y is None:
                whole = True
                continue
            if whole:
                points.runs.append([])
            points.runs[-1].append((x, y))
            whole = False
        return points

    @property
    def all(self) -> list[tuple[float, float]]:
        return [point for run in self.runs for point in run]

    @property
    def band(self) -> list[tuple[float, float, float]]:
        edges = zip(map(seconds, self.series.x), self.series.low, self.series.high, strict=False)
        found = [(x, real(low), real(high)) for x, low, high in edges]
        return sorted((x, low, high) for x, low, high in found if low is not None and high is not None)


def trend(
    title: str,
    series: Sequence[Series],
    *,
    marks: Sequence[Mark] = (),
    limits: Sequence[Limit] = (),
    desc: str = "",
    y_range: tuple[float, float] | None = None,
    named: Callable[[float], str] = short,
    width: int = 360,
    height: int = 200,
) -> str:
    """Lines over time (or over numbers), with bands, marked events and limits.

    Parameters
    ----------
    title
        What is shown; the alternative text starts with it.
    series
        Up to five lines, told apart by dashes and names as well as by colour.
    marks
        Events, drawn as vertical lines with their label at the top.
    limits
        Levels, drawn as horizontal dashed lines with their label.
    desc
        What there is to see; made from the values when empty.
    y_range
        Least range of the y axis; the data widen it.
    named
        What a value of the y axis is called.
    width, height
        Size in pixels at which text has its true size.
    """
    lines = [_Points.of(one) for one in series]
    xs = [x for line in lines for x, _ in line.all]
    if not xs:
        return empty(title, width, height, "trend")
    timed = any(isinstance(x, datetime) for one in series for x in one.x)
    shown = [mark for mark in marks if min(xs) <= seconds(mark.x) <= max(xs)]
    levels = [limit for limit in limits if real(limit.y) is not None]
    ys = [y for line in lines for _, y in line.all]
    ys += [edge for line in lines for _, low, high in line.band for edge in (low, high)]
    ys += [limit.y for limit in levels] + list(y_range or ())
    ticks = nice_ticks(min(ys), max(ys))
    names = [named(tick) for tick in ticks]
    left = 10 + max(len(name) for name in names) * 6.4
    keys = [(line.series.name, *style) for line, style in zip(lines, LINES, strict=False)] if len(lines) > 1 else []
    keys += [(limit.label, RED, "4 3") for limit in levels]
    legend, legend_height = _legend(keys, left, width)
    top = 12 + legend_height + (14 if shown else 0)
    x_scale = Scale(low=min(xs), high=max(xs), start=left + 6, end=width - 48)
    y_scale = Scale(low=ticks[0], high=ticks[-1], start=height - 22, end=top)
    parts = [
        element(
            "line", x1=left, x2=width - 42, y1=y_scale(tick), y2=y_scale(tick), stroke="currentColor", opacity=".13"
        )
        + text(name, left - 5, y_scale(tick) + 4, text_anchor="end", opacity=".72")
        for tick, name in zip(ticks, names, strict=True)
    ]
    parts += _x_axis(x_scale, timed=timed, y=height - 6, room=int((width - left) / 82))
    parts += [
        element(
            "line",
            x1=left,
            x2=width - 42,
            y1=y_scale(limit.y),
            y2=y_scale(limit.y),
            stroke=RED,
            stroke_dasharray="4 3",
        )
        for limit in levels
    ]
    parts += _marks(shown, x_scale, top=top, bottom=height - 22, right=width)
    for line, (colour, dash) in zip(lines, LINES, strict=False):
        parts += _line(line, x_scale, y_scale, colour=colour, dash=dash, named=named)
    parts += _last_values(lines, x_scale, y_scale, named)
    return picture(
        [*legend, *parts],
        width=width,
        height=height,
        title=title,
        desc=desc or _trend_words(lines, marks=shown, limits=levels, timed=timed, named=named),
        kind="trend",
    )


def _x_axis(scale: Scale, *, timed: bool, y: float, room: int) -> list[str]:
    if timed:
        ticks = time_ticks(scale.low, scale.high, max(room, 2))
        ticks = ticks or [(scale.low, moment_words(scale.low, scale.high - scale.low))]
    else:
        ticks = [(tick, short(tick)) for tick in nice_ticks(scale.low, scale.high) if scale.low <= tick <= scale.high]
    return [
        element("line", x1=scale(at), x2=scale(at), y1=y - 16, y2=y - 12, stroke="currentColor", opacity=".4")
        + text(label, scale(at), y, text_anchor="middle", opacity=".72")
        for at, label in ticks
    ]


def _marks(marks: Sequence[Mark], scale: Scale, *, top: float, bottom: float, right: float) -> list[str]:
    parts, free = [], 0.0
    for mark in sorted(marks, key=lambda one: seconds(one.x)):
        x = scale(seconds(mark.x))
        parts.append(
            element(
                "line",
                x1=x,
                x2=x,
                y1=top - 4,
                y2=bottom,
                stroke="currentColor",
                opacity=".55",
                stroke_dasharray="2 2",
                title=mark.label,
            )
        )
        room = len(mark.label) * 6.2
        at = min(max(x, room / 2), right - room / 2 - 2)
        if at - room / 2 >= free:  # a label that would cover its neighbour stays in the tooltip and the description
            parts.append(text(mark.label, at, top - 8, text_anchor="middle", opacity=".85"))
            free = at + room / 2 + 6
    return parts


def _line(
    line: _Points, x: Scale, y: Scale, *, colour: str, dash: str | None, named: Callable[[float], str]
) -> list[str]:
    parts = []
    if len(line.band) > 1:
        edge = [f"{x(at):.1f},{y(high):.1f}" for at, _, high in line.band]
        edge += [f"{x(at):.1f},{y(low):.1f}" for at, low, _ in reversed(line.band)]
        parts.append(element("polygon", points=" ".join(edge), fill=colour, opacity=".16"))
    for run in line.runs:
        if len(run) > 1:
            points = " ".join(f"{x(at):.1f},{y(value):.1f}" for at, value in run)
            parts.append(
                element("polyline", points=points, fill="none", stroke=colour, stroke_width=2, stroke_dasharray=dash)
            )
    points_shown = line.all
    if len(points_shown) <= 60:
        parts += [
            element("circle", cx=x(at), cy=y(value), r=2.6, fill=colour, title=f"{line.series.name}: {named(value)}")
            for at, value in points_shown
        ]
    return parts


def _last_values(lines: Sequence[_Points], x: Scale, y: Scale, named: Callable[[float], str]) -> list[str]:
    """The last value beside the end of each line, moved apart where two would cover each other."""
    ends = sorted((y(line.all[-1][1]) + 4, x(line.all[-1][0]) + 5, line.all[-1][1]) for line in lines if line.all)
    parts, free = [], 0.0
    for wanted, left, value in ends:
        top = max(wanted, free)
        parts.append(text(named(value), left, top, font_weight=600))
        free = top + 12
    return parts


def _legend(keys: Sequence[tuple[str, str, str | None]], left: float, width: float) -> tuple[list[str], float]:
    """Names beside a piece of their line, wrapped into rows, and the height of all rows."""
    parts, x, y = [], left, 8.0
    for name, colour, dash in keys:
        label = fit(name, width - left - 40)
        room = 40 + len(label) * 6.2
        if x > left and x + room > width:
            x, y = left, y + 16
        parts.append(
            element("line", x1=x, x2=x + 18, y1=y, y2=y, stroke=colour, stroke_width=2.2, stroke_dasharray=dash)
        )
        parts.append(text(label, x + 23, y + 4))
        x += room
    return parts, y + 8 if keys else 0.0


def _trend_words(
    lines: Sequence[_Points],
    *,
    marks: Sequence[Mark],
    limits: Sequence[Limit],
    timed: bool,
    named: Callable[[float], str],
) -> str:
    sentences = []
    span = max(x for line in lines for x, _ in line.all) - min(x for line in lines for x, _ in line.all)
    for line in lines:
        if not line.all:
            continue
        (first_at, first), (last_at, last) = line.all[0], line.all[-1]
        where = [moment_words(at, span) if timed else short(at) for at in (first_at, last_at)]
        low, high = min(y for _, y in line.all), max(y for _, y in line.all)
        sentences.append(
            f"{line.series.name}: {len(line.all)} points, {named(first)} at {where[0]}, {named(last)} at {where[1]}, "
            f"between {named(low)} and {named(high)}"
        )
    sentences += [f"limit {limit.label} at {named(limit.y)}" for limit in limits]
    if marks:
        sentences.append(
            "marked: "
            + ", ".join(
                f"{mark.label} at {moment_words(seconds(mark.x), span) if timed else short(seconds(mark.x))}"
                for mark in marks
            )
        )
    return "; ".join(sentences)


def sparkline(title: str, values: Sequence[float | None], *, width: int = 96, height: int = 22) -> str:
    """A line the size of a word; its last point is marked."""
    line = _Points.of(Series(name=title, x=[float(n) for n in range(len(values))], y=list(values)))
    if not line.all:
        return empty(title, width, height, "spark", words="—", stretch=False)
    ys = [y for _, y in line.all]
    x = Scale(low=0, high=max(len(values) - 1, 1), start=3, end=width - 4)
    y = Scale(low=min(ys), high=max(ys), start=height - 4, end=4)
    parts = [
        element(
            "polyline",
            points=" ".join(f"{x(at):.1f},{y(value):.1f}" for at, value in run),
            fill="none",
            stroke=BLUE,
            stroke_width=1.5,
        )
        for run in line.runs
        if len(run) > 1
    ]
    at, value = line.all[-1]
    parts.append(element("circle", cx=x(at), cy=y(value), r=2.4, fill=BLUE))
    desc = f"{len(ys)} values between {short(min(ys))} and {short(max(ys))}, last {short(value)}"
    return picture(parts, width=width, height=height, title=title, desc=desc, kind="spark", stretch=False)
