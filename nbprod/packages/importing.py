"""Makes a sealed package of a model that was made elsewhere, described by rows of an example."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nbprod import formats
from nbprod.clock import now
from nbprod.datasets.schema import infer_schema
from nbprod.errors import DataError, PackageError, SchemaError
from nbprod.formats.onnx_session import OnnxModel
from nbprod.packages.foreign import ForeignModel
from nbprod.packages.loader import outputs
from nbprod.packages.staged import StagedModel

__all__ = ["Elsewhere", "stage"]


@dataclass(frozen=True, kw_only=True)
class Elsewhere:
    """What takes the place of the run of a model that no run here has trained."""

    template: str  #: name of the file or folder it came from
    template_digest: str  #: SHA-256 of that
    data: Mapping[str, str]  #: fingerprint of the example
    id: None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    git: str | None = None
    environment: str | None = None
    created_at: datetime = field(default_factory=now)
    ended_at: None = None


def stage(
    found: ForeignModel,
    example: pd.DataFrame,
    folder: Path,
    *,
    target: str,
    trusted: Sequence[str] = (),
    private: Sequence[str] = (),
) -> StagedModel:
    """Write a foreign model into a folder as a run would have left it, read it back, and describe it.

    Parameters
    ----------
    found
        The model.
    example
        Rows it was not trained on: its columns, and the true values.
    folder
        Empty; the model's files go there.
    target
        The column of true values.
    trusted
        Full names of types to trust beside the usual.
    private
        Columns whose values are not kept.

    Raises
    ------
    DataError
        The example has no rows, or the model cannot predict them.
    SchemaError
        A column of the model, or the target, is not in the example.
    PackageError
        The model cannot be written without a pickle, or predicts otherwise when it is read again.
    """
    if example.empty:
        raise DataError("The example has no rows", hint="A hundred rows or more make a useful reference.")
    if target not in example:
        raise SchemaError(
            f"The example has no column {target!r} with the true values",
            columns=[target],
            hint=f"Name it: --target COLUMN. Its columns: {', '.join(map(str, example.columns[:12]))}.",
        )
    inputs = _inputs(found, example.drop(columns=target))
    truth = example[target]
    model = found.model if found.model is not None else _open_onnx(found, inputs, truth)
    task = "classification" if getattr(model, "classes_", None) is not None else "regression"
    classes = [_plain(one) for one in getattr(model, "classes_", ())]
    if (
        strange := sorted({str(one) for one in truth.dropna().unique()} - {str(one) for one in classes})
        if classes
        else []
    ):
        raise DataError(
            f"{target} holds {strange[0]!r}, which is no class of the model ({', '.join(map(str, classes[:6]))})",
            hint="Give the column the model predicts, with its words.",
        )
    probabilistic = task == "classification" and hasattr(model, "predict_proba") and _gives_shares(model)
    schema = infer_schema(
        inputs, target=target, task=task, classes=classes, probabilistic=probabilistic, private=private
    )
    try:
        made = outputs(model, inputs, {"task": task, "classes": schema.classes, "probabilistic": probabilistic})
    except Exception as error:  # whatever a model of somebody else raises
        raise DataError(
            f"The model cannot predict the example: {type(error).__name__}: {error}",
            hint="Give the columns it was trained on, with values of the same kind.",
        ) from error
    name = "onnx" if isinstance(model, OnnxModel) else formats.format_of(model)
    formats.get(name).write(model, folder, trusted=trusted)
    _, again = formats.read_written(name, folder, trusted=trusted)
    reference = pd.concat([inputs, truth, made], axis=1)
    return StagedModel(
        folder=folder, format=name, model=again, schema=schema, reference=reference, private=tuple(private), info={}
    )


def _inputs(found: ForeignModel, example: pd.DataFrame) -> pd.DataFrame:
    if missing := [name for name in found.columns if name not in example]:
        raise SchemaError(
            f"The model takes {', '.join(missing[:5])}, which the example does not have",
            columns=missing,
            hint=f"Its columns: {', '.join(map(str, example.columns[:12]))}.",
        )
    inputs = example[list(found.columns)] if found.columns else example
    wanted = getattr(found.model, "n_features_in_", inputs.shape[1])
    if wanted != inputs.shape[1]:
        raise SchemaError(
            f"The model takes {wanted} columns without names; the example has {inputs.shape[1]} beside the target",
            hint="Give these columns alone, in the order of training.",
        )
    whole = [name for name in inputs if name in found.numeric and pd.api.types.is_integer_dtype(inputs[name])]
    return inputs.astype(dict.fromkeys(whole, "float64"))


def _open_onnx(found: ForeignModel, inputs: pd.DataFrame, truth: pd.Series[Any]) -> OnnxModel:
    """With the classes the file names, or those of the target where the file gives as many probabilities."""
    columns = [str(name) for name in inputs]
    probe = OnnxModel(found.onnx, {"columns": columns, "classes": [], "probabilities": False})
    try:
        answers = probe._run(inputs.head(1))  # noqa: SLF001 — what the file gives is found by asking it
    except Exception as error:  # the runtime has a tree of errors of its own
        raise DataError(
            f"{found.source} cannot predict the example: {error}", hint="Give the columns it was made with."
        ) from error
    is_label = np.asarray(answers[0]).dtype.kind in "OUSib"
    shares = answers[1] if len(answers) > 1 else None
    if not is_label:
        return probe
    classes = _classes(found.onnx) or sorted({_plain(one) for one in truth.dropna().unique()})
    if isinstance(shares, list):
        classes = list(shares[0])
    elif shares is not None and np.asarray(shares).reshape(1, -1).shape[1] != len(classes):
        raise PackageError(
            f"{found.source} gives {np.asarray(shares).size} probabilities, and its classes are not known",
            hint="Give an example whose target has every class.",
        )
    return OnnxModel(found.onnx, {"columns": columns, "classes": classes, "probabilities": shares is not None})


def _classes(content: bytes) -> list[Any]:
    """The classes a classifier's node names."""
    import onnx  # delayed: an extra

    for node in onnx.load_from_string(content).graph.node:
        for one in node.attribute:
            if one.name in {"classlabels_strings", "classlabels_ints", "classlabels_int64s"}:
                return [each.decode() for each in one.strings] or list(one.ints)
    return []


def _gives_shares(model: Any) -> bool:
    return bool(model.about["probabilities"]) if isinstance(model, OnnxModel) else True


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
