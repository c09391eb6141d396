"""Other tools are told over real HTTP, of a real ledger."""

import json
import shutil
import subprocess
import warnings
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from nbprod.domain.deployment import Deployment
from nbprod.domain.monitor import MonitorReport, Verdict
from nbprod.errors import EnvironmentProblem, SettingsError
from nbprod.exports.prometheus import exposition
from nbprod.exports.telemetry import Telemetry
from nbprod.lake import Lake
from nbprod.monitors import Target
from nbprod.serving.grafana import export_grafana
from nbprod.store import Store
from tests.integration.exports.telemetry_records import AT, receiver, run_of
from tests.integration.exports.test_telemetry_forms import FOUND


@pytest.fixture
def telemetry(tmp_path):
    store = Store.open(f"sqlite:///{tmp_path / 'ledger.db'}", tmp_path, actor="ada")
    with store.write() as session:
        session.add(run_of("r1"))
        session.add(replace(run_of("old"), created_at=AT - timedelta(days=9)))
        session.event("alert.opened", "a1", reason="age changed", at=AT)
    return Telemetry(store, Lake(tmp_path / "lake"), workspace="shop", target=pytest.fail)


def test_a_collector_gets_all_three_signals_with_the_headers_asked_for(telemetry):
    with receiver() as (url, got):
        sent = telemetry.opentelemetry(f"{url}/", since=AT, headers={"Authorization": "Bearer t"})
    assert sent == {"runs": 1, "events": 1, "gauges": 0, "refused": ""}
    assert [path for path, *_ in got] == ["/v1/traces", "/v1/metrics", "/v1/logs"]
    assert {headers["Authorization"] for _, headers, _ in got} == {"Bearer t"}
    assert len(got[0][2]["resourceSpans"][0]["scopeSpans"][0]["spans"]) == 1


def test_what_a_collector_does_not_take_is_told(telemetry):
    said = json.dumps({"partialSuccess": {"rejectedSpans": "1", "errorMessage": "too old"}}).encode()
    with receiver(said) as (url, _):
        assert "1 of traces were not taken: too old" in telemetry.opentelemetry(url)["refused"]


def test_lineage_goes_to_a_file_and_to_a_server(telemetry, tmp_path):
    with receiver(b"", 201) as (url, got):
        events = telemetry.openlineage(url=f"{url}/api/v1/lineage", path=tmp_path / "events.jsonl")
    lines = (tmp_path / "events.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [content for _, _, content in got] == list(events)
    assert len(events) == 4


def test_a_server_that_is_away_refuses_or_sends_elsewhere_is_an_error_that_tells_no_secret(telemetry):
    with receiver(b"", 500) as (url, _):
        address = url.replace("http://", "http://user:hidden@")
        with pytest.raises(EnvironmentProblem, match="answered 500") as caught:
            telemetry.openlineage(url=f"{url}/secret-path")
    assert "secret-path" not in caught.value.message
    with pytest.raises(EnvironmentProblem, match="does not answer") as caught:
        telemetry.openlineage(url=address)
    assert "hidden" not in caught.value.message
    with receiver() as (elsewhere, reached), receiver(b"", 302, [("Location", f"{elsewhere}/x")]) as (url, _):
        with pytest.raises(EnvironmentProblem, match="answered 302"):
            telemetry.openlineage(url=url)
        assert reached == []
    with pytest.raises(SettingsError):
        telemetry.opentelemetry("file:///etc/passwd")


@pytest.mark.skipif(not shutil.which("promtool"), reason="Prometheus is not installed here")
def test_prometheus_own_tool_takes_checks_and_rules(tmp_path):
    export_grafana(tmp_path)
    subprocess.run(["promtool", "check", "rules", tmp_path / "nbprod-rules.yml"], check=True, capture_output=True)
    said = subprocess.run(
        ["promtool", "check", "metrics"], input=exposition([FOUND], []).encode(), check=False, capture_output=True
    )
    assert said.returncode == 0, said.stderr


def test_evidently_opens_the_windows_it_was_given_once(tmp_path):
    """Two windows of a model served elsewhere, read back by evidently's own workspace."""
    random = np.random.default_rng(0)

    def frame(rows, shift):
        return pd.DataFrame(
            {
                "at": pd.date_range(AT, periods=rows, freq="1h"),
                "age": random.normal(shift, 1, rows),
                "<place>": random.choice(["a", "</script>"], rows),
                "prediction": random.choice(["up", "down"], rows),
                "outcome": random.choice(["up", "down"], rows),
            }
        )

    frame(300, 0).to_parquet(tmp_path / "reference.parquet")
    store, lake = Store.open(f"sqlite:///{tmp_path / 'ledger.db'}", tmp_path, actor="ada"), Lake(tmp_path / "lake")
    rows = frame(240, 2).assign(prediction_id=[f"p{n}" for n in range(240)])
    lake.predictions("power").append(
        rows[["prediction_id", "at", "prediction"]], rows[["age", "<place>"]], private=()
    )
    about = {"reference": str(tmp_path / "reference.parquet"), "task": "classification", "target": "outcome"}
    deployment = Deployment(name="power", model=None, created_at=AT, created_by="ada", **about)
    target = Target(deployment=deployment, version=None, package="", lake=lake.root)
    with store.write() as session:
        session.add(deployment)
        for n in range(2):
            bounds = {"start": AT + timedelta(days=5 * n), "end": AT + timedelta(days=5 * n + 5)}
            said = {"verdict": Verdict.ALARM, "sentence": "", "rows": 120, "outcomes": 0, "changed": ("age",)}
            session.add(MonitorReport(run_id=f"m{n}", deployment="power", version=None, **bounds, **said))
    telemetry = Telemetry(store, lake, workspace="shop", target=lambda _: target)

    assert telemetry.evidently(tmp_path / "evidently") == {"power": 2}
    assert telemetry.evidently(tmp_path / "evidently") == {"power": 0}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of deprecations in what evidently imports
        from evidently.ui.workspace import Workspace

        workspace = Workspace.create(str(tmp_path / "evidently"))
        [project] = workspace.list_projects()
        runs = [workspace.get_run(project.id, one) for one in workspace.list_runs(project.id)]
    assert project.name == "power"
    assert {one.metadata["nbprod.run"]: one.timestamp for one in runs} == {
        "m0": AT + timedelta(days=5),
        "m1": AT + timedelta(days=10),
    }
    assert all(one.widgets for one in runs)
