"""Metrics of classification and regression by name, each a function of sums over rows (the ROC AUC of ranks)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbprod.domain.names import nearest
from nbprod.errors import DataError, SettingsError

__all__ = ["METRICS", "Metric", "class_codes", "classes_of", "metric", "weighted_auc"]

Floats = NDArray[np.float64]
_TINY = float(np.finfo(np.float64).eps)  # as scikit-learn clips probabilities


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A metric; call it with the truth and the predictions.

    The value is a function of weighted sums over rows, so that resampling and segments cost a matrix product.
    """

    name: str
    task: str  #: ``classification`` or ``regression``
    needs: str  #: ``label``, ``probability`` or ``number``
    higher_is_better: bool
    formula: str
    #: rows x terms, from the truth and the predictions as prepared by `_inputs`; ``None`` for the ROC AUC
    terms: Callable[[Any, Any, int], Floats] | None = None
    #: from sums (… x terms) to values (…)
    value: Callable[[Floats], Floats] | None = None

    def __call__(
        self,
        y: Any,
        predicted: Any,
        *,
        classes: Sequence[Any] | None = None,
        weights: Floats | None = None,
    ) -> float:
        """Compute the metric; NaN where it is not defined (ROC AUC of one class, R² of a constant).

        Parameters
        ----------
        y
            The truth, one value a row, none missing.
        predicted
            What the metric needs: labels, numbers, or probabilities (of the last class, or one column a class).
        classes
            The labels in the order of the columns of the probabilities; by default the sorted labels. The last of two
            is the positive one.
        weights
            One number >= 0 a row.

        Raises
        ------
        DataError
            Lengths differ, a value is missing, or probabilities do not fit the classes.
        """
        scorer = self.scorer(y, predicted, classes=classes)
        rows = len(np.asarray(y))
        return float(scorer(np.ones(rows) if weights is None else np.asarray(weights, dtype=np.float64))[0])

    def scorer(
        self,
        y: Any,
        predicted: Any,
        *,
        classes: Sequence[Any] | None = None,
        groups: NDArray[np.int64] | None = None,
        row_weights: Floats | None = None,
    ) -> Callable[[Floats], Floats]:
        """Prepare a function from weights (replicates x groups) to values (replicates).

        Parameters
        ----------
        y, predicted, classes
            As in a call.
        groups
            The group of each row, from 0; by default each row is a group of its own.
        row_weights
            How many rows each row stands for, >= 0; by default one.
        """
        truth, guess, count = _inputs(self, y, predicted, classes)
        if self.terms is None or self.value is None:
            return _auc_scorer(truth, guess, count, groups, row_weights)
        terms, value = self.terms(truth, guess, count), self.value
        if row_weights is not None:
            terms = terms * row_weights[:, None]
        if groups is not None:
            sums = np.zeros((int(groups.max()) + 1, terms.shape[1]))
            np.add.at(sums, groups, terms)
            terms = sums

        def score(weights: Floats) -> Floats:
            with np.errstate(divide="ignore", invalid="ignore"):
                return value(np.atleast_2d(weights) @ terms)

        return score

    def __repr__(self) -> str:
        return f"<Metric {self.name} of {self.needs}s, {'higher' if self.higher_is_better else 'lower'} is better>"


def metric(name: str) -> Metric:
    """The metric of a name.

    Raises
    ------
    SettingsError
        There is none.
    """
    if name not in METRICS:
        raise SettingsError(f"there is no metric {name!r}", hint=nearest(name, METRICS))
    return METRICS[name]


def classes_of(*labels: Any) -> list[Any]:
    """The sorted distinct labels of all arrays; numbers before text."""
    seen: set[Any] = set()
    for values in labels:
        seen.update(_labels(values).tolist())
    return sorted(seen, key=lambda value: (isinstance(value, str), value))


def class_codes(labels: Any, classes: Sequence[Any]) -> NDArray[np.int64]:
    """Positions of labels in the classes, -1 for one that is not there."""
    position = {value: code for code, value in enumerate(_labels(np.asarray(classes, dtype=object)).tolist())}
    values, inverse = np.unique(_labels(labels), return_inverse=True)
    return np.array([position.get(value, -1) for value in values.tolist()], dtype=np.int64)[inverse.reshape(-1)]


