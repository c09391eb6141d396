"""Expected metrics from calibrated probabilities, and from a learned size of the error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nbprod.statistics.calibration import Calibration, folds
from nbprod.statistics.metrics import METRICS, class_codes, metric, weighted_auc
from nbprod.threads import one_thread

__all__ = ["ClassifierOutlook", "Outlook", "RegressorOutlook"]

Floats = NDArray[np.float64]
_DRAWS = 100  # of possible outcomes, for the spread of a metric
_PARTS = 8  # of the reference, each left out once to see how far estimates are off
_LABELS, _SCORES = ("accuracy", "precision", "recall", "f1"), ("roc_auc", "log_loss", "brier")


class Outlook(Protocol):
    """What a model's metrics are expected to be."""

    @property
    def metrics(self) -> tuple[str, ...]:
        """What can be expected."""
        ...

    @property
    def excess(self) -> Mapping[str, float]:
        """Squared error of expectations on parts of the reference left out, beyond what sampling explains."""
        ...

    @property
    def realised(self) -> Mapping[str, float]:
        """Metrics of the whole reference."""
        ...

    def expect(self, *inputs: Any, seed: int) -> tuple[dict[str, float], dict[str, float]]:
        """Expected metrics of rows, and the variance of realised ones around them."""
        ...

    def realise(self, truth: Any, *inputs: Any) -> dict[str, float]:
        """The same metrics of rows whose outcomes are known."""
        ...


@dataclass(frozen=True, kw_only=True)
class ClassifierOutlook:
    """Confidence-based estimation: the model's own probabilities, calibrated, say how often it is right."""

    classes: tuple[Any, ...]
    calibration: Calibration
    excess: Mapping[str, float]
    realised: Mapping[str, float]

    @classmethod
    def fit(
        cls, truth: Any, probability: Floats, answers: Any, *, classes: Sequence[Any], seed: int
    ) -> ClassifierOutlook:
        """Calibrate on all rows; learn the usual error of estimates from parts left out."""
        known = tuple(classes)
        matrix, codes = _matrix(probability), class_codes(truth, known)
        bare = cls(classes=known, calibration=Calibration.choose(matrix, codes), excess={}, realised={})
        misses: dict[str, list[float]] = {}
        for learn, test in folds(len(codes), _PARTS):
            if len(np.unique(codes[learn])) < 2:
                continue
            part = Calibration.fit(matrix[learn], codes[learn], *bare.calibration.methods)
            other = cls(classes=known, calibration=part, excess={}, realised={})
            said = None if answers is None else answers[test]
            value, variance = other.expect(probability[test], said, seed=seed)
            found = other.realise(np.asarray(truth)[test], probability[test], said)
            _note(misses, value, variance, found)
        return cls(
            classes=known,
            calibration=bare.calibration,
            excess=_excess(misses),
            realised=bare.realise(truth, probability, answers),
        )

    @property
    def metrics(self) -> tuple[str, ...]:
        """All of classification."""
        return _LABELS + _SCORES

    def expect(self, *inputs: Any, seed: int) -> tuple[dict[str, float], dict[str, float]]:
        """Expected metrics, and the variance of metrics of outcomes drawn with the calibrated probabilities."""
        probability, answers = inputs
        raw = _matrix(probability)
        chance = self.calibration(raw)
        said = self._said(raw, answers)
        count, rows = len(self.classes), len(raw)
        value: dict[str, float] = {}
        variance: dict[str, float] = {}
        random = np.random.default_rng(seed)
        level = np.cumsum(chance, axis=1)[:, :-1]
        drawn = np.stack([(random.random((rows, 1)) > level).sum(axis=1) for _ in range(_DRAWS)])
        for name in _LABELS + _SCORES:
            chosen = METRICS[name]
            guess = said if name in _LABELS else raw
            if chosen.terms is None or chosen.value is None:
                value[name] = _expected_auc(chance, raw)
                scorer = [np.array([_auc(codes, raw, count) for codes in drawn])]
                variance[name] = float(np.nanvar(scorer)) if np.isfinite(scorer).any() else 0.0
                continue
            # terms of every row for every class it may turn out to be: classes x rows x terms
            terms = np.stack([chosen.terms(np.full(rows, k), guess, count) for k in range(count)])
            with np.errstate(divide="ignore", invalid="ignore"):
                value[name] = float(chosen.value(np.einsum("rk,krt->t", chance, terms)[None])[0])
                sums = np.stack([terms[codes, np.arange(rows)].sum(axis=0) for codes in drawn])
                variance[name] = float(np.nanvar(chosen.value(sums)))
        return value, variance

    def realise(self, truth: Any, *inputs: Any) -> dict[str, float]:
        """The metrics with the outcomes."""
        probability, answers = inputs
        raw = _matrix(probability)
        said = np.asarray(self.classes, dtype=object)[self._said(raw, answers)]
        return {
            name: metric(name)(truth, said if name in _LABELS else raw, classes=self.classes)
            for name in _LABELS + _SCORES
        }

    def _said(self, raw: Floats, answers: Any) -> NDArray[np.int64]:
        return raw.argmax(axis=1) if answers is None else class_codes(answers, self.classes)


