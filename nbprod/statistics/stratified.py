"""Figures of all rows from those that were looked at, where some rows were more likely to be looked at than others.

Rows are parted into strata within which all had the same chance; each known row stands for as many as its stratum has
for one that is known (post-stratification: Holt and Smith 1979, *Post Stratification*; the weights are those of
Horvitz and Thompson 1952 with the chance as it came out).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import hypot, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from nbprod.errors import DataError
from nbprod.statistics.interval import Interval

__all__ = ["SampledStratum", "sampled_strata", "stratified_share", "stratum_weights"]


@dataclass(frozen=True, kw_only=True)
class SampledStratum:
    """Rows that had one chance of being looked at."""

    chance: float  #: from 0 to 1
    rows: int
    known: int  #: of them, those that were looked at
    events: float = 0.0  #: of those, the ones that are counted


def sampled_strata(chances: Any, known: Any, events: Any | None = None) -> list[SampledStratum]:
    """Rows by their chance, the highest first.

    Parameters
    ----------
    chances
        One number from 0 to 1 a row.
    known
        Whether it was looked at.
    events
        Whether it counts; read where it was looked at.
    """
    chances, known = np.asarray(chances, dtype=np.float64), np.asarray(known, dtype=bool)
    counted = np.zeros(len(chances)) if events is None else np.where(known, np.asarray(events, dtype=np.float64), 0.0)
    return [
        SampledStratum(
            chance=float(chance),
            rows=int((of := chances == chance).sum()),
            known=int((of & known).sum()),
            events=float(counted[of].sum()),
        )
        for chance in np.unique(chances)[::-1]
    ]


def stratum_weights(chances: Any, known: Any) -> NDArray[np.float64]:
    """How many rows each row stands for; 0 for a row that is not known.

    Raises
    ------
    DataError
        Of a stratum no row is known: nothing can be said about it.
    """
    chances, known = np.asarray(chances, dtype=np.float64), np.asarray(known, dtype=bool)
    weights = np.zeros(len(chances))
    for one in sampled_strata(chances, known):
        if not one.known:
            raise DataError(
                f"of {one.rows:,} rows that had a chance of {one.chance:g} of being looked at none was",
                hint="Send some of them at random: random:0.01.",
            )
        weights[(chances == one.chance) & known] = one.rows / one.known
    return weights


def stratified_share(strata: Sequence[SampledStratum], *, level: float = 0.95) -> Interval:
    """The share of events among all rows, with its interval.

    Each stratum has the interval of Wilson 1927 (*Probable inference, the law of succession, and statistical
    inference*); those of the weighted sum are combined as in Zou and Donner 2008 (*Construction of confidence limits
    about effect measures*), which assumes no symmetry, so that a stratum without a single error has an upper bound.

    Parameters
    ----------
    strata
        As `sampled_strata` gives them.
    level
        Between 0 and 1.

    Raises
    ------
    DataError
        There are no rows, or of a stratum none is known.
    """
    total = sum(one.rows for one in strata)
    if not total or any(not one.known for one in strata):
        raise DataError("a stratum has no row that was looked at", hint="Nothing can be said about its rows.")
    z = float(special.ndtri(0.5 + level / 2))
    value = below = above = 0.0
    for one in strata:
        weight, share = one.rows / total, one.events / one.known
        centre = (share + z * z / (2 * one.known)) / (1 + z * z / one.known)
        half = z / (1 + z * z / one.known) * sqrt(share * (1 - share) / one.known + z * z / (4 * one.known**2))
        value += weight * share
        below = hypot(below, weight * (share - max(centre - half, 0.0)))
        above = hypot(above, weight * (min(centre + half, 1.0) - share))
    return Interval(value=value, low=max(value - below, 0.0), high=min(value + above, 1.0), level=level)
