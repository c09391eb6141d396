"""The newest verdicts, checks and KPIs as Prometheus reads them: for the textfile collector, or any scraper."""

from __future__ import annotations

from collections.abc import Iterable
from math import isfinite

from nbprod.domain.check import CheckOutcome
from nbprod.domain.monitor import REFERENCE, MonitorReport

__all__ = ["exposition"]

OUTCOMES = {CheckOutcome.PASSED: 0, CheckOutcome.INCONCLUSIVE: 1, CheckOutcome.FAILED: 2}


def exposition(reports: Iterable[MonitorReport]) -> str:
    """Metrics of monitor reports, the newest one of each deployment.

    ``nbprod_monitor_metric`` has every metric and KPI, ``nbprod_monitor_reference`` what it usually is,
    ``nbprod_monitor_check`` what each check said (0 passed, 1 inconclusive, 2 failed),
    ``nbprod_monitor_alarm`` whether the verdict is an alarm, and ``nbprod_monitor_window_end_seconds`` how old it is.
    """
    from prometheus_client import CollectorRegistry, Gauge, generate_latest  # delayed: only here

    registry = CollectorRegistry()

    def gauge(name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"nbprod_monitor_{name}", text, ["deployment", *labels], registry=registry)

    metric = gauge("metric", "A metric or KPI of the newest window.", "name")
    usual = gauge("reference", "What it is in the reference, or usually.", "name")
    check = gauge("check", "0 passed, 1 inconclusive, 2 failed.", "check", "subject")
    alarm = gauge("alarm", "1 where the verdict is an alarm.")
    end = gauge("window_end_seconds", "When the newest window ended, since 1970.")
    for report in reports:
        name = report.deployment
        for key, value in report.metrics.items():
            if isfinite(value):
                one = usual if key.startswith(REFERENCE) else metric
                one.labels(name, key.removeprefix(REFERENCE)).set(value)
        for found in report.checks:
            check.labels(name, found.name, found.subject).set(OUTCOMES[found.outcome])
        alarm.labels(name).set(report.verdict == "alarm")
        end.labels(name).set(report.end.timestamp())
    return generate_latest(registry).decode()
