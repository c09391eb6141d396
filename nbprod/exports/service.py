"""The exports of a workspace: finds the version, verifies its package, and hands both to the target."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from nbprod.disk import publish_folder, reporting_os_errors, write_file
from nbprod.domain.schema import Schema
from nbprod.domain.version import Approval, ModelRef, ModelVersion
from nbprod.errors import ConflictError, RefusedError
from nbprod.exports.origin import Origin
from nbprod.models import Models
from nbprod.packages import Packages

if TYPE_CHECKING:
    from nbprod.exports.mlflow import MlflowExport
    from nbprod.exports.onnx import OnnxCertificate
    from nbprod.exports.pods import Running

__all__ = ["Exports"]


class Exports:
    """Writes versions for other places to run; reached as ``ws.exports``.

    Parameters
    ----------
    models
        Resolves versions and knows their aliases.
    packages
        Verifies and loads.
    """

    def __init__(self, models: Models, packages: Packages) -> None:
        self._models = models
        self._packages = packages

    def docker(self, version: ModelVersion | str, folder: Path | str, *, lock: Path | str | None = None) -> Path:
        """Write a build context into a folder that does not exist yet.

        Parameters
        ----------
        version
            ``electricity/2``, ``electricity@champion``, or ``electricity`` for its champion.
        folder
            Becomes the context, whole or not at all.
        lock
            A lock with hashes to take them from, as ``uv pip compile --generate-hashes`` writes it. Where it has all
            versions, the image installs files with these hashes alone.

        Raises
        ------
        RefusedError
            The version is not approved, or its package holds a pickle.
        ConflictError
            The folder exists.
        EnvironmentProblem
            The version of something it needs is not known.
        """
        from nbprod.exports.docker import context_files  # delayed: only needed here

        with reporting_os_errors(f"reading {lock}"):
            hashed = Path(lock).read_text(encoding="utf-8") if lock is not None else ""
        return _write(context_files(self._approved(version), hashed), Path(folder))

    def kubernetes(self, version: ModelVersion | str, folder: Path | str, running: Running) -> list[Path]:
        """Write Deployment, Service and HorizontalPodAutoscaler of an image; older files of these names are replaced.

        Raises
        ------
        RefusedError
            The version is not approved, or its package holds a pickle.
        """
        from nbprod.exports.kubernetes import manifest_files  # delayed: only needed here

        return self._manifests(version, folder, lambda origin: manifest_files(origin, running))

    def kserve(self, version: ModelVersion | str, folder: Path | str, running: Running) -> list[Path]:
        """Write the InferenceService of an image; an older file of this name is replaced.

        Raises
        ------
        RefusedError
            The version is not approved, or its package holds a pickle.
        """
        from nbprod.exports.kserve import manifest_files  # delayed: only needed here

        return self._manifests(version, folder, lambda origin: manifest_files(origin, running))

    def onnx(self, version: ModelVersion | str, path: Path | str) -> OnnxCertificate:
        """Write a version as an ONNX file, and its certificate as JSON beside it.

        Parameters
        ----------
        version
            As of `docker`; it need not be approved.
        path
            The file, ``electricity.onnx`` say; an older one is replaced. The certificate has the same name with the
            suffix ``.certificate.json``.

        Raises
        ------
        RefusedError
            The model has no form in ONNX, or that form answers otherwise too often; nothing was written.
        EnvironmentProblem
            The extra ``onnx`` is not installed.
        """
        from nbprod.exports.onnx import convert  # delayed: pandas, and an extra

        origin = self.origin(version)
        content, certificate = convert(origin, self._packages.load(origin.version.package))
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        write_file(target, content)
        write_file(target.with_suffix(".certificate.json"), certificate.to_json())
        return certificate

    def mlflow(self, version: ModelVersion | str, to: str, *, experiment: str | None = None) -> MlflowExport:
        """Write a version with its run, notebook and aliases to an MLflow server; repeated, it duplicates nothing.

        Parameters
        ----------
        version
            As of `docker`; it need not be approved, its approval is a tag.
        to
            Tracking URI: ``http://127.0.0.1:5000``.
        experiment
            Its name; by default the model's.

        Raises
        ------
        StoreError
            The server cannot be reached, or refuses.
        EnvironmentProblem
            The extra ``mlflow`` is not installed.
        """
        from nbprod.exports.mlflow import push  # delayed: only needed here

        origin = self.origin(version)
        known = {alias.name for alias in self._models.aliases(origin.version.model)}
        return push(origin, to, known_aliases=known, experiment=experiment)

    def mlflow_all(self, model: str, to: str, *, experiment: str | None = None) -> list[MlflowExport]:
        """Write every version of a model, oldest first, so that they are numbered alike where the server has none."""
        versions = reversed(self._models.list(model, limit=None))
        return [self.mlflow(version, to, experiment=experiment) for version in versions]

    def origin(self, version: ModelVersion | str) -> Origin:
        """A version with its verified package.

        Raises
        ------
        NotFoundError
            There is no such version.
        PackageError
            The package was changed.
        """
        found = self._resolve(version)
        sealed = self._packages.verify(found.package)
        names = [
            alias.name
            for alias in self._models.aliases(found.model)
            if (alias.model, alias.number) == (found.model, found.number)
        ]
        return Origin(
            version=found,
            sealed=sealed,
            schema=Schema.from_json(sealed.read("schema.json").decode()),
            metadata=json.loads(sealed.read("nbprod.json")),
            aliases=tuple(sorted(names)),
            trusted=self._packages.trusted(found.package),
        )

    def _resolve(self, version: ModelVersion | str) -> ModelVersion:
        """What is meant; a model's name alone means its champion, where there is one."""
        if isinstance(version, str) and not {"/", "@"} & set(version):
            name = ModelRef.parse(version).model
            if champion := self._models.find(f"{name}@champion"):
                return champion
        return self._models.resolve(version)

    def _approved(self, version: ModelVersion | str) -> Origin:
        origin = self.origin(version)
        found = origin.version
        if found.approval is not Approval.APPROVED:
            raise RefusedError(
                f"{found.ref} is {found.approval}, so it is not written to be served elsewhere",
                hint=f"Approve it first: nbprod models approve {found.ref} --note WHY.",
            )
        return origin

    def _manifests(
        self, version: ModelVersion | str, folder: Path | str, made: Callable[[Origin], Mapping[str, bytes]]
    ) -> list[Path]:
        files = made(self._approved(version))
        target = Path(folder)
        target.mkdir(parents=True, exist_ok=True)
        return [write_file(target / name, content) for name, content in files.items()]

    def __repr__(self) -> str:
        return f"<Exports of {self._packages!r}>"


def _write(files: Mapping[str, bytes], target: Path) -> Path:
    """Write files into a new folder, whole or not at all."""
    if target.exists() or target.is_symlink():
        raise ConflictError(f"{target} exists already; nothing was changed", hint="Choose another name.")
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.part")
    temporary.mkdir(mode=0o700)
    try:
        for name, content in files.items():
            path = temporary / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return publish_folder(temporary, target)
    finally:
        if temporary.exists():
            shutil.rmtree(temporary, ignore_errors=True)
