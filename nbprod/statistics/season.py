"""Whether a stretch of time is like the same hours of the weeks before it: levels and shares, robustly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

__all__ = ["SeasonVerdict", "unusual_level", "unusual_share"]

Floats = NDArray[np.float64]
DAYS = 7
LATEST = 4  #: weeks a level is held against: fewer say little, more lag behind a trend
SHARES_LATEST = 8  #: weeks a share is held against: it has no trend as traffic has
FEWEST = 7  #: residuals of earlier stretches without which nothing is judged
NORMAL_MAD = 1.4826  #: from the median absolute deviation to the standard deviation of a normal distribution
CLIPPED, CLIPPED_STD = 2.5, 0.98872  #: deviations count up to so many of these; a normal one's spread is then this
EFFICIENCY = 0.8  #: of so many values a spread from clipped ones knows as much as a standard deviation
PSEUDO_EVENTS = 10.0  #: how many events of the overall share each weekday's share is shrunk with
FAR = 6.0  #: spreads from the middle at which an earlier stretch is an incident and no part of what is usual
MOST_DISPERSION = 1e6
FLOOR = 0.01  #: of a level's spread: what varies by less than a percent is not known to


@dataclass(frozen=True, kw_only=True)
class SeasonVerdict:
    """A stretch of time beside what is usual at its hours of the week."""

    value: float
    usual: float
    p_value: float  #: chance of being so far above what is usual, or, of both sides, so far from it
    weeks: int  #: that it was held against


def unusual_level(value: float, earlier: Floats, *, both: bool = False, offset: float = 0.0) -> SeasonVerdict | None:
    """Hold a positive number of a stretch of time against those of the same hours on the days before.

    Parameters
    ----------
    value
        Of the stretch: a quantile of latencies, a count, bytes.
    earlier
        The same of the stretch one day before, two days before and so on; ``NaN`` where nothing is known.
    both
        Whether below counts too.
    offset
        Added before logarithms are taken, for numbers that may be zero.

    Returns
    -------
    SeasonVerdict or None
        ``None`` with fewer than `FEWEST` earlier stretches that have a week before them themselves.

    Notes
    -----
    What is usual is the median of the last `LATEST` weeks at these hours. How far off that usually is, is learned
    from earlier stretches held against the weeks before *them*, so that noise, trend and the error of the median
    itself are all in it. Their spread is the standard deviation with what is far out clipped (Huber 1981, *Robust
    Statistics*, section 5.2), the tail Student's with the degrees of freedom such a spread has. One week that
    went wrong hardly moves either.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(np.r_[value, earlier].astype(np.float64) + offset)
    logs[~np.isfinite(logs)] = np.nan
    if not isfinite(logs[0]):
        return None
    off = np.array([logs[place] - np.median(known) for place, known in _with_weeks(logs)])
    weeks = _weeks_before(logs, 0)
    if len(off) < FEWEST or not len(weeks):
        return None
    middle = float(np.median(off))
    spread = max(_spread(off - middle), FLOOR)
    away = (logs[0] - float(np.median(weeks)) - middle) / spread
    freedom = max(EFFICIENCY * (len(off) - 1), 2.0)
    tail = float(special.stdtr(freedom, -abs(away) if both else -away))
    usual = float(np.exp(np.median(weeks) + middle)) - offset
    return SeasonVerdict(value=value, usual=usual, p_value=min(2 * tail, 1.0) if both else tail, weeks=len(weeks))


