"""A package in use: verified, then audited, then constructed; the one predictor for jobs, servers and notebooks."""

from __future__ import annotations

import json
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from nbprod import formats
from nbprod.compiled import CompiledPredictor, open_compiled
from nbprod.compiled.certificate import CERTIFICATE, Certificate
from nbprod.domain.markup import card
from nbprod.domain.numbers import number
from nbprod.domain.schema import Schema
from nbprod.errors import PackageError, UntrustedTypesError
from nbprod.formats.carrying import CODE_FOLDER
from nbprod.formats.restoring import CODE
from nbprod.formats.trust import VERIFIED_TYPES
from nbprod.packages.golden import read_parquet
from nbprod.packages.loader import outputs
from nbprod.packages.rows import CheckedRows, check_rows
from nbprod.packages.sealing import Sealed, verify_folder
from nbprod.recording.context import trusted_names

if TYPE_CHECKING:
    from nbprod.statistics import Profile

__all__ = ["LoadedPackage", "load_package"]

FEW = 64  #: mappings predicted one by one


class LoadedPackage:
    """A model with everything that was sealed with it; :func:`load_package` makes it.

    Parameters
    ----------
    sealed
        The verified folder.
    model
        Constructed from its bytes.
    schema
        What it takes and gives.
    metadata
        Identity: run, template, parameters, data fingerprints, git commit.
    compiled
        The same model compiled, where it is; used where its certificate allows it.
    """

    def __init__(
        self,
        *,
        sealed: Sealed,
        model: Any,
        schema: Schema,
        metadata: Mapping[str, Any],
        compiled: CompiledPredictor | None = None,
    ) -> None:
        self.sealed = sealed
        self.model = model
        self.schema = schema
        self.metadata = metadata
        self.compiled = compiled
        self._described = {
            "task": schema.task,
            "classes": schema.classes,
            "probabilistic": schema.probabilistic,
        }

    @property
    def digest(self) -> str:
        """SHA-256 over the manifest, 64 hex digits."""
        return self.sealed.digest

    @property
    def folder(self) -> Path:
        """Where it lies."""
        return self.sealed.folder

    def check(self, rows: pd.DataFrame | Sequence[Mapping[str, Any]]) -> CheckedRows:
        """Rows as the model takes them, with warnings about what it has never seen.

        Raises
        ------
        SchemaError
            A sentence for each column that does not match.
        """
        return check_rows(rows, self.schema)

    def predict(self, rows: pd.DataFrame | Sequence[Mapping[str, Any]]) -> pd.DataFrame:
        """Check the rows and predict them.

        Parameters
        ----------
        rows
            A data frame with the schema's columns in any order, or a list of mappings.

        Returns
        -------
        pandas.DataFrame
            With the rows' index: ``prediction``; of a probabilistic classifier of two classes ``probability``, that
            of the second class; of more than two, ``probability_<class>`` for each.

        Raises
        ------
        SchemaError
            A sentence for each column that does not match.
        """
        quick = self._predict_few(rows)
        return self.predict_checked(self.check(rows).frame) if quick is None else quick

    def _predict_few(self, rows: pd.DataFrame | Sequence[Mapping[str, Any]]) -> pd.DataFrame | None:
        """A few mappings without a data frame on the way; none where the longer way has something to say."""
        if (
            self.compiled is None
            or not isinstance(rows, list)
            or not 0 < len(rows) <= FEW
            or not self.compiled.usable
        ):
            return None
        if not all(isinstance(row, Mapping) for row in rows):
            return None
        checked = [self.compiled.check(row) for row in rows]
        if any(one.problems for one in checked):
            return None
        made = [self.compiled.predict(one.values) for one in checked]
        if due := self.compiled.parity.due(len(rows)):
            self.compiled.compare(_records(self.predict_by_pipeline(self.check(rows[:due]).frame)), made[:due])
        return pd.DataFrame(made)

    def predict_checked(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Predict rows that :meth:`check` has given their form, by the compiled model where that is proven equal."""
        if self.compiled is None or not self.compiled.uses(len(frame)):
            return self.predict_by_pipeline(frame)
        made = pd.DataFrame(self.compiled.predict_columns(frame), index=frame.index)
        if due := self.compiled.parity.due(len(frame)):
            some = slice(0, due)
            self.compiled.compare(_records(self.predict_by_pipeline(frame[some])), _records(made[some]))
        return made

    def predict_by_pipeline(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Predict checked rows by the fitted pipeline itself."""
        return outputs(self.model, frame, self._described)

    def reference(self) -> pd.DataFrame:
        """Held-out rows with target, prediction and probabilities, without private columns."""
        return read_parquet(self.sealed.read("reference.parquet"))

    def golden(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Inputs, and the outputs the model must give for them."""
        rows = read_parquet(self.sealed.read("golden.parquet"))
        expected = rows[[f"expected_{name}" for name in self.schema.outputs]]
        return rows[list(self.schema.names)], expected.set_axis(list(self.schema.outputs), axis=1)

    def profile(self) -> Profile:
        """The profile of the reference, which monitors hold windows against."""
        from nbprod.statistics import Profile  # delayed: predicting does not need it

        return Profile.from_bytes(self.sealed.read("profile.bin"))

    @cached_property
    def metrics(self) -> dict[str, float]:
        """The numbers its run recorded."""
        return dict(json.loads(self.sealed.read("metrics.json")))

    @property
    def _path(self) -> str:
        if CERTIFICATE not in self.sealed.files:
            return "pipeline (packaged before models were compiled)"
        certificate = Certificate.from_json(self.sealed.read(CERTIFICATE))
        return f"{'compiled model' if certificate.passed else 'pipeline'}: {certificate.sentence}"

    def __repr__(self) -> str:
        what = f"{self.schema.task} of {self.schema.target!r}"
        return f"<LoadedPackage {self.digest[:12]} {self.metadata['model']}, {what}>"

    def _repr_html_(self) -> str:
        columns = self.schema.columns
        named = ", ".join(map(str, columns[:8])) + (f" and {len(columns) - 8} more" if len(columns) > 8 else "")
        return card(
            f"Model package {self.digest[:12]}",
            [
                ("model", self.metadata["model"]),
                ("task", f"{self.schema.task} of {self.schema.target}"),
                ("takes", named),
                ("gives", ", ".join(self.schema.outputs)),
                ("run", self.metadata["run_id"]),
                ("predicts by", self._path),
                *((name, number(value)) for name, value in list(self.metrics.items())[:5]),
            ],
        )


def load_package(
    folder: Path | str,
    *,
    digest: str | None = None,
    trusted: Sequence[str] = (),
    allow_pickle: bool = False,
) -> LoadedPackage:
    """Verify a package's folder, audit its model, then construct it.

    Parameters
    ----------
    folder
        The package.
    digest
        What it must be; by default the folder's own name, where that is a digest. Give it for a folder that came from
        elsewhere: without it the folder is only compared with the manifest inside of it.
    trusted
        Full names of types to trust beside the list for verified packages. A package that brings modules of its
        author is loaded only when its digest is among them, because their code runs then. In a run, what the
        workspace trusts counts too.
    allow_pickle
        Whether to run the code in a package that was made as a pickle.

    Raises
    ------
    PackageError
        A file differs from the manifest, or the model cannot be read.
    UntrustedTypesError
        The model needs types that are not trusted.
    """
    sealed = verify_folder(folder, digest)
    schema = Schema.from_json(sealed.read("schema.json").decode())
    metadata = json.loads(sealed.read("nbprod.json"))
    if metadata["format_version"] > 1:
        raise PackageError(
            f"{folder} is a package of format {metadata['format_version']}; this nbprod reads 1",
            hint="Use the nbprod that made it, or a newer one.",
        )
    chosen = formats.get(metadata["format"], allow_pickle=allow_pickle)
    trusted = (*VERIFIED_TYPES, *trusted, *trusted_names())
    code = _code(sealed, trusted)
    with tempfile.TemporaryDirectory(prefix="nbprod-model-") as private:
        # the parser sees a private copy of the very bytes that were compared, not the folder others can write to
        sealed.copy("model", Path(private))
        model = chosen.read(Path(private), trusted=trusted, **({"code": code} if code else {}))
    return LoadedPackage(sealed=sealed, model=model, schema=schema, metadata=metadata, compiled=_compiled(sealed))


def _code(sealed: Sealed, trusted: Sequence[str]) -> dict[str, str]:
    """The source of the author's modules by path, where the package's digest is trusted."""
    names = [name for name in sealed.files if name.startswith(f"{CODE_FOLDER}/{CODE}") and name.endswith(".py")]
    if names and sealed.digest not in trusted:
        raise UntrustedTypesError(
            f"Package {sealed.digest[:12]} runs code of its author ({', '.join(names)}), which this reader does not "
            "trust; nothing was loaded",
            types=names,
            hint="Read it; if you trust it, name its digest in trusted= or in [packages] trusted of nbprod.toml: "
            + sealed.digest,
        )
    return {name.removeprefix(f"{CODE_FOLDER}/"): sealed.read(name).decode() for name in names}


def _compiled(sealed: Sealed) -> CompiledPredictor | None:
    if CERTIFICATE not in sealed.files:  # packaged before models were compiled
        return None
    try:
        return open_compiled(sealed.read)
    except PackageError as error:  # of a later nbprod: the pipeline serves
        warnings.warn(f"{error} The pipeline is used.", stacklevel=3)
        return None


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [dict(zip(frame.columns, row, strict=True)) for row in frame.itertuples(index=False, name=None)]
