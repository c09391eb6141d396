"""The pictures of a monitored window: the columns that matter, reference beside window, and performance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
import pandas as pd

from nbprod.monitors.assessment import Assessment
from nbprod.monitors.window import MonitoredWindow
from nbprod.pages.comparisons import Interval, histogram_pair, intervals

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
    """Draw what matters of a window: columns that changed or are watched, worst first, then performance.

    With nothing changed, the columns nearest to it are drawn, so that a reader sees what "same" looks like.
    """
    parts: list[tuple[str, str]] = []
    if found.comparison is not None:
        columns = found.comparison.columns
        names = found.comparison.significant or sorted(columns, key=lambda name: -columns[name].severity)[:2]
        parts += [
            (_column(name, window), columns[name].sentence) for name in names[:MOST_COLUMNS] if name in window.current
        ]
    if found.performance:
        rows = [
            Interval(label=f"{name}, {side}", value=one.value, low=one.low, high=one.high)
            for name, (before, after) in found.performance.items()
            for side, one in (("reference", before), ("window", after))
        ]
        sentence = next(check.sentence for check in found.checks if check.name == "performance")
        parts.append((str(intervals("Performance", rows)), sentence))
    return Pictures(tuple(parts))


def _column(name: str, window: MonitoredWindow) -> str:
    before, after = window.reference[name].dropna(), window.current[name].dropna()
    if pd.api.types.is_numeric_dtype(before.dtype) and not pd.api.types.is_bool_dtype(before.dtype):
        values = np.concatenate([before.to_numpy("float64"), after.to_numpy("float64")])
        values = values[np.isfinite(values)]
        if len(np.unique(values)) > MOST_CATEGORIES:
            # the middle 98 %: an outlier must not squeeze the picture; what is beyond falls into the outer bins
            low, high = np.quantile(values, [0.01, 0.99])
            edges = np.linspace(low, high if high > low else low + 1, BINS + 1)
            counts = [
                np.histogram(np.clip(side.to_numpy("float64"), low, high), edges)[0] for side in (before, after)
            ]
            return str(histogram_pair(name, _listed(counts[0]), _listed(counts[1]), edges=edges.tolist()))
    tallies = [side.astype("str").value_counts() for side in (before, after)]
    labels = tallies[0].add(tallies[1], fill_value=0).sort_values(ascending=False).index[:MOST_CATEGORIES].tolist()
    shares = [tally.reindex(labels, fill_value=0).tolist() for tally in tallies]
    return str(histogram_pair(name, shares[0], shares[1], labels=labels))


def _listed(counts: np.ndarray) -> Sequence[float]:
    return [float(count) for count in counts]
