"""Takes out of a model what skops has no safe form for, and writes it as its own library does.

What is taken out, and what stands for it, is told in :mod:`nbprod.formats.restoring`, which puts it back.
"""

from __future__ import annotations

import copy
from functools import partial
from pathlib import Path
from typing import Any

from nbprod.formats.restoring import LIBRARIES, MARK, replaced

__all__ = ["library_of", "separate"]

SUFFIXES = {library: suffix for suffix, library in LIBRARIES.items()}
CATBOOST = {"CatBoost", "CatBoostClassifier", "CatBoostRegressor", "CatBoostRanker"}
CATBOOST_CORE = {"_object", "_init_params", "_canonized_params"}  # in the dump, or the parameters


def separate(model: Any, folder: Path) -> Any:
    """The model with marks instead of such parts, whose dumps are written into a folder; the model stays as it is.

    Parameters
    ----------
    model
        Fitted.
    folder
        Gets ``trees-0.ubj``, ``trees-1.txt`` and so on.
    """
    found: dict[int, Any] = {}

    def look(value: Any) -> Any:
        if _kind(value):
            found.setdefault(id(value), value)
        return value

    replaced(model, look)
    if not found:
        return model
    marks = {key: _taken(value, folder, number) for number, (key, value) in enumerate(found.items())}
    # deepcopy gives for every object in its memo what stands there
    return copy.deepcopy(model, marks)


def library_of(model: Any) -> str:
    """``catboost``, ``lightgbm`` or ``xgboost`` for an estimator of these; else empty."""
    root = type(model).__module__.partition(".")[0]
    return root if root in SUFFIXES else ""


def _kind(value: Any) -> str:
    """What kind of part an object is; empty for most. Nothing is imported to find out."""
    if isinstance(value, partial):
        from sklearn.utils import check_array  # delayed: a model that holds a partial has imported it

        return "check_array" if value.func is check_array and not value.args else ""
    library, name = library_of(value), type(value).__name__
    if name in {"rv_continuous_frozen", "rv_discrete_frozen"} and type(value).__module__.startswith("scipy.stats."):
        return "distribution"
    if library == "catboost":
        return library if name in CATBOOST else ""
    return library if library and name == "Booster" else ""


def _taken(value: Any, folder: Path, number: int) -> dict[str, Any]:
    kind = _kind(value)
    if kind == "check_array":
        return {MARK: kind, "keywords": dict(value.keywords)}
    if kind == "distribution":
        return {MARK: kind, "name": value.dist.name, "arguments": list(value.args), "keywords": dict(value.kwds)}
    if kind == "catboost":
        return _catboost(value, folder / f"trees-{number}.{SUFFIXES[kind]}")
    path = folder / f"trees-{number}.{SUFFIXES[kind]}"
    mark = {MARK: kind, "file": path.name}
    if kind == "xgboost":
        path.write_bytes(value.save_raw("ubj"))
        return mark
    path.write_text(value.model_to_string(num_iteration=-1), encoding="utf-8")
    return {**mark, "best_iteration": value.best_iteration}


def _catboost(model: Any, path: Path) -> dict[str, Any]:
    """The whole estimator, which is its own trees; one that others copy to fit it has none."""
    mark = {MARK: "catboost", "class": type(model).__name__, "parameters": model.get_params(deep=False)}
    if model.is_fitted():
        model.save_model(str(path), format="cbm")
        mark["file"] = path.name
        mark["attributes"] = {name: one for name, one in vars(model).items() if name not in CATBOOST_CORE}
    return copy.deepcopy(mark)
