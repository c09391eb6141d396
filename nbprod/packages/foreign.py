"""Reads models that were made elsewhere: an MLflow model directory, an ONNX file, a pickled or joblib estimator.

Only data are read unless the caller accepts a pickle, which runs whatever code is in it: once, here. What is sealed
afterwards holds no pickle.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from json import loads
from pathlib import Path
from typing import Any

import yaml

from nbprod.disk import digest_folder
from nbprod.errors import EnvironmentProblem, NotFoundError, PackageError, RefusedError
from nbprod.formats.onnx_session import DTYPES
from nbprod.formats.pickled import PickleWarning
from nbprod.formats.skops import FILE as SKOPS_FILE
from nbprod.formats.skops import SkopsFormat
from nbprod.formats.trust import VERIFIED_TYPES

__all__ = ["ForeignModel", "read_foreign"]

PICKLED = {".joblib", ".pickle", ".pkl"}


@dataclass(frozen=True, kw_only=True)
class ForeignModel:
    """A model, and what its maker said of its inputs."""

    source: str  #: name of the file or folder
    digest: str  #: SHA-256 of it
    kind: str  #: ``onnx``, ``pickle``, ``mlflow``
    model: Any = None  #: an estimator; of ONNX none before its columns are known
    onnx: bytes = b""
    columns: tuple[str, ...] = ()  #: names in order, where they are known
    numeric: frozenset[str] = field(default_factory=frozenset)  #: columns that are no whole numbers, where told


def read_foreign(path: Path, *, trusted: Sequence[str] = (), allow_pickle: bool = False) -> ForeignModel:
    """Read a model that was made elsewhere.

    Raises
    ------
    NotFoundError
        There is nothing there.
    RefusedError
        It is a pickle, and nobody said that its code may run.
    UntrustedTypesError
        It is a skops file with types that are not trusted.
    PackageError
        It is none of the three, or cannot be read.
    """
    if not path.exists():
        raise NotFoundError(f"There is no file or folder {path}")
    if path.is_dir():
        return _mlflow(path, trusted, allow_pickle=allow_pickle)
    content = path.read_bytes()
    about = {"source": path.name, "digest": sha256(content).hexdigest()}
    if path.suffix == ".onnx":
        return _onnx(content, about)
    if path.suffix in PICKLED:
        return _described(_unpickled(path, allow_pickle=allow_pickle), {**about, "kind": "pickle"})
    raise PackageError(
        f"{path.name} is no model that can be imported",
        hint="Give an MLflow model directory, an .onnx file, or a .joblib, .pkl or .pickle of an estimator.",
    )


def _mlflow(folder: Path, trusted: Sequence[str], *, allow_pickle: bool) -> ForeignModel:
    try:
        said = yaml.safe_load((folder / "MLmodel").read_text(encoding="utf-8"))
        flavors: Mapping[str, Any] = said["flavors"]
    except (OSError, KeyError, TypeError, ValueError, yaml.YAMLError) as error:
        raise PackageError(
            f"{folder} is no MLflow model directory: {error}", hint="Its file MLmodel names its flavors."
        ) from error
    if "nbprod" in flavors:
        raise RefusedError(
            f"{folder} is a package of nbprod already", hint=f"Take it in as it is: nbprod packages import {folder}"
        )
    digests = digest_folder(folder)
    about = {"source": folder.name, "digest": sha256(repr(digests).encode()).hexdigest(), "kind": "mlflow"}
    if "onnx" in flavors:
        found = _onnx(_inside(folder, flavors["onnx"].get("data")).read_bytes(), about)
    elif "sklearn" in flavors:
        path = _inside(folder, flavors["sklearn"].get("pickled_model"))
        if flavors["sklearn"].get("serialization_format") == "skops":
            found = _described(_skops(path, trusted), about)
        else:
            found = _described(_unpickled(path, allow_pickle=allow_pickle), about)
    else:
        raise PackageError(
            f"{folder} has the flavors {', '.join(sorted(flavors))}; sklearn and onnx can be imported",
            hint="Log the model with mlflow.sklearn or mlflow.onnx.",
        )
    return _with_signature(found, said.get("signature"))


def _with_signature(found: ForeignModel, signature: Any) -> ForeignModel:
    """With the names and types of the inputs that MLflow wrote down."""
    try:
        inputs = [one for one in loads(signature["inputs"]) if "name" in one]
    except (KeyError, TypeError, ValueError):
        return found
    names = tuple(one["name"] for one in inputs)
    numeric = frozenset(one["name"] for one in inputs if one.get("type") in {"double", "float"})
    return ForeignModel(**{**vars(found), "columns": found.columns or names, "numeric": found.numeric | numeric})


def _inside(folder: Path, name: Any) -> Path:
    path = folder / str(name)
    if not path.resolve().is_relative_to(folder.resolve()) or not path.is_file():
        raise PackageError(f"{folder}/MLmodel names the file {name!r}, which is not in the folder")
    return path


def _skops(path: Path, trusted: Sequence[str]) -> Any:
    with tempfile.TemporaryDirectory(prefix="nbprod-import-") as private:
        (Path(private) / SKOPS_FILE).write_bytes(path.read_bytes())
        return SkopsFormat().read(Path(private), trusted=(*VERIFIED_TYPES, *trusted))


def _unpickled(path: Path, *, allow_pickle: bool) -> Any:
    if not allow_pickle:
        raise RefusedError(
            f"{path.name} is a pickle: reading it runs whatever code is in it",
            hint="If nobody else could have touched the file, say --allow-pickle (allow_pickle=True). It is read "
            "once, and sealed without a pickle.",
        )
    import joblib  # delayed: only needed here

    warnings.warn(f"{path} is a pickle: the code in it runs now.", PickleWarning, stacklevel=2)
    try:
        return joblib.load(path)
    except Exception as error:  # unpickling may raise anything
        raise PackageError(f"{path} cannot be read as a pickle: {error}") from error


def _described(model: Any, about: Mapping[str, Any]) -> ForeignModel:
    if not hasattr(model, "predict"):
        raise PackageError(
            f"{about['source']} holds a {type(model).__name__}, which has no predict",
            hint="Give a fitted estimator with the interface of scikit-learn.",
        )
    names = getattr(model, "feature_names_in_", ())
    return ForeignModel(**about, model=model, columns=tuple(map(str, names)))


def _onnx(content: bytes, about: Mapping[str, str]) -> ForeignModel:
    try:
        import onnx
        import onnxruntime
    except ImportError as error:
        raise EnvironmentProblem(f"{error.name} is not installed", hint="pip install 'nbprod[onnx]'") from error
    try:
        graph = onnx.load_from_string(content).graph
        session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    except Exception as error:  # both have trees of errors of their own
        raise PackageError(f"{about['source']} cannot be read as an ONNX model: {error}") from error
    if any(one.data_location == onnx.TensorProto.EXTERNAL for one in graph.initializer):
        raise PackageError(
            f"{about['source']} keeps weights in other files",
            hint="Save it as one file: onnx.save_model(model, path).",
        )
    inputs = session.get_inputs()
    if unknown := [one.type for one in inputs if one.type not in DTYPES]:
        raise PackageError(f"{about['source']} takes {unknown[0]}, which is no column of a table")
    is_wide = len(inputs) == 1 and len(inputs[0].shape) == 2 and inputs[0].shape[1] != 1
    columns = () if is_wide else tuple(one.name for one in inputs)
    numeric = frozenset(one.name for one in inputs if one.type in {"tensor(float)", "tensor(double)"})
    return ForeignModel(**{"kind": "onnx", **about}, onnx=content, columns=columns, numeric=numeric)
