"""All metrics of a task at once for one model's predictions, each with its interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nbprod.domain.names import nearest
from nbprod.errors import SettingsError
from nbprod.statistics.bootstrap import metric_interval, paired_difference
from nbprod.statistics.interval import Interval
from nbprod.statistics.metrics import METRICS, Metric

__all__ = ["Predictions", "chosen_metric", "default_metric", "difference", "metrics_of", "score_table", "scores"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Predictions:
    """What a model says about some rows."""

    answers: NDArray[Any]  #: labels or numbers, one a row
    probabilities: NDArray[np.float64] | None = None  #: rows x classes
    classes: tuple[Any, ...] | None = None  #: in the order of the columns of the probabilities

    def __len__(self) -> int:
        return len(self.answers)

    @classmethod
    def of(cls, model: Any, features: pd.DataFrame) -> Predictions:
        """Ask a fitted model with the scikit-learn interface."""
        values = np.asarray(model.predict(features))
        if not hasattr(model, "predict_proba"):
            return cls(answers=values)
        probabilities = np.asarray(model.predict_proba(features), dtype=np.float64)
        return cls(answers=values, probabilities=probabilities, classes=tuple(model.classes_.tolist()))

    def rows(self, chosen: Any) -> Predictions:
        """Those at these positions, or where the mask is true."""
        return Predictions(
            answers=self.answers[chosen],
            probabilities=None if self.probabilities is None else self.probabilities[chosen],
            classes=self.classes,
        )

    def frame(self) -> pd.DataFrame:
        """A column ``prediction``; of two classes ``probability``, of the second; of more ``probability_<class>``."""
        made = pd.DataFrame({"prediction": self.answers})
        if self.probabilities is None or self.classes is None:
            return made
        if len(self.classes) == 2:
            return made.assign(probability=self.probabilities[:, 1])
        return made.assign(**{f"probability_{name}": self.probabilities[:, n] for n, name in enumerate(self.classes)})

    def for_metric(self, metric: Metric) -> Any:
        """The form in which a metric wants them."""
        return self.probabilities if metric.needs == "probability" else self.answers


def metrics_of(task: str, *models: Predictions) -> list[Metric]:
    """The metrics that exist for a task and for what every one of the models predicts."""
    has_probabilities = all(model.probabilities is not None for model in models)
    return [
        metric
        for metric in METRICS.values()
        if metric.task == task and (has_probabilities or metric.needs != "probability")
    ]


def default_metric(task: str, *models: Predictions) -> Metric:
    """ROC AUC where there are probabilities, else accuracy; mean absolute error for numbers."""
    if task == "regression":
        return METRICS["mae"]
    possible = {metric.name for metric in metrics_of(task, *models)}
    return METRICS["roc_auc" if "roc_auc" in possible else "accuracy"]


def chosen_metric(name: str, task: str, *models: Predictions) -> Metric:
    """The metric of a name, ``auto`` being the default of the task.

    Raises
    ------
    SettingsError
        It does not exist for the task, or for models without probabilities.
    """
    if name == "auto":
        return default_metric(task, *models)
    possible = {metric.name: metric for metric in metrics_of(task, *models)}
    if name not in possible:
        raise SettingsError(f"the metric {name!r} cannot be had for this {task}", hint=nearest(name, possible))
    return possible[name]


def scores(
    task: str,
    truth: Any,
    predictions: Predictions,
    *,
    blocks: Any = None,
    seed: int = 0,
    resamples: int = 500,
    names: Sequence[str] | None = None,
) -> Mapping[str, Interval]:
    """Every metric that is defined on these rows, by name.

    Parameters
    ----------
    task
        ``classification`` or ``regression``.
    truth
        One value a row.
    predictions
        Of the same rows.
    blocks, seed, resamples
        As in `metric_interval`.
    names
        Only these.
    """
    found = {}
    for metric in metrics_of(task, predictions):
        if names is not None and metric.name not in names:
            continue
        interval = metric_interval(
            metric,
            truth,
            predictions.for_metric(metric),
            blocks=blocks,
            classes=predictions.classes,
            seed=seed,
            resamples=resamples,
        )
        if np.isfinite(interval.value):
            found[metric.name] = interval
    return found


def score_table(
    task: str, truth: Any, predictions: Predictions, *, blocks: Any = None, seed: int = 0, resamples: int = 500
) -> pd.DataFrame:
    """Every metric that is defined on these rows, as a table: ``value``, ``low`` and ``high`` by metric."""
    found = scores(task, truth, predictions, blocks=blocks, seed=seed, resamples=resamples)
    lines = {name: {"value": one.value, "low": one.low, "high": one.high} for name, one in found.items()}
    return pd.DataFrame.from_dict(lines, orient="index", columns=["value", "low", "high"]).rename_axis("metric")


def difference(
    metric: Metric,
    truth: Any,
    candidate: Predictions,
    other: Predictions,
    *,
    blocks: Any = None,
    seed: int = 0,
    level: float = 0.95,
    resamples: int = 1000,
) -> Interval:
    """How much better the candidate is on the same rows: above 0 is better, whatever the metric's own sign."""
    found = paired_difference(
        metric,
        truth,
        candidate.for_metric(metric),
        other.for_metric(metric),
        blocks=blocks,
        classes=candidate.classes,
        seed=seed,
        level=level,
        resamples=resamples,
    )
    if metric.higher_is_better:
        return found
    return Interval(value=-found.value, low=-found.high, high=-found.low, level=found.level)
