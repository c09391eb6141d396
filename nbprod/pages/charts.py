"""The door to all charts: small, deterministic SVG for reports and panels, with words beside every colour."""

from __future__ import annotations

from nbprod.pages.comparisons import IntervalRow, bars, histogram_pair, intervals
from nbprod.pages.timelines import Lane, Span, cell_timeline, lanes
from nbprod.pages.trends import Limit, Mark, Series, sparkline, trend

__all__ = [
    "IntervalRow",
    "Lane",
    "Limit",
    "Mark",
    "Series",
    "Span",
    "bars",
    "cell_timeline",
    "histogram_pair",
    "intervals",
    "lanes",
    "sparkline",
    "trend",
]
