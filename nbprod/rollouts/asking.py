"""A candidate asked for logged requests, in a process of its own: a shadow that costs no request anything."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from nbprod.errors import NbprodError
from nbprod.lake import Lake

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["MOST_ASKED", "ask_candidate"]

MOST_ASKED = 20_000  # requests of one analysis; the next one goes on
Predict = Callable[[Any], "pd.DataFrame"]


def ask_candidate(
    lake: Lake, deployment: str, version: str, predict: Predict, *, start: datetime, end: datetime
) -> int:
    """Ask a version for the requests of a window it was not asked for yet, and keep its answers beside.

    A version that cannot answer (it raises, dies or takes too long) has failed all of these requests.

    Parameters
    ----------
    lake
        Where predictions and answers of shadows are.
    deployment
        Its name.
    version
        The candidate: ``electricity/2``.
    predict
        Predicts a frame of inputs in a process of its own.
    start, end
        Of the window; the oldest ``MOST_ASKED`` of it are asked for.

    Returns
    -------
    int
        How many requests were asked for.
    """
    import pandas as pd  # delayed: pandas

    from nbprod.lake.rollout_tables import as_text

    logged = lake.window(deployment, start, end)
    if not logged.inputs:
        return 0
    rows = logged.to_table().to_pandas().sort_values(["at", "prediction_id"], ignore_index=True)
    known = lake.shadows(deployment).window(start, end)[0].to_pandas()
    asked = set(known.loc[known["version"].eq(version), "prediction_id"])
    rows = rows[~rows["prediction_id"].isin(asked)].head(MOST_ASKED)
    if not len(rows):
        return 0
    kept = pd.DataFrame({"prediction_id": rows["prediction_id"], "version": version, "at": rows["at"]})
    inputs = rows[[name for name in rows.columns if name.startswith("input_")]]
    inputs = inputs.set_axis(list(logged.inputs), axis=1)
    try:
        answers = predict(inputs)
    except NbprodError as problem:
        kept["failure"] = type(problem).__name__
    else:
        prediction = answers["prediction"].reset_index(drop=True)
        kept["failure"] = prediction.isna().map({True: "not-a-number", False: None})
        kept["prediction"] = prediction.map(as_text, na_action="ignore").where(prediction.notna(), None)
        if "probability" in answers:
            kept["probability"] = answers["probability"].to_numpy()
    lake.shadows(deployment).append(kept)
    return len(rows)
