"""How large a difference is: the part that noise does not explain, with an interval."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nbprod.statistics.numeric import NumericProfile
from nbprod.statistics.significance import Null

__all__ = [
    "Effect",
    "cell_means",
    "group_places",
    "material_share",
    "rows_needed",
    "shares_effect",
    "wasserstein_effect",
]

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
_Z = 1.959964  # of a 95 % interval
_POWER = 0.841621  # of 80 % power


@dataclass(frozen=True, kw_only=True)
class Effect:
    """An effect size with its interval."""

    value: float
    unit: str
    low: float
    high: float
    std_error: float
    noise: float  #: the effect that noise alone exceeds with a chance of 5 %


def wasserstein_effect(
    distance: float,
    reference: NumericProfile,
    current: NumericProfile,
    null: Null,
    scale: float,
    design: float,
) -> Effect:
    """The Wasserstein-1 distance in units of a scale, without what noise adds to it.

    Parameters
    ----------
    distance
        In the unit of the column.
    null
        Of the distance, in the unit of the column.
    scale
        The unit of the result, in the unit of the column.
    design
        By how much dependence between rows inflates the variance of a mean; 1 for independent rows.

    Notes
    -----
    Noise adds about its mean square to the squared distance. With :math:`h' = sign(F - G)`, the distance is the
    difference of the means of :math:`h` (its influence function), which gives the standard error. The upper bound
    starts from the distance itself, which noise need not have enlarged, and allows for at least half of what noise
    does at most: where the functions cross by chance, h says too little.
    """
    positions = cell_means(reference, current)
    steps = np.cumsum(reference.counts) / reference.n - np.cumsum(current.counts) / current.n
    weight = np.r_[0.0, np.cumsum(np.sign(steps[:-1]) * np.diff(positions))]
    variance = sum(_variance(weight, profile.counts) / profile.n for profile in (reference, current))
    error = float(np.sqrt(variance * design))
    value = float(np.sqrt(max(distance**2 - null.mean_square, 0.0)))
    low = max(value - _Z * error, 0.0) if distance > null.high else 0.0
    unit = "standard deviations of the reference"
    return Effect(
        value=value / scale,
        unit=unit,
        low=low / scale,
        high=(distance + _Z * max(error, null.high / 2)) / scale,
        std_error=error / scale,
        noise=null.high / scale,
    )


def shares_effect(score: float, reference: Counts, current: Counts, design: float) -> Effect:
    """The Jensen-Shannon distance without what noise adds to it.

    Without a difference, the divergence (the squared distance) has mean (k - 1) / (8 n), with
    ``1/n = 1/n_a + 1/n_b``, and variance (k - 1) / (32 n²); with one, its variance comes from the delta method.
    """
    rows_a, rows_b = int(reference.sum()), int(current.sum())
    p, q = reference / rows_a, current / rows_b
    middle = (p + q) / 2
    used = middle > 0
    effective = rows_a * rows_b / (rows_a + rows_b) / design
    bias = (int(used.sum()) - 1) / (8 * effective)
    with np.errstate(divide="ignore"):
        slopes = [np.log(np.where(part > 0, part, 1) / np.where(used, middle, 1)) / 2 for part in (p, q)]
    delta = sum(
        _variance(slope, counts) / rows
        for slope, counts, rows in zip(slopes, (reference, current), (rows_a, rows_b), strict=True)
    )
    error = float(np.sqrt(delta * design + bias / (4 * effective)))
    divergence = max(score**2 - bias, 0.0)
    value = float(np.sqrt(divergence))
    noise = float(np.sqrt(bias + 1.645 * np.sqrt(bias / (4 * effective))))
    low = float(np.sqrt(max(divergence - _Z * error, 0.0)))
    return Effect(
        value=value,
        unit="Jensen-Shannon distance",
        low=low,
        high=float(np.sqrt(score**2 + _Z * error)),
        std_error=error / (2 * value) if value > 0 else noise / 2,
        noise=noise,
    )


def cell_means(reference: NumericProfile, current: NumericProfile) -> Floats:
    """The mean of the rows of both in each cell, in the unit of the column less the grid's centre; ascending."""
    counts = reference.counts + current.counts
    edges = (reference.grid.edges - reference.grid.center) / reference.grid.scale
    middle = np.r_[edges[0], (edges[1:] + edges[:-1]) / 2, edges[-1]]
    sums = reference.cell_sums + current.cell_sums
    means = np.where(counts > 0, sums / np.maximum(counts, 1), middle)
    return np.maximum.accumulate(means) * reference.grid.scale  # rounding must not turn neighbours around


def group_places(reference: NumericProfile, current: NumericProfile, positions: Floats) -> Floats:
    """The mean of the rows of both in each coarse group of cells, from the means of the cells; ascending."""
    coarse = reference.grid.coarse
    rows = reference.counts + current.counts
    counts = np.bincount(coarse, weights=rows)
    places = np.bincount(coarse, weights=rows * positions) / np.maximum(counts, 1)
    return np.interp(np.arange(len(places)), np.flatnonzero(counts), places[counts > 0])


def _variance(values: Floats, counts: Counts) -> float:
    share = counts / counts.sum()
    mean = float(share @ values)
    return float(share @ (values - mean) ** 2)


def material_share(before: float, after: float) -> bool:
    """Whether a share changed by so much that it matters: by 5 points, or by 1 point and a factor of two."""
    change = abs(after - before)
    return change >= 0.05 or (change >= 0.01 and max(before, after) >= 2 * min(before, after))


def rows_needed(effect: Effect, threshold: float, reference_rows: int, current_rows: int) -> int:
    """Rows of the current window with which an effect of the threshold would be found with a chance of 80 %.

    Noise and standard error shrink with the root of :math:`n = 1 / (1/n_a + 1/n_b)`. Where no window would do because
    the reference is too small, both are counted as equally large.
    """
    effective = reference_rows * current_rows / (reference_rows + current_rows)
    needed = effective * ((effect.noise + _POWER * effect.std_error) / threshold) ** 2
    if needed < 0.9 * reference_rows:
        return max(int(np.ceil(needed * reference_rows / (reference_rows - needed))), current_rows + 1)
    return max(int(np.ceil(2 * needed)), current_rows + 1)
