"""Monitors: a deployment's predictions against its package's reference, window by window.

The names load on first use: the service needs no pandas, the notebook needs no ledger.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbprod.lazy import on_first_use

if TYPE_CHECKING:
    from nbprod.monitors.alerts import Alerts
    from nbprod.monitors.assessment import Assessment, assess
    from nbprod.monitors.charts import pictures
    from nbprod.monitors.evidently_report import rich_report
    from nbprod.monitors.service import Monitors, Target
    from nbprod.monitors.window import MonitoredWindow, load_window

__all__ = [
    "Alerts",
    "Assessment",
    "MonitoredWindow",
    "Monitors",
    "Target",
    "assess",
    "load_window",
    "pictures",
    "rich_report",
]

__getattr__ = on_first_use(__name__)
