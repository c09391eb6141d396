"""Calibration that follows a shift: corrected by the features of each row, then by the density of the window."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from nbprod.statistics.calibration import Calibration, folds
from nbprod.statistics.shift import CodedColumns, DensityRatio, effective_rows, hats, logistic_offset

__all__ = ["PARTS", "Adapted", "AdaptiveCalibration"]

Floats = NDArray[np.float64]
Codes = NDArray[np.int16]
ROWS = 20_000  #: of the reference that corrections are learned from; more cost time and hardly change them
PARTS = 4  #: of the reference, each left out once
STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)  #: of the correction by features; 0 keeps the plain calibration
LARGEST_LOGIT = 3.0  #: a correction moves no row further
TINY = 1e-7
KNOTS = 9
BEND_PENALTY = 2.0
LEAST_GAIN = 2.0  #: of log likelihood on weighted rows left out: two coefficients gain about one by chance
WINDOW_PENALTY = 100.0  #: prior precision of a window's two coefficients: a standard deviation of 0.1 in logits
MOST_CLASSES = 12  #: of more classes, each has its plain calibration


@dataclass(frozen=True, eq=False)
class Adapted:
    """The calibrated probabilities of a window's rows."""

    plain: Floats  #: rows x classes, by the model's probability alone
    chance: Floats  #: rows x classes, adapted to the window
    rows: float  #: of the reference that speak for this window, by the weights of the density ratio


@dataclass(frozen=True, kw_only=True, eq=False)
class AdaptiveCalibration:
    """A calibration, what features add to it, and the reference rows it is fitted to again for each window.

    Three steps, each kept only where it predicts reference rows that were left out better than without it:

    1. the plain calibration of the model's probability;
    2. a boosted model of its residuals in the features, in log odds (one Newton step: Friedman 2001, *Greedy function
       approximation*, algorithm 5), as strong as log loss on left-out rows allows, with the calibration in the
       model's probability restored afterwards;
    3. for each window, a logistic recalibration on reference rows weighted by the density ratio of the window
       (Białek, Kuberski, Perrakis and Bifet 2024, *Estimating model performance under covariate shift without
       labels*, arXiv:2401.08348).
    """

    calibration: Calibration
    columns: CodedColumns | None
    models: tuple[Any, ...]
    strength: float
    bends: tuple[tuple[Floats, Floats], ...]  #: knots and values, by class
    ratio: DensityRatio | None
    weighted: tuple[Floats, Floats, Floats]  #: of the weighted rows: plain log odds, corrected ones, hits
    rows: int  #: that corrections were learned from
    held_out: Floats  #: rows x classes: of each such row, by models that have not seen it
    chosen: NDArray[np.intp]  #: which rows of the reference those are

    @classmethod
    def fit(
        cls, raw: Floats, codes: NDArray[np.int64], features: pd.DataFrame | None, *, seed: int
    ) -> AdaptiveCalibration:
        """Learn from the reference.

        Parameters
        ----------
        raw
            Rows x classes: the model's probabilities.
        codes
            The class of each row.
        features
            The columns a shift is read from; without them, the plain calibration is all there is.
        seed
            The same seed gives the same calibration.
        """
        calibration = Calibration.choose(raw, codes)
        chosen = np.linspace(0, len(codes) - 1, min(len(codes), ROWS)).astype(np.intp)
        part, truth = raw[chosen], codes[chosen]
        hits = _hits(truth, raw.shape[1])
        columns, coded = None, None
        if features is not None and features.shape[1] and raw.shape[1] <= MOST_CLASSES:
            frame = _with_scores(features.iloc[chosen], part)
            columns = CodedColumns.of(frame)
            coded = columns(frame)
        plain, shift = np.empty_like(hits), np.zeros_like(hits)
        models: tuple[Any, ...] = ()
        for learn, test in folds(len(chosen), PARTS):
            fitted = Calibration.fit(part[learn], truth[learn], *calibration.methods)
            plain[test] = _log_odds(fitted(part[test]))
            if coded is not None:
                learned = _residual_models(coded[learn], _log_odds(fitted(part[learn])), hits[learn], seed)
                shift[test] = _shifts(learned, coded[test])
        losses = [_log_loss(plain + strength * shift, hits) for strength in STRENGTHS]
        strength = STRENGTHS[int(np.argmin(losses))]
        if coded is not None and strength > 0:
            models = _residual_models(coded, _log_odds(calibration(part)), hits, seed)
        odds = _log_odds(calibration(part))
        corrected = plain + strength * shift
        bends: tuple[tuple[Floats, Floats], ...] = ()
        if strength > 0:
            bends = tuple(_bend(odds[:, k], corrected[:, k], hits[:, k]) for k in range(hits.shape[1]))
            corrected = corrected + _bent(bends, odds)
        return cls(
            calibration=calibration,
            columns=columns,
            models=models,
            strength=strength,
            bends=bends,
            ratio=None if coded is None else DensityRatio(codes=coded),
            weighted=(odds, corrected, hits),
            rows=len(chosen),
            held_out=_chances(corrected),
            chosen=chosen,
        )

    def __call__(self, raw: Floats, features: pd.DataFrame | None) -> Adapted:
        """Calibrate a window's rows.

        Parameters
        ----------
        raw
            Rows x classes.
        features
            As in `fit`; ``None`` gives the plain calibration.
        """
        plain = self.calibration(raw)
        if features is None or self.columns is None or self.ratio is None:
            return Adapted(plain, plain, float(self.rows))
        coded = self.columns(_with_scores(features, raw))
        odds = _log_odds(plain)
        corrected = odds
        if self.strength > 0:
            corrected = odds + self.strength * _shifts(self.models, coded) + _bent(self.bends, odds)
        weights = self.ratio(coded)
        effective = effective_rows(weights)
        corrected = corrected + self._for_window(weights, effective, odds)
        return Adapted(plain, _chances(corrected), effective)

    def _for_window(self, weights: Floats, effective: float, odds: Floats) -> Floats:
        """What weighted reference rows add to the log odds; nothing where it does not help weighted rows left out."""
        known, corrected, hits = self.weighted
        weights = weights / weights.sum() * effective
        halves = np.arange(len(weights)) % 2 == 0
        added = np.zeros_like(odds)
        for k in range(odds.shape[1]):
            design = _line(known[:, k])
            gain = 0.0
            for learn, test in ((halves, ~halves), (~halves, halves)):
                found = _refit(design[learn], hits[learn, k], corrected[learn, k], weights[learn])
                gain += _gain(design[test] @ found, corrected[test, k], hits[test, k], weights[test])
            if gain > LEAST_GAIN:
                added[:, k] = _line(odds[:, k]) @ _refit(design, hits[:, k], corrected[:, k], weights)
        return added


