"""What is open: found in the tables each time, from the chance each prediction had and the answers so far."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from nbprod.domain.review import ReviewPolicy, SentPrediction, fraction_of, is_doubled, is_sent
from nbprod.lake import Lake
from nbprod.lake.disagreement import disagreements
from nbprod.lake.snapshot import with_inputs_apart

__all__ = ["open_predictions", "reviews_by_prediction", "rows_of"]


def open_predictions(
    lake: Lake,
    deployment: str,
    policy: ReviewPolicy | None,
    start: datetime | None = None,
    end: datetime | None = None,
) -> list[SentPrediction]:
    """Predictions that were sent and lack answers, in an order that is chance's own and always the same.

    By the order in which they came, or by how uncertain they are, those that are answered when the day is over would
    not be like those that are not, and no figure could be told from them.

    Parameters
    ----------
    lake
        Where the tables are.
    deployment
        Its name.
    policy
        The rules of today: whether disagreements are sent, and what share two people answer.
    start, end
        Of the window the predictions were made in.
    """
    window = lake.window(deployment, start, end)
    if "review" not in window.columns:
        return []
    differing = (
        disagreements(lake, deployment, start, end) if policy is not None and policy.disagreement else frozenset()
    )
    said = reviews_by_prediction(lake, deployment)
    double = policy.double if policy is not None else 0.0
    names = [name for name in ("prediction_id", "review", "outcome", "reviewer") if name in window.columns]
    found = []
    for batch in window.batches(names):
        known = pc.is_valid(batch["outcome"])
        if "reviewer" in names:  # what became known otherwise needs no review
            known = pc.and_(known, pc.is_null(batch["reviewer"]))
        rows = batch.filter(pc.and_(pc.is_valid(batch["review"]), pc.invert(known)))
        for name, chance in zip(rows["prediction_id"].to_pylist(), rows["review"].to_pylist(), strict=True):
            if name in differing or is_sent(name, chance):
                reviewers = tuple(said.get(name, ()))
                wanted = 2 if is_doubled(name, double) else 1
                if len(reviewers) < wanted:
                    found.append(SentPrediction(prediction_id=name, wanted=wanted, reviewers=reviewers))
    return sorted(found, key=lambda one: fraction_of(one.prediction_id, "order"))


def reviews_by_prediction(lake: Lake, deployment: str) -> dict[str, dict[str, Any]]:
    """By prediction and reviewer what was said last."""
    said: dict[str, dict[str, Any]] = {}
    for row in lake.outcomes(deployment).reviews():
        if row["prediction_id"] is not None:
            said.setdefault(row["prediction_id"], {})[row["reviewer"]] = row["outcome"]
    return said


def rows_of(lake: Lake, deployment: str, ids: Collection[str]) -> Mapping[str, Mapping[str, Any]]:
    """Kept rows by id, with their ``inputs`` apart."""
    wanted = pa.array(list(ids), pa.string())
    found: dict[str, Mapping[str, Any]] = {}
    for batch in lake.predictions(deployment).window().batches() if len(wanted) else ():
        for row in batch.filter(pc.is_in(batch["prediction_id"], value_set=wanted)).to_pylist():
            found[row["prediction_id"]] = with_inputs_apart(row)
    return found