@dataclass(frozen=True, kw_only=True, eq=False)
class RegressorOutlook:
    """Direct loss estimation: models that learned the absolute and the squared error from features and prediction."""

    models: Mapping[str, Any]
    spread: Mapping[str, float]  #: variance of the loss around its estimate, relative to the squared estimate
    categories: Mapping[str, tuple[Any, ...]]
    excess: Mapping[str, float]
    realised: Mapping[str, float]

    @classmethod
    def fit(cls, truth: Any, prediction: Any, features: pd.DataFrame, *, seed: int) -> RegressorOutlook:
        """Learn the size of the error on all rows, and its usual misjudgement from parts left out."""
        with one_thread():
            return cls._fit(truth, prediction, features, seed)

    @classmethod
    def _fit(cls, truth: Any, prediction: Any, features: pd.DataFrame, seed: int) -> RegressorOutlook:
        y, guess = (np.asarray(values, dtype=np.float64) for values in (truth, prediction))
        categories = {
            str(name): tuple(sorted(features[name].dropna().astype(str).unique()))
            for name in features
            if not pd.api.types.is_numeric_dtype(features[name]) and not _is_moment(features[name])
        }
        losses = {"mae": np.abs(y - guess), "rmse": (y - guess) ** 2}
        design = _design(prediction, features, categories)
        apart: dict[str, Floats] = {name: np.empty(len(y)) for name in losses}
        misses: dict[str, list[float]] = {}
        for learn, test in folds(len(y), _PARTS):
            value, variance = {}, {}
            for name, loss in losses.items():
                apart[name][test] = _learned(design[learn], loss[learn], seed).predict(design[test])
                value[name] = max(float(apart[name][test].mean()), 0.0)
                variance[name] = float(np.var(loss[test])) / len(test)
            found = {name: float(loss[test].mean()) for name, loss in losses.items()}
            _note(misses, value, variance, found)
        spread = {
            name: float(np.mean((loss - apart[name]) ** 2) / max(float(np.mean(apart[name] ** 2)), 1e-300))
            for name, loss in losses.items()
        }
        excess = _excess(misses)
        rmse = float(np.sqrt(losses["rmse"].mean()))
        return cls(
            models={name: _learned(design, loss, seed) for name, loss in losses.items()},
            spread=spread,
            categories=categories,
            # the error of a root is the error of the square over twice the root
            excess={"mae": excess["mae"], "rmse": excess["rmse"] / max(4 * rmse**2, 1e-300)},
            realised={"mae": float(losses["mae"].mean()), "rmse": rmse},
        )

    @property
    def metrics(self) -> tuple[str, ...]:
        """The mean absolute and the root mean squared error."""
        return ("mae", "rmse")

    def expect(self, *inputs: Any, seed: int) -> tuple[dict[str, float], dict[str, float]]:
        """Mean learned losses; the variance comes from how losses scattered around them in the reference."""
        del seed  # nothing here is drawn
        prediction, features = inputs
        design = _design(prediction, features, self.categories)
        value, variance = {}, {}
        for name, model in self.models.items():
            with one_thread():
                loss = np.maximum(model.predict(design), 0.0)
            value[name] = float(loss.mean())
            variance[name] = self.spread[name] * float(np.mean(loss**2)) / len(loss)
        root = float(np.sqrt(value["rmse"]))
        value["rmse"], variance["rmse"] = root, variance["rmse"] / max(4 * root**2, 1e-300)
        return value, variance

    def realise(self, truth: Any, *inputs: Any) -> dict[str, float]:
        """The metrics with the outcomes."""
        return {name: metric(name)(truth, inputs[0]) for name in self.metrics}


def _matrix(probability: Floats) -> Floats:
    matrix = np.asarray(probability, dtype=np.float64)
    if matrix.ndim == 1 or matrix.shape[1] == 1:
        positive = matrix.reshape(-1)
        return np.column_stack([1 - positive, positive])
    return matrix


def _expected_auc(chance: Floats, raw: Floats) -> float:
    weights = np.ones(len(raw))
    if raw.shape[1] == 2:
        return weighted_auc(chance[:, 1], raw[:, 1], weights)
    return float(np.mean([weighted_auc(chance[:, k], raw[:, k], weights) for k in range(raw.shape[1])]))


def _auc(codes: NDArray[np.int64], raw: Floats, count: int) -> float:
    chosen = [1] if count == 2 else range(count)
    weights = np.ones(len(codes))
    areas = [weighted_auc((codes == k).astype(np.float64), raw[:, k], weights) for k in chosen]
    return float(np.mean(areas))


def _note(
    misses: dict[str, list[float]],
    value: Mapping[str, float],
    variance: Mapping[str, float],
    found: Mapping[str, float],
) -> None:
    for name, truth in found.items():
        if np.isfinite(truth) and np.isfinite(value[name]):
            misses.setdefault(name, []).append((truth - value[name]) ** 2 - variance[name])


def _excess(misses: Mapping[str, Sequence[float]]) -> dict[str, float]:
    return {name: max(float(np.mean(values)), 0.0) for name, values in misses.items()}


def _learned(design: Floats, loss: Floats, seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingRegressor  # heavy

    model = HistGradientBoostingRegressor(random_state=seed, max_iter=100, min_samples_leaf=20)
    return model.fit(design, loss)


def _is_moment(column: pd.Series[Any]) -> bool:
    return bool(pd.api.types.is_datetime64_any_dtype(column))


def _design(prediction: Any, features: pd.DataFrame, categories: Mapping[str, Sequence[Any]]) -> Floats:
    """Prediction and features as numbers: categories by their place, unknown ones as missing."""
    columns: list[Any] = [np.asarray(prediction, dtype=np.float64)]
    for name in features:
        column = features[name]
        if str(name) in categories:
            place = {value: float(position) for position, value in enumerate(categories[str(name)])}
            columns.append(np.array([place.get(str(value), np.nan) for value in column]))
        elif _is_moment(column):
            columns.append(column.astype("int64").to_numpy(np.float64))
        else:
            columns.append(pd.to_numeric(column, errors="coerce").to_numpy(np.float64, na_value=np.nan))
    return np.column_stack(columns)
