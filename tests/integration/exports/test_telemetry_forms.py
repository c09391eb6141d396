"""What other tools are told, read by their own readers: Prometheus' parser, OTLP's types, OpenLineage's schema."""

import json
import re
from base64 import b64encode
from datetime import timedelta
from pathlib import Path

import pytest
from google.protobuf import json_format
from jsonschema import Draft202012Validator, FormatChecker
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from prometheus_client.parser import text_string_to_metric_families
from referencing import Registry, Resource

from nbprod.domain.alert import Alert, AlertStatus
from nbprod.domain.check import CheckOutcome, CheckResult
from nbprod.domain.event import Event
from nbprod.domain.monitor import MonitorReport, Verdict
from nbprod.domain.package import ModelPackage
from nbprod.domain.run import RunStatus
from nbprod.exports.openlineage import lineage_events
from nbprod.exports.opentelemetry import logs, metrics, traces
from nbprod.exports.prometheus import exposition, write_exposition
from nbprod.serving.grafana import dashboard, rules
from tests.integration.exports.telemetry_records import AT, run_of

SCHEMAS = Path(__file__).parent / "openlineage"
HOSTILE = 'a "quoted"\\ name\nof two lines'


def report(*checks):
    return MonitorReport(
        run_id="m1",
        deployment="power",
        version="power/1",
        start=AT - timedelta(days=30),
        end=AT,
        verdict=Verdict.ALARM,
        sentence="",
        rows=1000,
        outcomes=400,
        checks=checks,
        metrics={"accuracy": 0.75},
        created_at=AT + timedelta(hours=1),
    )


def check(subject, outcome, value=None, **bounds):
    return CheckResult(name="drift", subject=subject, outcome=outcome, sentence="", value=value, **bounds)


def alert(status):
    fields = {"deployment": "power", "check": "drift", "subject": "age", "summary": "age changed", "run_id": "m1"}
    return Alert(id=f"a-{status}", status=status, opened_at=AT, last_seen_at=AT, **fields)


FOUND = report(
    check("age", CheckOutcome.FAILED, 0.5, low=0.4, high=0.6), check(HOSTILE, CheckOutcome.PASSED, 0.0), check("", CheckOutcome.INCONCLUSIVE)
)  # fmt: skip


def samples(text):
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_prometheus_reads_every_check_with_its_bounds_and_outcome():
    read = samples(exposition([FOUND], [alert(AlertStatus.OPEN), alert(AlertStatus.RESOLVED)]))
    about = (("check", "drift"), ("deployment", "power"))
    for subject, outcome in (("age", "failed"), (HOSTILE, "passed"), ("", "inconclusive")):
        for possible in ("failed", "passed", "inconclusive"):
            labels = (*about, ("outcome", possible), ("subject", subject))
            assert read["nbprod_check_outcome", labels] == (possible == outcome)
    for name, value in (("value", 0.5), ("low", 0.4), ("high", 0.6)):
        assert read[f"nbprod_check_{name}", (*about, ("subject", "age"))] == value
    assert ("nbprod_check_value", (*about, ("subject", ""))) not in read
    power = (("deployment", "power"),)
    assert read["nbprod_monitor_rows", power] == 1000
    assert read["nbprod_monitor_window_end_seconds", power] == pytest.approx(AT.timestamp())
    assert read["nbprod_monitor_verdict", (*power, ("verdict", "alarm"))] == 1
    assert read["nbprod_alerts", (*power, ("status", "open"))] == 1
    assert read["nbprod_alerts", (*power, ("status", "acknowledged"))] == 0


def test_the_file_of_a_textfile_collector_is_replaced_whole_and_readable(tmp_path):
    path = tmp_path / "nbprod.prom"
    path.write_text("old")
    write_exposition(path, exposition([FOUND], []))
    assert path.stat().st_mode & 0o777 == 0o644
    assert [one.name for one in tmp_path.iterdir()] == ["nbprod.prom"]
    assert samples(path.read_text())


def test_what_the_dashboard_and_the_rules_ask_of_monitors_is_told():
    text = json.dumps(dashboard()) + json.dumps(rules())
    asked = set(re.findall(r"nbprod_(?:check|monitor|alerts)\w*", text))
    told = {name for name, _ in samples(exposition([FOUND], []))}
    assert len(asked) >= 4
    assert asked <= told


def as_request(content, kind):
    """OTLP's JSON writes ids in hex, where protobuf's own JSON wants base64; everything else is the same."""

    def renamed(value, key=""):
        if isinstance(value, dict):
            return {name: renamed(one, name) for name, one in value.items()}
        if isinstance(value, list):
            return [renamed(one) for one in value]
        return b64encode(bytes.fromhex(value)).decode() if key in {"traceId", "spanId", "parentSpanId"} else value

    return json_format.ParseDict(renamed(json.loads(json.dumps(content))), kind())


