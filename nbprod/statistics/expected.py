"""Expected metrics of a classifier: its probabilities, calibrated for the window, say how often it is right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nbprod.statistics.adaptive import PARTS, AdaptiveCalibration
from nbprod.statistics.linearised import Expectation, expected_metrics
from nbprod.statistics.metrics import METRICS, class_codes, metric

__all__ = ["Excess", "ExpectedClassifierMetrics", "ExpectedMetrics"]

Floats = NDArray[np.float64]
STRETCHES = 10  #: of the reference, in order of time, that show how far estimates are off beyond chance


class ExpectedMetrics(Protocol):
    """What a model's metrics are expected to be."""

    @property
    def metrics(self) -> tuple[str, ...]:
        """What can be expected."""
        ...

    @property
    def excess(self) -> Mapping[str, float]:
        """Squared error of expectations on stretches of the reference left out, beyond what sampling explains."""
        ...

    @property
    def realised(self) -> Mapping[str, float]:
        """Metrics of the whole reference."""
        ...

    def expect(self, *inputs: Any) -> dict[str, Expectation]:
        """Expected metrics of rows, and the variance of realised ones around them."""
        ...

    def realise(self, truth: Any, *inputs: Any) -> dict[str, float]:
        """The same metrics of rows whose outcomes are known."""
        ...


@dataclass
class Excess:
    """How far estimates are off on stretches of the reference, beyond what their variance explains."""

    surplus: dict[str, list[float]] = field(default_factory=dict)

    def note(self, expected: Mapping[str, Expectation], found: Mapping[str, float]) -> None:
        """Hold an estimate against what was realised."""
        for name, one in expected.items():
            if np.isfinite(found[name]) and np.isfinite(one.value):
                self.surplus.setdefault(name, []).append((found[name] - one.value) ** 2 - one.variance)

    @property
    def by_metric(self) -> dict[str, float]:
        """The mean surplus, at least 0."""
        return {name: max(float(np.mean(values)), 0.0) for name, values in self.surplus.items()}


def widened(
    expected: Mapping[str, Expectation],
    plain: Mapping[str, Expectation],
    excess: Mapping[str, float],
    *,
    rows: int,
    effective: float,
) -> dict[str, Expectation]:
    """Expectations with every source of their error.

    Beside the draw of the window's outcomes: the same draw in the reference rows that speak for the window, of which
    there are as many as the weights of the density ratio leave (the efficiency bound of a reweighted mean); what
    estimates missed in stretches of the reference; and the doubt which of two models of the window is right, a
    quarter of their squared distance, as if the truth were at either.

    Parameters
    ----------
    expected, plain
        By the adapted model and by its rival: the plain calibration, or learned losses without the window's scale.
    excess
        By metric.
    rows
        Of the window.
    effective
        Rows of the reference that speak for it.
    """
    found = {}
    for name, one in expected.items():
        sampling = one.variance * (1 + rows / max(effective, 1.0))
        doubt = (one.value - plain[name].value) ** 2 / 4
        learned = excess.get(name, 0.0) + (doubt if np.isfinite(doubt) else 0.0)
        total = sampling + learned
        degrees = (STRETCHES - 1) * (total / learned) ** 2 if learned > 0 else np.inf
        found[name] = Expectation(one.value, total, float(degrees))
    return found


@dataclass(frozen=True, kw_only=True)
class ExpectedClassifierMetrics:
    """Confidence-based estimation with a calibration that adapts to each window."""

    classes: tuple[Any, ...]
    calibration: AdaptiveCalibration
    excess: Mapping[str, float]
    realised: Mapping[str, float]

    @classmethod
    def fit(
        cls,
        truth: Any,
        probability: Floats,
        answers: Any,
        features: pd.DataFrame | None,
        *,
        classes: Sequence[Any],
        seed: int,
    ) -> ExpectedClassifierMetrics:
        """Calibrate on all rows; learn the usual error of estimates from stretches left out."""
        known = tuple(classes)
        raw, codes = _matrix(probability), class_codes(truth, known)
        calibration = AdaptiveCalibration.fit(raw, codes, features, seed=seed)
        labels = _predicted_labels(raw, answers, known)
        misses, chosen = Excess(), calibration.chosen
        for part in np.array_split(np.arange(len(chosen)), min(STRETCHES, len(chosen) // 10)):
            rows = chosen[part]
            expected = expected_metrics(calibration.held_out[part], raw[rows], labels[rows], _NAMES)
            others = len(chosen) * (1 - 1 / PARTS)
            both = widened(expected, expected, {}, rows=len(part), effective=others)
            misses.note(both, _realised(codes[rows], raw[rows], labels[rows]))
        return cls(
            classes=known,
            calibration=calibration,
            excess=misses.by_metric,
            realised=_realised(codes, raw, labels),
        )

    @property
    def metrics(self) -> tuple[str, ...]:
        """All of classification."""
        return _NAMES

    def expect(self, *inputs: Any) -> dict[str, Expectation]:
        """Metrics at calibrated probabilities, with the variance of realised ones around them."""
        probability, answers, features = inputs
        raw = _matrix(probability)
        labels = _predicted_labels(raw, answers, self.classes)
        found = self.calibration(raw, features)
        expected = expected_metrics(found.chance, raw, labels, _NAMES)
        plain = expected if found.plain is found.chance else expected_metrics(found.plain, raw, labels, _NAMES)
        return widened(expected, plain, self.excess, rows=len(raw), effective=found.rows)

    def realise(self, truth: Any, *inputs: Any) -> dict[str, float]:
        """The metrics with the outcomes."""
        probability, answers, _ = inputs
        raw = _matrix(probability)
        return _realised(class_codes(truth, self.classes), raw, _predicted_labels(raw, answers, self.classes))


_NAMES = tuple(name for name, chosen in METRICS.items() if chosen.task == "classification")


def _realised(codes: NDArray[np.int64], raw: Floats, labels: NDArray[np.int64]) -> dict[str, float]:
    known = list(range(raw.shape[1]))
    return {
        name: metric(name)(codes, labels if METRICS[name].needs == "label" else raw, classes=known) for name in _NAMES
    }


def _predicted_labels(raw: Floats, answers: Any, classes: Sequence[Any]) -> NDArray[np.int64]:
    return raw.argmax(axis=1).astype(np.int64) if answers is None else class_codes(answers, classes)


def _matrix(probability: Floats) -> Floats:
    matrix = np.asarray(probability, dtype=np.float64)
    if matrix.ndim == 1 or matrix.shape[1] == 1:
        positive = matrix.reshape(-1)
        return np.column_stack([1 - positive, positive])
    return matrix
