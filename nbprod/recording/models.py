"""``save_model``: puts a fitted model, and the rows a package is made from, into the run's folder."""

from __future__ import annotations

import json
import platform
import shutil
import tempfile
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbprod.disk import publish_folder, write_file
from nbprod.domain.markup import card
from nbprod.domain.names import check_name
from nbprod.domain.numbers import number
from nbprod.errors import DataError, PackageError
from nbprod.recording.blobs import Blobs
from nbprod.recording.context import RunContext, current, trusted_names
from nbprod.recording.encoding import encode
from nbprod.recording.results import Display, publish
from nbprod.recording.rows import (
    as_frame,
    as_target,
    check_columns,
    even_sample,
    mask_private,
    split_reference,
    times_of,
    union_of_rows,
)

if TYPE_CHECKING:  # at run time pandas is imported when a model is saved
    import pandas as pd

__all__ = ["save_model"]

LIBRARIES = ("nbprod", "scikit-learn", "numpy", "scipy", "pandas", "skops", "xgboost", "lightgbm", "catboost")
CHECKED_ROWS = 64  #: predicted by what was written, before a run ends


def save_model(
    model: Any,
    *,
    inputs: Any,
    target: Any,
    predictions: Any = None,
    task: str | None = None,
    name: str = "model",
    reference: Any = None,
    time: Any = None,
    metrics: Mapping[str, float] | None = None,
) -> None:
    """Keep a fitted model with the rows that describe it, so that the run can become a package.

    Run by hand, everything is checked and shown, and nothing is kept.

    Parameters
    ----------
    model
        A fitted estimator with the interface of scikit-learn.
    inputs
        Rows the model was not trained on, as ``predict`` takes them: a frame with named columns, or an array.
    target
        The true values of these rows; a series' name is the target's name.
    predictions
        What was predicted for the reference (the inputs, without one): values, or a frame with a column
        ``prediction`` and columns of probabilities. Asked of the model where it is not given. A model that has
        learned from these rows since must be saved with what was predicted before: later data are compared with it.
    task
        ``classification`` or ``regression``; by default what the model is.
    name
        The folder below the run's ``files/``; a package is made of ``model``.
    reference
        Other rows that later data are compared with: a frame with the inputs' columns and the target's. By default
        the inputs.
    time
        When each row happened: the name of a column, or the moments. It need not be an input of the model.
    metrics
        Numbers to record with the model.

    Raises
    ------
    DataError
        The rows do not fit together or the model cannot predict them.
    PackageError
        The model cannot be written so that another process can read it; what building a package would refuse is
        refused here.
    StoreError
        The run's folder cannot be written.
    """
    check_name(name, "name of a model")
    context = current()
    private = context.private if context else frozenset()
    frame = as_frame(inputs)
    truth = as_target(target, frame)
    check_columns(frame, str(truth.name), private)
    times = times_of(time, frame, reference)
    if task is None:
        task = "classification" if hasattr(model, "classes_") else "regression"
    if task not in {"classification", "regression"}:
        raise DataError(f"{task!r} is no task", hint="It is classification or regression.")
    rows, answers = (frame, truth) if reference is None else split_reference(reference, frame, str(truth.name))
    prediction_columns = _prediction_columns(
        model, rows, predictions, is_classifier=task == "classification", like=inputs
    )
    from nbprod import formats  # delayed: imports the library of the format

    stored = mask_private(rows, private)
    if times is not None and str(times.name) not in stored and str(times.name) not in private:
        stored = stored.assign(**{str(times.name): times.to_numpy()})
    stored = stored.assign(**{str(truth.name): answers.to_numpy()}, **prediction_columns)
    import pandas as pd

    from nbprod.datasets.schema import infer_schema  # delayed: pandas

    classes = list(getattr(model, "classes_", ()))
    time_column = None if times is None or str(times.name) not in stored else str(times.name)
    schema = infer_schema(
        union_of_rows(frame, rows),  # all of them: what is kept is a sample
        target=str(truth.name),
        task=task,
        classes=classes,
        probabilistic=task == "classification" and bool(classes) and hasattr(model, "predict_proba"),
        time=time_column,
        private=private,
    )
    info = {
        "name": name,
        "format": formats.format_of(model),
        "task": task,
        "target": str(truth.name),
        "time": schema.time,
        "features": [{"name": str(label), "dtype": str(dtype)} for label, dtype in frame.dtypes.items()],
        "classes": list(schema.classes),
        "schema": schema.to_json(),
        "estimator": f"{type(model).__module__}.{type(model).__qualname__}",
        "outputs": list(prediction_columns),
        "asked": predictions is None,  # of this very model, so that a package can hold it to them
        "rows": len(stored),
        "private": sorted(private & set(rows.columns)),
        "metrics": {key: float(value) for key, value in (metrics or {}).items()},
        "python": platform.python_version(),
        "versions": {library: found for library in LIBRARIES if (found := _version(library))},
    }
    sampled = rows.iloc[:CHECKED_ROWS]
    sample = sampled if isinstance(inputs, pd.DataFrame) else sampled.to_numpy()
    tables = {
        "inputs": mask_private(even_sample(frame), private),
        "target": even_sample(truth.to_frame()),
        "reference": stored,
    }
    with tempfile.TemporaryDirectory(
        prefix="nbprod-model-"
    ) as nowhere:  # by hand everything is checked, nothing kept
        _write(context.files if context else Path(nowhere), name, model, tables, info, sample)
    _show(name, info, metrics or {}, context)


