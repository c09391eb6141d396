"""Expected errors of a regressor: models of the size of its errors, learned from features and its predictions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nbprod.statistics.calibration import folds
from nbprod.statistics.expected import STRETCHES, Excess, widened
from nbprod.statistics.linearised import Expectation
from nbprod.statistics.metrics import metric
from nbprod.statistics.shift import CodedColumns, DensityRatio, effective_rows

__all__ = ["ExpectedRegressorMetrics"]

Floats = NDArray[np.float64]
Codes = NDArray[np.int16]
ROWS = 20_000  #: of the reference that losses are learned from
PARTS = 4
BINS = 128  #: of a column: the largest errors lie in its tails
STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)  #: of the learned loss, as an exponent; 0 is the mean of the reference
WINDOW_ROWS = 200.0  #: weighted reference rows at which a window's own scale counts half
_POWER = {"mae": 1, "rmse": 2}


@dataclass(frozen=True, kw_only=True, eq=False)
class LossModel:
    """The mean of a loss given the features, shrunk towards the mean of all and set right on rows left out."""

    model: Any
    usual: float  #: the mean loss of the reference
    strength: float
    scale: float
    spread: float  #: variance of the loss around its estimate, relative to the mean squared estimate
    held_out: Floats  #: estimates of the reference's rows by models that have not seen them

    @classmethod
    def fit(cls, coded: Codes, loss: Floats, seed: int) -> LossModel:
        """Learn a loss that is never below 0, with the log link of a Poisson regression: its mean is set right."""
        usual = float(loss.mean())
        apart = np.empty(len(loss))
        if usual <= 0:
            return cls(model=None, usual=usual, strength=0.0, scale=1.0, spread=0.0, held_out=np.zeros(len(loss)))
        for learn, test in folds(len(loss), PARTS):
            apart[test] = _fit_loss_model(coded[learn], loss[learn] / usual, seed).predict(coded[test])
        fits = {strength: _rescaled(apart**strength, loss / usual) for strength in STRENGTHS}
        strength = min(STRENGTHS, key=lambda one: _deviance(fits[one][0], loss / usual))
        held_out, scale = fits[strength]
        return cls(
            model=_fit_loss_model(coded, loss / usual, seed) if strength > 0 else None,
            usual=usual,
            strength=strength,
            scale=scale,
            spread=float(np.mean((loss / usual - held_out) ** 2) / np.mean(held_out**2)),
            held_out=held_out * usual,
        )

    def __call__(self, coded: Codes) -> Floats:
        """The estimated loss of rows."""
        if self.model is None:
            return np.full(len(coded), self.usual)
        return np.asarray(self.usual * self.scale * self.model.predict(coded) ** self.strength)


@dataclass(frozen=True, kw_only=True, eq=False)
class ExpectedRegressorMetrics:
    """Direct loss estimation with models that adapt to each window."""

    columns: CodedColumns
    models: Mapping[str, LossModel]  #: of the absolute and of the squared error
    losses: Mapping[str, Floats]  #: of the reference's rows
    ratio: DensityRatio
    slope: float  #: of the error in the prediction
    excess: Mapping[str, float]
    realised: Mapping[str, float]

    @classmethod
    def fit(cls, truth: Any, prediction: Any, features: pd.DataFrame, *, seed: int) -> ExpectedRegressorMetrics:
        """Learn the size of the error, and its usual misjudgement from stretches left out."""
        y, guess = (np.asarray(values, dtype=np.float64) for values in (truth, prediction))
        chosen = np.linspace(0, len(y) - 1, min(len(y), ROWS)).astype(np.intp)
        frame = _with_prediction(features, guess).iloc[chosen]
        columns = CodedColumns.of(frame, bins=BINS)
        coded, error = columns(frame), (y - guess)[chosen]
        losses = {name: np.abs(error) ** power for name, power in _POWER.items()}
        models = {name: LossModel.fit(coded, loss, seed) for name, loss in losses.items()}
        centred = guess[chosen] - guess[chosen].mean()
        bare = cls(
            columns=columns,
            models=models,
            losses=losses,
            ratio=DensityRatio(codes=coded),
            slope=float(centred @ error / max(float(centred @ centred), 1e-300)),
            excess={},
            realised={name: metric(name)(y, guess) for name in ("mae", "rmse", "r2")},
        )
        misses = Excess()
        for part in np.array_split(np.arange(len(chosen)), min(STRETCHES, len(chosen) // 10)):
            held_out = {name: model.held_out[part] for name, model in models.items()}
            expected = bare._expected(held_out, guess[chosen][part])
            both = widened(expected, expected, {}, rows=len(part), effective=len(chosen) * (1 - 1 / PARTS))
            misses.note(both, bare.realise(y[chosen][part], guess[chosen][part]))
        return cls(**{**bare.__dict__, "excess": misses.by_metric})

    @property
    def metrics(self) -> tuple[str, ...]:
        """The mean absolute and the root mean squared error, and the share of variance explained."""
        return ("mae", "rmse", "r2")

    def expect(self, *inputs: Any) -> dict[str, Expectation]:
        """Mean learned losses; their variance is how losses scattered around them in the reference."""
        prediction, features = inputs
        guess = np.asarray(prediction, dtype=np.float64)
        coded = self.columns(_with_prediction(features, guess))
        weights = self.ratio(coded)
        effective = effective_rows(weights)
        unscaled = {name: model(coded) for name, model in self.models.items()}
        losses = {name: loss * self._scale(name, weights, effective) for name, loss in unscaled.items()}
        return widened(
            self._expected(losses, guess),
            self._expected(unscaled, guess),
            self.excess,
            rows=len(guess),
            effective=effective,
        )

    def realise(self, truth: Any, *inputs: Any) -> dict[str, float]:
        """The metrics with the outcomes."""
        return {name: metric(name)(truth, inputs[0]) for name in self.metrics}

    def _expected(self, losses: Mapping[str, Floats], guess: Floats) -> dict[str, Expectation]:
        found = {}
        for name, loss in losses.items():
            spread = self.models[name].spread * float(np.mean(loss**2)) / len(loss)
            found[name] = Expectation(float(loss.mean()), spread)
        square = found["rmse"]
        # the error of a root is the error of the square over twice the root
        found["rmse"] = Expectation(float(np.sqrt(square.value)), square.variance / max(4 * square.value, 1e-300))
        # y = guess + error, and the error leans on the guess by the reference's slope
        total = float(guess.var()) * (1 + 2 * self.slope) + square.value
        unexplained = square.value / total if total > 0 else np.nan
        found["r2"] = Expectation(1 - unexplained, square.variance * ((1 - unexplained) / max(total, 1e-300)) ** 2)
        return found

    def _scale(self, name: str, weights: Floats, effective: float) -> float:
        """By what weighted reference rows say losses are larger here; 1 where that does not hold on rows left out."""
        loss, expected = self.losses[name], self.models[name].held_out
        halves = np.arange(len(loss)) % 2 == 0
        gain = 0.0
        for learn, test in ((halves, ~halves), (~halves, halves)):
            factor = _factor(loss[learn], expected[learn], weights[learn], effective / 2)
            hit, mean, weight = loss[test], expected[test], weights[test]
            gain += float(weight @ (hit * np.log(factor) - mean * (factor - 1)))
        return _factor(loss, expected, weights, effective) if gain > 0 else 1.0


def _factor(loss: Floats, expected: Floats, weights: Floats, effective: float) -> float:
    share = effective / (effective + WINDOW_ROWS)
    mean = float(weights @ expected)
    if mean <= 0:
        return 1.0
    return float(np.clip(1 + share * (float(weights @ loss) / mean - 1), 0.5, 2.0))


def _rescaled(estimate: Floats, loss: Floats) -> tuple[Floats, float]:
    scale = float(loss.mean() / max(float(estimate.mean()), 1e-300))
    return estimate * scale, scale


def _deviance(estimate: Floats, loss: Floats) -> float:
    """Of Poisson regression, up to what does not depend on the estimate."""
    return float(np.mean(estimate - loss * np.log(np.maximum(estimate, 1e-12))))


def _fit_loss_model(coded: Codes, loss: Floats, seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingRegressor  # delayed: sklearn

    model = HistGradientBoostingRegressor(
        loss="poisson",
        max_iter=60,
        max_leaf_nodes=12,
        min_samples_leaf=30,
        l2_regularization=1.0,
        max_bins=BINS + 1,
        early_stopping=False,
        random_state=seed,
    )
    return model.fit(coded, loss)


def _with_prediction(features: pd.DataFrame, guess: Floats) -> pd.DataFrame:
    return features.assign(**{"nbprod prediction": guess})
