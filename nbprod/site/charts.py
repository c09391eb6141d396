"""The pictures of a deployment and a model over time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from itertools import pairwise

from markupsafe import Markup

from nbprod.domain.monitor import ESTIMATED, REFERENCE, MonitorReport, side_label
from nbprod.pages.charts import Lane, Mark, Series, Span, lanes, trend
from nbprod.pages.layout import figure
from nbprod.site.facts import AliasPeriod

__all__ = [
    "alias_history",
    "changed_by_window",
    "drift_picture",
    "judged_picture",
    "metric_names",
    "metric_pictures",
    "performance_picture",
    "window_name",
]

MOST_METRICS = 9


def middle(report: MonitorReport) -> datetime:
    """Where a window's value stands on the time axis."""
    return report.start + (report.end - report.start) / 2


def version_marks(reports: Sequence[MonitorReport]) -> list[Mark]:
    """Where the version that was watched became another one, by the windows themselves."""
    return [
        Mark(x=report.start, label=report.version)
        for before, report in pairwise(reports)
        if report.version and report.version != before.version
    ]


def metric_names(reports: Sequence[MonitorReport]) -> list[str]:
    """The metrics of the windows, those that were judged first; a reference and an estimate belong to theirs."""
    judged = [check.subject for report in reports for check in report.checks if check.name == "performance"]
    recorded = [name for report in reports for name in report.by_metric]
    return [name for name in dict.fromkeys([*judged, *recorded]) if name in recorded]


def performance_picture(reports: Sequence[MonitorReport], *, wide: bool = True) -> Markup:
    """The judged metric by window, beside its value on the reference."""
    name = next(iter(metric_names(reports)), "")
    draw = partial(_draw, f"{name or 'Performance'} by window", _metric(reports, name), version_marks(reports))
    caption = f"Performance: {name}, by window" if name else "Performance, by window"
    return figure(caption, draw, (720, 310) if wide else (320,))


def judged_picture(reports: Sequence[MonitorReport]) -> Markup:
    """How much worse than on the reference, with the interval that was judged; nothing when none was."""
    judged = {middle(report): check for report in reports for check in report.checks if check.name == "performance"}
    if not any(check.value is not None for check in judged.values()):
        return Markup()
    series = Series(
        name="worse than on the reference by",
        x=list(judged),
        y=[check.value for check in judged.values()],
        low=[check.low for check in judged.values()],
        high=[check.high for check in judged.values()],
    )
    marks = version_marks(reports)
    draw = partial(_draw, "Loss of performance by window", [series], marks, y_range=(0, 0))
    return figure("Loss of performance against the reference with its interval, by window", draw)


def drift_picture(reports: Sequence[MonitorReport], *, wide: bool = True) -> Markup:
    """How many columns changed, by window."""
    series = [
        Series(
            name="columns that changed",
            x=[middle(report) for report in reports],
            y=[float(len(report.changed)) for report in reports],
        )
    ]
    draw = partial(_draw, "Columns that changed, by window", series, version_marks(reports), y_range=(0, 4))
    return figure("Drift: columns that changed, by window", draw, (720, 310) if wide else (320,))


def metric_pictures(reports: Sequence[MonitorReport]) -> list[Markup]:
    """One small picture for each recorded metric but the judged one, which has its own."""
    marks = version_marks(reports)
    return [
        figure(name, partial(_draw, f"{name} by window", _metric(reports, name), marks, height=150), (320,))
        for name in metric_names(reports)[1 : MOST_METRICS + 1]
    ]


def changed_by_window(reports: Sequence[MonitorReport], *, most: int = 24) -> list[tuple[str, list[bool]]]:
    """The columns that ever changed, most often first, with a yes or no for each window."""
    counts: dict[str, int] = {}
    for report in reports:
        for column in report.changed:
            counts[column] = counts.get(column, 0) + 1
    names = sorted(counts, key=lambda name: (-counts[name], name))[:most]
    return [(name, [name in report.changed for report in reports]) for name in names]


def window_name(report: MonitorReport) -> str:
    """A window in a word: the month when it is one, else its first day."""
    is_month = report.start.day == 1 and 28 <= (report.end - report.start).days <= 31
    return f"{report.start:%b %Y}" if is_month else f"{report.start:%Y-%m-%d}"


def alias_history(held: dict[str, list[AliasPeriod]], *, until: datetime) -> Markup:
    """Which version each alias named when."""
    rows = [
        Lane(
            label=alias,
            spans=[Span(start=one.since, end=one.until, label=str(one.number)) for one in spans],
        )
        for alias, spans in held.items()
    ]
    return figure(
        "Which version each alias named", lambda width: lanes("Alias history", rows, until=until, width=width)
    )


def _metric(reports: Sequence[MonitorReport], name: str) -> list[Series]:
    at = [middle(report) for report in reports]
    unlike = sum(name in report.contradicted for report in reports)
    estimated = side_label("estimated", contradicted=unlike > 0, share=f"in {unlike} of {len(reports)} windows")
    both = ((name, name), (f"{REFERENCE}{name}", "on the reference"), (f"{ESTIMATED}{name}", estimated))
    return [
        Series(name=label, x=at, y=[report.metrics.get(key) for report in reports])
        for key, label in both
        if any(key in report.metrics for report in reports)
    ]


def _draw(
    title: str,
    series: Sequence[Series],
    marks: Sequence[Mark],
    width: int,
    *,
    y_range: tuple[float, float] | None = None,
    height: int = 200,
) -> str:
    return trend(title, series, marks=marks, y_range=y_range, width=width, height=height)


def _lanes(rows: Sequence[Lane], until: datetime, width: int) -> str:
    return lanes("Which version each alias named", rows, until=until, width=width)
