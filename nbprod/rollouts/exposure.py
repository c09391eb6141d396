"""Counts whom a candidate reached, from the log of predictions."""

from __future__ import annotations

from datetime import datetime

from nbprod.domain.exposure import Exposure
from nbprod.domain.rollout import Arm, Rollout
from nbprod.lake import Lake

__all__ = ["count_exposure"]


def count_exposure(lake: Lake, rollout: Rollout, *, until: datetime) -> Exposure:
    """Count the requests from a rollout's start to its end, and those that were the candidate's.

    Parameters
    ----------
    lake
        Where predictions are kept.
    rollout
        Open or over.
    until
        The end of one that is open: what came later is not counted.
    """
    rows = lake.predictions(rollout.deployment).window(rollout.started_at, rollout.ended_at or until)
    if "arm" not in rows.columns:  # no prediction was kept yet
        return Exposure(reached=0, requests=0)
    arms = rows.to_table(["arm"])["arm"].to_pylist()
    return Exposure(reached=arms.count(Arm.CANDIDATE.value), requests=len(arms))
