"""Multivariate drift: how well a classifier tells current rows from reference rows, and by which columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from nbprod.datasets import read_frame
from nbprod.errors import DataError
from nbprod.statistics.interval import Interval
from nbprod.statistics.metrics import weighted_auc
from nbprod.threads import one_thread

__all__ = ["DomainDrift", "domain_drift"]

Floats = NDArray[np.float64]
_ROWS = 10_000  # of each side; more do not change the picture
_PARTS = 5


@dataclass(frozen=True, kw_only=True)
class DomainDrift:
    """How different two tables are, all columns together."""

    auc: Interval  #: 0.5: not to be told apart; 1: entirely different
    p_value: float
    importances: Mapping[str, float]  #: by how much the AUC falls if a column is shuffled; greatest first

    @property
    def significant(self) -> bool:
        """Whether the tables can be told apart at 5 %."""
        return self.p_value <= 0.05

    def __repr__(self) -> str:
        top = ", ".join(list(self.importances)[:3])
        return f"<DomainDrift AUC {self.auc}, p {self.p_value:.2g}, by {top}>"


def domain_drift(
    reference: Any, current: Any, *, columns: Sequence[str] | None = None, blocks: Any = None, seed: int = 0
) -> DomainDrift:
    """Train a classifier to tell the tables apart and score it on rows it has not seen.

    Sees changes in how columns belong together that no column shows by itself.

    Parameters
    ----------
    reference, current
        Any sources; at most 10,000 rows of each are used.
    columns
        Only these.
    blocks
        A pair: the block of each reference and of each current row; rows of a block are kept on one side of the
        split, and the p-value rests on blocks.
    seed
        The same seed gives the same result.

    Notes
    -----
    The area under the ROC curve is that of five classifiers on the fifth each has not seen. Its p-value against 0.5
    comes from the mean placement of current rows among reference rows, whose variance is that of means of rows or
    blocks (DeLong, DeLong and Clarke-Pearson 1988, Biometrics 44).

    Raises
    ------
    DataError
        A side has fewer than 50 rows, or there is no common column.
    """
    tables = [read_frame(source) for source in (reference, current)]
    names = list(columns) if columns is not None else [name for name in tables[0] if name in tables[1]]
    if not names:
        raise DataError("the tables have no column in common")
    random = np.random.default_rng(seed)
    chosen = []
    for table in tables:
        if len(table) < 50:
            raise DataError(f"{len(table)} rows are too few to tell tables apart", hint="At least 50 are needed.")
        chosen.append(np.sort(random.permutation(len(table))[:_ROWS]))
    design = np.vstack(_design([table.iloc[rows][names] for table, rows in zip(tables, chosen, strict=True)]))
    side = np.r_[np.zeros(len(chosen[0])), np.ones(len(chosen[1]))]
    groups = np.arange(len(side))
    if blocks is not None:
        labels = [np.asarray(part)[rows] for part, rows in zip(blocks, chosen, strict=True)]
        groups = np.unique(
            np.r_[[f"r{label}" for label in labels[0]], [f"c{label}" for label in labels[1]]], return_inverse=True
        )[1]
    fold = random.permutation(int(groups.max()) + 1)[groups] % _PARTS
    # threads of the trees wait busily for each other, which a loaded machine pays for a hundredfold
    with one_thread():
        score, fallen = _scored(design, side, fold, random, seed)
    auc, error = _area(side, score, fold, groups)
    order = sorted(range(len(names)), key=lambda place: (-fallen[place], names[place]))
    p_value = float(special.ndtr(-(auc - 0.5) / error)) if error > 0 else float(auc <= 0.5)
    return DomainDrift(
        auc=Interval(value=auc, low=max(auc - 1.96 * error, 0.0), high=min(auc + 1.96 * error, 1.0)),
        p_value=p_value,
        importances={str(names[place]): float(fallen[place]) for place in order},
    )


def _scored(
    design: Floats, side: Floats, fold: NDArray[Any], random: np.random.Generator, seed: int
) -> tuple[Floats, Floats]:
    """The score of each row by a classifier that has not seen it, and by how much shuffling a column hurts."""
    score, fallen = np.empty(len(side)), np.zeros(design.shape[1])
    for part in range(_PARTS):
        test = fold == part
        if len(np.unique(side[~test])) < 2 or not test.any():
            score[test] = 0.5
            continue
        model = _fit_classifier(design[~test], side[~test], seed)
        score[test] = model.predict_proba(design[test])[:, 1]
        whole = weighted_auc(side[test], score[test], np.ones(test.sum()))
        for place in range(design.shape[1]):
            shuffled = design[test].copy()
            shuffled[:, place] = random.permutation(shuffled[:, place])
            area = weighted_auc(side[test], model.predict_proba(shuffled)[:, 1], np.ones(test.sum()))
            fallen[place] += np.nan_to_num(whole - area) / _PARTS
    return score, fallen


def _area(side: Floats, score: Floats, fold: NDArray[Any], groups: NDArray[Any]) -> tuple[float, float]:
    """The mean over folds, and its standard error from placements averaged by group."""
    placement = np.full(len(side), np.nan)
    for part in np.unique(fold):
        rows = np.flatnonzero(fold == part)
        for own in (0, 1):
            mine, other = rows[side[rows] == own], rows[side[rows] != own]
            if len(mine) and len(other):
                ordered = np.sort(score[other])
                below = np.searchsorted(ordered, score[mine], "left") + np.searchsorted(ordered, score[mine], "right")
                placement[mine] = below / (2 * len(other)) if own else 1 - below / (2 * len(other))
    value, variance = 0.0, 0.0
    for own in (0, 1):
        used = (side == own) & np.isfinite(placement)
        frame = pd.DataFrame({"group": groups[used], "off": placement[used] - placement[used].mean()})
        sums = frame.groupby("group")["off"].sum().to_numpy()
        value += float(placement[used].mean()) / 2
        count = len(sums)
        variance += float(sums @ sums) * count / max(count - 1, 1) / used.sum() ** 2
    return value, float(np.sqrt(variance))


def _fit_classifier(design: Floats, side: Floats, seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier  # heavy

    weight = np.where(side == 1, 1 / (side == 1).sum(), 1 / (side == 0).sum()) * len(side) / 2
    model = HistGradientBoostingClassifier(random_state=seed, max_iter=40, max_leaf_nodes=15, min_samples_leaf=20)
    return model.fit(design, side, sample_weight=weight)


def _design(tables: list[pd.DataFrame]) -> list[Floats]:
    """Columns as numbers, the same on both sides; text by its rank in the reference's frequencies."""
    found: list[list[Any]] = [[], []]
    for name in tables[0]:
        column = tables[0][name]
        if pd.api.types.is_datetime64_any_dtype(column):
            values = [table[name].astype("int64").to_numpy(np.float64) for table in tables]
        elif pd.api.types.is_numeric_dtype(column):
            values = [
                pd.to_numeric(table[name], errors="coerce").to_numpy(np.float64, na_value=np.nan) for table in tables
            ]
        else:
            both = pd.concat([table[name].astype("string") for table in tables])
            places = {value: float(place) for place, value in enumerate(both.value_counts().index)}
            values = [
                table[name].astype("string").map(places).to_numpy(np.float64, na_value=np.nan) for table in tables
            ]
        for side, column_values in zip(found, values, strict=True):
            side.append(column_values)
    return [np.column_stack(side) for side in found]
