"""How much a model relies on each column: what monitors weigh the change of a column with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from nbprod.domain.schema import Schema
from nbprod.packages.loader import outputs

__all__ = ["FILE", "feature_importance", "read_feature_importance"]

FILE = "reliance.json"
ROWS = 1_000


def feature_importance(model: Any, rows: pd.DataFrame, schema: Schema) -> dict[str, float | None]:
    """By how much the model's answers move when a column is shuffled, as a share of all columns.

    Answers are probabilities where the model gives them, numbers, or whether the label is another one. No outcome is
    needed, and rows the model has learned from since do not flatter it.

    Parameters
    ----------
    model
        Fitted.
    rows
        Checked inputs; a thousand will do.
    schema
        Names the columns.

    Returns
    -------
    dict
        Shares that add up to one; ``None`` for a column with one value only: what the model makes of another is not
        known.
    """
    described = {"task": schema.task, "classes": schema.classes, "probabilistic": schema.probabilistic}
    usual = outputs(model, rows, described)
    random = np.random.default_rng(0)
    moved: dict[str, float | None] = {}
    for name in schema.names:
        order = random.permutation(len(rows))
        if rows[name].nunique(dropna=False) < 2:
            moved[name] = None
            continue
        shuffled = rows.assign(**{name: rows[name].iloc[order].set_axis(rows.index)})
        answers = outputs(model, shuffled, described)
        moved[name] = _distance(usual, answers, labels=schema.task == "classification" and not schema.probabilistic)
    total = sum(value for value in moved.values() if value is not None) or 1.0
    return {name: None if value is None else float(f"{value / total:.4g}") for name, value in moved.items()}


def read_feature_importance(content: bytes) -> Mapping[str, float | None]:
    """What `feature_importance` found, as it was sealed."""
    return {str(name): None if value is None else float(value) for name, value in json.loads(content).items()}


def _distance(before: pd.DataFrame, after: pd.DataFrame, *, labels: bool) -> float:
    if labels:
        return float((before["prediction"].to_numpy() != after["prediction"].to_numpy()).mean())
    shown = [name for name in before if name != "prediction"] or ["prediction"]
    moved = before[shown].to_numpy(np.float64) - after[shown].to_numpy(np.float64)
    return float(np.abs(moved).mean())
