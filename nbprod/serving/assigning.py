"""What the ledger says is to be served now."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from nbprod.clock import now
from nbprod.domain.deployment import Deployment
from nbprod.domain.rollout import Rollout, RolloutAnalysis, RolloutStatus
from nbprod.domain.rollout_verdict import verdict_of
from nbprod.domain.token import Token
from nbprod.domain.version import ModelVersion
from nbprod.errors import RefusedError
from nbprod.packages import Packages
from nbprod.serving.assignment import AccessToken, Arm, Assignment, Routing
from nbprod.settings import Settings
from nbprod.store import Store

__all__ = ["read_assignment"]


def read_assignment(
    store: Store, packages: Packages, resolve: Callable[[str], ModelVersion], settings: Settings, name: str
) -> Assignment:
    """The version a deployment names, its policies, and the tokens that are valid.

    Raises
    ------
    NotFoundError
        There is no such deployment.
    RefusedError
        It is external: its model is elsewhere.
    StoreError
        The ledger cannot be read.
    """
    with store.read() as session:
        deployment = session.get(Deployment, name)
        newest = session.list(Rollout, {"deployment": name}, limit=1)
        analyses = session.list(RolloutAnalysis, {"rollout": newest[0].id}, limit=1) if newest else []
        tokens = session.list(Token, limit=None)
    if deployment.model is None:
        raise RefusedError(
            f"{name} is an external deployment: nbprod does not have its model",
            hint=f"Hand in its predictions: nbprod predictions add {name} FILE.",
        )
    version = resolve(deployment.model)
    at = now()
    rollout = newest[0] if newest and newest[0].keeps_previous_at(at) else None
    if rollout is not None and rollout.status is RolloutStatus.ROLLED_BACK:
        rollout = None
    private = tuple(dict.fromkeys([*deployment.private, *settings.private_columns]))
    stable = version if rollout is None else resolve(rollout.stable)
    candidate = None if rollout is None else _arm(packages, resolve(rollout.candidate), "candidate")
    # while nobody is given its answers, a candidate has no place in a process that gives answers
    is_hidden = rollout is not None and rollout.is_open and rollout.current.share == 0
    is_beside = rollout is not None and rollout.has_shadow_at(at) and not private
    valid = (token for token in tokens if token.revoked_at is None)
    return Assignment(
        deployment=name,
        arms=(_arm(packages, stable, "stable"), *([candidate] if candidate and not is_hidden else [])),
        shadow=candidate if is_beside else None,
        routing=_routing(rollout, at) if rollout is not None else None,
        verdict=verdict_of(newest[0], analyses[0] if analyses else None) if newest else None,
        unseen=deployment.unseen,
        review=deployment.review,
        durable=settings["serve.durable"],
        private=private,
        trusted=tuple(settings["packages.trusted"]),
        tokens=tuple(AccessToken(id=token.id, digest=token.digest, scopes=token.scopes) for token in valid),
        is_open=not tokens,  # one that was revoked does not open what it closed
    )


def _arm(packages: Packages, version: ModelVersion, name: str) -> Arm:
    folder = str(packages.folder(version.package))
    return Arm(version=version.ref, digest=version.package, folder=folder, name=name)


def _routing(rollout: Rollout, at: datetime) -> Routing:
    """The share of a candidate and its end: that of the lease while it is open, that of the holdback afterwards."""
    promoted = rollout.status is RolloutStatus.PROMOTED
    until = rollout.previous_until if promoted else rollout.lease_until
    share = rollout.share_at(at)
    return Routing(
        rollout=rollout.id,
        salt=rollout.salt,
        share=share,
        until_us=None if promoted or until is None else round(until.timestamp() * 1e6),
        step=str(rollout.step),
    )
