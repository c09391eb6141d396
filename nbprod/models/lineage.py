"""The lineage of a model version, gathered from the ledger, and from the lake for a prediction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nbprod.domain.deployment import Deployment
from nbprod.domain.lineage import Lineage
from nbprod.domain.package import ModelPackage
from nbprod.domain.run import Run
from nbprod.domain.version import Alias, ModelRef, ModelVersion, RegisteredModel
from nbprod.errors import NotFoundError
from nbprod.lake import Lake
from nbprod.models.alias_history import MOVES
from nbprod.models.references import version_of
from nbprod.store import Session, Store

__all__ = ["why"]

CHAMPION = "champion"  #: whom the name of a model means


def why(store: Store, lake: Lake, subject: ModelVersion | str) -> Lineage:
    """The lineage of a version, of what a reference names, of a model's champion, or of a kept prediction's version.

    Raises
    ------
    NotFoundError
        It is neither a version nor a prediction that was kept.
    """
    with store.read() as session:
        if isinstance(subject, ModelVersion) or "/" in subject or "@" in subject:
            return _lineage(session, version_of(session, subject), str(subject))
        if session.find(RegisteredModel, subject):
            champion = session.find(Alias, subject, CHAMPION)
            return _lineage(session, version_of(session, champion.ref if champion else subject), subject)
        deployments = session.list(Deployment, limit=None)
    for deployment in deployments:
        prediction = lake.predictions(deployment.name).at(subject)
        if prediction is None:
            continue
        if deployment.model is None:
            raise NotFoundError(
                f"the prediction {subject} of {deployment.name} was made by an external model",
                hint="nbprod knows the lineage of models it serves.",
            )
        with store.read() as session:
            version = version_of(session, str(prediction["version"]))
            return _lineage(session, version, subject, {"deployment": deployment.name, **prediction})
    raise NotFoundError(
        f"{subject!r} is neither a model nor the id of a kept prediction",
        hint="Write churn/3, churn@champion, or the prediction_id of a row of nbprod predictions show.",
    )


def _lineage(
    session: Session, version: ModelVersion, subject: str, prediction: Mapping[str, Any] | None = None
) -> Lineage:
    """Everything the ledger knows of a version, as of the session's moment."""
    aliases = session.list(Alias, {"model": version.model}, limit=None)
    naming = {alias.name for alias in aliases if alias.number == version.number}
    moves = session.events([alias.ref for alias in aliases], MOVES, limit=None) if aliases else []
    concerning = [event for event in moves if version.number in {event.data["version"], event.data["previous"]}]
    events = sorted([*session.events(version.ref, limit=None), *concerning], key=lambda event: event.number)
    named = dict.fromkeys([*version.evidence, *(name for event in events for name in event.evidence)])
    found = (session.find(Run, name) for name in named if name != version.run_id)
    return Lineage(
        subject=subject,
        version=version,
        package=session.get(ModelPackage, version.package),
        run=session.find(Run, version.run_id) if version.run_id else None,
        evaluations=tuple(run for run in found if run is not None),
        events=tuple(events),
        aliases=tuple(f"{version.model}@{name}" for name in sorted(naming)),
        deployments=tuple(
            deployment.name
            for deployment in session.list(Deployment, limit=None, newest_first=False)
            if _uses(deployment, version, naming)
        ),
        prediction=dict(prediction or {}),
    )


def _uses(deployment: Deployment, version: ModelVersion, naming: set[str]) -> bool:
    if deployment.model is None:
        return False
    ref = ModelRef.parse(deployment.model)
    return ref.model == version.model and (ref.number == version.number or ref.alias in naming)