def test_runs_are_spans_below_what_caused_them():
    runs = [
        run_of("r1"),
        run_of("r2", RunStatus.FAILED, caused_by="r1", error="ValueError: no"),
        run_of("r3", RunStatus.RUNNING),
        run_of("r4", caused_by="p1/train"),
        run_of("r5", caused_by="p1/evaluate"),
    ]
    read = as_request(traces(runs, "shop"), ExportTraceServiceRequest).resource_spans[0]
    spans = {
        next(a.value.string_value for a in one.attributes if a.key == "nbprod.run.id"): one
        for one in read.scope_spans[0].spans
    }
    assert set(spans) == {"r1", "r2", "r4", "r5"}  # one that has not ended is no span yet
    assert {len(one.trace_id) for one in spans.values()} == {16}
    assert {len(one.span_id) for one in spans.values()} == {8}
    assert spans["r2"].parent_span_id == spans["r1"].span_id
    assert spans["r2"].trace_id == spans["r1"].trace_id != spans["r4"].trace_id
    assert spans["r4"].trace_id == spans["r5"].trace_id
    assert spans["r4"].parent_span_id == b""
    assert (spans["r2"].status.code, spans["r2"].status.message) == (2, "ValueError: no")
    assert spans["r1"].status.code == 1
    assert spans["r1"].start_time_unix_nano == int((AT + timedelta(seconds=1)).timestamp()) * 10**9 + 123_456_000
    assert spans["r1"].end_time_unix_nano - spans["r1"].start_time_unix_nano == 2 * 10**9
    told = {one.key: one.value for one in read.resource.attributes}
    assert (told["service.name"].string_value, told["service.namespace"].string_value) == ("nbprod", "shop")
    assert "secret" not in json.dumps(traces(runs, "shop"))
    assert traces(runs, "shop") == traces(runs, "shop")


def test_counts_and_checks_are_gauges():
    counts = [("nbprod.predictions", {"nbprod.version": "power/1"}, 12.0)]
    read = as_request(metrics(counts, [FOUND], "shop", AT), ExportMetricsServiceRequest)
    gauges = {one.name: one.gauge.data_points for one in read.resource_metrics[0].scope_metrics[0].metrics}
    assert gauges["nbprod.predictions"][0].as_double == 12
    assert [one.as_double for one in gauges["nbprod.check.failed"]] == [1, 0, 0]
    assert [one.as_double for one in gauges["nbprod.check.value"]] == [0.5, 0]
    assert gauges["nbprod.check.value"][0].time_unix_nano == int(AT.timestamp()) * 10**9 + 123_456_000


def test_events_of_alerts_are_log_records_oldest_first():
    events = [
        Event(number=n, at=AT, actor="ada", kind=kind, subject="a1", reason=f"{kind}!", data={"check": "drift"})
        for n, kind in ((2, "alert.resolved"), (1, "alert.opened"))
    ]
    read = as_request(logs(events, "shop"), ExportLogsServiceRequest)
    records = read.resource_logs[0].scope_logs[0].log_records
    assert [one.body.string_value for one in records] == ["alert.opened!", "alert.resolved!"]
    assert [one.severity_number for one in records] == [13, 9]


@pytest.fixture(scope="module")
def validator():
    """The published schema, with those of the facets by their address; formats are checked."""
    schemas = [json.loads(path.read_text()) for path in SCHEMAS.glob("*.json")]
    registry = Registry().with_resources((one["$id"], Resource.from_contents(one)) for one in schemas)

    def check(content, reference):
        Draft202012Validator({"$ref": reference}, registry=registry, format_checker=FormatChecker()).validate(content)

    return check


def facets_of(event):
    things = [event["run"], event["job"], *event["inputs"], *event["outputs"]]
    return [facet for thing in things for facet in thing.get("facets", {}).values()]


def test_lineage_is_valid_by_the_published_schema_and_joins_data_run_model_and_package(validator):
    sealed = ModelPackage(
        digest="d" * 64,
        folder="",
        run_id="r1",
        task="classification",
        format="skops",
        target="y",
        created_at=AT + timedelta(seconds=9),
        size_bytes=1,
    )
    runs = [
        run_of("r1"),
        run_of("r2", RunStatus.FAILED, caused_by="r1", error="ValueError: no"),
        run_of("r3", RunStatus.CANCELLED),
        run_of("r4", RunStatus.RUNNING),
    ]
    events = lineage_events(runs, [sealed], "shop")
    for event in events:
        validator(event, event["schemaURL"])
        for facet in facets_of(event):
            validator(facet, facet["_schemaURL"])
    by_run = {}
    for event in events:
        by_run.setdefault(event["run"]["runId"], []).append(event)
    kinds = sorted([event["eventType"] for event in of_run] for of_run in by_run.values())
    assert kinds == [["START"], ["START", "ABORT"], ["START", "COMPLETE"], ["START", "COMPLETE"], ["START", "FAIL"]]
    trained = next(e for e in events if e["eventType"] == "COMPLETE" and e["job"]["name"] == "train")
    packed = next(e for e in events if e["eventType"] == "COMPLETE" and e["job"]["name"] == "package")
    failed = next(e for e in events if e["eventType"] == "FAIL")
    assert trained["inputs"][0]["facets"]["version"]["datasetVersion"] == "f1"
    assert trained["inputs"][0]["name"] == "s3://bucket/rows.parquet"
    names = [(one["namespace"], one["name"]) for one in trained["outputs"]]
    assert names == [(one["namespace"], one["name"]) for one in packed["inputs"]]
    assert packed["outputs"][0]["name"] == f"packages/{'d' * 64}"
    assert failed["run"]["facets"]["parent"]["run"]["runId"] == trained["run"]["runId"]
    assert failed["run"]["facets"]["errorMessage"]["message"] == "ValueError: no"
    assert "secret" not in json.dumps(events)
    assert events == lineage_events(runs, [sealed], "shop")


def test_the_schema_would_notice(validator):
    event = lineage_events([run_of("r1")], [], "shop")[0]
    with pytest.raises(Exception, match="is not"):
        validator({**event, "run": {"runId": "r1"}}, event["schemaURL"])
    with pytest.raises(Exception, match="required"):
        validator({name: value for name, value in event.items() if name != "job"}, event["schemaURL"])
