"""How many things are in effect shown, bought or predicted: Hill numbers of shares."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from nbprod.errors import SettingsError

__all__ = ["effective_number"]


def effective_number(items: Any, order: float = 1.0) -> float:
    r"""The number of equally common items that would be as diverse.

    Parameters
    ----------
    items
        One value a time something was shown; missing ones are left out.
    order
        1 is the exponential of Shannon's entropy, :math:`\exp(-\sum_i p_i \ln p_i)`; 2 the inverse Simpson index,
        :math:`1 / \sum_i p_i^2`, which rare items hardly move; 0 counts the distinct ones.

    Returns
    -------
    float
        From 1, always the same item, to the number of distinct items; ``NaN`` where there is none.

    Notes
    -----
    Hill 1973, *Diversity and Evenness*, Ecology 54, eq. 3 (the limit for order 1); why these and not the entropy
    itself are compared as numbers: Jost 2006, *Entropy and diversity*, Oikos 113.

    Examples
    --------
    >>> effective_number(["a", "b", "a", "b"])
    2.0
    """
    if order < 0:
        raise SettingsError(f"a diversity of order {order:g} does not exist", hint="0, 1, 2 or any number above.")
    counts = pd.Series(items).value_counts().to_numpy(dtype=np.float64)
    if not len(counts):
        return float("nan")
    shares = counts[counts > 0] / counts.sum()
    if order == 1:
        return float(np.exp(-np.sum(shares * np.log(shares))))
    return float(np.sum(shares**order) ** (1 / (1 - order)))
