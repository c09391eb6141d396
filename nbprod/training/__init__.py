"""Train any scikit-learn estimator on any table: honestly split, beside a baseline, with intervals.

The names load on first use: a saved pipeline may need one small part of this, and no more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbprod.lazy import on_first_use

if TYPE_CHECKING:
    from nbprod.training.columns import FeatureKind, column_kinds, plain_frame
    from nbprod.training.comparison import (
        Trained,
        best_of,
        compare_models,
        cross_validated,
        fit,
        learning_curve,
        train_with_baselines,
    )
    from nbprod.training.continuing import can_continue, continue_fit, continue_training, refit
    from nbprod.training.estimators import make_estimator, read_settings, short_names
    from nbprod.training.preparation import TrainingRows, prepare
    from nbprod.training.preprocessing import make_pipeline
    from nbprod.training.splitting import Split, folds_of, split_rows
    from nbprod.training.task import infer_task, task_for

__all__ = [
    "FeatureKind",
    "Split",
    "Trained",
    "TrainingRows",
    "best_of",
    "can_continue",
    "column_kinds",
    "compare_models",
    "continue_fit",
    "continue_training",
    "cross_validated",
    "fit",
    "folds_of",
    "infer_task",
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
    "train_with_baselines",
]

__getattr__ = on_first_use(__name__)
