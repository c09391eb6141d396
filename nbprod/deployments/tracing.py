"""From the id of a prediction to everything behind it: version, package, run, notebook, rows, outcome, verdict."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nbprod.domain.deployment import Deployment
from nbprod.domain.monitor import MonitorReport
from nbprod.domain.prediction import PredictionTrace
from nbprod.domain.run import Run
from nbprod.domain.version import ModelVersion
from nbprod.errors import NbprodError, NotFoundError
from nbprod.lake import Lake
from nbprod.lake.entries import Predictions
from nbprod.lake.spool import spool_files
from nbprod.store import Store

__all__ = ["trace"]

#: Parameters of a training run that say which rows of its data it saw.
ROWS = ("data", "start", "end", "time", "split", "group", "test_size", "seed")


def trace(
    store: Store, lake: Lake, spools: Path | None, resolve: Callable[[str], ModelVersion], prediction_id: str
) -> PredictionTrace:
    """Find a prediction in the tables, or in what a server of this machine has not moved there yet.

    Raises
    ------
    NotFoundError
        No deployment has it.
    """
    with store.read() as session:
        deployments = session.list(Deployment, limit=None)
    for deployment in deployments:
        folder = spools / deployment.name if spools is not None else None
        kept = lake.predictions(deployment.name).at(prediction_id) or _spooled(folder, prediction_id)
        if kept is not None:
            return _traced(store, lake, resolve, deployment.name, dict(kept))
    raise NotFoundError(
        f"no deployment has kept a prediction {prediction_id!r}",
        hint="nbprod predictions show DEPLOYMENT lists the last ones, with their ids.",
    )


def _spooled(folder: Path | None, prediction_id: str) -> Mapping[str, Any] | None:
    for spool in spool_files(folder) if folder is not None else ():
        for _, entry in spool.entries(most_rows=1 << 60):
            if isinstance(entry, Predictions) and prediction_id in entry.ids:
                place = entry.ids.index(prediction_id)
                return {
                    "prediction_id": prediction_id,
                    "at": datetime.fromtimestamp(entry.at_us / 1e6, UTC),
                    "inputs": {name: values[place] for name, values in entry.inputs.items()},
                    **{name: values[place] for name, values in entry.outputs.items()},
                    **{
                        name: getattr(entry, name)
                        for name in ("version", "arm", "share", "unit", "latency_ms")
                        if getattr(entry, name) is not None
                    },
                }
    return None


def _traced(
    store: Store, lake: Lake, resolve: Callable[[str], ModelVersion], deployment: str, kept: dict[str, Any]
) -> PredictionTrace:
    prediction_id, at = kept.pop("prediction_id"), kept.pop("at")
    outputs = {name: value for name, value in kept.items() if name.startswith(("prediction", "probability"))}
    about = {name: kept[name] for name in ("version", "arm", "share", "unit", "latency_ms") if name in kept}
    outcome, outcome_at = lake.outcomes(deployment).of(prediction_id, about.get("unit"), at)
    version = _version(resolve, about.get("version"))
    with store.read() as session:
        run = session.find(Run, version.run_id) if version is not None and version.run_id else None
        reports = session.list(MonitorReport, {"deployment": deployment}, limit=None)
    report = next((one for one in reports if one.start <= at < one.end), None)  # newest first
    return PredictionTrace(
        prediction_id=prediction_id,
        deployment=deployment,
        at=at,
        outputs=outputs,
        inputs=kept.get("inputs", {}),
        **about,
        package=version.package if version is not None else None,
        run_id=version.run_id if version is not None else None,
        notebook=str(Path(run.folder) / "notebook.ipynb") if run is not None else None,
        data=dict(run.data) if run is not None else {},
        window={name: run.parameters[name] for name in ROWS if run.parameters.get(name) is not None} if run else {},
        outcome=outcome,
        outcome_at=outcome_at,
        verdict=f"{report.verdict}: {report.sentence}" if report is not None else None,
        verdict_run=report.run_id if report is not None else None,
    )


def _version(resolve: Callable[[str], ModelVersion], ref: str | None) -> ModelVersion | None:
    try:
        return resolve(ref) if ref is not None else None
    except NbprodError:  # of an external deployment versions have names of their own
        return None
