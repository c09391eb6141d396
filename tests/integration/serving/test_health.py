"""A served model, a batch job and KPIs, looked at by one monitor: what was written by each is what is judged."""

import subprocess
import sys
from datetime import timedelta

import pandas as pd
import pytest
from prometheus_client.parser import text_string_to_metric_families

from nbprod.clock import now
from nbprod.domain.advice import Verdict
from nbprod.domain.check import CheckOutcome
from nbprod.domain.monitor import BESIDE
from nbprod.lake import Lake
from nbprod.workspace import open_workspace
from tests.integration.serving.conftest import ROW

pytestmark = pytest.mark.kernel

KPIS = """
import nbprod


@nbprod.kpi(unit="EUR")
def value(predictions, prices):
    return predictions["kind"].map(prices.set_index("kind")["price"])


@nbprod.kpi()
def broken(predictions):
    return predictions["profit"]
"""
SETTINGS = """
[monitors.power]
block = ""
min_rows = 50
kpis = "kpis.py"
tables = ["prices"]
objectives = { availability = 0.999 }
jobs = { every = "12h", longest = "1h" }

[data.prices]
path = "prices.parquet"
"""


def test_one_monitor_judges_the_server_its_batch_jobs_and_kpis(serve, workspace, tmp_path):
    """The minutes the server wrote, the run of the score notebook, a table of the workspace, a KPI that raises."""
    server = serve()
    for _ in range(60):
        server.predict()
    server.stop()
    folder = workspace.folder
    pd.DataFrame({"kind": ["a", "b"], "price": [2.0, 4.0]}).to_parquet(folder / "prices.parquet")
    pd.DataFrame([ROW] * 40).to_parquet(folder / "rows.parquet")
    (folder / "kpis.py").write_text(KPIS)
    with (folder / "nbprod.toml").open("a") as file:
        file.write(SETTINGS)
    ws = open_workspace(folder)
    done = ws.runs.start(
        "score",
        model="power@champion",
        data=str(folder / "rows.parquet"),
        output=str(folder / "out.parquet"),
        version="power/1",
        on="threads",
    )
    assert done.succeeded, done.error

    report = ws.monitors.run("power", start=now() - timedelta(hours=1), rich="never")

    checks = {(check.name, check.subject): check for check in report.checks}
    assert report.verdict is Verdict.ALARM
    failed = {key for key, check in checks.items() if check.outcome is CheckOutcome.FAILED}
    assert {key for key in failed if key[0] in BESIDE} == {("kpi", "broken")}
    assert "KeyError: 'profit'" in checks["kpi", "broken"].sentence
    assert "nothing before" in checks["kpi", "value"].sentence
    assert report.metrics["requests"] == 60
    assert report.metrics["error_share"] == 0
    assert report.metrics["p99_ms"] > 0
    assert report.metrics["job_rows"] == 40
    assert checks["objective", "availability"].outcome is CheckOutcome.PASSED
    assert checks["jobs", "time"].outcome is CheckOutcome.PASSED
    assert "processor time" in checks["health", "cpu"].sentence
    assert {"predictions", "health"} <= set(report.tables)
    assert [alert.subject for alert in ws.alerts.list("power") if alert.check == "kpi"] == ["broken"]
    told = {
        (sample.name, sample.labels.get("metric") or sample.labels.get("subject"), sample.value)
        for family in text_string_to_metric_families(ws.telemetry.prometheus())
        for sample in family.samples
    }
    assert {("nbprod_monitor_metric", "requests", 60.0), ("nbprod_check_outcome", "broken", 1.0)} <= told


COUNTING = """
import sys
from pathlib import Path

from nbprod.lake import Lake
from nbprod.serving.metrics import Metrics, use_folder

use_folder(Path(sys.argv[1]) / "metrics")
from nbprod.serving.minutes import Minutes

metrics, lake = Metrics(), Lake(sys.argv[1])
for requests in (5, 2):
    minutes = Minutes(lake, "model", Path(sys.argv[1]) / "metrics")
    for _ in range(requests):
        metrics.answered("/predict", 200, 0.001)
    minutes.keep(last=True)
"""


def test_a_drainer_that_takes_anothers_place_counts_nothing_twice(tmp_path):
    """Counters outlive it; what was kept of them is noted beside."""
    subprocess.run([sys.executable, "-c", COUNTING, str(tmp_path)], check=True, timeout=120)

    rows = Lake(tmp_path).health("model").to_table().to_pylist()
    counted = [row["value"] for row in rows if row["name"] == "nbprod_requests_total"]
    assert sorted(counted) == [2.0, 5.0]
    assert len({row["server"] for row in rows}) == 1
    assert [row["value"] for row in rows if row["name"] == "nbprod_worker_starts_total"] == [1.0]
    assert {"nbprod_requests_in_flight", "nbprod_log_lag_seconds"} <= {row["name"] for row in rows}
