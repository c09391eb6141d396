"""Performance without outcomes: what the metrics of a classifier or a regressor are expected to be on new rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from nbprod.datasets import read_frame
from nbprod.domain.names import nearest
from nbprod.errors import DataError, SettingsError
from nbprod.statistics.expected import ExpectedClassifierMetrics, ExpectedMetrics
from nbprod.statistics.interval import Interval
from nbprod.statistics.linearised import Expectation
from nbprod.statistics.loss_estimation import ExpectedRegressorMetrics
from nbprod.statistics.metrics import METRICS, classes_of
from nbprod.statistics.shift import usable_features
from nbprod.threads import one_thread

__all__ = ["Agreement", "PerformanceEstimator"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """A metric as it was estimated and as it turned out to be."""

    metric: str
    estimated: Interval
    realised: float
    difference: Interval  #: realised less estimated
    p_value: float  #: of a difference at least as large, if outcomes still depend on the rows as in the reference
    rows: int

    @property
    def holds(self) -> bool:
        """Whether the estimate's assumption, no concept drift, is compatible with the outcomes."""
        return self.p_value > 0.05

    def __repr__(self) -> str:
        word = "as estimated" if self.holds else "not as estimated"
        return f"<Agreement {self.metric} {self.realised:.4g} {word} ({self.estimated}), p {self.p_value:.2g}>"


@dataclass(frozen=True, kw_only=True, eq=False)
class PerformanceEstimator:
    """Estimates a model's metrics on rows whose outcomes are not known yet.

    For classification, a row with calibrated probability ``c`` of being positive contributes its expected share to
    every cell of the confusion matrix (confidence-based estimation); for regression, a second model learned the size
    of the error from the features and the prediction (direct loss estimation). Both adapt to each window by its
    features where that predicts reference rows left out better. Both assume that outcomes depend on the rows as they
    did in the reference; `check` tests that as soon as outcomes are there.
    """

    task: str
    target: str
    prediction: str | None
    probability: tuple[str, ...]
    features: tuple[str, ...]
    expected: ExpectedMetrics
    excess: Mapping[str, float]  #: by metric: squared error of estimates beyond what sampling explains
    reference: Mapping[str, float]  #: realised metrics of the reference

    @classmethod
    def fit(
        cls,
        reference: Any,
        *,
        target: str,
        prediction: str | None = None,
        probability: str | Sequence[str] | None = None,
        features: Sequence[str] | None = None,
        task: str | None = None,
        classes: Sequence[Any] | None = None,
        seed: int = 0,
    ) -> PerformanceEstimator:
        """Learn from rows with outcomes that the model was not trained on.

        Parameters
        ----------
        reference
            Any source of rows, in order of time if they depend on it; rows without an outcome are left out.
        target, prediction
            The columns of the outcome and of the model's answer. Without answers, the likeliest class is taken.
        probability
            The column with the probability of the positive (last) class, or one column a class, in the order of
            ``classes``. With it, the task is classification.
        features
            What a shift is read from, and for regression the size of the error; by default all other columns, less
            moments, running numbers, columns of one value and free text. Windows of a classifier that lack one of
            them are estimated by the plain calibration of its probabilities.
        task
            ``classification`` or ``regression``; by default as ``probability`` says.
        classes
            The labels in order; by default those of the target, sorted.
        seed
            The same seed gives the same estimator.

        Raises
        ------
        DataError
            A column does not exist, there are fewer than 40 rows with outcomes, or only one class.
        SettingsError
            Regression without predictions, or classification without probabilities.
        """
        frame = _columns_of(reference, [target, prediction, probability])
        frame = frame[frame[target].notna()]
        if len(frame) < 40:
            raise DataError(
                f"the reference has {len(frame)} rows with an outcome in {target!r}",
                hint="Estimating performance needs at least 40.",
            )
        task = task or ("regression" if probability is None else "classification")
        expected: ExpectedMetrics
        names: tuple[str, ...] = ()
        own = {target, prediction, *([probability] if isinstance(probability, str) else probability or ())}
        used = tuple(features if features is not None else [str(name) for name in frame if name not in own])
        used = usable_features(_columns_of(frame, [used]), used)
        if task == "classification":
            if probability is None:
                raise SettingsError(
                    "classification cannot be estimated without probabilities", hint="Give probability=."
                )
            names = (probability,) if isinstance(probability, str) else tuple(probability)
            known = tuple(classes if classes is not None else classes_of(frame[target]))
            if len(known) < 2:
                raise DataError(f"{target!r} has one class only", hint="Give rows with every class.")
            rows = _drop_missing(frame, [*names, *([prediction] if prediction else [])])
            probabilities = rows[list(names)].to_numpy(np.float64)
            shifting = rows[list(used)] if used else None
            with one_thread():
                expected = ExpectedClassifierMetrics.fit(
                    rows[target], probabilities, _answers(rows, prediction), shifting, classes=known, seed=seed
                )
        elif prediction is None:
            raise SettingsError("regression cannot be estimated without predictions", hint="Give prediction=.")
        else:
            rows = _drop_missing(frame, [prediction])
            with one_thread():
                expected = ExpectedRegressorMetrics.fit(rows[target], rows[prediction], rows[list(used)], seed=seed)
        return cls(
            task=task,
            target=target,
            prediction=prediction,
            probability=names,
            features=used,
            expected=expected,
            excess=expected.excess,
            reference=expected.realised,
        )

    @property
    def metrics(self) -> tuple[str, ...]:
        """What can be estimated."""
        return self.expected.metrics

    def estimate(self, current: Any, *, level: float = 0.95) -> dict[str, Interval]:
        """The metrics expected on rows without outcomes.

        Parameters
        ----------
        current
            Any source with the columns of the reference, the target apart.
        level
            The chance that the realised metric lies in the interval, if the assumption holds.

        Returns
        -------
        dict
            An interval by metric. It holds the draw of the window's outcomes, that of the reference rows which speak
            for this window, what estimates missed on stretches of the reference left out, and the distance between
            the plain and the adapted calibration.

        Raises
        ------
        DataError
            A column is missing, or there are no rows.
        """
        with one_thread():
            expected, _ = self._expected(current)
        return _intervals(expected, level)

    def estimate_chunks(self, current: Any, chunk: Any, *, level: float = 0.95) -> dict[Any, Any]:
        """The estimates of each chunk, by its label in ascending order.

        Parameters
        ----------
        current
            As in `estimate`.
        chunk
            The label of each row, for instance from `time_blocks`.
        level
            As in `estimate`.
        """
        frame = _columns_of(current, self._needed)
        labels = pd.Series(np.asarray(chunk))
        if len(labels) != len(frame):
            raise DataError(f"there are {len(frame)} rows and {len(labels)} chunk labels")
        with one_thread():
            return {
                label: _intervals(self._expected(frame.iloc[rows])[0], level)
                for label, rows in sorted(labels.groupby(labels, sort=False).indices.items())
            }

    def check(self, current: Any, *, level: float = 0.95) -> dict[str, Agreement]:
        """Compare estimates with what outcomes say, on the rows that have one.

        A difference that neither the spread of outcomes nor the usual error of estimates explains means that
        outcomes no longer depend on the rows as they did: concept drift, or a model that is not calibrated here.

        Parameters
        ----------
        current
            As in `estimate`, with the column of the target; rows without an outcome are left out.
        level
            As in `estimate`.
        """
        frame = _columns_of(current, [self.target, *self._needed])
        with one_thread():
            expected, rows = self._expected(frame[frame[self.target].notna()])
        realised = self.expected.realise(rows[self.target], *self._inputs(rows))
        found = {}
        for name, truth in realised.items():
            one = expected[name]
            off, deviation = truth - one.value, float(np.sqrt(one.variance))
            if not np.isfinite(off):
                continue
            half = _quantile(one, level) * deviation
            chance = 2 * float(_distribution(one, -abs(off) / deviation)) if deviation > 0 else float(off == 0)
            found[name] = Agreement(
                metric=name,
                estimated=_interval(name, one, level),
                realised=truth,
                difference=Interval(value=off, low=off - half, high=off + half, level=level),
                p_value=chance,
                rows=len(rows),
            )
        return found

    @property
    def _needed(self) -> list[Any]:
        """The columns without which there is no estimate."""
        learned_from = self.features if self.task == "regression" else ()
        return [self.prediction, *self.probability, *learned_from]

    def _expected(self, current: Any) -> tuple[dict[str, Expectation], pd.DataFrame]:
        frame = _columns_of(current, self._needed)
        needed = [*self.probability, *([self.prediction] if self.prediction else [])]
        rows = _drop_missing(frame, needed)
        if not len(rows):
            raise DataError("there are no rows with predictions to estimate from", hint="Give at least one.")
        return self.expected.expect(*self._inputs(rows)), rows

    def _inputs(self, rows: pd.DataFrame) -> tuple[Any, ...]:
        features = rows[list(self.features)] if self.features and set(self.features) <= set(rows) else None
        if self.task == "classification":
            return rows[list(self.probability)].to_numpy(np.float64), _answers(rows, self.prediction), features
        return rows[self.prediction], rows[list(self.features)]

    def __repr__(self) -> str:
        return f"<PerformanceEstimator of {', '.join(self.metrics)} for {self.target!r}>"


