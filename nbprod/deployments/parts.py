"""The predictions of a batch job, kept part by part in a deployment's table, each part once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from nbprod.domain.prediction import PredictionsAdded
from nbprod.lake import Lake
from nbprod.lake.delta import Transaction

__all__ = ["keep_parts"]


def keep_parts(
    deployment: str,
    lake: Lake,
    parts: Iterable[tuple[int, Any, Any]],
    *,
    private: Sequence[str],
    mark: str,
) -> PredictionsAdded:
    """Keep numbered parts; whatever was kept of them before is kept once.

    Parameters
    ----------
    deployment
        Its name.
    lake
        Where its table is.
    parts
        Growing numbers from 1, and two tables of as many rows: predictions (``prediction_id``, ``version``, ``at``,
        ``prediction``, perhaps probabilities) and inputs.
    private
        Inputs that are never kept.
    mark
        Of the job: with the number it tells a part that was kept before.

    Raises
    ------
    SchemaError
        A table cannot be kept as it is; the parts before it are.
    """
    table = lake.predictions(deployment)
    done = [
        table.append(core, inputs, private=private, transaction=Transaction(name=mark, number=number))
        for number, core, inputs in parts
    ]
    added = sum(one.added for one in done)
    return PredictionsAdded(
        deployment=deployment, added=added, is_replay=not added and any(one.is_replay for one in done)
    )
