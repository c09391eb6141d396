"""Monitors: a deployment's predictions against its package's reference, window by window.

The names load on first use: the service needs no pandas, the notebook needs no ledger.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbprod.monitors.alerts import Alerts
    from nbprod.monitors.assessment import Assessment, assess
    from nbprod.monitors.drawing import pictures
    from nbprod.monitors.evidently_report import rich_report
    from nbprod.monitors.notify import notifiers_of
    from nbprod.monitors.service import Monitors, Target
    from nbprod.monitors.window import MonitoredWindow, load_window

_HOMES = {
    "Alerts": "alerts",
    "Assessment": "assessment",
    "MonitoredWindow": "window",
    "Monitors": "service",
    "Target": "service",
    "assess": "assessment",
    "load_window": "window",
    "notifiers_of": "notify",
    "pictures": "drawing",
    "rich_report": "evidently_report",
}
__all__ = [
    "Alerts",
    "Assessment",
    "MonitoredWindow",
    "Monitors",
    "Target",
    "assess",
    "load_window",
    "notifiers_of",
    "pictures",
    "rich_report",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
