"""Planned looks: how large a statistic must be at each, where their number and the end are fixed beforehand."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from nbprod.errors import SettingsError

__all__ = ["spending_bounds"]

Floats = NDArray[np.float64]
POINTS = 401  # of the grid on which the statistic's density is carried from look to look


def spending_bounds(fractions: Sequence[float], *, alpha: float = 0.05, power: float = 1.0, sides: int = 2) -> Floats:
    """Bounds of a z statistic at planned looks that together alarm with a chance of ``alpha``.

    Parameters
    ----------
    fractions
        The share of the planned end that has been seen at each look, rising, in (0, 1].
    alpha
        The chance of a false alarm over all planned looks; by the last one all of it is spent.
    power
        ``alpha * fraction ** power`` has been spent by a look: 1 spends evenly, 3 keeps most for the end.
    sides
        2, or 1 for the upper side alone.

    Returns
    -------
    numpy.ndarray
        A bound for each look.

    Notes
    -----
    Error spending after Lan and DeMets 1983 (Biometrika 70), with the power family of Kim and DeMets 1987
    (Biometrika 74); the density of the statistic among paths that did not cross is carried on by numerical
    integration (Armitage, McPherson and Rowe 1969, JRSS A 132).
    """
    from scipy import optimize, special  # delayed: scipy

    times = [0.0, *map(float, fractions)]
    if any(later <= before for before, later in pairwise(times)) or times[-1] > 1 + 1e-12 or len(times) < 2:
        raise SettingsError(f"looks at {list(fractions)} are not planned", hint="Give rising shares from 0 to 1.")
    if not 0 < alpha < 1 or power <= 0 or sides not in {1, 2}:
        raise SettingsError(f"alpha {alpha}, power {power} and {sides} sides cannot be used")
    spent = alpha * np.array(times) ** power
    bounds: list[float] = []
    at, weights = np.zeros(1), np.ones(1)  # where the sum of increments is, and how likely, among paths that go on
    for before, now, share in zip(times, times[1:], np.diff(spent), strict=False):
        step = np.sqrt(now - before)

        def crossing(
            z: float, at: Floats = at, weights: Floats = weights, step: float = step, now: float = now
        ) -> float:
            line = z * np.sqrt(now)
            upper = (weights * special.ndtr((at - line) / step)).sum()
            return float(upper if sides == 1 else upper + (weights * special.ndtr((-line - at) / step)).sum())

        bound = optimize.brentq(lambda z: crossing(z) - share, 0.0 if sides == 2 else -8.0, 12.0)  # noqa: B023
        bounds.append(float(bound))
        line = bound * np.sqrt(now)
        grid = np.linspace(-line if sides == 2 else -8 * np.sqrt(now), line, POINTS)
        density = np.exp(-(((grid[:, None] - at) / step) ** 2) / 2) @ weights / (step * np.sqrt(2 * np.pi))
        simpson = np.ones(POINTS) * (grid[1] - grid[0]) / 3
        simpson[1:-1:2] *= 4
        simpson[2:-1:2] *= 2
        at, weights = grid, density * simpson
    return np.array(bounds)