def _hits(codes: NDArray[np.int64], count: int) -> Floats:
    """Whether each row is of each class; of two classes, only the second."""
    return np.eye(count)[codes][:, 1:] if count == 2 else np.eye(count)[codes]


def _log_odds(chance: Floats) -> Floats:
    return special.logit(np.clip(chance[:, 1:] if chance.shape[1] == 2 else chance, TINY, 1 - TINY))


def _chances(odds: Floats) -> Floats:
    each = special.expit(odds)
    if odds.shape[1] == 1:
        return np.column_stack([1 - each, each])
    return each / each.sum(axis=1, keepdims=True)


def _log_loss(odds: Floats, hits: Floats) -> float:
    chance = _chances(odds)
    truth = hits[:, 0].astype(np.intp) if hits.shape[1] == 1 else hits.argmax(axis=1)
    # one certain error must not decide
    return float(-np.log(np.clip(chance[np.arange(len(truth)), truth], 1e-3, 1)).mean())


def _with_scores(features: pd.DataFrame, raw: Floats) -> pd.DataFrame:
    scores = raw[:, 1:]
    return features.assign(**{f"nbprod score {k}": scores[:, k] for k in range(scores.shape[1])})


def _residual_models(coded: Codes, odds: Floats, hits: Floats, seed: int) -> tuple[Any, ...]:
    """A model for each class of the step in log odds that its residuals ask for."""
    from sklearn.ensemble import HistGradientBoostingRegressor  # delayed: sklearn

    found = []
    rounds = max(40 * 2 // (odds.shape[1] + 1), 12)
    for k in range(odds.shape[1]):
        chance = np.clip(special.expit(odds[:, k]), 1e-4, 1 - 1e-4)
        weight = chance * (1 - chance)
        model = HistGradientBoostingRegressor(
            max_iter=rounds,
            max_leaf_nodes=12,
            min_samples_leaf=40,
            l2_regularization=5.0,
            max_bins=33,
            early_stopping=False,
            random_state=seed,
        )
        found.append(model.fit(coded, (hits[:, k] - chance) / weight, sample_weight=weight))
    return tuple(found)


def _shifts(models: tuple[Any, ...], coded: Codes) -> Floats:
    return np.column_stack([np.clip(model.predict(coded), -LARGEST_LOGIT, LARGEST_LOGIT) for model in models])


def _bend(odds: Floats, corrected: Floats, hits: Floats) -> tuple[Floats, Floats]:
    """A piecewise linear function of the plain log odds that makes corrected ones right at each on average."""
    knots = np.unique(np.quantile(odds, np.linspace(0.01, 0.99, KNOTS)))
    if len(knots) < 2:
        knots = np.array([odds.min() - 1, odds.max() + 1])
    found = logistic_offset(hats(odds, knots), hits, corrected, np.ones(len(odds)), penalty=BEND_PENALTY)
    return knots, found


def _bent(bends: tuple[tuple[Floats, Floats], ...], odds: Floats) -> Floats:
    return np.column_stack([np.interp(odds[:, k], knots, values) for k, (knots, values) in enumerate(bends)])


def _line(odds: Floats) -> Floats:
    return np.column_stack([np.ones(len(odds)), odds / 2])


def _refit(design: Floats, hits: Floats, offset: Floats, weights: Floats) -> Floats:
    return logistic_offset(design, hits, offset, weights, penalty=WINDOW_PENALTY)


def _gain(added: Floats, offset: Floats, hits: Floats, weights: Floats) -> float:
    """How much the weighted log likelihood rises with what is added to the log odds."""
    before, after = (np.logaddexp(0, (1 - 2 * hits) * odds) for odds in (offset, offset + added))
    return float(weights @ (before - after))
