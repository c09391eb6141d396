"""How large a difference is: effects that a few rows do not lead, each with its interval and its material line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan

import numpy as np
from numpy.typing import NDArray
from scipy import special

from nbprod.statistics.numeric import NumericProfile
from nbprod.statistics.significance import Null, upper_share

__all__ = [
    "MATERIAL_OUTSIDE",
    "MATERIAL_SHARE",
    "SMALL_SHARE",
    "USUAL_LINE",
    "Effect",
    "categories_effect",
    "cell_means",
    "group_places",
    "middle_gaps",
    "outside_effect",
    "robust_scale",
    "rows_for",
    "share_effect",
    "shares_effect",
    "shift_effect",
    "steps_effect",
    "values_effect",
]

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
_Z = 1.959964  # of a 95 % interval
#: Cut off at each end of both samples before values are compared: a few rows far out must not lead the scale.
TRIMMED = 0.025
USUAL_LINE = 0.1  #: of a shift, in robust standard deviations, and of a distance of categories
#: A share is materially different by five points, or by one point and a factor of two.
MATERIAL_SHARE, SMALL_SHARE, FACTOR = 0.05, 0.01, 2.0
#: Rows where the reference has none count for more than rows that moved within it.
MATERIAL_OUTSIDE = 0.005
_SUPREMUM = 2.72  # of a 95 % bound on the largest of all steps: 1.36 (Kolmogorov) over half a standard deviation


@dataclass(frozen=True, kw_only=True)
class Effect:
    """An effect size with its interval and the line from which on it matters."""

    name: str  #: shift, moved, outside, repeated, category, categories, unseen, missing or infinite
    value: float
    unit: str
    low: float
    high: float
    line: float
    resolution: float = nan  #: the standard error it has without a change, in its unit
    where: str = ""  #: the value, range or category it is about
    before: float = nan  #: of a share: what it was, and what it is
    after: float = nan

    @property
    def material(self) -> bool:
        """Whether the whole interval lies beyond the line."""
        return self.low >= self.line

    @property
    def straddles(self) -> bool:
        """Whether the line lies within the interval."""
        return self.low < self.line <= self.high

    @property
    def weight(self) -> float:
        """The effect in units of its line."""
        return self.value / self.line


def shift_effect(
    reference: NumericProfile, current: NumericProfile, null: Null, line: float, design: float, *, blocks: bool
) -> Effect:
    r"""By how much the middle of the values moved, in robust standard deviations of the reference.

    Parameters
    ----------
    reference, current
        On one grid.
    null
        Of the distance of the middle, in the unit of the column.
    line
        From which on it matters.
    design
        By how much dependence between rows inflates the variance of a mean; 1 for independent rows.
    blocks
        Whether the null allows for the dependence already.

    Notes
    -----
    The distance is :math:`\int |F - G| dx` over what lies between the 2.5 and 97.5 % quantiles of either sample: the
    Wasserstein-1 distance but for the tails. Noise adds about its mean square to the squared distance. With
    :math:`h' = sign(F - G)`, the distance is the difference of the means of :math:`h` (its influence function), which
    gives the standard error. The upper bound starts from the distance itself, which noise need not have enlarged, and
    allows for at least half of what noise does at most: where the functions cross by chance, h says too little.
    """
    positions = cell_means(reference, current)
    gaps = middle_gaps(reference.counts, current.counts, positions)
    steps = (np.cumsum(reference.counts) / reference.n - np.cumsum(current.counts) / current.n)[:-1]
    distance = float(np.abs(steps) @ gaps)
    scale = robust_scale(reference, positions) or robust_scale(reference.merge(current), positions) or 1.0
    weight = np.r_[0.0, np.cumsum(np.sign(steps) * gaps)]
    middle = np.r_[0.0, np.cumsum(gaps)]
    pairs = [(profile.counts, profile.n) for profile in (reference, current)]
    error = float(np.sqrt(design * sum(_variance(weight, counts) / n for counts, n in pairs)))
    pooled = reference.counts + current.counts
    plain = float(np.sqrt(design * _variance(middle, pooled) * (1 / reference.n + 1 / current.n)))
    inflated = 1.0 if blocks else design
    high = null.high * np.sqrt(inflated)
    value = float(np.sqrt(max(distance**2 - null.mean_square * inflated, 0.0)))
    low = max(value - _Z * error, 0.0) if distance > high else 0.0
    return Effect(
        name="shift",
        value=value / scale,
        unit="robust standard deviations of the reference",
        low=low / scale,
        high=(distance + _Z * max(error, high / 2)) / scale,
        line=line,
        resolution=plain / scale,
    )


def steps_effect(reference: Counts, current: Counts, design: float, *, scaled: float = 1.0) -> Effect:
    """The largest difference of the distribution functions: the share of rows that moved across some value.

    Parameters
    ----------
    reference, current
        Rows by cell.
    design
        Inflation of the variance by dependence between rows.
    scaled
        By how much the line of a shift is larger than usual: it is the same change, measured otherwise.
    """
    line = min(MATERIAL_SHARE * scaled, 1.0)
    n, m = int(reference.sum()), int(current.sum())
    below = np.cumsum(reference)[:-1] / n, np.cumsum(current)[:-1] / m
    apart = np.abs(below[0] - below[1])
    if not len(apart):
        return Effect(name="moved", value=0.0, unit="of the rows", low=0.0, high=0.0, line=line)
    at = int(np.argmax(apart))
    error = _share_error(float(below[0][at]), n, float(below[1][at]), m, design)
    value = float(apart[at])
    return Effect(
        name="moved",
        value=value,
        unit="of the rows",
        low=max(value - _SUPREMUM * max(error, 1 / (n + m)), 0.0),
        high=min(value + _Z * error, 1.0),
        line=line,
        resolution=float(np.sqrt(design * (1 / n + 1 / m)) / 2),
    )


def share_effect(
    name: str, before: tuple[int, int], after: tuple[int, int], design: float, *, tried: int = 1, where: str = ""
) -> Effect:
    """How a share changed: material by five points, or by one point and a factor of two.

    Parameters
    ----------
    name
        Of the effect.
    before, after
        Rows that are counted, and all rows, of the reference and of the current sample.
    design
        Inflation of the variance by dependence between rows.
    tried
        Of how many shares this is the most changed one; the interval allows for it (Bonferroni).
    where
        What the share is of.
    """
    (k, n), (j, m) = before, after
    p, q = k / n, j / m
    z = -float(special.ndtri(0.025 / tried))
    # a row is added on each side, so that the error of none is not none (Agresti and Caffo 2000)
    error = _share_error((k + 1) / (n + 2), n + 2, (j + 1) / (m + 2), m + 2, design)
    value = abs(q - p)
    low, high = max(value - z * error, 0.0), min(value + z * error, 1.0)
    factor = abs(np.log((q + 0.5 / m) / (p + 0.5 / n)))
    log_error = np.sqrt(design * (max(1 - q, 0) / (j + 0.5) + max(1 - p, 0) / (k + 0.5)))
    doubled = factor - z * log_error >= np.log(FACTOR)
    perhaps = factor + z * log_error >= np.log(FACTOR)
    line = MATERIAL_SHARE
    if doubled and low < MATERIAL_SHARE:
        line = SMALL_SHARE
    elif perhaps and low < MATERIAL_SHARE:  # whether it doubled is open: no lower bound decides
        line, low = SMALL_SHARE, min(low, SMALL_SHARE * 0.999)
    return Effect(
        name=name,
        value=value,
        unit="of the rows",
        low=low,
        high=high,
        line=line,
        resolution=float(np.sqrt(design * (1 / n + 1 / m)) / 2),
        where=where,
        before=p,
        after=q,
    )


def values_effect(reference: NumericProfile, current: NumericProfile, design: float) -> Effect | None:
    """The cell whose share changed most surely: a value that is repeated far more often, or no longer."""
    counts = reference.counts, current.counts
    places = _most_changed(*counts, reference.n, current.n)
    filled = np.flatnonzero(reference.counts)
    used = int(((counts[0] + counts[1]) > 0).sum())
    found = []
    for cell in places:
        if not filled[0] <= cell <= filled[-1]:
            continue  # beyond the reference: told as such
        before, after = ((int(part[cell]), int(part.sum())) for part in counts)
        found.append(
            share_effect("repeated", before, after, design, tried=used, where=_cell_name(reference, current, cell))
        )
    return max(found, key=lambda one: (one.material, one.low / one.line, one.weight), default=None)


def categories_effect(names: Sequence[str], reference: Counts, current: Counts, design: float) -> Effect | None:
    """The category whose share changed most surely."""
    tried = max(int(((reference + current) > 0).sum()), 1)
    n, m = int(reference.sum()), int(current.sum())
    found = [
        share_effect("category", (int(reference[at]), n), (int(current[at]), m), design, tried=tried, where=names[at])
        for at in _most_changed(reference, current, n, m)
        if names[at]
    ]
    return max(found, key=lambda one: (one.material, one.low / one.line, one.weight), default=None)


def outside_effect(rows: int, current_rows: int, reference_rows: int, design: float) -> Effect:
    """The share of current rows where the reference has none, less what so few reference rows can have missed."""
    value = rows / current_rows
    hits, all_ = int(rows / design), max(int(current_rows / design), 1)
    missed = upper_share(0, max(int(reference_rows / design), 1))
    bound = 0.0 if hits == 0 else float(special.betaincinv(hits, all_ - hits + 1, 0.025))
    return Effect(
        name="outside",
        value=value,
        unit="of the rows",
        low=max(bound - missed, 0.0),
        high=upper_share(hits, all_, 0.975),
        line=MATERIAL_OUTSIDE,
        resolution=float(np.sqrt(MATERIAL_OUTSIDE / all_)),
    )


def shares_effect(score: float, reference: Counts, current: Counts, line: float, design: float) -> Effect:
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
    return Effect(
        name="categories",
        value=float(np.sqrt(divergence)),
        unit="Jensen-Shannon distance",
        low=float(np.sqrt(max(divergence - _Z * error, 0.0))),
        high=float(np.sqrt(score**2 + _Z * error)),
        line=line,
        # of the divergence; the distance it is taken for is its root
        resolution=float(np.sqrt(bias / (4 * effective))),
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


def middle_gaps(reference: Counts, current: Counts, positions: Floats) -> Floats:
    """The gaps between neighbouring positions, zero beyond the 2.5 and 97.5 % quantiles of both samples."""
    below = np.cumsum(reference)[:-1] / reference.sum(), np.cumsum(current)[:-1] / current.sum()
    inside = (np.maximum(*below) > TRIMMED) & (np.minimum(*below) < 1 - TRIMMED)
    gaps: Floats = np.diff(positions)
    return np.where(inside, gaps, 0.0)


def robust_scale(profile: NumericProfile, positions: Floats) -> float:
    """A standard deviation that tails do not lead: the interquartile range over 1.349, where values vary within it.

    Of a column that mostly holds one value, the standard deviation of its values cut off at the 2.5 and 97.5 %
    quantiles, or of all of them.
    """
    counts = profile.counts
    middle = (np.cumsum(counts) - counts / 2) / max(profile.n, 1)
    used = counts > 0
    low, first, third, high = np.interp(
        [TRIMMED, 0.25, 0.75, 1 - TRIMMED], middle[used], positions[used]
    )  # of neighbouring cells
    robust = float(third - first) / 1.349
    clipped = float(np.sqrt(_variance(np.clip(positions, low, high), counts)))
    if robust > clipped / 4:
        return robust
    return clipped or float(profile.std or 0.0)


def rows_for(detectable: float, line: float, reference_rows: int, current_rows: int) -> int:
    """Rows of the current window with which an effect as small as the line would be found as surely.

    What can be found shrinks with the root of :math:`n = 1 / (1/n_a + 1/n_b)`. Where no window would do because the
    reference is too small, both are counted as equally large.
    """
    effective = reference_rows * current_rows / (reference_rows + current_rows)
    needed = effective * (detectable / line) ** 2
    if needed < 0.9 * reference_rows:
        return max(int(np.ceil(needed * reference_rows / (reference_rows - needed))), current_rows + 1)
    return max(int(np.ceil(2 * needed)), current_rows + 1)


def _share_error(p: float, n: float, q: float, m: float, design: float) -> float:
    return float(np.sqrt(design * (p * (1 - p) / n + q * (1 - q) / m)))


def _most_changed(reference: Counts, current: Counts, n: int, m: int, most: int = 5) -> list[int]:
    pooled = reference + current
    off = np.abs(current / m - reference / n)
    surprise = off / np.sqrt(np.maximum(pooled, 1))
    chosen = {*np.argsort(off)[-most:].tolist(), *np.argsort(surprise)[-most:].tolist()}
    return sorted(cell for cell in chosen if pooled[cell])


def _cell_name(reference: NumericProfile, current: NumericProfile, cell: int) -> str:
    """The value of a cell; one that holds a range is named by the mean of the rows that came to it."""
    grid = reference.grid
    value = float(grid.values[cell])
    if not np.isnan(value):
        return f"{value:.4g}"
    more = max(current, reference, key=lambda one: one.counts[cell] / max(one.n, 1))
    less = reference if more is current else current
    expected = less.counts[cell] / less.n * more.n
    came = max(more.counts[cell] - expected, 1.0)
    usual = less.cell_sums[cell] / less.counts[cell] if less.counts[cell] else 0.0
    y = (more.cell_sums[cell] - expected * usual) / came
    low, high = (
        (grid.edges[at] - grid.center) / grid.scale for at in (max(cell - 1, 0), min(cell, len(grid.edges) - 1))
    )
    return f"about {grid.center + grid.scale * float(np.clip(y, low, high)):.3g}"


def _variance(values: Floats, counts: Counts) -> float:
    share = counts / max(counts.sum(), 1)
    mean = float(share @ values)
    return float(share @ (values - mean) ** 2)
