"""The number of each drift method, from values or from two profiles on one grid."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from scipy import special

from nbprod.errors import SettingsError
from nbprod.statistics import distances
from nbprod.statistics.category import CategoryProfile, category_hash
from nbprod.statistics.columns import ColumnType
from nbprod.statistics.numeric import NumericProfile

__all__ = [
    "METHODS",
    "category_counts",
    "default_method",
    "score_profiles",
    "score_values",
    "tested_counts",
    "wasserstein_of_profiles",
]

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

#: The methods and the effect from which on a change is material.
#: ``wasserstein`` in standard deviations of the reference, the others in their own unit; ``ks`` by its D.
METHODS: Mapping[str, float] = MappingProxyType(
    {"wasserstein": 0.1, "jensenshannon": 0.1, "psi": 0.1, "hellinger": 0.1, "ks": 0.1, "length": 0.1}
)
_FAR_ABOVE = 20  # rows
_LEAST_STD = 0.001  # evidently divides by no less
_NODES, _SHARES = np.polynomial.legendre.leggauss(5)
_FEW_INTEGERS, _FEW_NUMBERS = 10, 5  # evidently takes such columns for categories


def default_method(reference: NumericProfile | CategoryProfile, current: NumericProfile | CategoryProfile) -> str:
    """``wasserstein`` for what lies on a line, ``jensenshannon`` for categories and numbers of few values.

    Few are at most ten whole numbers or five others, as evidently has it, as long as no further value turns up.
    """
    if isinstance(reference, CategoryProfile):
        return "jensenshannon"
    if reference.kind is ColumnType.TEXT:
        return "length"
    pooled = reference.counts + (current.counts if isinstance(current, NumericProfile) else 0)
    few = _FEW_INTEGERS if "int" in reference.dtype and "double" not in reference.dtype else _FEW_NUMBERS
    used = pooled > 0
    if (
        reference.kind is ColumnType.NUMBER
        and 1 < used.sum() <= few
        and not np.isnan(reference.grid.values[used]).any()
    ):
        return "jensenshannon"
    return "wasserstein"


def score_values(method: str, a: Floats, b: Floats) -> float:
    """The method's number for two numeric samples, finite and not empty; the same evidently gives.

    Parameters
    ----------
    method
        One of `METHODS`.
    a, b
        Reference and current.

    Raises
    ------
    SettingsError
        There is no such method.
    """
    if method in {"wasserstein", "length"}:
        return distances.wasserstein(a, b) / max(float(np.std(a)), _LEAST_STD)
    if method == "ks":
        from scipy.stats import ks_2samp  # heavy

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it says when the exact p-value is out of reach
            return float(ks_2samp(a, b).pvalue)
    return _of_shares(method, *distances.binned_shares(a, b, method=method))


def _of_shares(method: str, p: Floats, q: Floats) -> float:
    functions = {
        "jensenshannon": distances.jensen_shannon,
        "psi": distances.psi,
        "hellinger": distances.hellinger,
    }
    if method not in functions:
        raise SettingsError(f"there is no drift method {method!r} here", hint=f"Use one of {', '.join(METHODS)}.")
    return functions[method](p, q)


def score_profiles(
    method: str, reference: NumericProfile | CategoryProfile, current: NumericProfile | CategoryProfile
) -> float:
    """The method's number from two profiles on one grid, neither without values.

    Exact for categories that are all counted; for numbers within about 0.001, because what lies inside a cell is
    known by its count and sum only.

    Raises
    ------
    SettingsError
        The method does not exist, or needs the rows.
    """
    if isinstance(reference, CategoryProfile) or isinstance(current, CategoryProfile):
        assert isinstance(reference, CategoryProfile)
        assert isinstance(current, CategoryProfile)
        _, a, b = category_counts(reference, current)
        return _of_shares(method, a / a.sum(), b / b.sum())
    if method in {"wasserstein", "length"}:
        return wasserstein_of_profiles(reference, current) / max(reference.std or 0.0, _LEAST_STD)
    values = ~np.isnan(reference.grid.values)
    used = (reference.counts + current.counts) > 0
    if method in METHODS and (method == "ks" or not values[used].all()):
        raise SettingsError(
            f"{method} of a column of many values needs the rows; a profile does not hold them",
            hint="Compare two frames, or use wasserstein, which profiles give.",
        )
    return _of_shares(method, reference.counts[used] / reference.n, current.counts[used] / current.n)


def wasserstein_of_profiles(reference: NumericProfile, current: NumericProfile) -> float:
    r"""Wasserstein-1 distance in the unit of the column, exact but where distribution functions cross inside a cell.

    By parts, :math:`\int_l^h F dx = h F(h) - l F(l) - S / n`, where ``S`` is the sum of the values in the cell.
    """
    grid = reference.grid
    edges = (grid.edges - grid.center) / grid.scale
    steps = (np.cumsum(reference.counts) / reference.n - np.cumsum(current.counts) / current.n)[:-1]
    bounds = edges * steps
    # both functions are 0 below the first cell and 1 above the last
    areas = np.r_[bounds, 0.0] - np.r_[0.0, bounds]
    areas -= reference.cell_sums / reference.n - current.cell_sums / current.n
    total = np.abs(areas)
    noise = reference.counts / reference.n**2 + current.counts / current.n**2
    total[1:-1] += _crossings(areas[1:-1], np.diff(edges), steps[:-1], steps[1:], noise[1:-1])
    return float(total.sum() * grid.scale)


def _crossings(areas: Floats, widths: Floats, left: Floats, right: Floats, noise: Floats) -> Floats:
    r"""What chance crossings inside cells are expected to add to :math:`|\int F - G dx|`.

    Inside a cell, the difference is taken for a Brownian bridge of the counts' variance between its two known ends,
    with its known integral; the mean of its absolute value, less the absolute value of its mean, is integrated by
    Gauss' rule with five nodes.
    """
    t = ((_NODES + 1) / 2)[:, None]
    line = left + (right - left) * t
    bow = 6 * t * (1 - t) * (areas / np.maximum(widths, 1e-300) - (left + right) / 2)
    deviation = np.sqrt(np.maximum(noise * (t * (1 - t) - 3 * (t * (1 - t)) ** 2), 1e-300))
    at = (line + bow) / deviation
    at = np.minimum(np.abs(at), 40.0)  # where nothing crosses any more
    added = deviation * (np.sqrt(2 / np.pi) * np.exp(-(at**2) / 2) - 2 * at * special.ndtr(-at))
    return (_SHARES / 2) @ added * widths


def tested_counts(reference: CategoryProfile, current: CategoryProfile) -> tuple[list[str], Counts, Counts]:
    """As `category_counts`, with cells that were not chosen by what the reference happens to hold.

    Where not all are counted, the grid's categories are the most frequent of the reference, which makes the reference
    look richer in them than it is. Then only those far more frequent than the last keep a cell beside the ones
    chosen by hash; the rest is one cell.
    """
    names, first, second = category_counts(reference, current)
    bound = min(reference.threshold, current.threshold)
    if bound >= 2**64 or not names:
        return names, first, second
    cut = min((count for count in reference.listed if count), default=0)
    own = np.array(
        [
            bool(name) and (category_hash(name) < bound or reference.counts.get(name, 0) >= 4 * cut + _FAR_ABOVE)
            for name in names
        ]
    )
    listed = [name for name, chosen in zip(names, own, strict=True) if chosen]
    return (
        [*listed, ""],
        np.r_[first[own], first[~own].sum()].astype(np.int64),
        np.r_[second[own], second[~own].sum()].astype(np.int64),
    )


def category_counts(reference: CategoryProfile, current: CategoryProfile) -> tuple[list[str], Counts, Counts]:
    """Names and counts of every category known by name in both; what is not is one last category without a name."""
    bound = min(reference.threshold, current.threshold)
    a, b = reference.counts, current.counts
    names = sorted(a.keys() | b.keys())
    if bound < 2**64:
        listed = reference.grid.position
        names = [name for name in names if name in listed or category_hash(name) < bound]
    first, second = ([counts.get(name, 0) for name in names] for counts in (a, b))
    rest = reference.n - sum(first), current.n - sum(second)
    if any(rest):
        names, first, second = [*names, ""], [*first, rest[0]], [*second, rest[1]]
    return names, np.asarray(first, dtype=np.int64), np.asarray(second, dtype=np.int64)
