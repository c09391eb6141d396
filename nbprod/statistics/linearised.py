"""Expected metrics of rows whose class is only probable, and how much each row's outcome moves them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbprod.statistics.metrics import METRICS

__all__ = ["Expectation", "expected_metrics"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Expectation:
    """What a metric is expected to be.

    The variance is that of the realised metric around it. Parts of it that were learned from few cases widen an
    interval further: ``degrees`` of freedom are those of its Student distribution.
    """

    value: float
    variance: float
    degrees: float = np.inf


def expected_metrics(
    chance: Floats, raw: Floats, labels: NDArray[np.int64], names: Sequence[str]
) -> dict[str, Expectation]:
    """Metrics at expected counts, with the variance of outcomes drawn independently with these chances.

    A row's outcome is one draw of a multinomial variable; a metric is linearised in it (the delta method), so that no
    outcome has to be simulated.

    Parameters
    ----------
    chance
        Rows x classes, each row adding up to one: what the outcome may be.
    raw
        Rows x classes: the model's own probabilities, which `roc_auc`, `log_loss` and `brier` are about.
    labels
        The class the model answered, -1 for an unknown one.
    names
        Of metrics of classification.
    """
    found = {}
    terms: dict[Callable[..., Any], Floats] = {}
    for name in names:
        chosen = METRICS[name]
        if chosen.terms is None or chosen.value is None:
            value, moves = _expected_auc(chance, raw)
        else:
            if chosen.terms not in terms:
                guess, count = labels if chosen.needs == "label" else raw, chance.shape[1]
                terms[chosen.terms] = np.stack(
                    [chosen.terms(np.full(len(raw), k), guess, count) for k in range(count)]
                )
            value, moves = _of_sums(chosen.value, terms[chosen.terms], chance)
        mean = np.einsum("rk,rk->r", chance, moves)
        variance = np.einsum("rk,rk->r", chance, moves**2) - mean**2
        found[name] = Expectation(value, float(np.maximum(variance, 0.0).sum()))
    return found


def _of_sums(value: Callable[[Floats], Floats], terms: Floats, chance: Floats) -> tuple[float, Floats]:
    """A metric at expected sums, and its change with each row's outcome (rows x classes)."""
    sums = np.einsum("rk,krt->t", chance, terms)
    steps = np.diag(np.maximum(np.abs(sums), 1.0) * 1e-5)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        slope = (value(sums + steps) - value(sums - steps)) / (2 * np.diag(steps))
        # a sum of 0 has no row in it: nothing moves it
        slope = np.where(np.isfinite(slope) & (sums != 0), slope, 0.0)
        return float(value(sums[None])[0]), (terms @ slope).T


def _expected_auc(chance: Floats, raw: Floats) -> tuple[float, Floats]:
    """Area under the ROC curve of each class against the rest, averaged, and its change with each outcome."""
    count = raw.shape[1]
    columns = [1] if count == 2 else list(range(count))
    moves = np.zeros_like(chance)
    values = []
    for k in columns:
        value, moves[:, k] = _area(chance[:, k], raw[:, k])
        values.append(value)
    return float(np.mean(values)), moves / len(columns)


def _area(positive: Floats, score: Floats) -> tuple[float, Floats]:
    """Of fractional positives: the area, and its derivative in each row's share of a positive."""
    order = np.argsort(score, kind="stable")
    ordered, share = score[order], positive[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    size = np.diff(np.r_[starts, len(ordered)])
    plus, minus = np.add.reduceat(share, starts), np.add.reduceat(1 - share, starts)
    below = np.cumsum(minus) - minus / 2
    above = plus.sum() - np.cumsum(plus) + plus / 2
    total_plus, total_minus = float(plus.sum()), float(minus.sum())
    pairs = total_plus * total_minus
    if pairs <= 0:
        return float("nan"), np.zeros(len(score))
    area = float(plus @ below / pairs)
    slope = np.empty(len(score))
    slope[order] = np.repeat((below - above) / pairs - area * (1 / total_plus - 1 / total_minus), size)
    return area, slope
