"""What logged predictions say of health by themselves: who answered, how fast, how soon it was in the table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from nbprod.domain.numbers import number
from nbprod.lake import Lake

__all__ = ["logged_facts"]

EDGES = np.geomspace(1e-3, 1e9, 601)  #: a step is under 5 %
SHOWN = (0.5, 0.95, 0.99)


def logged_facts(lake: str, deployment: str, start: datetime, end: datetime) -> tuple[tuple[str, str], ...]:
    """Facts of the predictions of a window as names and words, with memory for one batch alone.

    Parameters
    ----------
    lake
        Folder or URL of the tables.
    deployment
        Its name.
    start, end
        Of the window; aware.
    """
    rows = Lake(lake).predictions(deployment).window(start, end)
    names = [name for name in ("version", "latency_ms", "at", "logged_at") if name in rows.columns]
    versions: Counter[str] = Counter()
    latency, delay = np.zeros(len(EDGES) + 1), np.zeros(len(EDGES) + 1)
    for batch in rows.batches(names) if names else ():
        for one in pc.value_counts(batch["version"]).to_pylist() if "version" in names else ():
            versions[str(one["values"])] += one["counts"]
        if "latency_ms" in names:
            latency += _counted(batch["latency_ms"].to_numpy(zero_copy_only=False))
        if {"at", "logged_at"} <= set(names):
            waited = pc.subtract(batch["logged_at"], batch["at"]).cast("int64").to_numpy(zero_copy_only=False)
            delay += _counted(waited / 1e6)
    return tuple(_told(versions, latency, delay))


def _told(
    versions: Counter[str], latency: NDArray[np.float64], delay: NDArray[np.float64]
) -> Iterator[tuple[str, str]]:
    if versions:
        yield "logged by version", ", ".join(f"{name}: {count:,}" for name, count in versions.most_common())
    if latency.sum():
        shares = ", ".join(f"{share:.0%} within {number(_quantile(latency, share), 3)} ms" for share in SHOWN)
        yield "logged latency", shares
    if delay.sum():
        yield "in the table", f"99 % within {number(_quantile(delay, 0.99), 3)} s after they happened"


def _counted(values: NDArray[np.float64]) -> NDArray[np.float64]:
    known = values[np.isfinite(values)]
    return np.bincount(np.searchsorted(EDGES, known), minlength=len(EDGES) + 1).astype(np.float64)


def _quantile(counts: NDArray[np.float64], share: float) -> float:
    place = int(np.searchsorted(np.cumsum(counts), share * counts.sum()))
    return float(EDGES[min(place, len(EDGES) - 1)])