def unusual_share(
    events: float, total: float, earlier_events: Floats, earlier_totals: Floats
) -> SeasonVerdict | None:
    """Hold a share of events of a stretch of time, such as requests that failed, against those of the days before.

    Parameters
    ----------
    events, total
        Of the stretch: how many of how many.
    earlier_events, earlier_totals
        The same of the stretch one day before, two days before and so on; a total of 0 where nothing is known.

    Returns
    -------
    SeasonVerdict or None
        ``None`` with fewer than `FEWEST` earlier stretches that have a week before them themselves, or no total.

    Notes
    -----
    What is usual is the share of the last `SHARES_LATEST` weeks at these hours, shrunk towards that of all days;
    days that were incidents are left out. Days differ by more than chance: by how much is learned, robustly, from
    earlier stretches held against the weeks before them, as the part of the variance that grows with the squared
    mean (negative binomial, NB2: Cameron and Trivedi 2013, *Regression Analysis of Count Data*, section 3.3).
    Because it was learned, the tail is lengthened as Student's is.
    """
    if total <= 0:
        return None
    counts = np.r_[events, earlier_events].astype(np.float64)
    totals = np.r_[total, earlier_totals].astype(np.float64)
    usable = totals > 0
    if usable[1:].sum() < FEWEST:
        return None
    usable[1:] &= _is_no_incident(counts[1:], totals[1:])
    overall = (counts[1:][usable[1:]].sum() + 0.5) / (totals[1:][usable[1:]].sum() + 1)
    shrink = PSEUDO_EVENTS / overall

    def expected(place: int) -> tuple[float, float] | None:
        weeks = _places_before(usable, place, SHARES_LATEST)
        if not len(weeks):
            return None
        known = totals[weeks].sum() + shrink
        share = (counts[weeks].sum() + PSEUDO_EVENTS) / known
        mean = totals[place] * share
        return mean, mean * (1 + totals[place] / known)

    off = [
        (counts[place] - found[0], *found)
        for place in np.flatnonzero(usable[1:]) + 1
        if (found := expected(int(place))) is not None
    ]
    now = expected(0)
    if len(off) < FEWEST or now is None:
        return None
    mean, variance = now
    variance += _dispersion(*np.array(off).T) * mean**2
    size = mean**2 / (variance - mean)
    tail = float(stats.nbinom.sf(events - 1, size, size / (size + mean)))
    # the variance was learned from few stretches: the same score has a longer tail
    p_value = float(special.stdtr(max(EFFICIENCY * len(off), 2.0), special.ndtri(tail)))
    weeks = len(_places_before(usable, 0, SHARES_LATEST))
    return SeasonVerdict(value=events / total, usual=mean / total, p_value=p_value, weeks=weeks)


def _spread(off: Floats) -> float:
    most = CLIPPED * NORMAL_MAD * float(np.median(np.abs(off)))
    return float(np.sqrt(np.mean(np.minimum(np.abs(off), most) ** 2))) / CLIPPED_STD


def _dispersion(off: Floats, means: Floats, variances: Floats) -> float:
    """How much more counts vary than they should: the factor of the squared mean that brings their spread to one."""
    low, high = 0.0, 1.0
    if _spread(off / np.sqrt(variances)) <= 1:
        return 0.0
    while _spread(off / np.sqrt(variances + high * means**2)) > 1 and high < MOST_DISPERSION:
        high *= 2
    for _ in range(30):
        middle = (low + high) / 2
        too_wide = _spread(off / np.sqrt(variances + middle * means**2)) > 1
        low, high = (middle, high) if too_wide else (low, middle)
    return high


def _places_before(usable: NDArray[np.bool_], place: int, most: int) -> NDArray[np.int64]:
    """Where the same hours of the weeks before are, the latest first."""
    weeks = np.arange(place + DAYS, len(usable), DAYS)
    return weeks[usable[weeks]][:most]


def _weeks_before(logs: Floats, place: int) -> Floats:
    return logs[_places_before(np.isfinite(logs), place, LATEST)]


def _with_weeks(logs: Floats) -> Iterator[tuple[int, Floats]]:
    """Every earlier stretch that is known, with the weeks before it."""
    for place in np.flatnonzero(np.isfinite(logs[1:])) + 1:
        weeks = _weeks_before(logs, int(place))
        if len(weeks):
            yield int(place), weeks


def _is_no_incident(counts: Floats, totals: Floats) -> NDArray[np.bool_]:
    known = totals > 0
    share = counts[known].sum() / totals[known].sum()
    off = (counts - totals * share) / np.sqrt(np.maximum(totals * max(share, 1e-12), 1e-12))
    middle = np.median(off[known])
    spread = max(NORMAL_MAD * float(np.median(np.abs(off[known] - middle))), 1.0)
    return known & (np.abs(off - middle) <= FAR * spread)
