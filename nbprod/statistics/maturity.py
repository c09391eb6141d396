"""Outcomes that come late: when a row may count, how many have come, and how long they take."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nbprod.errors import DataError

__all__ = ["Maturity", "mature", "outcome_delays"]


@dataclass(frozen=True, kw_only=True)
class Maturity:
    """How complete outcomes are."""

    rows: int
    matured: int  #: rows older than the horizon
    matured_with_outcome: int
    early: int  #: younger rows with an outcome; they do not count yet
    horizon: timedelta
    delays: tuple[tuple[timedelta, float], ...]  #: share of outcomes that have come by an age, corrected for age

    @property
    def coverage(self) -> float:
        """Share of the matured rows whose outcome is known."""
        return self.matured_with_outcome / self.matured if self.matured else 0.0

    @property
    def sentence(self) -> str:
        """The finding in words."""
        days = self.horizon.total_seconds() / 86_400
        return (
            f"{self.matured:,} of {self.rows:,} rows are older than {days:g} days; the outcome of "
            f"{self.coverage:.1%} of them is known."
        )

    def __repr__(self) -> str:
        return f"<Maturity {self.sentence}>"


def mature(predicted_at: Any, outcome_at: Any, *, now: datetime, horizon: timedelta) -> NDArray[np.bool_]:
    """Which rows may enter a statistic: older than the horizon, with an outcome that came within it.

    Rows that are younger wait, whether they have an outcome or not: outcomes that come early are often of one kind.
    A row without an outcome is never counted as negative.

    Parameters
    ----------
    predicted_at, outcome_at
        Moments; an outcome that has not come is missing.
    now
        Aware.
    horizon
        The age at which an outcome is final.
    """
    first, second, present = _times(predicted_at, outcome_at, now)
    aged = first + pd.Timedelta(horizon) <= present
    return (aged & second.notna() & (second - first <= pd.Timedelta(horizon))).to_numpy()


def outcome_delays(predicted_at: Any, outcome_at: Any, *, now: datetime, horizon: timedelta) -> Maturity:
    """Coverage of outcomes and the curve of their delays.

    The curve is one less the Kaplan-Meier estimate (1958): rows without an outcome are as old as they are, not late
    for ever, so that recent rows do not make delays look short.
    """
    first, second, present = _times(predicted_at, outcome_at, now)
    aged = (first + pd.Timedelta(horizon) <= present).to_numpy()
    in_time = (second - first <= pd.Timedelta(horizon)).to_numpy() & second.notna().to_numpy()
    delay = (second - first).where(second.notna(), present - first).to_numpy("timedelta64[s]").astype(np.int64)
    came = second.notna().to_numpy()
    return Maturity(
        rows=len(first),
        matured=int(aged.sum()),
        matured_with_outcome=int((aged & in_time).sum()),
        early=int((~aged & came).sum()),
        horizon=horizon,
        delays=_arrivals(np.maximum(delay, 0), came),
    )


def _arrivals(delay: NDArray[np.int64], came: NDArray[np.bool_]) -> tuple[tuple[timedelta, float], ...]:
    """One less the product of the shares that waited on, at the ages by which a tenth, a fifth … have come."""
    if not came.any():
        return ()
    ages, place = np.unique(delay, return_inverse=True)
    events = np.bincount(place, weights=came, minlength=len(ages))
    at_risk = len(delay) - np.r_[0, np.cumsum(np.bincount(place, minlength=len(ages)))[:-1]]
    arrived = 1 - np.cumprod(1 - events / at_risk)
    marks = [np.argmax(arrived >= share - 1e-12) for share in np.arange(1, 10) / 10 if arrived[-1] >= share - 1e-12]
    chosen = sorted({*map(int, marks), int(np.flatnonzero(events)[-1])})
    return tuple((timedelta(seconds=int(ages[mark])), float(arrived[mark])) for mark in chosen)


def _times(predicted_at: Any, outcome_at: Any, now: datetime) -> tuple[pd.Series[Any], pd.Series[Any], pd.Timestamp]:
    if now.tzinfo is None:
        raise DataError(f"{now} has no time zone", hint="Give nbprod.clock.now().")
    first, second = (
        pd.to_datetime(pd.Series(np.asarray(times)), utc=True).reset_index(drop=True)
        for times in (predicted_at, outcome_at)
    )
    if len(first) != len(second):
        raise DataError(f"there are {len(first)} predictions and {len(second)} outcomes", hint="Give one a row.")
    if first.isna().any():
        raise DataError("a prediction has no time", hint="Drop the rows without one.")
    return first, second, pd.Timestamp(now)
