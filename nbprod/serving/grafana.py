"""Files that watch a server with Prometheus and Grafana: what to scrape, when to alert, and a dashboard."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from nbprod.disk import make_folder, write_file

__all__ = ["FILES", "dashboard", "export_grafana", "rules", "scraping"]

FILES = ("prometheus.yml", "nbprod-rules.yml", "nbprod-dashboard.json")
PREDICT = 'route="/predict"'
QUANTILES = (0.5, 0.9, 0.99)
#: Name, expression, how long, how bad, and what it means.
ALERTS: Sequence[tuple[str, str, str, str, str]] = (
    ("NbprodDown", 'up{job="nbprod"} == 0', "1m", "critical", "The server does not answer."),
    (
        "NbprodErrors",
        'sum(rate(nbprod_requests_total{code=~"5.."}[5m])) / sum(rate(nbprod_requests_total[5m])) > 0.01',
        "5m",
        "critical",
        "More than 1 % of requests fail: busy, or predictions cannot be kept.",
    ),
    (
        "NbprodSlow",
        f"histogram_quantile(0.99, sum by (le) (rate(nbprod_request_seconds_bucket{{{PREDICT}}}[5m]))) > 0.25",
        "10m",
        "warning",
        "One in a hundred predictions takes longer than a quarter of a second.",
    ),
    (
        "NbprodLogLag",
        "max(nbprod_log_lag_seconds) > 300",
        "5m",
        "warning",
        "Predictions wait for their table for minutes; nothing is lost, but monitors do not see them.",
    ),
    (
        "NbprodProblem",
        "max(nbprod_problems) > 0",
        "1m",
        "critical",
        "Health complains: the ledger is away, a version was refused, or the disk or table refuses.",
    ),
    (
        "NbprodVersionRefused",
        'sum(increase(nbprod_swaps_total{result="refused"}[10m])) > 0',
        "0m",
        "critical",
        "A promoted version could not be taken into use; the one before goes on.",
    ),
    (
        "NbprodParity",
        'sum(increase(nbprod_parity_rows_total{result="different"}[1h])) > 0',
        "0m",
        "critical",
        "The compiled model and its pipeline gave different values for the same row.",
    ),
    (
        "NbprodUnseen",
        "sum(rate(nbprod_unseen_categories_total[15m])) / sum(rate(nbprod_predictions_total[15m])) > 0.05",
        "15m",
        "warning",
        "More than 5 % of rows have a category that was never seen in training.",
    ),
    (
        "NbprodCheckFailed",
        'max by (deployment, check) (nbprod_check_outcome{outcome="failed"}) == 1',
        "0m",
        "warning",
        "A monitor's check failed in its newest window; nbprod alerts list says which and since when.",
    ),
)
#: Title, unit, and what is drawn: expression and legend.
PANELS: Sequence[tuple[str, str, Sequence[tuple[str, str]]]] = (
    (
        "Requests a second",
        "reqps",
        [("sum by (route, code) (rate(nbprod_requests_total[1m]))", "{{route}} {{code}}")],
    ),
    (
        "Time of a prediction",
        "s",
        [
            (
                f"histogram_quantile({q}, sum by (le) (rate(nbprod_request_seconds_bucket{{{PREDICT}}}[1m])))",
                f"{q:.0%}",
            )
            for q in QUANTILES
        ],
    ),
    (
        "Predictions by version",
        "rowsps",
        [("sum by (version, arm) (rate(nbprod_predictions_total[1m]))", "{{version}}")],
    ),
    ("Version in use", "none", [("max by (version, arm) (nbprod_model_version) == 1", "{{version}} {{arm}}")]),
    (
        "Being answered, waiting for the disk",
        "none",
        [("sum(nbprod_requests_in_flight)", "in flight"), ("sum(nbprod_spool_waiting)", "for the disk")],
    ),
    (
        "Not in the table yet",
        "none",
        [("max(nbprod_log_lag_rows)", "rows"), ("max(nbprod_log_lag_seconds)", "seconds")],
    ),
    (
        "Rows of a request",
        "none",
        [("sum(rate(nbprod_batch_rows_sum[5m])) / sum(rate(nbprod_batch_rows_count[5m]))", "mean")],
    ),
    (
        "Categories never seen",
        "none",
        [("sum by (column) (increase(nbprod_unseen_categories_total[5m]))", "{{column}}")],
    ),
    ("Outcomes", "none", [("sum by (kind) (increase(nbprod_outcomes_total[5m]))", "{{kind}}")]),
    ("Compared on both paths", "none", [("sum by (result) (increase(nbprod_parity_rows_total[5m]))", "{{result}}")]),
    ("Processor", "percentunit", [("sum(rate(nbprod_cpu_seconds[1m]))", "processors")]),
    ("Memory", "bytes", [("sum(nbprod_memory_bytes)", "resident")]),
    # of monitors, as `nbprod export prometheus` writes them for a textfile collector
    (
        "Checks of monitors that failed",
        "none",
        [('nbprod_check_outcome{outcome="failed"} == 1', "{{deployment}} {{check}} {{subject}}")],
    ),
    ("What checks looked at", "none", [("nbprod_check_value", "{{deployment}} {{check}} {{subject}}")]),
    ("Metrics of the newest window", "none", [("nbprod_monitor_metric", "{{deployment}} {{metric}} {{version}}")]),
    (
        "Alerts not resolved",
        "none",
        [('sum by (deployment, status) (nbprod_alerts{status!="resolved"})', "{{deployment}} {{status}}")],
    ),
)


def export_grafana(folder: Path, *, target: str = "127.0.0.1:8000", has_token: bool = False) -> list[Path]:
    """Write a scrape configuration, alert rules and a dashboard.

    Parameters
    ----------
    folder
        Made if it does not exist; files of the same names are replaced.
    target
        Host and port of the server.
    has_token
        Whether requests need a token: Prometheus then reads one from a file beside.

    Returns
    -------
    list of Path
        The files.
    """
    make_folder(folder)
    contents = (
        yaml.safe_dump(scraping(target, has_token=has_token), sort_keys=False),
        yaml.safe_dump(rules(), sort_keys=False, width=110),
        json.dumps(dashboard(), indent=1),
    )
    return [write_file(folder / name, text) for name, text in zip(FILES, contents, strict=True)]


def scraping(target: str, *, has_token: bool) -> dict[str, Any]:
    """A configuration of Prometheus that scrapes one server and knows the rules."""
    job: dict[str, Any] = {"job_name": "nbprod", "static_configs": [{"targets": [target]}]}
    if has_token:
        job["authorization"] = {"type": "Bearer", "credentials_file": "nbprod-token"}
    return {
        "global": {"scrape_interval": "15s", "evaluation_interval": "15s"},
        "rule_files": [FILES[1]],
        "scrape_configs": [job],
    }


def rules() -> dict[str, Any]:
    """Alert rules of Prometheus."""
    made = [
        {
            "alert": name,
            "expr": expression,
            "for": after,
            "labels": {"severity": severity},
            "annotations": {"summary": summary},
        }
        for name, expression, after, severity, summary in ALERTS
    ]
    return {"groups": [{"name": "nbprod", "rules": made}]}


def dashboard() -> dict[str, Any]:
    """A dashboard of Grafana; it asks which Prometheus to read when it is imported."""
    source = {"type": "prometheus", "uid": "${DS_PROMETHEUS}"}
    panels = [
        {
            "id": number + 1,
            "type": "timeseries",
            "title": title,
            "datasource": source,
            "gridPos": {"h": 8, "w": 12, "x": 12 * (number % 2), "y": 8 * (number // 2)},
            "fieldConfig": {"defaults": {"unit": unit}, "overrides": []},
            "targets": [
                {"refId": chr(ord("A") + place), "datasource": source, "expr": expression, "legendFormat": legend}
                for place, (expression, legend) in enumerate(drawn)
            ],
        }
        for number, (title, unit, drawn) in enumerate(PANELS)
    ]
    return {
        "__inputs": [
            {"name": "DS_PROMETHEUS", "label": "Prometheus", "type": "datasource", "pluginId": "prometheus"}
        ],
        "title": "nbprod",
        "uid": "nbprod-serving",
        "schemaVersion": 39,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "panels": panels,
    }
