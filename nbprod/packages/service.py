"""The packages of a workspace: built from runs, verified, blessed, carried in and out."""

from __future__ import annotations

import builtins
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbprod.clock import format_utc, now
from nbprod.domain.blessing import Blessing
from nbprod.domain.names import nearest
from nbprod.domain.package import ModelPackage
from nbprod.domain.run import Run
from nbprod.errors import ConflictError, NotFoundError, RefusedError
from nbprod.packages.sealing import Sealed, is_digest, verify_folder
from nbprod.store import Store

if TYPE_CHECKING:
    import pandas as pd

    from nbprod.compiled.certificate import Certificate
    from nbprod.packages.comparison import PackageComparison
    from nbprod.packages.loading import LoadedPackage

__all__ = ["Packages"]

SHORTEST_PREFIX = 6


class Packages:
    """The sealed model packages of one workspace.

    Parameters
    ----------
    store
        The ledger and the files.
    private
        Columns whose values never enter a package.
    trusted
        Full names of types to trust beside the list for verified packages.
    allow_pickle
        Whether packages made as pickles may be built and loaded.
    built
        Told of a run, its folder and the package that was built of it, so that the run's report can show the model.
    """

    def __init__(
        self,
        store: Store,
        *,
        private: Sequence[str] = (),
        trusted: Sequence[str] = (),
        allow_pickle: bool = False,
        built: Callable[[Run, Path, ModelPackage], None] | None = None,
    ) -> None:
        self._store = store
        self._built = built
        self._private = tuple(private)
        self._trusted = tuple(trusted)
        self._allow_pickle = allow_pickle

    def build(self, run: Run | str) -> ModelPackage:
        """Make a sealed package of the model a run saved; the same run gives the same package again.

        Raises
        ------
        RefusedError
            The run did not succeed.
        NotFoundError
            There is no such run, or it saved no model.
        PackageError
            What it saved cannot be read, or does not give the predictions it recorded.
        """
        if isinstance(run, str):
            with self._store.read() as session:
                run = session.get(Run, run)
        if not run.succeeded:
            raise RefusedError(
                f"Run {run.id} is {run.status}; only one that succeeded gives a package",
                hint=f"See what happened: nbprod runs show {run.id}",
            )
        from nbprod.packages.building import fill_folder  # delayed: pandas, scikit-learn
        from nbprod.packages.staged import read_staged

        run_folder = self._run_folder(run)
        staged = read_staged(
            run_folder, private=self._private, trusted=self._trusted, allow_pickle=self._allow_pickle
        )
        with self._store.files.staging() as folder:
            sealed = fill_folder(folder, staged, run, run_folder)
            package = self._keep(folder, sealed, run_id=run.id, event="package.built")
        if self._built is not None:
            self._built(run, run_folder, package)
        return package

    def list(self, *, limit: int | None = 50) -> builtins.list[ModelPackage]:
        """Packages, newest first."""
        with self._store.read() as session:
            return [self._here(package) for package in session.list(ModelPackage, limit=limit)]

    def get(self, package: ModelPackage | str) -> ModelPackage:
        """The package of a digest, or of its first six or more digits.

        Raises
        ------
        NotFoundError
            There is none, or there are several.
        """
        digest = package.digest if isinstance(package, ModelPackage) else package
        with self._store.read() as session:
            if is_digest(digest):
                return self._here(session.get(ModelPackage, digest))
            digests = [known.digest for known in session.list(ModelPackage, limit=None)]
            found = [known for known in digests if len(digest) >= SHORTEST_PREFIX and known.startswith(digest)]
            if len(found) == 1:
                return self._here(session.get(ModelPackage, found[0]))
        if found:
            raise NotFoundError(f"{digest!r} begins several digests", hint="Give more digits.")
        raise NotFoundError(
            f"There is no package {digest!r}",
            hint=nearest(digest, [known[:12] for known in digests])
            + f" Give a digest or at least its first {SHORTEST_PREFIX} digits.",
        )

    def folder(self, package: ModelPackage | str | Path) -> Path:
        """Where a package lies on this disk; one of an object store is fetched first.

        Parameters
        ----------
        package
            A package, a digest or its beginning, or a folder, which is returned.
        """
        if isinstance(package, Path) or (isinstance(package, str) and "/" in package):
            return Path(package)
        return self._store.files.folder(f"packages/{self.get(package).digest}")

    def trusted(self, package: ModelPackage | str | Path) -> tuple[str, ...]:
        """What is trusted in a package: the settings' names and, if it was built here, the code it brings.

        One that was imported brings somebody else's code; name its digest in the settings to trust that.
        """
        if isinstance(package, Path) or (isinstance(package, str) and "/" in package):
            folder = Path(package)
            with self._store.read() as session:
                known = session.find(ModelPackage, folder.name) if is_digest(folder.name) else None
        else:
            known = self.get(package)
        return (*self._trusted, known.digest) if known is not None and known.run_id else self._trusted

    def verify(self, package: ModelPackage | str | Path) -> Sealed:
        """Compare a package byte by byte with its manifest; nothing in it is parsed.

        Raises
        ------
        PackageError
            Naming the first file that differs.
        """
        return verify_folder(self.folder(package))

    def certificate(self, package: ModelPackage | str | Path) -> Certificate | None:
        """What the compiled model of a package was compared on; none of a package made before there were such.

        Raises
        ------
        PackageError
            A file of the package differs from its manifest.
        """
        from nbprod.compiled.certificate import CERTIFICATE, Certificate  # delayed: the room loads numpy

        sealed = self.verify(package)
        return Certificate.from_json(sealed.read(CERTIFICATE)) if CERTIFICATE in sealed.files else None

    def load(self, package: ModelPackage | str | Path) -> LoadedPackage:
        """Verify, audit and construct.

        Raises
        ------
        PackageError
            A file differs from the manifest, or the model cannot be read.
        UntrustedTypesError
            The model needs types that are not trusted.
        """
        from nbprod.packages.loading import load_package  # delayed: pandas, scikit-learn

        return load_package(self.folder(package), trusted=self.trusted(package), allow_pickle=self._allow_pickle)

    def bless(self, package: ModelPackage | str) -> Blessing:
        """Load and score the golden rows in a fresh process, and record what came out.

        Versions of the package are blessed by the latest such record.

        Raises
        ------
        RefusedError
            A value differs; the message names the column and the largest difference. The ledger keeps it.
        PackageError
            The package was changed or cannot be loaded.
        """
        from nbprod.packages.blessing import bless_folder  # delayed: only needed here

        known = self.get(package)
        blessing = bless_folder(self.folder(known), digest=known.digest, trusted=self.trusted(known))
        with self._store.write() as session:
            session.event(
                "package.blessed" if blessing.passed else "package.refused",
                known.digest,
                reason=blessing.sentence,
                data={**asdict(blessing), "blessed_at": format_utc(blessing.blessed_at)},
            )
        if not blessing.passed:
            raise RefusedError(
                f"Package {known.digest[:12]} gives other values here than where it was made: {blessing.sentence}",
                hint="Install what its requirements.txt pins, then bless it again.",
            )
        return blessing

    def predict_isolated(self, package: ModelPackage | str | Path, data: Any) -> pd.DataFrame:
        """Predict rows in a process of the package's own; see :func:`nbprod.packages.predict_isolated`."""
        from nbprod.packages.isolation import predict_isolated  # delayed: only needed here

        return predict_isolated(self.folder(package), data, trusted=self.trusted(package))

    def compare(self, first: ModelPackage | str | Path, second: ModelPackage | str | Path) -> PackageComparison:
        """What differs between two packages."""
        from nbprod.packages.comparison import compare_sealed  # delayed: only needed here

        return compare_sealed(self.verify(first), self.verify(second))

    def export(self, package: ModelPackage | str, path: Path | str) -> Path:
        """Write a verified package to a ``.tar`` file or a folder that does not exist yet.

        Raises
        ------
        ConflictError
            The path exists.
        """
        from nbprod.packages.archive import write_folder, write_tar  # delayed: only needed here

        target = Path(path)
        sealed = self.verify(package)
        return write_tar(sealed, target) if target.suffix == ".tar" else write_folder(sealed, target)

    def import_(self, path: Path | str, *, digest: str | None = None) -> ModelPackage:
        """Take in a package from a ``.tar`` file or a folder, verified.

        Parameters
        ----------
        path
            What ``export`` wrote, here or elsewhere.
        digest
            What it must be, told by somebody you trust; without it, it is what its own manifest says.

        Raises
        ------
        PackageError
            Naming the file that differs from the manifest, or the entry that may not be in an archive.
        """
        from nbprod.packages.archive import unpack, write_folder  # delayed: only needed here

        source = Path(path)
        if not source.exists():
            raise NotFoundError(f"There is no file or folder {source}")
        with self._store.files.staging() as beside:
            folder = beside / "package"
            if source.is_dir():
                write_folder(verify_folder(source, digest), folder)
            else:
                folder.mkdir()
                unpack(source, folder)
            return self._keep(folder, verify_folder(folder, digest), run_id=None, event="package.imported")

    def import_model(
        self, path: Path | str, *, example: Any, target: str, allow_pickle: bool = False
    ) -> ModelPackage:
        """Make a sealed package of a model that was made elsewhere.

        Parameters
        ----------
        path
            An MLflow model directory (flavors sklearn and onnx), an ``.onnx`` file, or a ``.joblib``, ``.pkl`` or
            ``.pickle`` of a fitted estimator.
        example
            Rows it was not trained on, with its columns and the true values: a frame, or what
            :func:`nbprod.datasets.open_dataset` opens. Schema, golden sample and reference profile are made of them.
        target
            The column of true values.
        allow_pickle
            Whether the code in a pickle may run, once; what is sealed holds none.

        Raises
        ------
        RefusedError
            It is a pickle, and nobody said that its code may run; or it is a package already.
        DataError
            The example is empty, or the model cannot predict it.
        SchemaError
            A column of the model, or the target, is not in the example.
        PackageError
            It is no such model, or cannot be written without a pickle.
        """
        from nbprod.datasets import open_dataset  # delayed, as the others: pandas, pyarrow, scikit-learn
        from nbprod.packages.building import fill_folder
        from nbprod.packages.foreign import read_foreign
        from nbprod.packages.importing import Elsewhere, stage

        found = read_foreign(Path(path), trusted=self._trusted, allow_pickle=allow_pickle)
        data = open_dataset(example)
        origin = Elsewhere(template=found.source, template_digest=found.digest, data={"example": data.fingerprint})
        with self._store.files.staging() as beside:
            written, folder = beside / "model", beside / "package"
            written.mkdir()
            folder.mkdir()
            staged = stage(found, data.frame(), written, target=target, trusted=self._trusted, private=self._private)
            sealed = fill_folder(folder, staged, origin, written)
            return self._keep(folder, sealed, run_id=None, event="package.imported")

    def _keep(self, folder: Path, sealed: Sealed, *, run_id: str | None, event: str) -> ModelPackage:
        about, metrics = json.loads(sealed.read("nbprod.json")), json.loads(sealed.read("metrics.json"))
        package = ModelPackage(
            digest=sealed.digest,
            folder=f"packages/{sealed.digest}",
            run_id=run_id,
            task=about["task"],
            format=about["format"],
            target=about["target"],
            created_at=now(),
            size_bytes=sealed.size_bytes,
            metrics=metrics,
        )
        try:
            self._store.files.publish(folder, package.folder)
        except ConflictError:  # built before: the name is the content, so it must be the same
            verify_folder(self._store.files.folder(package.folder), sealed.digest)
        with self._store.write() as session:
            known = session.find(ModelPackage, package.digest)
            if known is not None:
                return self._here(known)
            session.add(package)
            session.event(event, package.digest, evidence=[run_id] if run_id else [], data={"task": package.task})
        return self._here(package)

    def _here(self, package: ModelPackage) -> ModelPackage:
        return replace(package, folder=str(self._store.files.path(f"packages/{package.digest}")))

    def _run_folder(self, run: Run) -> Path:
        folder = Path(run.folder)
        return folder if folder.is_absolute() else self._store.files.folder(run.folder)

    def __repr__(self) -> str:
        return f"<Packages of {self._store!r}>"