def weighted_auc(positive: Floats, score: Floats, weights: Floats) -> float:
    """Area under the ROC curve with weights, ties counted half (Mann-Whitney); range 0 to 1, NaN for one class.

    Parameters
    ----------
    positive
        The weight with which each row counts as positive, 0 to 1; fractions are probabilities.
    score
        Sorted or not; only its order matters.
    weights
        One number >= 0 a row.
    """
    order = np.argsort(score, kind="stable")
    return _sorted_auc((positive * weights)[order], ((1 - positive) * weights)[order], _tie_starts(score[order]))


def _tie_starts(ordered: Floats) -> NDArray[np.intp]:
    return np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])


def _sorted_auc(positive: Floats, negative: Floats, starts: NDArray[np.intp]) -> float:
    if len(starts) < len(positive):
        positive, negative = np.add.reduceat(positive, starts), np.add.reduceat(negative, starts)
    below = np.cumsum(negative) - negative / 2
    total = positive.sum() * negative.sum()
    return float(positive @ below / total) if total > 0 else float("nan")


def _auc_scorer(
    truth: Any, guess: Any, count: int, groups: Any, row_weights: Floats | None
) -> Callable[[Floats], Floats]:
    # of two classes: the second; of more: the mean of each against the rest, as scikit-learn's ovr and macro
    columns = [(truth == 1, guess[:, 1])] if count == 2 else [(truth == k, guess[:, k]) for k in range(count)]
    prepared = []
    for positive, rank in columns:
        order = np.argsort(rank, kind="stable")
        prepared.append((order, positive[order].astype(np.float64), _tie_starts(rank[order])))

    def score(weights: Floats) -> Floats:
        values = []
        for row in np.atleast_2d(weights):
            each = row if groups is None else row[groups]
            each = each if row_weights is None else each * row_weights
            areas = []
            for order, positive, starts in prepared:
                sorted_weights = each[order]
                weighted = positive * sorted_weights
                areas.append(_sorted_auc(weighted, sorted_weights - weighted, starts))
            values.append(sum(areas) / len(areas))
        return np.array(values)

    return score


def _labels(values: Any) -> NDArray[Any]:
    array = np.asarray(values)
    if array.dtype == bool:
        return array.astype(np.int64)
    if array.dtype == object:
        listed = [int(value) if isinstance(value, bool | np.bool_) else value for value in array.tolist()]
        array = np.empty(len(listed), dtype=object)
        array[:] = listed
    return array


def _inputs(chosen: Metric, y: Any, predicted: Any, classes: Sequence[Any] | None) -> tuple[Any, Any, int]:
    import pandas as pd  # heavy; knows every kind of missing

    rows, guesses = len(np.asarray(y)), len(np.asarray(predicted))
    if rows != guesses:
        raise DataError(f"{chosen.name} needs one prediction a row: {rows} rows, {guesses} predictions")
    if np.any(pd.isna(np.asarray(y))) or np.any(pd.isna(np.asarray(predicted))):
        raise DataError(f"{chosen.name} cannot be computed with missing values", hint="Drop those rows first.")
    if chosen.needs == "number":
        return np.asarray(y, dtype=np.float64), np.asarray(predicted, dtype=np.float64), 0
    if chosen.needs == "label":
        known = list(classes) if classes is not None else classes_of(y, predicted)
        known = known if len(known) > 1 else [None, *known]  # a lone class is the positive one
        return class_codes(y, known), class_codes(predicted, known), len(known)
    known = list(classes) if classes is not None else classes_of(y)
    probability = np.asarray(predicted, dtype=np.float64)
    if probability.ndim == 1:
        probability = np.column_stack([1 - probability, probability])
        known = [known[0], None] if known in ([0], [0.0]) else ([None, *known] if len(known) == 1 else known)
    if probability.shape[1] != len(known):
        raise DataError(
            f"{chosen.name} got {probability.shape[1]} columns of probabilities for {len(known)} classes",
            hint="Give classes=, in the order of the columns.",
        )
    codes = class_codes(y, known)
    if (codes < 0).any():
        raise DataError(f"{chosen.name} got a label that is none of the classes {known}")
    return codes, probability, len(known)


