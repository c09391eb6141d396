"""The pictures of a monitored window: the columns that matter, reference beside window, and performance over time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np
import pandas as pd

from nbprod.domain.monitor import side_label
from nbprod.domain.numbers import number
from nbprod.monitors.assessment import Assessment
from nbprod.monitors.metric_history import MetricPeriod, metric_history
from nbprod.monitors.performance import limit_of
from nbprod.monitors.window import MonitoredWindow
from nbprod.pages.charts import IntervalRow, Limit, Mark, Series, histogram_pair, intervals, trend
from nbprod.statistics import ColumnComparison
from nbprod.visible import escape

__all__ = ["Pictures", "pictures"]

#: More columns than this are told in the table, not drawn.
MOST_COLUMNS = 6
BINS = 24
MOST_CATEGORIES = 12


@dataclass(frozen=True)
class Pictures:
    """SVG pictures with the sentence each shows."""

    parts: tuple[tuple[str, str], ...]  #: picture, sentence

    def __repr__(self) -> str:
        return "\n".join(sentence for _, sentence in self.parts) or "<Pictures of nothing>"

    def _repr_html_(self) -> str:
        figures = "".join(
            f"<figure style='display:inline-block;margin:4px 16px 8px 0;max-width:380px;vertical-align:top'>{svg}"
            f"<figcaption style='font-size:90%;opacity:.8'>{escape(sentence)}</figcaption></figure>"
            for svg, sentence in self.parts
        )
        return f"<div class='nbp-pictures'>{figures}</div>"


def pictures(found: Assessment, window: MonitoredWindow) -> Pictures:
    """Draw what matters of a window: the inputs with the most impact, the predictions, and performance over time.

    With nothing changed, the columns nearest to it are drawn, so that a reader sees what "same" looks like.
    """
    parts: list[tuple[str, str]] = []
    if found.comparison is not None:
        columns, current = found.comparison.columns, window.current
        ranked = [one.name for one in found.ranking if columns[one.name].significant]
        names = [*ranked, *(name for name in found.comparison.significant if name not in ranked)]
        names = names or sorted(columns, key=lambda name: -columns[name].severity)[:2]
        parts += [
            (_column(name, window.reference.rows[name], current[name]), _caption(columns[name]))
            for name in names[:MOST_COLUMNS]
            if name in current
        ]
        if stretches := metric_history(window, found.policy):
            parts.append((_course(found, stretches), _course_caption(found, stretches)))
    if found.performance or found.estimated:
        check_name = "performance" if found.performance else "estimated"
        sentence = next((check.sentence for check in found.checks if check.name == check_name), "")
        parts.append((str(intervals("Performance", [*_metrics(found)])), f"{sentence}."))
    return Pictures(tuple(parts))


def _metrics(found: Assessment) -> Iterator[IntervalRow]:
    """Each metric: of the reference, as estimated for the window, and as realised in it."""
    sides = (("reference", found.usual), ("estimated", found.estimated), ("realised", found.performance))
    for name in found.usual:
        for side, metrics in sides:
            if name in metrics:
                one = metrics[name]
                label = side_label(side, contradicted=name in found.contradicted)
                yield IntervalRow(label=f"{name}, {label}", value=one.value, low=one.low, high=one.high)


def _course(found: Assessment, stretches: Sequence[MetricPeriod]) -> str:
    at = [one.middle for one in stretches]
    estimated = [one.estimated for one in stretches]
    lines = [Series(name="realised", x=at, y=[one.realised for one in stretches])]
    if any(estimated):
        lines.append(
            Series(
                name=side_label("estimated", contradicted=found.metric in found.contradicted),
                x=at,
                y=[one.value if one else None for one in estimated],
                low=[one.low if one else None for one in estimated],
                high=[one.high if one else None for one in estimated],
            )
        )
    limits = []
    if found.metric in found.usual:
        limit = limit_of(found.usual[found.metric].value, found.metric, found.policy)
        limits = [Limit(y=limit, label="worse is material")]
    marks = [Mark(x=found.start, label="this window")] if len(at) > 1 and stretches[0].start < found.start else []
    return trend(f"{found.metric} over time", lines, marks=marks, limits=limits)


def _course_caption(found: Assessment, stretches: Sequence[MetricPeriod]) -> str:
    known = [one for one in stretches if one.realised is not None]
    if not known:
        return f"{found.metric} as estimated; no outcomes are known yet."
    unlike = " In this window outcomes contradict the estimate." if found.metric in found.contradicted else ""
    return f"{found.metric} as realised and as estimated without outcomes, in quarters of a window.{unlike}"


def _caption(column: ColumnComparison) -> str:
    """The finding with the size of the change in its unit."""
    if not isfinite(column.effect):
        return column.sentence
    size = (
        f"{number(column.effect, 2)} [{number(column.low, 2)}, {number(column.high, 2)}] {column.effect_unit}".strip()
    )
    return f"{column.sentence} Change: {size}; material from {number(column.threshold, 2)} on."


def _column(name: str, reference: pd.Series[Any], current: pd.Series[Any]) -> str:
    before, after = reference.dropna(), current.dropna()
    if pd.api.types.is_numeric_dtype(before.dtype) and not pd.api.types.is_bool_dtype(before.dtype):
        values = np.concatenate([before.to_numpy("float64"), after.to_numpy("float64")])
        values = values[np.isfinite(values)]
        if len(np.unique(values)) > MOST_CATEGORIES:
            # the middle 98 %: an outlier must not squeeze the picture; what is beyond falls into the outer bins
            low, high = np.quantile(values, [0.01, 0.99])
            edges = np.linspace(low, high if high > low else low + 1, BINS + 1)
            counts = [
                np.histogram(np.clip(side.to_numpy("float64"), low, high), edges)[0].astype(float).tolist()
                for side in (before, after)
            ]
            return str(histogram_pair(name, counts[0], counts[1], edges=edges.tolist()))
    tallies = [side.astype("str").value_counts() for side in (before, after)]
    labels = tallies[0].add(tallies[1], fill_value=0).sort_values(ascending=False).index[:MOST_CATEGORIES].tolist()
    shares = [tally.reindex(labels, fill_value=0).tolist() for tally in tallies]
    return str(histogram_pair(name, shares[0], shares[1], labels=labels))
