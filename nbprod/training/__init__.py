"""Train any scikit-learn estimator on any table: honestly split, beside a baseline, with intervals.

The names load on first use: a saved pipeline may need one small part of this, and no more.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbprod.training.columns import Kind, column_kinds, plain_frame
    from nbprod.training.comparison import (
        Trained,
        best_of,
        compare_models,
        cross_validated,
        fit,
        learning_curve,
        train_beside,
    )
    from nbprod.training.continuing import can_continue, continue_training, learn_on, refit
    from nbprod.training.estimators import make_estimator, read_settings, short_names
    from nbprod.training.preparation import TrainingRows, prepare
    from nbprod.training.preprocessing import make_pipeline
    from nbprod.training.splitting import Split, folds_of, split_rows
    from nbprod.training.task import infer_task, task_for

__all__ = [
    "Kind",
    "Split",
    "Trained",
    "TrainingRows",
    "best_of",
    "can_continue",
    "column_kinds",
    "compare_models",
    "continue_training",
    "cross_validated",
    "fit",
    "folds_of",
    "infer_task",
    "learn_on",
    "learning_curve",
    "make_estimator",
    "make_pipeline",
    "plain_frame",
    "prepare",
    "read_settings",
    "refit",
    "short_names",
    "split_rows",
    "task_for",
    "train_beside",
]

_HOMES = {
    "Kind": "nbprod.training.columns",
    "Split": "nbprod.training.splitting",
    "Trained": "nbprod.training.comparison",
    "TrainingRows": "nbprod.training.preparation",
    "best_of": "nbprod.training.comparison",
    "can_continue": "nbprod.training.continuing",
    "column_kinds": "nbprod.training.columns",
    "compare_models": "nbprod.training.comparison",
    "continue_training": "nbprod.training.continuing",
    "cross_validated": "nbprod.training.comparison",
    "fit": "nbprod.training.comparison",
    "folds_of": "nbprod.training.splitting",
    "infer_task": "nbprod.training.task",
    "learn_on": "nbprod.training.continuing",
    "learning_curve": "nbprod.training.comparison",
    "make_estimator": "nbprod.training.estimators",
    "make_pipeline": "nbprod.training.preprocessing",
    "plain_frame": "nbprod.training.columns",
    "prepare": "nbprod.training.preparation",
    "read_settings": "nbprod.training.estimators",
    "refit": "nbprod.training.continuing",
    "short_names": "nbprod.training.estimators",
    "split_rows": "nbprod.training.splitting",
    "task_for": "nbprod.training.task",
    "train_beside": "nbprod.training.comparison",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
