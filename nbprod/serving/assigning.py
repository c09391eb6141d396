"""What the ledger says is to be served now."""

from __future__ import annotations

from collections.abc import Callable

from nbprod.domain.deployment import Deployment
from nbprod.domain.token import Token
from nbprod.domain.version import ModelVersion
from nbprod.errors import RefusedError
from nbprod.packages import Packages
from nbprod.serving.assignment import AccessToken, Arm, Assignment
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
        tokens = session.list(Token, limit=None)
    if deployment.model is None:
        raise RefusedError(
            f"{name} is an external deployment: nbprod does not have its model",
            hint=f"Hand in its predictions: nbprod predictions add {name} FILE.",
        )
    version = resolve(deployment.model)
    arm = Arm(version=version.ref, digest=version.package, folder=str(packages.folder(version.package)))
    valid = (token for token in tokens if token.revoked_at is None)
    return Assignment(
        deployment=name,
        arms=(arm,),
        unseen=deployment.unseen,
        durable=settings["serve.durable"],
        private=tuple(dict.fromkeys([*deployment.private, *settings.private_columns])),
        trusted=tuple(settings["packages.trusted"]),
        tokens=tuple(AccessToken(id=token.id, digest=token.digest, scopes=token.scopes) for token in valid),
        is_open=not tokens,  # one that was revoked does not open what it closed
    )
