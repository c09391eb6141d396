"""Covariate shift: rows as small codes, how much denser a window is than the reference, and weighted corrections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

__all__ = ["CodedColumns", "DensityRatio", "effective_rows", "hats", "logistic_offset", "usable_features"]

Floats = NDArray[np.float64]
BINS = 32  #: of a column, for probabilities; more cost time and change nothing
MOST_VALUES = 200  #: of a column of text; a column with more is an identifier or free text
LARGEST_RATIO = 15.0  #: of densities; a row that stands for more would decide alone
RATIO_PENALTY = 10.0  #: on squared coefficients of the classifier of windows, in rows
STEPS = 6  #: of Newton's method, at most
MOST_ROWS = 4_000  #: of either side that a window's density is learned from
BASIS_COLUMNS = 40  #: whose squares enter the density ratio too; of more columns, only the linear part


def usable_features(frame: pd.DataFrame, names: Sequence[str]) -> tuple[str, ...]:
    """Those columns a shift can be read from.

    Moments and running numbers always differ from the reference's and say nothing about outcomes; a column of one
    value, or text of more than 200 values, cannot be compared.
    """
    return tuple(name for name in names if _is_usable(frame[name]))


def _is_usable(column: pd.Series[Any]) -> bool:
    if pd.api.types.is_datetime64_any_dtype(column) or pd.api.types.is_timedelta64_dtype(column):
        return False
    known = column.dropna()
    if not pd.api.types.is_numeric_dtype(column):
        return 1 < known.astype("str").nunique() <= MOST_VALUES
    if len(known) < 2 or known.iloc[0] == known.iloc[-1] == known.min() == known.max():
        return False
    steps = np.diff(known.to_numpy(np.float64))
    return not bool((steps > 0).all() or (steps < 0).all())


@dataclass(frozen=True, kw_only=True, eq=False)
class CodedColumns:
    """Columns as whole numbers from 0: quantile bins of numbers, places of categories; -1 where one is missing."""

    edges: Mapping[str, Floats]
    categories: Mapping[str, pd.Index[Any]]

    @classmethod
    def of(cls, frame: pd.DataFrame, *, bins: int = BINS) -> CodedColumns:
        """Learn bins and categories from the reference."""
        edges: dict[str, Floats] = {}
        categories: dict[str, pd.Index[Any]] = {}
        for name in frame:
            column = frame[name]
            if pd.api.types.is_numeric_dtype(column):
                edges[str(name)] = _edges(_numbers(column), bins)
            else:
                categories[str(name)] = pd.Index(np.unique(column.dropna().astype("str").to_numpy(object)))
        return cls(edges=edges, categories=categories)

    def __call__(self, frame: pd.DataFrame) -> NDArray[np.int16]:
        """Rows x columns of codes; a category that was not in the reference is missing."""
        codes = np.empty((len(frame), len(self.edges) + len(self.categories)), dtype=np.int16)
        for place, name in enumerate([*self.edges, *self.categories]):
            if name in self.edges:
                values = _numbers(frame[name])
                found = np.searchsorted(self.edges[name], values, side="right")
                codes[:, place] = np.where(np.isnan(values), -1, found)
            else:
                column = frame[name]
                if not isinstance(column.dtype, pd.StringDtype):
                    column = column.astype("str").where(column.notna())
                codes[:, place] = self.categories[name].get_indexer(pd.Index(column.to_numpy(object)))
        return codes


@dataclass(frozen=True, kw_only=True, eq=False)
class DensityRatio:
    """How much denser a window is than the reference where each reference row lies.

    The odds of a penalised logistic regression that tells window from reference by ranks of columns and their squares
    (Bickel, Brueckner and Scheffer 2009, JMLR 10, eq. 7, two-sample form), cut off and scaled to a mean of one.
    """

    codes: NDArray[np.int16]  #: of the reference's rows

    def __call__(self, window: NDArray[np.int16]) -> Floats:
        """The ratio at each row of the reference.

        Parameters
        ----------
        window
            Codes of the window's rows, in the columns of the reference's.
        """
        reference = self._basis[_evenly_spaced(len(self.codes))]
        current = self._of(window[_evenly_spaced(len(window))])
        rows = len(reference), len(current)
        design = np.vstack([reference, current])
        side = np.repeat([0.0, 1.0], rows)
        weights = np.repeat([sum(rows) / 2 / max(count, 1) for count in rows], rows)
        found = logistic_offset(design, side, np.zeros(len(side)), weights, penalty=RATIO_PENALTY, within=0.01)
        ratio = np.exp(np.clip(self._basis @ found, -8, 8))
        ratio = np.minimum(ratio / ratio.mean(), LARGEST_RATIO)
        return ratio / ratio.mean()

    @cached_property
    def _basis(self) -> Floats:
        return self._of(self.codes)

    @cached_property
    def _scale(self) -> tuple[Floats, Floats]:
        values = self.codes.astype(np.float64)
        return values.mean(axis=0), values.std(axis=0) + 1e-9

    def _of(self, codes: NDArray[np.int16]) -> Floats:
        middle, deviation = self._scale
        ranks = np.clip((codes - middle) / deviation, -4, 4)
        parts = [np.ones((len(codes), 1)), ranks]
        if ranks.shape[1] <= BASIS_COLUMNS:
            parts.append(ranks**2 - 1)
        return np.column_stack(parts)


def effective_rows(weights: Floats) -> float:
    """How many equally weighted rows say as much (Kish 1965)."""
    return float(weights.sum() ** 2 / max(float(weights @ weights), 1e-300))


def hats(values: Floats, knots: Floats) -> Floats:
    """Values as weights of the two knots beside them: the basis of piecewise linear functions, rows x knots."""
    inside = np.clip(values, knots[0], knots[-1])
    left = np.clip(np.searchsorted(knots, inside, side="right") - 1, 0, len(knots) - 2)
    share = (inside - knots[left]) / (knots[left + 1] - knots[left])
    basis = np.zeros((len(values), len(knots)))
    rows = np.arange(len(values))
    basis[rows, left], basis[rows, left + 1] = 1 - share, share
    return basis


def logistic_offset(
    design: Floats, hit: Floats, offset: Floats, weights: Floats, *, penalty: float, within: float = 1e-6
) -> Floats:
    """Coefficients of a weighted logistic regression with an offset and a ridge penalty, by Newton's method.

    Parameters
    ----------
    design
        Rows x columns.
    hit
        0 or 1, one a row.
    offset
        Log odds to which ``design @ coefficients`` are added.
    weights
        At least 0, one a row.
    penalty
        The precision of a normal prior around 0 of each coefficient.
    within
        The largest step after which it may stop.
    """
    found = np.zeros(design.shape[1])
    for _ in range(STEPS):
        chance = special.expit(offset + design @ found)
        slope = design.T @ (weights * (hit - chance)) - penalty * found
        curve = (design * (weights * chance * (1 - chance))[:, None]).T @ design + penalty * np.eye(len(found))
        step = np.clip(np.linalg.solve(curve, slope), -2, 2)
        found = found + step
        if np.abs(step).max() < within:
            break
    return found


def _evenly_spaced(rows: int) -> NDArray[np.intp]:
    return np.linspace(0, rows - 1, min(rows, MOST_ROWS)).astype(np.intp)


def _edges(values: Floats, bins: int) -> Floats:
    known = values[np.isfinite(values)]
    if not len(known):
        return np.empty(0)
    distinct = np.unique(known)
    if len(distinct) <= bins:
        return (distinct[1:] + distinct[:-1]) / 2
    return np.unique(np.quantile(known, np.arange(1, bins) / bins))


def _numbers(column: pd.Series[Any]) -> Floats:
    return column.to_numpy(np.float64, na_value=np.nan)
