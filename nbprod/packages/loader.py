"""Loads this model package in any process that has skops and pandas; MLflow imports it as its loader module.

It needs no nbprod: a copy of this file lies in each package, under a name that holds the digest of what is packaged.
It compares every file with the manifest first, then constructs the model from types its own list trusts and nothing
else; further ones are named by whoever loads, in ``NBPROD_TRUSTED_TYPES`` with commas between them. Modules of the
author that travel with the model are run: who loads a model by MLflow runs the code in it, as this file.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

TRUSTED: tuple[str, ...] = ()  # filled in when the package is made


class Predictor:
    """The model of this package, behind the interface MLflow expects of a Python function."""

    def __init__(self, folder: Path) -> None:
        files = verified_files(folder)
        self.schema = json.loads(files["schema.json"])
        extra = [name for name in os.environ.get("NBPROD_TRUSTED_TYPES", "").split(",") if name]
        # what reads the model lies beside this file, under a name that no other package's has
        if "model/model.onnx" in files:
            session = import_module(__name__.replace("loader", "session"))
            self.model = session.open_files({name.removeprefix("model/"): data for name, data in files.items()})
            return
        restoring = import_module(__name__.replace("loader", "restoring"))
        model = {name.removeprefix("model/"): data for name, data in files.items() if name.startswith("model/")}
        below = f"code/{restoring.CODE}"
        code = {name.removeprefix("code/"): data.decode() for name, data in files.items() if name.startswith(below)}
        self.model = restoring.construct(
            model.pop("model.skops"), model, trusted=[*TRUSTED, *extra], code=restoring.import_code(code)
        )

    def predict(self, model_input: Any, params: Mapping[str, Any] | None = None) -> Any:
        """Predictions and probabilities as a data frame; parameters are not used."""
        del params
        return outputs(self.model, as_trained(model_input, self.schema["columns"]), self.schema)


def _load_pyfunc(path: str) -> Predictor:
    return Predictor(Path(path))


def verified_files(folder: Path) -> dict[str, bytes]:
    """The bytes of every file, compared with the manifest; MLflow may have added its note on the registry."""
    manifest = json.loads((folder / "manifest.json").read_bytes())["files"]
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}
    wrong = found ^ ({*manifest, "manifest.json"} | (found & {"registered_model_meta"}))
    files = {name: (folder / name).read_bytes() for name in manifest if name in found}
    wrong |= {name for name, data in files.items() if hashlib.sha256(data).hexdigest() != manifest[name]["sha256"]}
    if wrong:
        raise RuntimeError(f"The model package {folder} was changed: {', '.join(sorted(wrong))}. Nothing was loaded.")
    return files


def as_trained(frame: Any, columns: Any) -> Any:
    """The model's columns in its order, with the dtypes it was trained on where they matter."""
    import pandas as pd

    frame = frame[[column["name"] for column in columns]].copy()
    for column in columns:
        name, dtype = column["name"], column["dtype"]
        if dtype == "category":
            unseen = sorted(set(frame[name].dropna()) - set(column["categories"]))
            frame[name] = frame[name].astype(pd.CategoricalDtype([*column["categories"], *unseen]))
        elif dtype == "float32" or (dtype.startswith(("int", "uint")) and not frame[name].isna().any()):
            frame[name] = frame[name].astype(dtype)
        elif dtype.startswith("datetime64"):
            moments = pd.to_datetime(frame[name], utc=True)
            frame[name] = moments if "," in dtype else moments.dt.tz_localize(None)
    return frame


def outputs(model: Any, frame: Any, schema: Mapping[str, Any]) -> Any:
    """A column ``prediction``; of a probabilistic classifier also the positive class's, or each class's, probability.

    Parameters
    ----------
    model
        A fitted scikit-learn estimator.
    frame
        The model's columns in its order.
    schema
        ``task``, ``classes`` and ``probabilistic`` of the package's schema.
    """
    import pandas as pd

    names = [f"probability_{name}" for name in schema["classes"]]
    if not len(frame):  # scikit-learn refuses no rows
        given = (["probability"] if len(names) == 2 else names) if schema["probabilistic"] else []
        return pd.DataFrame({"prediction": [], **{name: [] for name in given}}, index=frame.index)
    # an estimator that never saw names warns when it is given some
    values = frame if _takes_names(model) else _nameless(frame)
    made = {"prediction": model.predict(values)}
    if schema["probabilistic"]:
        probabilities = model.predict_proba(values)
        if len(names) == 2:
            made["probability"] = probabilities[:, 1]
        else:
            made.update(zip(names, probabilities.T, strict=True))
    return pd.DataFrame(made, index=frame.index)


def _takes_names(model: Any) -> bool:
    """Whether a model was fitted on named columns, or is of a kind that does not say and may ask for them."""
    if getattr(model, "feature_names_in_", None) is not None:
        return True
    first = next((step for _, step in getattr(model, "steps", ()) if hasattr(step, "fit")), None)
    if first is not None:
        return _takes_names(first)
    root = type(model).__module__.partition(".")[0]
    if root == "catboost":  # columns without names are numbered
        return list(model.feature_names_) != [str(number) for number in range(len(model.feature_names_))]
    return root not in {"lightgbm", "nbprod", "sklearn", "xgboost"}


def _nameless(frame: Any) -> Any:
    return frame.to_numpy() if all(dtype.kind in "biuf" for dtype in frame.dtypes) else frame
