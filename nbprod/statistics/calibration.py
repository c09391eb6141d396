"""Probabilities that mean what they say: a calibration chosen by its log loss on parts of the reference left out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

__all__ = ["Calibration", "folds"]

Floats = NDArray[np.float64]
_TINY = 1e-6
METHODS = ("none", "platt", "isotonic")
_CLEARLY = 0.005  # of log loss, in nats


def folds(rows: int, count: int = 5) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Rows to learn from and rows to try on: contiguous parts, because neighbouring rows may depend on each other."""
    for part in np.array_split(np.arange(rows), min(count, rows)):
        yield np.setdiff1d(np.arange(rows), part, assume_unique=True), part


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """A map from a model's probabilities (rows x classes) to calibrated ones: one method, or the mean of two."""

    methods: tuple[str, ...]  #: of ``none``, ``platt`` and ``isotonic``, the same for all classes
    knots: tuple[
        tuple[tuple[tuple[float, ...], tuple[float, ...]], ...], ...
    ]  #: by method and class: where, and what

    @classmethod
    def fit(cls, probability: Floats, codes: NDArray[np.int64], *methods: str) -> Calibration:
        """Fit methods, each class against the rest.

        Parameters
        ----------
        probability
            Rows x classes; for two classes only the second column is used.
        codes
            The class of each row.
        methods
            ``none``; ``platt``: a logistic function of the logit (Platt 1999); ``isotonic``: the nearest monotone
            function (Zadrozny and Elkan 2002).
        """
        columns = [1] if probability.shape[1] == 2 else range(probability.shape[1])
        knots = tuple(tuple(_fit(probability[:, k], codes == k, method) for k in columns) for method in methods)
        return cls(methods=methods, knots=knots)

    @classmethod
    def choose(cls, probability: Floats, codes: NDArray[np.int64]) -> Calibration:
        """Fit the methods that predict parts of the reference left out.

        The isotonic function follows every bend and every accident of the reference, the others too few: their mean
        is taken unless one of them is clearly better by its log loss.
        """
        loss = {}
        for method in METHODS:
            found = np.empty_like(probability)
            for learn, test in folds(len(codes)):
                found[test] = cls.fit(probability[learn], codes[learn], method)(probability[test])
            chosen = np.clip(found[np.arange(len(codes)), codes], 1e-3, 1)  # one certain error must not decide
            loss[method] = float(-np.log(chosen).mean())
        smooth = "none" if loss["none"] <= loss["platt"] + 1e-4 else "platt"
        gain = loss[smooth] - loss["isotonic"]
        if gain > _CLEARLY:
            return cls.fit(probability, codes, "isotonic")
        return cls.fit(probability, codes, *((smooth,) if gain < -10 * _CLEARLY else (smooth, "isotonic")))

    def __call__(self, probability: Floats) -> Floats:
        """Calibrated probabilities, each row adding up to one."""
        each = [self._one(probability, place) for place in range(len(self.methods))]
        return np.mean(each, axis=0) if len(each) > 1 else each[0]

    def _one(self, probability: Floats, place: int) -> Floats:
        method, knots = self.methods[place], self.knots[place]
        if method == "none":
            return probability
        if probability.shape[1] == 2:
            positive = _applied(probability[:, 1], method, *knots[0])
            return np.column_stack([1 - positive, positive])
        each = np.column_stack([_applied(probability[:, k], method, *knots[k]) for k in range(probability.shape[1])])
        each = np.maximum(each, _TINY)
        return each / each.sum(axis=1, keepdims=True)


def _applied(probability: Floats, method: str, where: Sequence[float], what: Sequence[float]) -> Floats:
    if method == "platt":
        return special.expit(what[0] + what[1] * special.logit(np.clip(probability, _TINY, 1 - _TINY)))
    return np.interp(probability, where, what)


def _fit(probability: Floats, hit: NDArray[np.bool_], method: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    if method == "none":
        return (), ()
    if method == "platt":
        return (), _platt(special.logit(np.clip(probability, _TINY, 1 - _TINY)), hit)
    from sklearn.isotonic import IsotonicRegression  # heavy

    fitted = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(probability, hit.astype(np.float64))
    return _floats(fitted.X_thresholds_), _floats(fitted.y_thresholds_)


def _platt(logit: Floats, hit: NDArray[np.bool_]) -> tuple[float, ...]:
    """Newton's method on the penalised likelihood; Platt's targets keep it finite when classes are separated."""
    positive, negative = int(hit.sum()), int((~hit).sum())
    target = np.where(hit, (positive + 1) / (positive + 2), 1 / (negative + 2))
    design = np.column_stack([np.ones_like(logit), logit])
    weight = np.array([0.0, 1.0])
    for _ in range(50):
        fitted = special.expit(design @ weight)
        gradient = design.T @ (fitted - target)
        curvature = (design * (fitted * (1 - fitted))[:, None]).T @ design + 1e-9 * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        weight = weight - np.clip(step, -5, 5)
        if np.abs(step).max() < 1e-10:
            break
    return _floats(weight)


def _floats(values: Sequence[float] | Floats) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