def _prediction_columns(
    model: Any, rows: pd.DataFrame, given: Any, *, is_classifier: bool, like: Any
) -> dict[str, Any]:
    """The columns a prediction has: ``prediction``; of a classifier with probabilities also those."""
    import numpy as np
    import pandas as pd

    if not hasattr(model, "predict"):
        raise DataError(
            f"A {type(model).__name__} has no predict, so it is no model to keep",
            hint="Give a fitted estimator; other objects can be recorded.",
        )
    if isinstance(given, pd.DataFrame):
        columns = {str(label): given[label].to_numpy() for label in given.columns}
        if "prediction" not in columns:
            raise DataError("predictions has no column 'prediction'", hint="Name it so, or give the values alone.")
    else:
        inputs = rows if isinstance(like, pd.DataFrame) else rows.to_numpy()
        columns = {"prediction": _predict(model, "predict", inputs) if given is None else np.asarray(given)}
        classes = [str(one) for one in getattr(model, "classes_", ())]
        if is_classifier and classes and hasattr(model, "predict_proba"):
            probabilities = _predict(model, "predict_proba", inputs)
            if len(classes) == 2:
                columns["probability"] = probabilities[:, 1]
            else:
                columns |= {f"probability_{label}": probabilities[:, number] for number, label in enumerate(classes)}
    if (shape := np.shape(columns["prediction"]))[1:] not in {(), (1,)}:
        raise DataError(
            f"The model predicts {shape[1]} targets at once; one that is kept predicts one",
            hint="Train a model for each target, and save each under a name= of its own.",
        )
    for label, values in columns.items():
        if values.shape != (len(rows),):
            raise DataError(f"There are {len(rows):,} rows and {label} has the shape {values.shape}")
    return columns


def _predict(model: Any, method: str, rows: Any) -> Any:
    import numpy as np

    try:
        return np.asarray(getattr(model, method)(rows))
    except Exception as error:  # whatever a model of somebody else raises
        raise DataError(
            f"The model cannot {method.replace('_proba', '')} these inputs: {type(error).__name__}: {error}",
            hint="Fit it first, and give inputs as it was fitted on.",
        ) from error


def _version(library: str) -> str | None:
    try:
        return version(library)
    except PackageNotFoundError:
        return None


def _write(
    folder: Path, name: str, model: Any, tables: Mapping[str, pd.DataFrame], info: Mapping[str, Any], sample: Any
) -> None:
    """Write everything beside its place and read it back, then move it there whole."""
    from nbprod import formats  # delayed: imports the library of the format

    staging = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=folder))
    old = staging.with_name(f"{staging.name}-old")
    try:
        trusted = trusted_names()
        formats.get(info["format"]).write(model, staging, trusted=trusted)
        _, restored = formats.read_written(info["format"], staging, trusted=trusted)
        _check_equal(model, restored, sample)
        for label, table in tables.items():
            try:
                table.to_parquet(staging / f"{label}.parquet", index=False)
            except (ValueError, TypeError, NotImplementedError) as error:  # Arrow's errors are ValueErrors
                raise DataError(
                    f"The {label} rows cannot be kept: {error}", hint="Give each column values of one type."
                ) from error
        write_file(staging / "model.json", json.dumps(info, indent=1, allow_nan=True, default=str))
        target = folder / name
        if target.exists():  # saved again: the later one counts
            target.rename(old)
        publish_folder(staging, target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def _check_equal(model: Any, restored: Any, sample: Any) -> None:
    """Refuse a model that does not predict the same after it was written and read."""
    import numpy as np

    methods = ("predict", *(("predict_proba",) if hasattr(model, "predict_proba") else ()))
    for method in methods:
        before, after = _predict(model, method, sample), _predict(restored, method, sample)
        if before.dtype.kind == after.dtype.kind == "f":  # libraries may add in another order
            is_same = np.allclose(before, after, rtol=1e-6, atol=1e-9, equal_nan=True)
        else:
            is_same = np.array_equal(before, after)
        if not is_same:
            raise PackageError(
                f"{type(model).__name__} gives other answers to {method} after it was written and read again",
                hint="It answers at random, or keeps something outside of its attributes; give it a random_state.",
            )


def _show(name: str, info: Mapping[str, Any], metrics: Mapping[str, float], context: RunContext | None) -> None:
    where = f"files/{name}" if context is not None else "not kept: this notebook is run by hand"
    rows = [
        ("estimator", info["estimator"]),
        ("task", f"{info['task']} of {info['target']}"),
        ("inputs", f"{len(info['features'])} columns, {info['rows']:,} rows"),
        *((key, number(value)) for key, value in info["metrics"].items()),
        ("kept in", where),
    ]
    nodes = [{"name": name, "value": {"type": "model", "value": encode(dict(info), Blobs())}}]
    nodes += [{"name": key, "value": encode(float(value), Blobs())} for key, value in metrics.items()]
    text = "\n".join([f"Model {name}", *(f"  {key}: {value}" for key, value in rows)])
    publish([Display(nodes=nodes, text=text, html=card(f"Model {name}", rows))])