def _answers(rows: pd.DataFrame, prediction: str | None) -> NDArray[Any] | None:
    return None if prediction is None else rows[prediction].to_numpy()


def _columns_of(source: Any, names: Sequence[Any]) -> pd.DataFrame:
    frame = source if isinstance(source, pd.DataFrame) else read_frame(source)
    for name in names:
        for column in [name] if isinstance(name, str) or name is None else name:
            if column is not None and column not in frame:
                raise DataError(f"there is no column {column!r}", hint=nearest(str(column), map(str, frame.columns)))
    return frame


def _drop_missing(frame: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    return frame.dropna(subset=list(names))


def _intervals(expected: Mapping[str, Expectation], level: float) -> dict[str, Interval]:
    return {name: _interval(name, one, level) for name, one in expected.items()}


def _interval(name: str, one: Expectation, level: float) -> Interval:
    half = _quantile(one, level) * float(np.sqrt(one.variance))
    low, high = _within(name, one.value - half, one.value + half)
    return Interval(value=one.value, low=low, high=high, level=level)


def _quantile(one: Expectation, level: float) -> float:
    at = (1 + level) / 2
    return float(special.stdtrit(one.degrees, at) if np.isfinite(one.degrees) else special.ndtri(at))


def _distribution(one: Expectation, at: float) -> float:
    return float(special.stdtr(one.degrees, at) if np.isfinite(one.degrees) else special.ndtr(at))


def _within(name: str, low: float, high: float) -> tuple[float, float]:
    """Bounds inside the range of a metric."""
    least = -np.inf if name == "r2" else 0.0
    most = 1.0 if METRICS[name].task == "classification" and name != "log_loss" else np.inf
    return float(max(low, least)), float(min(high, most))
