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
    from nbprod.monitors.findings import Findings
    from nbprod.monitors.health import judge_health
    from nbprod.monitors.job_health import judge_jobs
    from nbprod.monitors.kpis import find_kpis, judge_kpis
    from nbprod.monitors.service import Monitors, Target
    from nbprod.monitors.window import MonitoredWindow, load_window

__all__ = [
    "Alerts",
    "Assessment",
    "Findings",
    "MonitoredWindow",
    "Monitors",
    "Target",
    "assess",
    "find_kpis",
    "judge_health",
    "judge_jobs",
    "judge_kpis",
    "load_window",
    "pictures",
    "rich_report",
]

__getattr__ = on_first_use(__name__)
