"""Runs and packages as OpenLineage events: what was started, how it ended, from which data, and what came of it.

A run is a job of its template's name; a package is made by a job of its own from the run's model. Ids are made from
the ids of the records, so that a repeated export tells the same runs again. Values of parameters are not told, but
for the names of data sets.
Source: OpenLineage 2-0-2.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from importlib.metadata import version
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid5

from nbprod.clock import format_utc
from nbprod.domain.package import ModelPackage
from nbprod.domain.run import Run, RunStatus

__all__ = ["lineage_events"]

NAMES = UUID("6f1c1f0e-0f4b-5c55-9d0e-5b1d3c1a9a11")  #: what ids are made within
SPEC = "https://openlineage.io/spec"
SCHEMA = f"{SPEC}/2-0-2/OpenLineage.json#/$defs/RunEvent"
ENDS = {RunStatus.SUCCEEDED: "COMPLETE", RunStatus.CANCELLED: "ABORT"}


def lineage_events(runs: Iterable[Run], packages: Sequence[ModelPackage], workspace: str) -> list[dict[str, Any]]:
    """The events of runs and packages in the order of time.

    Parameters
    ----------
    runs
        Those that have not ended are only started.
    packages
        What was sealed.
    workspace
        Its name is the namespace of jobs and models.
    """
    known = {run.id: run for run in runs}
    sealed = {package.run_id for package in packages}
    events = [
        event
        for run in known.values()
        for event in _run_events(run, known.get(run.caused_by or ""), workspace, has_model=run.id in sealed)
    ]
    events += [event for package in packages for event in _package_events(package, workspace)]
    return sorted(events, key=lambda event: (event["eventTime"], event["eventType"] != "START"))


def _run_events(run: Run, parent: Run | None, workspace: str, *, has_model: bool) -> Iterable[dict[str, Any]]:
    facets: dict[str, Any] = {}
    if parent is not None:
        above = {"run": {"runId": _run_id(parent.id)}, "job": {"namespace": workspace, "name": parent.template}}
        facets["parent"] = _facet("1-2-0/ParentRunFacet", **above)
    job = _job(workspace, run.template, "NOTEBOOK")
    inputs = [_dataset("file", _name(run.parameters.get(name), name), mark) for name, mark in run.data.items()]
    outputs = [_dataset(workspace, f"runs/{run.id}/model", run.template_digest)] if has_model else []
    started = run.started_at or run.created_at
    yield _event("START", started, _run_id(run.id), facets, job, inputs, [])
    if run.is_finished and run.ended_at is not None:
        end = ENDS.get(run.status, "FAIL")
        if end == "FAIL":
            said = {"message": run.error or str(run.status), "programmingLanguage": "python"}
            facets = {**facets, "errorMessage": _facet("1-0-1/ErrorMessageRunFacet", **said)}
        yield _event(end, max(run.ended_at, started), _run_id(run.id), facets, job, inputs, outputs)


def _package_events(package: ModelPackage, workspace: str) -> Iterable[dict[str, Any]]:
    job = _job(workspace, "package", "JOB")
    inputs = [{"namespace": workspace, "name": f"runs/{package.run_id}/model"}] if package.run_id else []
    outputs = [_dataset(workspace, f"packages/{package.digest}", package.digest)]
    run_id = _run_id(f"package {package.digest}")
    yield _event("START", package.created_at, run_id, {}, job, inputs, [])
    yield _event("COMPLETE", package.created_at, run_id, {}, job, inputs, outputs)


def _event(
    kind: str,
    at: datetime,
    run_id: str,
    facets: Mapping[str, Any],
    job: Mapping[str, Any],
    inputs: Sequence[Mapping[str, Any]],
    outputs: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    return {
        "eventType": kind,
        "eventTime": format_utc(at),
        "run": {"runId": run_id, "facets": dict(facets)},
        "job": job,
        "inputs": list(inputs),
        "outputs": list(outputs),
        "producer": _producer(),
        "schemaURL": SCHEMA,
    }


def _job(workspace: str, name: str, kind: str) -> dict[str, Any]:
    about = _facet("2-0-4/JobTypeJobFacet", processingType="BATCH", integration="NBPROD", jobType=kind)
    return {"namespace": workspace, "name": name, "facets": {"jobType": about}}


def _dataset(namespace: str, name: str, fingerprint: str) -> dict[str, Any]:
    mark = _facet("1-0-1/DatasetVersionDatasetFacet", datasetVersion=fingerprint)
    return {"namespace": namespace, "name": name, "facets": {"version": mark}}


def _facet(schema: str, **fields: Any) -> dict[str, Any]:
    number, _, name = schema.partition("/")
    address = f"{SPEC}/facets/{number}/{name}.json#/$defs/{name}"
    return {"_producer": _producer(), "_schemaURL": address, **fields}


def _name(given: Any, parameter: str) -> str:
    """A data set as it was named, without what opens it: user, password and query of an address."""
    if not isinstance(given, str) or not given:
        return parameter
    if "://" not in given:
        return given
    parts = urlsplit(given)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _producer() -> str:
    return f"urn:nbprod:{version('nbprod')}"


def _run_id(name: str) -> str:
    return str(uuid5(NAMES, name))
