"""KPIs that many need: conversations, catalogue, revenue, clicks, and what errors cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from nbprod.errors import DataError, SettingsError
from nbprod.monitors.kpis.kpi import Kpi, kpi
from nbprod.statistics import effective_number

__all__ = ["catalogue_size", "click_through", "completed_share", "cost_of_errors", "revenue_per_prediction"]


def completed_share(*, unit_column: str = "unit", completed: Any = 1, **judged: Any) -> Kpi:
    """Share of conversations, orders or other units with several predictions that came to their end.

    A unit counts once, with its first prediction, as soon as one of its outcomes is known; it is completed if any of
    them says so.

    Parameters
    ----------
    unit_column
        The column that names the unit; predictions without one are units of their own.
    completed
        The outcome that means completed.
    **judged
        As for `kpi`.
    """

    def completed_share(predictions: pd.DataFrame) -> pd.Series[Any]:
        units = predictions[unit_column]
        units = units.where(units.notna(), [f"\x00{place}" for place in range(len(units))])
        known = predictions["outcome"].notna()
        ended = _is(predictions["outcome"], completed).where(known).astype("float64")
        by_unit = ended.groupby(units).transform("max")
        return by_unit.where(~units.duplicated())

    return kpi(**{"name": "completed_share", "better": "higher", **judged})(completed_share)


def catalogue_size(*, order: float = 1.0, column: str = "prediction", **judged: Any) -> Kpi:
    """How many things are in effect recommended: a Hill number of their shares.

    Parameters
    ----------
    order
        1: the exponential of Shannon's entropy; 2: the inverse Simpson index. See `effective_number`.
    column
        What is recommended.
    **judged
        As for `kpi`.
    """

    def catalogue_size(predictions: pd.DataFrame) -> float:
        return effective_number(predictions[column], order)

    return kpi(**{"name": "catalogue_size", "unit": "items", "better": "higher", **judged})(catalogue_size)


def revenue_per_prediction(*, value: str, bought: Any = 1, **judged: Any) -> Kpi:
    """What a prediction brings: the value of what was bought, and nothing of what was not.

    Parameters
    ----------
    value
        The column with what it is worth.
    bought
        The outcome that means bought.
    **judged
        As for `kpi`.
    """

    def revenue_per_prediction(predictions: pd.DataFrame) -> pd.Series[Any]:
        known = predictions["outcome"].notna()
        return (predictions[value].astype("float64") * _is(predictions["outcome"], bought)).where(known)

    return kpi(**{"name": "revenue_per_prediction", "better": "higher", **judged})(revenue_per_prediction)


def click_through(*, clicked: Any = 1, **judged: Any) -> Kpi:
    """Share of the predictions that were followed, among those of which it is known.

    Parameters
    ----------
    clicked
        The outcome that means a click.
    **judged
        As for `kpi`.
    """

    def click_through(predictions: pd.DataFrame) -> pd.Series[Any]:
        known = predictions["outcome"].notna()
        return _is(predictions["outcome"], clicked).where(known).astype("float64")

    return kpi(**{"name": "click_through", "better": "higher", **judged})(click_through)


def cost_of_errors(costs: Mapping[tuple[Any, Any], float], **judged: Any) -> Kpi:
    """What a prediction costs on average by a matrix of costs.

    Parameters
    ----------
    costs
        By prediction and outcome, ``{("pay", "default"): 5000, ("refuse", "paid"): 200}``; what is not named costs
        nothing, and a gain is a negative cost.
    **judged
        As for `kpi`.

    Raises
    ------
    SettingsError
        There is no cost, or one that is no number.
    """
    if not costs or not all(np.isfinite(cost) for cost in costs.values()):
        raise SettingsError(
            "a matrix of costs needs numbers by prediction and outcome", hint='{("pay", "default"): 5000}'
        )

    def cost_of_errors(predictions: pd.DataFrame) -> pd.Series[Any]:
        known = predictions["outcome"].notna()
        labels = {predicted for predicted, _ in costs}
        if known.any() and not any(_is(predictions["prediction"], one).any() for one in labels):
            raise DataError(f"no prediction is {' or '.join(map(str, labels))}, which the matrix of costs speaks of")
        total = pd.Series(0.0, index=predictions.index)
        for (predicted, outcome), cost in costs.items():
            total += cost * (_is(predictions["prediction"], predicted) & _is(predictions["outcome"], outcome))
        return total.where(known)

    return kpi(**{"name": "cost_of_errors", "better": "lower", **judged})(cost_of_errors)


def _is(values: pd.Series[Any], wanted: Any) -> pd.Series[bool]:
    """Where a value is the wanted one; beside predictions that are texts, outcomes are texts too: 1 is ``"1"``."""
    if pd.api.types.is_numeric_dtype(values) or not isinstance(wanted, (bool, int, float)):
        return (values == wanted).fillna(value=False).astype(bool)
    written = {str(wanted).lower(), *([str(int(wanted))] if float(wanted).is_integer() else [])}
    return values.astype("string").str.lower().isin(written)
