"""The rows a model gets most wrong, to be looked at by a person."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from nbprod.evaluation.model_comparison import ModelComparison
from nbprod.statistics.metrics import class_codes

__all__ = ["worst_mistakes"]


def worst_mistakes(result: ModelComparison, *, most: int = 10, private: Sequence[str] = ()) -> pd.DataFrame:
    """The candidate's worst mistakes: wrong and sure of it, or furthest off.

    Parameters
    ----------
    result
        Of `compare`.
    most
        Rows to return.
    private
        Columns left out of the table.

    Returns
    -------
    DataFrame
        ``truth``, ``candidate``, ``champion`` where there is one, ``off`` (the error; for classes, how improbable the
        model called the truth), then the row's own columns. No row when there is no mistake.
    """
    truth = result.rows.truth.to_numpy()
    predictions = result.candidate
    if result.rows.task == "regression":
        off = np.asarray(predictions.answers, dtype=np.float64) - truth
        wrong = off != 0
    else:
        wrong = np.asarray(predictions.answers) != truth
        off = wrong.astype(np.float64)
        if predictions.probabilities is not None and predictions.classes is not None:
            off = 1 - predictions.probabilities[np.arange(len(truth)), class_codes(truth, predictions.classes)]
    ranked = np.argsort(-np.abs(off), kind="stable")
    chosen = ranked[wrong[ranked]][:most]
    table = pd.DataFrame({"truth": truth[chosen], "candidate": np.asarray(predictions.answers)[chosen]})
    if result.champion is not None:
        table["champion"] = np.asarray(result.champion.answers)[chosen]
    table["off"] = off[chosen]
    hidden = {*private, str(result.rows.truth.name)}
    columns = [name for name in result.rows.frame.columns if name not in hidden and name not in table.columns]
    row = result.rows.frame.iloc[chosen][columns].reset_index(drop=True)
    return pd.concat([table, row], axis=1)
