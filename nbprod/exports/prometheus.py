"""The newest checks of every deployment as Prometheus reads them, for node_exporter's textfile collector."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from nbprod.disk import write_file
from nbprod.domain.advice import Verdict
from nbprod.domain.alert import Alert, AlertStatus
from nbprod.domain.check import CheckOutcome
from nbprod.domain.monitor import MonitorReport

__all__ = ["exposition", "write_exposition"]

CHECK = ("deployment", "check", "subject")


def exposition(reports: Iterable[MonitorReport], alerts: Sequence[Alert]) -> str:
    """Every check of some reports, and how many alerts stand.

    Parameters
    ----------
    reports
        The newest of each deployment.
    alerts
        Of all deployments, those that are resolved too.
    """
    from prometheus_client import CollectorRegistry, Gauge, generate_latest  # delayed: only needed here

    registry = CollectorRegistry()

    def gauge(name: str, text: str, labels: Sequence[str]) -> Gauge:
        return Gauge(f"nbprod_{name}", text, labels, registry=registry)

    outcome = gauge("check_outcome", "1 for the outcome of a monitor's check.", [*CHECK, "outcome"])
    numbers = {
        name: gauge(f"check_{name}", f"{words} of what a check looked at, in its own unit.", CHECK)
        for name, words in (("value", "Value"), ("low", "Lower bound"), ("high", "Upper bound"))
    }
    verdict = gauge("monitor_verdict", "1 for the verdict of the newest report.", ["deployment", "verdict"])
    metric = gauge("monitor_metric", "A metric of the newest window.", ["deployment", "version", "metric"])
    about = {
        "rows": gauge("monitor_rows", "Predictions in the newest window.", ["deployment"]),
        "outcomes": gauge("monitor_outcomes", "Of them, with an outcome.", ["deployment"]),
    }
    end = gauge("monitor_window_end_seconds", "End of the newest window, seconds since 1970.", ["deployment"])
    made = gauge("monitor_report_seconds", "When it was looked at, seconds since 1970.", ["deployment"])
    standing = gauge("alerts", "Alerts by what people know of them.", ["deployment", "status"])
    for report in reports:
        for check in report.checks:
            key = (report.deployment, check.name, check.subject)
            for one in CheckOutcome:
                outcome.labels(*key, one.value).set(check.outcome is one)
            for name, filled in numbers.items():
                if (number := getattr(check, name)) is not None:
                    filled.labels(*key).set(number)
        for possible in Verdict:
            verdict.labels(report.deployment, possible.value).set(report.verdict is possible)
        for name, number in report.metrics.items():
            metric.labels(report.deployment, report.version or "", name).set(number)
        for name, filled in about.items():
            filled.labels(report.deployment).set(getattr(report, name))
        end.labels(report.deployment).set(report.end.timestamp())
        if report.created_at is not None:
            made.labels(report.deployment).set(report.created_at.timestamp())
        for status in AlertStatus:
            standing.labels(report.deployment, status.value).set(0)
    for alert in alerts:
        standing.labels(alert.deployment, alert.status.value).inc()
    return generate_latest(registry).decode()


def write_exposition(path: Path, text: str) -> Path:
    """Put the file in place, whole: a collector that looks meanwhile sees the older one; others may read it.

    Raises
    ------
    StoreError
        It cannot be written; the older one is untouched.
    """
    written = write_file(path, text)
    written.chmod(0o644)  # the collector is another user
    return written
