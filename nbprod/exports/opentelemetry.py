"""Runs as spans, counts and checks as gauges, and events of alerts as log records: OTLP over HTTP, in JSON.

The JSON form is part of the protocol and needs no library. Ids come from the ids of runs, so that a repeated export
tells the same spans again; runs that one pipeline or schedule started share a trace.
Source: OpenTelemetry Protocol 1.x, "JSON Protobuf Encoding".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from importlib.metadata import version
from typing import Any

from nbprod.domain.event import Event
from nbprod.domain.monitor import MonitorReport
from nbprod.domain.run import Run, RunStatus
from nbprod.exports.posting import post_json

__all__ = ["Count", "logs", "metrics", "send", "traces"]

Count = tuple[str, Mapping[str, str], float]  #: name of the gauge, attributes, value
INTERNAL, OK, ERROR = 1, 1, 2  # of spans
WARN, INFO = 13, 9  # severities of log records
LOUD = ("alert.opened", "alert.grew", "alert.raised", "alert.escalated")
REJECTED = ("rejectedSpans", "rejectedDataPoints", "rejectedLogRecords")


def traces(runs: Sequence[Run], workspace: str) -> dict[str, Any]:
    """The runs that have ended, each a span below the one that caused it."""
    known = {run.id: run for run in runs}
    spans = [_span(run, known) for run in runs if run.is_finished and run.ended_at is not None]
    return {"resourceSpans": [_of(workspace, "scopeSpans", {"spans": spans})]}


def metrics(
    counts: Iterable[Count], reports: Iterable[MonitorReport], workspace: str, at: datetime
) -> dict[str, Any]:
    """Counts as they are now, and every check of the newest reports at the end of its window."""
    points: dict[str, list[dict[str, Any]]] = {}
    for name, attributes, value in counts:
        points.setdefault(name, []).append(_point(attributes, value, at))
    for report in reports:
        for check in report.checks:
            about = {
                "nbprod.deployment": report.deployment,
                "nbprod.check": check.name,
                "nbprod.subject": check.subject,
            }
            failed = _point(
                {**about, "nbprod.outcome": check.outcome.value}, float(check.outcome == "failed"), report.end
            )
            points.setdefault("nbprod.check.failed", []).append(failed)
            if check.value is not None:
                points.setdefault("nbprod.check.value", []).append(_point(about, check.value, report.end))
    gauges = [{"name": name, "unit": "1", "gauge": {"dataPoints": found}} for name, found in points.items()]
    return {"resourceMetrics": [_of(workspace, "scopeMetrics", {"metrics": gauges})]}


def logs(events: Sequence[Event], workspace: str) -> dict[str, Any]:
    """Events of alerts, oldest first."""
    records = [
        {
            "timeUnixNano": _nano(event.at),
            "severityNumber": WARN if event.kind in LOUD else INFO,
            "severityText": "WARN" if event.kind in LOUD else "INFO",
            "body": {"stringValue": event.reason or event.kind},
            "attributes": _attributes(
                {
                    "event.name": f"nbprod.{event.kind}",
                    "nbprod.alert.id": event.subject,
                    "nbprod.event.number": event.number,
                    "nbprod.actor": event.actor,
                    **{f"nbprod.{name}": value for name, value in event.data.items()},
                }
            ),
        }
        for event in sorted(events, key=lambda one: one.number)
    ]
    return {"resourceLogs": [_of(workspace, "scopeLogs", {"logRecords": records})]}


def send(endpoint: str, signal: str, content: Mapping[str, Any], headers: Mapping[str, str]) -> str:
    """Send one of ``traces``, ``metrics`` and ``logs`` to a collector; return what it did not take, in words.

    Raises
    ------
    EnvironmentProblem
        It is away or refuses.
    """
    answer = post_json(f"{endpoint.rstrip('/')}/v1/{signal}", content, headers)
    partial = answer.get("partialSuccess") or {} if isinstance(answer, Mapping) else {}
    count = next((partial[name] for name in REJECTED if partial.get(name)), 0)
    return f"{count} of {signal} were not taken: {partial.get('errorMessage', '')}" if int(count) else ""


def _span(run: Run, known: Mapping[str, Run]) -> dict[str, Any]:
    assert run.ended_at is not None
    root = run
    while root.caused_by in known and root.caused_by is not None:
        root = known[root.caused_by]
    cause = (root.caused_by or root.id).partition("/")[0]  # steps of a pipeline are caused by `<pipeline>/<step>`
    return {
        "traceId": sha256(f"trace {cause}".encode()).hexdigest()[:32],
        "spanId": _span_id(run.id),
        **({"parentSpanId": _span_id(run.caused_by)} if run.caused_by in known and run.caused_by else {}),
        "name": run.template,
        "kind": INTERNAL,
        "startTimeUnixNano": _nano(run.started_at or run.created_at),
        "endTimeUnixNano": _nano(max(run.ended_at, run.started_at or run.created_at)),
        "attributes": _attributes(
            {
                "nbprod.run.id": run.id,
                "nbprod.run.status": run.status.value,
                "nbprod.run.caused_by": run.caused_by,
                "nbprod.actor": run.actor,
                "nbprod.git": run.git,
                "nbprod.failed_cell": run.failed_at,
                **{f"nbprod.metric.{name}": value for name, value in run.metrics.items()},
                **{f"nbprod.data.{name}": mark for name, mark in run.data.items()},
            }
        ),
        "status": {"code": OK}
        if run.status is RunStatus.SUCCEEDED
        else {"code": ERROR, "message": run.error or str(run.status)},
    }


def _of(workspace: str, scope: str, content: Mapping[str, Any]) -> dict[str, Any]:
    resource = {"service.name": "nbprod", "service.namespace": workspace, "service.version": version("nbprod")}
    about = {"scope": {"name": "nbprod", "version": version("nbprod")}}
    return {"resource": {"attributes": _attributes(resource)}, scope: [{**about, **content}]}


def _span_id(run_id: str) -> str:
    return sha256(f"span {run_id}".encode()).hexdigest()[:16]


def _point(attributes: Mapping[str, str], value: float, at: datetime) -> dict[str, Any]:
    return {"timeUnixNano": _nano(at), "asDouble": value, "attributes": _attributes(attributes)}


def _nano(at: datetime) -> str:
    """64-bit numbers are text in JSON."""
    whole = int(at.replace(microsecond=0).timestamp())
    return str((whole * 1_000_000 + at.microsecond) * 1000)


def _attributes(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"key": name, "value": _value(value)} for name, value in values.items() if value is not None]


def _value(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        finite = value == value and abs(value) != float("inf")  # noqa: PLR0124 — NaN
        return {"doubleValue": value} if finite else {"stringValue": str(value)}
    return {"stringValue": str(value)}
