"""Other tools are told over real HTTP, of a real ledger."""

import json
import shutil
import subprocess
from dataclasses import replace
from datetime import timedelta

import pytest

from nbprod.errors import EnvironmentProblem, SettingsError
from nbprod.exports.prometheus import exposition
from nbprod.exports.telemetry import Telemetry
from nbprod.lake import Lake
from nbprod.serving.grafana import export_grafana
from nbprod.store import Store
from tests.unit.exports.telemetry_records import AT, receiver, run_of
from tests.unit.exports.test_telemetry_forms import FOUND


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
