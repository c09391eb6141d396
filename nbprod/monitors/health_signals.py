"""The signals a server's health is judged by, each with how it is counted, what is material, and its words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from nbprod.monitors.health_series import HealthSeries

__all__ = ["LEVELS", "SHARES", "Level", "Share"]

FEWEST_SLOWER = 5  #: answers beyond a quantile without which it is not told


@dataclass(frozen=True, kw_only=True)
class Level:
    """A positive number of a stretch of time."""

    name: str
    words: str
    unit: str
    ratio: float  #: to what is usual, from which on it is material
    of: Callable[[HealthSeries, int, int], float]
    both: bool = False  #: whether less than usual counts too
    offset: float = 0.0  #: that makes small numbers alike
    weight: int = 1  #: parts of the level it is judged at


@dataclass(frozen=True, kw_only=True)
class Share:
    """Events of so many in a stretch of time."""

    name: str
    words: str
    ratio: float
    least: float  #: of the share above what is usual that is material
    fewest: float  #: events that are material
    of: Callable[[HealthSeries, int, int], tuple[float, float]]  #: events, and how many there could be
    weight: int = 1


def _quantile(share: float, series: HealthSeries, first: int, last: int) -> float:
    answers = series.latencies[first:last].sum()
    return series.quantile_ms(first, last, share) if answers * (1 - share) >= FEWEST_SLOWER else float("nan")


def _requests(series: HealthSeries, first: int, last: int) -> float:
    # nobody asked is known only where a server was there to be asked
    told = series.up_minutes[first:last].any() or series.requests[first:last].any()
    return float(series.requests[first:last].sum()) if told else float("nan")


def _cpu(series: HealthSeries, first: int, last: int) -> float:
    requests, used = series.requests[first:last].sum(), series.cpu_s[first:last].sum()
    return float(1000 * used / requests) if requests and used else float("nan")


def _high(name: str, series: HealthSeries, first: int, last: int) -> float:
    """What nineteen of twenty stretches stay below: a single peak is none."""
    values = getattr(series, name)[first:last]
    known = values[np.isfinite(values)]
    return float(np.quantile(known, 0.95)) if len(known) else float("nan")


def _sums(name: str, of: str, series: HealthSeries, first: int, last: int) -> tuple[float, float]:
    return float(getattr(series, name)[first:last].sum()), float(getattr(series, of)[first:last].sum())


def _down(series: HealthSeries, first: int, last: int) -> tuple[float, float]:
    begun = series.first_told
    if begun is None or begun >= first:  # it was not there yet
        return 0.0, 0.0
    minutes = (last - first) * 5.0
    return minutes - min(float(np.ceil(series.up_minutes[first:last].sum())), minutes), minutes


LEVELS: Sequence[Level] = (
    Level(name="requests", words="requests", unit="", ratio=2.0, of=_requests, both=True, offset=1.0),
    Level(name="p50", words="half of the answers took up to", unit="ms", ratio=1.5, of=partial(_quantile, 0.5)),
    Level(name="p95", words="95 % of the answers took up to", unit="ms", ratio=1.5, of=partial(_quantile, 0.95)),
    Level(
        name="p99",
        words="99 % of the answers took up to",
        unit="ms",
        ratio=1.5,
        of=partial(_quantile, 0.99),
        weight=3,
    ),
    Level(name="cpu", words="processor time of a thousand requests", unit="s", ratio=2.0, of=_cpu),
    Level(name="memory", words="memory", unit="MB", ratio=1.5, of=lambda *at: _high("memory", *at) / 1e6),
    Level(
        name="queue",
        words="requests waiting or being answered",
        unit="",
        ratio=3.0,
        of=partial(_high, "queue"),
        offset=2.0,
    ),
    Level(
        name="log lag",
        words="predictions waited for their table",
        unit="s",
        ratio=3.0,
        of=partial(_high, "lag_s"),
        offset=10.0,
    ),
)
SHARES: Sequence[Share] = (
    Share(
        name="errors",
        words="requests that the server failed",
        ratio=1.5,
        least=0.001,
        fewest=5,
        of=partial(_sums, "errors", "requests"),
        weight=3,
    ),
    Share(
        name="refused",
        words="requests that were refused",
        ratio=2.0,
        least=0.01,
        fewest=10,
        of=partial(_sums, "refused", "requests"),
    ),
    Share(name="down", words="minutes without a server", ratio=1.5, least=0.005, fewest=5, of=_down),
    Share(
        name="restarts",
        words="minutes with a restart",
        ratio=2.0,
        least=0.0,
        fewest=3,
        of=partial(_sums, "starts", "up_minutes"),
    ),
)
