"""How far people who judge the same things agree: of two, Cohen's kappa; of any number, Krippendorff's alpha."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbprod.errors import DataError, SettingsError

__all__ = ["cohen_kappa", "krippendorff_alpha"]


def cohen_kappa(first: Sequence[Any], second: Sequence[Any], *, weights: Any | None = None) -> float:
    """Agreement beyond chance of two who named the class of the same things: 1 whole, 0 as by chance, at least -1.

    Cohen 1960, *A coefficient of agreement for nominal scales*. NaN where both named one class alone: chance explains
    it all.

    Parameters
    ----------
    first, second
        The class each named, thing by thing.
    weights
        How many things each stands for, >= 0.

    Raises
    ------
    DataError
        There is nothing, or they are not as many.
    """
    if len(first) != len(second) or not len(first):
        raise DataError(f"there are {len(first):,} and {len(second):,} names", hint="Give two for each thing.")
    _, codes = np.unique([str(name) for name in (*first, *second)], return_inverse=True)
    one, other = codes[: len(first)], codes[len(first) :]
    mass = np.ones(len(first)) if weights is None else np.asarray(weights, dtype=np.float64)
    table = np.zeros((int(codes.max()) + 1, int(codes.max()) + 1))
    np.add.at(table, (one, other), mass / mass.sum())
    seen, expected = float(np.trace(table)), float(table.sum(axis=0) @ table.sum(axis=1))
    return (seen - expected) / (1 - expected) if expected < 1 - 1e-12 else float("nan")


def krippendorff_alpha(judged: Sequence[Sequence[Any]], *, scale: str = "nominal") -> float:
    """Agreement beyond chance of any number of people, who need not all have judged everything: 1 is whole.

    Krippendorff 2011, *Computing Krippendorff's Alpha-Reliability*. NaN where no thing was judged twice or all
    judgements are equal.

    Parameters
    ----------
    judged
        For each thing what was said of it; things judged once do not count.
    scale
        ``nominal``: classes are equal or not; ``interval``: numbers, of which the squared difference counts.

    Raises
    ------
    SettingsError
        The scale is another one.
    """
    if scale not in {"nominal", "interval"}:
        raise SettingsError(f"{scale!r} is no scale", hint="nominal or interval.")
    pairable = [list(values) for values in judged if len(values) > 1]
    if not pairable:
        return float("nan")
    everything = [value for values in pairable for value in values]
    count = len(everything)
    within = sum(_distance(values, scale) / (len(values) - 1) for values in pairable)
    overall = _distance(everything, scale)
    return 1 - (count - 1) * within / overall if overall > 0 else float("nan")


def _distance(values: Sequence[Any], scale: str) -> float:
    """The sum of distances over ordered pairs."""
    if scale == "interval":
        numbers: NDArray[np.float64] = np.asarray(values, dtype=np.float64)
        centred = numbers - numbers.mean()
        return float(2 * len(numbers) * (centred**2).sum())
    counts = np.unique([str(value) for value in values], return_counts=True)[1]
    return float(2 * sum(int(a) * int(b) for a, b in combinations(counts, 2)))
