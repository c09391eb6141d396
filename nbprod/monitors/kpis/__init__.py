"""KPIs: numbers of the business that a monitor judges like any other check.

::

    @nbprod.kpi(unit="EUR", better="higher", per="day")
    def revenue(predictions):
        return predictions["price"] * (predictions["outcome"] == "bought")

The function gets what its parameters name: ``predictions``, a row each with its inputs, ``prediction``, ``at``,
``version``, and ``outcome`` where it has come, in the type of the prediction; ``outcomes``, those alone; or any table
of the workspace that the monitor was given. It returns one value a prediction, whose mean is the KPI and ``NaN`` of
which is not known yet, or one number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbprod.lazy import on_first_use

if TYPE_CHECKING:
    from nbprod.monitors.kpis.finding import find_kpis
    from nbprod.monitors.kpis.judging import judge_kpis
    from nbprod.monitors.kpis.kpi import Kpi, kpi
    from nbprod.monitors.kpis.shipped import (
        catalogue_size,
        click_through,
        completed_share,
        cost_of_errors,
        revenue_per_prediction,
    )

__all__ = [
    "Kpi",
    "catalogue_size",
    "click_through",
    "completed_share",
    "cost_of_errors",
    "find_kpis",
    "judge_kpis",
    "kpi",
    "revenue_per_prediction",
]

__getattr__ = on_first_use(__name__)
