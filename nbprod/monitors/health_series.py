"""What servers counted and measured, as numbers by stretches of five minutes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nbprod.lake import Lake

__all__ = ["BIN", "BIN_MINUTES", "HealthSeries", "read_health"]

Floats = NDArray[np.float64]
BIN = timedelta(minutes=5)
BIN_MINUTES = 5
REQUESTS, LATENCY, CPU, MEMORY, STARTS = (
    "nbprod_requests_total",
    "nbprod_request_seconds_bucket",
    "nbprod_cpu_seconds",
    "nbprod_memory_bytes",
    "nbprod_worker_starts_total",
)
PREDICTIONS, IN_FLIGHT, SPOOL, LAG = (
    "nbprod_predictions_total",
    "nbprod_requests_in_flight",
    "nbprod_spool_waiting",
    "nbprod_log_lag_seconds",
)
NAMES = (REQUESTS, LATENCY, CPU, MEMORY, STARTS, PREDICTIONS, IN_FLIGHT, SPOOL, LAG)
PREDICTING = ("/predict", "/invocations", "/infer")  #: how routes that predict end


@dataclass(frozen=True, kw_only=True, repr=False)
class HealthSeries:
    """One number a stretch of five minutes, from ``start`` on; requests are those for predictions."""

    start: datetime
    requests: Floats
    errors: Floats  #: requests that the server failed: codes from 500 on
    refused: Floats  #: requests it refused: codes from 400 to 499
    latencies: Floats  #: answers by stretch and latency
    bounds: Floats  #: upper bounds of the latencies, seconds, the last infinite
    up_minutes: Floats  #: minutes a server told of itself
    cpu_s: Floats
    starts: Floats  #: workers that were started
    memory: Floats  #: bytes, the most at an end of a minute; ``NaN`` where nothing was told
    queue: Floats  #: requests being answered or waiting for the disk, likewise
    lag_s: Floats  #: age of the oldest prediction that is not in the table, likewise
    versions: Mapping[str, Floats] = field(default_factory=dict)  #: predictions by version
    codes: Mapping[str, Floats] = field(default_factory=dict)  #: answers by code
    table_version: int | None = None  #: of the table that was read

    def __len__(self) -> int:
        return len(self.requests)

    @property
    def first_told(self) -> int | None:
        """The first stretch of which anything is known."""
        told = np.flatnonzero((self.up_minutes > 0) | (self.requests > 0))
        return int(told[0]) if len(told) else None

    def quantile_ms(self, first: int, last: int, share: float) -> float:
        """The time within which a share of the answers of some stretches came; ``NaN`` without answers.

        Within a bucket of the histogram times are taken to be spread evenly by their logarithm.
        """
        counts = self.latencies[first:last].sum(axis=0)
        total = counts.sum()
        if not total or len(self.bounds) < 2:
            return float("nan")
        below = np.cumsum(counts)
        place = min(int(np.searchsorted(below, share * total)), len(self.bounds) - 2)
        high = self.bounds[place]
        low = self.bounds[place - 1] if place else high / 2
        inside = counts[place]
        part = (share * total - (below[place] - inside)) / inside if inside else 1.0
        return float(1000 * low * (high / low) ** min(part, 1.0))


def read_health(lake: str, deployment: str, start: datetime, end: datetime) -> HealthSeries | None:
    """Read what a deployment's servers told of themselves; ``None`` where they never did.

    Parameters
    ----------
    lake
        Folder or URL of the tables.
    deployment
        Its name.
    start, end
        Aware; the series ends with the last whole or partial stretch before ``end``.
    """
    table, version = Lake(lake).health(deployment).binned(NAMES, start, end, BIN)
    if not table.num_rows:
        return None
    count = -((start - end) // BIN)
    frame = table.to_pandas()
    labels = {text: dict(part.split("=", 1) for part in text.split(",") if part) for text in frame["labels"].unique()}

    def put(rows: pd.DataFrame, *, of: str = "sum", by: str = "sum") -> Floats:
        grouped = rows.groupby("bin")[of].agg(by)
        return grouped.reindex(range(count), fill_value=0.0 if by == "sum" else np.nan).to_numpy(np.float64)

    def named(name: str) -> pd.DataFrame:
        return frame[frame["name"] == name]

    def labelled(rows: pd.DataFrame, label: str) -> pd.Series[str]:
        return rows["labels"].map(lambda text: labels[text].get(label, ""))

    asked = named(REQUESTS)
    asked = asked[labelled(asked, "route").str.endswith(PREDICTING)]
    code = labelled(asked, "code")
    kinds = code.str[:1]
    timed = named(LATENCY)
    timed = timed[labelled(timed, "route").str.endswith(PREDICTING)]
    bounds = pd.to_numeric(labelled(timed, "le").str.replace("+Inf", "inf")).astype(np.float64)
    given = named(PREDICTIONS)
    versions = labelled(given, "version")
    cumulative = [put(timed[bounds == bound]) for bound in sorted(bounds.unique())]
    cumulated = np.stack(cumulative, axis=1) if cumulative else np.zeros((count, 0))
    return HealthSeries(
        start=start,
        requests=put(asked),
        errors=put(asked[kinds == "5"]),
        refused=put(asked[kinds == "4"]),
        latencies=np.diff(cumulated, axis=1, prepend=0.0).clip(min=0.0),
        bounds=np.array(sorted(bounds.unique())),
        # several servers at once: one of them is enough
        up_minutes=np.minimum(put(named(MEMORY), of="seconds") / 60, float(BIN_MINUTES)),
        cpu_s=put(named(CPU)),
        starts=put(named(STARTS)),
        memory=put(named(MEMORY), of="max", by="max"),
        queue=put(frame[frame["name"].isin([IN_FLIGHT, SPOOL])], of="max", by="max"),
        lag_s=put(named(LAG), of="max", by="max"),
        versions={str(one): put(given[versions == one]) for one in sorted(versions.unique())},
        codes={str(one): put(asked[code == one]) for one in sorted(code.unique())},
        table_version=version,
    )
