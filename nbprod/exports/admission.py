"""Takes the version that a container brings into the container's own workspace, as the ledger it left has it.

Model and number stay, so that a prediction made there names the same version as here. Repeated, it changes nothing; a
container of a later version on the same volume moves the alias.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbprod.clock import now
from nbprod.deployments import Deployments
from nbprod.domain.package import ModelPackage
from nbprod.domain.version import Alias, Approval, ModelVersion, RegisteredModel
from nbprod.errors import ConflictError, NotFoundError, PackageError
from nbprod.models import Models
from nbprod.packages import Packages
from nbprod.store import Store

__all__ = ["Admission"]

ALIAS = "champion"


@dataclass(frozen=True, kw_only=True)
class Admission:
    """The services of the workspace that takes a version in."""

    store: Store
    packages: Packages
    models: Models
    deployments: Deployments

    def admit(self, home: Path) -> str:
        """Take in what lies in a folder of ``export docker``, and have it blessed here; return the deployment's name.

        Raises
        ------
        PackageError
            A file differs from what was exported.
        RefusedError
            The golden values differ in this environment.
        ConflictError
            The workspace knows another package by this version's name.
        """
        said = _read(home / "model.json")
        package = self.packages.import_(home / "package", digest=said["package"])
        version = self._enter(said, package)
        if version.blessed_at is None:
            self.models.bless(version)
        self._promote(version)
        try:
            deployment = self.deployments.get(version.model)
        except NotFoundError:
            deployment = self.deployments.create(
                version.model, model=f"{version.model}@{ALIAS}", private=said["private"]
            )
        return deployment.name

    def _enter(self, said: Mapping[str, Any], package: ModelPackage) -> ModelVersion:
        version = ModelVersion(
            model=said["model"],
            number=said["number"],
            package=package.digest,
            run_id=None,
            registered_at=now(),
            registered_by=said["registered_by"],
            approval=Approval(said["approval"]),
            note=said["note"],
        )
        with self.store.write() as session:
            known = session.find(ModelVersion, version.model, version.number)
            if known is None:
                if session.find(RegisteredModel, version.model) is None:
                    session.add(RegisteredModel(name=version.model, created_at=version.registered_at))
                session.add(version)
                reason = f"{said['approval']} where it was exported: {said['note']}"
                session.event("version.admitted", version.ref, reason=reason, evidence=[package.digest])
        if known is not None and known.package != package.digest:
            raise ConflictError(
                f"{version.ref} is package {known.package[:12]} here and {package.digest[:12]} in the container",
                hint="Give the container a volume of its own.",
            )
        return self.models.resolve(version.ref)

    def _promote(self, version: ModelVersion) -> None:
        with self.store.read() as session:
            current = session.find(Alias, version.model, ALIAS)
        if current is None or current.number != version.number:
            before = f"{current.model}/{current.number}" if current else None
            self.models.promote(version, ALIAS, expect=before, reason="the container brings it")


def _read(path: Path) -> Mapping[str, Any]:
    try:
        said: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PackageError(
            f"{path} cannot be read: {error}", hint="Write the context again: nbprod models export docker."
        ) from error
    return said
