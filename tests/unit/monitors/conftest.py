"""A world with a model in it: days of rows, a probability that is right at first, and changes made to order."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from nbprod.monitors.performance import ScoredRows
from nbprod.monitors.reference import MonitorReference
from nbprod.monitors.window import MonitoredWindow
from nbprod.statistics import Profile

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
ROWS_A_DAY = 60


def days(count, *, start=BEGIN, seed=0, spread=1.0, flipped=None):
    """Rows of some days; in ``flipped``, a boolean of rows, outcomes mean the opposite."""
    rng = np.random.default_rng(seed)
    rows = count * ROWS_A_DAY
    x = rng.normal(size=rows) * spread
    probability = 1 / (1 + np.exp(-2 * x))
    frame = pd.DataFrame(
        {
            "x": x,
            "size": rng.normal(size=rows),
            "place": rng.choice(["north", "south", "west"], rows),
            "prediction": (probability > 0.5).astype(int),
            "probability": probability,
            "outcome": (rng.random(rows) < probability).astype(float),
            "at": pd.date_range(start, periods=rows, freq=timedelta(days=1) / ROWS_A_DAY),
        }
    )
    if flipped is not None:
        frame["outcome"] = frame["outcome"].where(~flipped(frame), 1 - frame["outcome"])
    return frame


def window_of(frame, reference, *, length=10, delay=timedelta(days=2), as_of=None, earlier_days=0):
    """The last days of a frame as a window, the ones before as its history."""
    at = frame["at"]
    end = (at.iloc[-1].floor("D") + pd.Timedelta("1D")).to_pydatetime()
    start = end - timedelta(days=length)
    as_of = as_of or end + delay
    frame = frame.assign(outcome_at=(at + delay).where(frame["outcome"].notna()), version="model/1")
    frame["outcome"] = frame["outcome"].where(frame["outcome_at"] <= as_of)
    inside = (at >= start).to_numpy()
    names = ["prediction", "probability", "outcome", "outcome_at", "version"]
    before = ~inside & (at >= start - timedelta(days=earlier_days)).to_numpy()
    scored, earlier = (
        ScoredRows(frame=frame.loc[rows, names].reset_index(drop=True), times=at[rows].reset_index(drop=True))
        for rows in (inside, before)
    )
    return MonitoredWindow(
        deployment="model",
        start=start,
        end=end,
        inputs=frame.loc[inside, ["x", "size", "place"]].reset_index(drop=True),
        scored=scored,
        earlier=earlier,
        reference=reference,
        as_of=as_of,
        tables={"predictions": 3},
        recent=frame.loc[before, ["x", "size", "place"]].reset_index(drop=True) if length < 7 else pd.DataFrame(),
    )


@pytest.fixture(scope="session")
def reference():
    """Sixty days on which the model is what it says it is."""
    rows = days(60, start=BEGIN - timedelta(days=60), seed=1)
    return MonitorReference(
        rows=rows,
        sealed=Profile.of(rows, time="at"),
        inputs=("x", "size", "place"),
        task="classification",
        classes=(0, 1),
        time="at",
        reliance={"x": 0.9, "size": 0.05, "place": 0.05},
    )