def _right(y: Any, guess: Any, _: int) -> Floats:
    return np.column_stack([(y == guess).astype(np.float64), np.ones(len(y))])


def _confusion(y: Any, guess: Any, count: int) -> Floats:
    # of two classes only the second counts; of more, all (macro average). Columns: hits, predicted, actual of each
    chosen = [1] if count == 2 else range(count)
    columns = [part for k in chosen for part in ((y == k) & (guess == k), guess == k, y == k)]
    return np.column_stack(columns).astype(np.float64)


def _hits_over(*, called: float, real: float) -> Callable[[Floats], Floats]:
    """Hits over a mean of the rows called and the rows really of a class: precision, recall or, of both, F1."""

    def value(sums: Floats) -> Floats:
        each = sums.reshape(*sums.shape[:-1], -1, 3)
        return np.nan_to_num(each[..., 0] / (called * each[..., 1] + real * each[..., 2])).mean(axis=-1)

    return value


def _log_terms(y: Any, probability: Floats, _: int) -> Floats:
    chosen = np.clip(probability[np.arange(len(y)), y], _TINY, 1 - _TINY)
    return np.column_stack([-np.log(chosen), np.ones(len(y))])


def _brier_terms(y: Any, probability: Floats, count: int) -> Floats:
    squared = ((probability - np.eye(count)[y]) ** 2).sum(axis=1)
    return np.column_stack([squared / (2 if count == 2 else 1), np.ones(len(y))])


def _number_terms(y: Any, guess: Any, _: int) -> Floats:
    error = guess - y
    # the truth is centred, or its square would swallow the digits R² needs
    centred = y - y.mean() if len(y) else y
    return np.column_stack([np.abs(error), error**2, centred, centred**2, np.ones(len(y))])


def _mean(sums: Floats) -> Floats:
    return sums[..., 0] / sums[..., 1]


def _mae(sums: Floats) -> Floats:
    return sums[..., 0] / sums[..., 4]


def _rmse(sums: Floats) -> Floats:
    return np.sqrt(sums[..., 1] / sums[..., 4])


def _r2(sums: Floats) -> Floats:
    total_squares = sums[..., 3] - sums[..., 2] ** 2 / sums[..., 4]
    return np.where(total_squares > 0, 1 - sums[..., 1] / total_squares, np.nan)


_CHOICES = (
    ("accuracy", "label", True, "share of rows whose label is right", _right, _mean),
    ("precision", "label", True, "right among those called positive", _confusion, _hits_over(called=1, real=0)),
    ("recall", "label", True, "right among the positive", _confusion, _hits_over(called=0, real=1)),
    ("f1", "label", True, "harmonic mean of precision and recall", _confusion, _hits_over(called=0.5, real=0.5)),
    ("roc_auc", "probability", True, "chance that a positive row scores above a negative one", None, None),
    ("log_loss", "probability", False, "mean of -ln p(the true class), in nats", _log_terms, _mean),
    ("brier", "probability", False, "mean squared error of the probability", _brier_terms, _mean),
    ("mae", "number", False, "mean absolute error, in the target's unit", _number_terms, _mae),
    ("rmse", "number", False, "root of the mean squared error, in the target's unit", _number_terms, _rmse),
    ("r2", "number", True, "1 - squared error / variance of the target", _number_terms, _r2),
)

#: All metrics by name. Precision, recall and F1 speak of the last of two classes, of more they are the plain mean.
METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        name: Metric(
            name=name,
            task="regression" if needs == "number" else "classification",
            needs=needs,
            higher_is_better=higher,
            formula=formula,
            terms=terms,
            value=value,
        )
        for name, needs, higher, formula, terms, value in _CHOICES
    }
)
