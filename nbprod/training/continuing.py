"""Learning on from an earlier model instead of from nothing, where the estimator can."""

from __future__ import annotations

import copy
import time
from typing import Any

from sklearn.base import clone
from sklearn.pipeline import Pipeline

from nbprod.errors import SchemaError, SettingsError
from nbprod.training.comparison import Trained, fit_pipeline, predictions_of
from nbprod.training.preparation import TrainingRows
from nbprod.training.splitting import Split

__all__ = ["can_continue", "continue_fit", "continue_training", "refit"]

#: What grows when an estimator with ``warm_start`` learns on; the others start from their coefficients.
_GROWING = ("max_iter", "n_estimators")
_BOOSTED = "HistGradientBoosting"


def can_continue(pipeline: Any) -> bool:
    """Whether its model has ``partial_fit`` or ``warm_start``."""
    model = pipeline[-1] if isinstance(pipeline, Pipeline) else pipeline
    return hasattr(model, "partial_fit") or "warm_start" in model.get_params(deep=False)


def continue_fit(earlier: Pipeline, split: Split, *, name: str = "continued") -> Trained:
    """Learn on from an earlier model with the rows to learn from, and predict the held-back ones.

    Raises
    ------
    SettingsError, SchemaError
        As `continue_training`.
    """
    started = time.perf_counter()
    fitted = continue_training(earlier, split.train)
    took = time.perf_counter() - started
    predictions = predictions_of(fitted, split.test)
    return Trained(name=name, pipeline=fitted, predictions=predictions, fit_s=took, earlier=earlier)


def refit(trained: Trained, rows: TrainingRows) -> Pipeline:
    """The same model learned from all rows, the held-back ones included, from the same start."""
    if trained.earlier is not None:
        return continue_training(trained.earlier, rows)
    return fit_pipeline(clone(trained.pipeline), rows)


def continue_training(earlier: Pipeline, rows: TrainingRows, *, grow: float = 0.5) -> Pipeline:
    """A copy of an earlier pipeline that has learned on from new rows; its preprocessing stays as it was.

    ``partial_fit`` sees each row once. An ensemble with ``warm_start`` gets more trees, grown on the new rows; any
    other model with ``warm_start`` starts from its coefficients.

    Parameters
    ----------
    earlier
        Fitted; not changed.
    rows
        To learn on from.
    grow
        The share of trees to add.

    Raises
    ------
    SettingsError
        The model has neither ``partial_fit`` nor ``warm_start``.
    SchemaError
        The rows lack a column or have a class the earlier model does not know.
    """
    if not isinstance(earlier, Pipeline) or not can_continue(earlier):
        raise SettingsError(
            f"{type(earlier[-1] if isinstance(earlier, Pipeline) else earlier).__name__} cannot learn on",
            hint="It has neither partial_fit nor warm_start; train from scratch: start_from=None.",
        )
    _check_rows(earlier, rows)
    pipeline = copy.deepcopy(earlier)
    model = pipeline[-1]
    inputs = pipeline[:-1].transform(rows.features[list(earlier.feature_names_in_)])
    if hasattr(model, "partial_fit"):
        model.partial_fit(inputs, rows.target)
        return pipeline
    model.set_params(warm_start=True)
    for name in _GROWING:
        grown = _grown(model, name, grow)
        if grown is not None:
            model.set_params(**{name: grown})
    model.fit(inputs, rows.target)
    model.set_params(warm_start=False)  # the next fit starts from nothing, as people expect
    return pipeline


def _grown(model: Any, name: str, share: float) -> int | None:
    """The new number of trees; ``None`` for iterations of a solver, which are no trees."""
    trees = name == "n_estimators" or type(model).__name__.startswith(_BOOSTED)
    if not trees or name not in model.get_params(deep=False):
        return None
    now = int(getattr(model, "n_iter_", None) or getattr(model, name))
    return now + max(1, round(share * now))


def _check_rows(earlier: Pipeline, rows: TrainingRows) -> None:
    missing = [name for name in earlier.feature_names_in_ if name not in rows.features.columns]
    if missing:
        raise SchemaError(
            f"the earlier model needs the column {missing[0]!r}, which these rows lack",
            columns=missing,
            hint="Train from scratch, or give the columns the earlier model knows.",
        )
    known = getattr(earlier, "classes_", None)
    new = [] if known is None else sorted(set(rows.target.tolist()) - set(known.tolist()), key=str)
    if new:
        raise SchemaError(
            f"the earlier model does not know the class {new[0]!s} of {rows.target.name}",
            columns=[str(rows.target.name)],
            hint="Train from scratch: start_from=None.",
        )
