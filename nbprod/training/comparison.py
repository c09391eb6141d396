"""A model beside a trivial baseline and a simple one: fitted, scored on held-back rows and cross-validated."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import special
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from nbprod.statistics.interval import Interval
from nbprod.statistics.metrics import Metric
from nbprod.statistics.predictions import Predictions, difference, scores
from nbprod.threads import one_thread_if_small
from nbprod.training.estimators import make_estimator
from nbprod.training.preparation import TrainingRows
from nbprod.training.preprocessing import make_pipeline
from nbprod.training.splitting import Split, folds_of

__all__ = [
    "Trained",
    "best_of",
    "compare_models",
    "cross_validated",
    "fit",
    "fit_pipeline",
    "learning_curve",
    "predictions_of",
    "train_with_baselines",
]

BASELINE, SIMPLE = "baseline", "simple"
_CURVE_SHARES = (0.1, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True, kw_only=True, eq=False)
class Trained:
    """A fitted pipeline and what it says about the held-back rows."""

    name: str
    pipeline: Pipeline
    predictions: Predictions
    fit_s: float
    earlier: Pipeline | None = None  #: what it learned on from

    def __repr__(self) -> str:
        return f"<Trained {self.name}: {type(self.pipeline[-1]).__name__}, {self.fit_s:.2f} s>"


def fit(name: str, pipeline: Pipeline, split: Split) -> Trained:
    """Fit on the rows to learn from and predict the held-back ones."""
    started = time.perf_counter()
    fitted = fit_pipeline(pipeline, split.train)
    took = time.perf_counter() - started
    return Trained(name=name, pipeline=fitted, predictions=predictions_of(fitted, split.test), fit_s=took)


def fit_pipeline(pipeline: Pipeline, rows: TrainingRows) -> Pipeline:
    """The pipeline, fitted on rows."""
    with one_thread_if_small(rows.features.size):
        fitted: Pipeline = pipeline.fit(rows.features, rows.target)
    return fitted


def predictions_of(pipeline: Pipeline, rows: TrainingRows) -> Predictions:
    """What a fitted pipeline says about rows."""
    with one_thread_if_small(rows.features.size):
        return Predictions.of(pipeline, rows.features)


def train_with_baselines(estimator: Any, split: Split, *, name: str = "model") -> dict[str, Trained]:
    """Fit an estimator, and beside it a baseline that looks at no column and a simple linear model.

    Parameters
    ----------
    estimator
        Unfitted; gets the preprocessing its columns need.
    split
        Learned from and predicted.
    name
        What the estimator is called in tables and pictures.

    Returns
    -------
    dict
        By name: the baseline, the simple model and the estimator, which comes last.
    """
    task, seed = split.train.task, split.seed
    simple = make_estimator("logreg" if task == "classification" else "ridge", task, seed=seed)
    asked = {BASELINE: make_estimator("dummy", task), SIMPLE: simple, name: estimator}
    train = split.train
    return {
        called: fit(called, make_pipeline(made, train.features, kinds=train.kinds), split)
        for called, made in asked.items()
    }


def compare_models(
    models: Mapping[str, Trained],
    split: Split,
    metric: Metric,
    *,
    folds: int = 5,
    resamples: int = 500,
) -> pd.DataFrame:
    """One row a model: the metric on held-back rows and over folds, and the gain over the baseline, with intervals.

    Parameters
    ----------
    models
        As `train_with_baselines` gives them.
    metric
        The one that counts.
    folds
        Of the cross-validation on the rows to learn from; 0 leaves it out.
    resamples
        Of the bootstrap.
    """
    truth, blocks = split.test.target, split.blocks
    lines = []
    for model in models.values():
        able = metric.needs != "probability" or model.predictions.probabilities is not None
        line: dict[str, Any] = {"model": model.name, "fit_s": round(model.fit_s, 3)}
        if able:
            found = scores(
                split.test.task,
                truth,
                model.predictions,
                blocks=blocks,
                seed=split.seed,
                resamples=resamples,
                names=[metric.name],
            )
            line |= _interval_columns(metric.name, found.get(metric.name))
            if folds:
                line |= _interval_columns(
                    f"{metric.name}_cv", cross_validated(model.pipeline, split.train, split.kind, metric, folds)
                )
            if model.name != BASELINE and BASELINE in models:
                gain = difference(
                    metric, truth, model.predictions, models[BASELINE].predictions, blocks=blocks, resamples=resamples
                )
                line |= _interval_columns("gain", gain)
        lines.append(line)
    return pd.DataFrame(lines).set_index("model")


def best_of(models: Mapping[str, Trained], split: Split, metric: Metric) -> Trained:
    """The model that scores best on the held-back rows, baseline and simple model apart; of equal ones, the first."""
    sign = 1 if metric.higher_is_better else -1
    asked = [model for name, model in models.items() if name not in {BASELINE, SIMPLE}]

    def score(model: Trained) -> float:
        predictions = model.predictions
        if metric.needs == "probability" and predictions.probabilities is None:
            return -np.inf
        return sign * metric(split.test.target, predictions.for_metric(metric), classes=predictions.classes)

    return max(asked, key=score)


def cross_validated(
    pipeline: Pipeline, rows: TrainingRows, kind: str, metric: Metric, folds: int = 5, seed: int = 0
) -> Interval | None:
    """The mean of a metric over folds, with an interval that knows that the folds share rows.

    The variance of the folds is multiplied by 1/folds + test/train rows instead of 1/folds (Nadeau and Bengio 2003,
    *Inference for the generalization error*, equation 14); bounds by Student's t.

    Returns
    -------
    Interval or None
        ``None`` when the metric is defined on fewer than two folds.
    """
    values, ratios = [], []
    for train, test in folds_of(rows, kind, folds, seed):
        train_rows, test_rows = rows.rows(train), rows.rows(test)
        predictions = predictions_of(fit_pipeline(clone(pipeline), train_rows), test_rows)
        if not set(test_rows.target) <= set(train_rows.target) and metric.needs == "probability":
            continue  # a class the fold never saw has no probability
        value = metric(test_rows.target, predictions.for_metric(metric), classes=predictions.classes)
        if np.isfinite(value):
            values.append(value)
            ratios.append(len(test) / len(train))
    if len(values) < 2:
        return None
    mean, variance = float(np.mean(values)), float(np.var(values, ddof=1))
    half = -special.stdtrit(len(values) - 1, 0.025) * np.sqrt(variance * (1 / len(values) + float(np.mean(ratios))))
    floor, ceiling = (0.0 if metric.name != "r2" else -np.inf), (1.0 if metric.higher_is_better else np.inf)
    return Interval(value=mean, low=max(floor, mean - float(half)), high=min(ceiling, mean + float(half)))


def learning_curve(
    pipeline: Pipeline, split: Split, metric: Metric, *, shares: Sequence[float] = _CURVE_SHARES
) -> pd.DataFrame:
    """The metric on learned and held-back rows when less is learned from.

    Of a split by time, the latest rows are kept.

    Returns
    -------
    DataFrame
        ``rows``, ``learned`` and ``held_back``, one line a share; shares too small to hold two classes are left out.
    """
    size, lines = len(split.train), []
    order = np.arange(size)[::-1] if split.kind == "time" else np.random.default_rng(split.seed).permutation(size)
    for share in shares:
        chosen = np.sort(order[: max(2, round(share * size))])
        rows = split.train.rows(chosen)
        if rows.task == "classification" and rows.target.nunique() < split.train.target.nunique():
            continue
        fitted = fit_pipeline(clone(pipeline), rows)
        line: dict[str, Any] = {"rows": len(rows)}
        for called, seen in (("learned", rows), ("held_back", split.test)):
            predictions = predictions_of(fitted, seen)
            line[called] = metric(seen.target, predictions.for_metric(metric), classes=predictions.classes)
        lines.append(line)
    return pd.DataFrame(lines, columns=["rows", "learned", "held_back"])


def _interval_columns(name: str, interval: Interval | None) -> dict[str, float]:
    if interval is None:
        return {}
    return {name: interval.value, f"{name}_low": interval.low, f"{name}_high": interval.high}
