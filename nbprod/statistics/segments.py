"""Groups and segments: metrics by group with their gaps, and the smallest segment that explains a drop."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from nbprod.datasets import read_frame
from nbprod.domain.names import nearest
from nbprod.domain.segment import Condition, ConditionKind, segment_sentence
from nbprod.errors import DataError
from nbprod.statistics.bootstrap import metric_interval
from nbprod.statistics.comparison import DriftComparison
from nbprod.statistics.interval import Interval
from nbprod.statistics.metrics import class_codes, classes_of, metric
from nbprod.statistics.significance import benjamini_hochberg
from nbprod.statistics.verdict import compare

__all__ = ["GroupScore", "SegmentDrop", "compare_segments", "find_segments", "group_gaps"]

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
_VALUES = 12  # of a category that become conditions
_PAIRED = 8  # conditions that are also combined in pairs
FEWEST_ROWS = 30


@dataclass(frozen=True, kw_only=True)
class GroupScore:
    """A metric in one group, and how far it is from the rest."""

    group: str
    rows: int
    score: Interval
    gap: Interval  #: the group less the rest; positive is more of the metric, not better
    p_value: float
    p_adjusted: float  #: after Benjamini-Hochberg over the groups

    @property
    def significant(self) -> bool:
        """Whether the gap is significant at 5 % after multiplicity control."""
        return self.p_adjusted <= 0.05


@dataclass(frozen=True, kw_only=True)
class SegmentDrop:
    """Rows described by one or two conditions, whose loss rose."""

    conditions: tuple[Condition, ...]
    rows: int  #: current rows in it
    share: float  #: of the current rows
    rise: Interval  #: of the mean loss, current less reference
    explains: float  #: share of the whole rise; above 1 if the loss fell elsewhere
    p_adjusted: float  #: after Benjamini-Hochberg over all segments that were tried

    @property
    def segment(self) -> str:
        """In words: ``region = north and hour >= 18``."""
        return segment_sentence(self.conditions)

    def __repr__(self) -> str:
        return f"<SegmentDrop {self.segment}: {self.share:.1%} of rows explain {self.explains:.0%}, rise {self.rise}>"


def group_gaps(
    name: str,
    y: Any,
    predicted: Any,
    groups: Any,
    *,
    blocks: Any = None,
    seed: int = 0,
    classes: Sequence[Any] | None = None,
) -> dict[str, GroupScore]:
    """A metric in each group with its interval, and the gap of each group to all others.

    Parameters
    ----------
    name
        A metric, or ``positive_rate``: the share predicted to be of the last class (demographic parity). ``recall``
        gives equal opportunity.
    y, predicted
        As the metric needs them; ``y`` is not read for ``positive_rate``.
    groups
        The group of each row, for instance a protected column; rows without one are left out.
    blocks
        The block of each row where rows of a block depend on each other.
    seed
        The same seed gives the same intervals.
    classes
        As in `Metric`.

    Returns
    -------
    dict
        Groups of at least 30 rows, in order of their names.
    """
    labels = pd.Series(np.asarray(groups), dtype=object)
    labelled = labels.notna().to_numpy()
    labels = labels[labelled].astype(str)
    truth, guess = np.asarray(y)[labelled], np.asarray(predicted)[labelled]
    block = np.arange(len(labels)) if blocks is None else np.asarray(blocks)[labelled]
    chosen = name
    if name == "positive_rate":
        labels_ = list(classes) if classes is not None else classes_of(guess)
        guess = (class_codes(guess, labels_) == len(labels_) - 1).astype(np.float64)
        truth, chosen = np.zeros(len(guess)), "mae"  # the mean of the share itself
    elif classes is None and metric(name).task == "classification":
        classes = classes_of(truth) if metric(name).needs == "probability" else classes_of(truth, guess)
    known = None if name == "positive_rate" else classes

    def score(rows: Mask) -> Interval:
        return metric_interval(
            chosen, truth[rows], guess[rows], blocks=block[rows], classes=known, seed=seed, resamples=400
        )

    found = []
    counts = labels.value_counts()
    for label in sorted(counts[counts >= FEWEST_ROWS].index):
        inside = (labels == label).to_numpy()
        if (~inside).sum() >= FEWEST_ROWS:
            found.append((str(label), int(inside.sum()), score(inside), score(~inside)))
    errors = [float(np.hypot(own.high - own.low, rest.high - rest.low)) / (2 * 1.959964) for *_, own, rest in found]
    gaps = [own.value - rest.value for *_, own, rest in found]
    p_values = [
        float(2 * special.ndtr(-abs(gap) / error)) if 0 < error < np.inf else float(gap == 0 or error > 0)
        for gap, error in zip(gaps, errors, strict=True)
    ]
    return {
        label: GroupScore(
            group=label,
            rows=rows,
            score=own,
            gap=Interval(value=gap, low=gap - 1.959964 * error, high=gap + 1.959964 * error),
            p_value=p_value,
            p_adjusted=adjusted,
        )
        for (label, rows, own, _), gap, error, p_value, adjusted in zip(
            found, gaps, errors, p_values, benjamini_hochberg(p_values), strict=True
        )
    }


def find_segments(
    reference: pd.DataFrame,
    reference_loss: Floats,
    current: pd.DataFrame,
    current_loss: Floats,
    *,
    columns: Sequence[str] | None = None,
    blocks: tuple[Any, Any] | None = None,
    alpha: float = 0.05,
    explained: float = 0.8,
    most: int = 5,
) -> list[SegmentDrop]:
    """The smallest segments in which the loss rose and that explain (nearly) all of the rise.

    Conditions are values of categories, and thirds and extreme tenths of numbers in the reference; the strongest are
    also combined in pairs. Every one is tested for a rise of the mean loss and for a greater rise than outside, with
    Benjamini-Hochberg over all of them.

    Parameters
    ----------
    reference, current
        The rows, with the columns to describe segments by.
    reference_loss, current_loss
        One number a row; rows where it is missing are left out.
    columns
        Only these; by default all.
    blocks
        A pair: the block of each reference and current row, where rows of a block depend on each other.
    alpha
        Of the multiplicity control.
    explained
        The share of the rise a segment should explain to be preferred by its size.
    most
        How many to return.

    Returns
    -------
    list
        Empty if no segment rose significantly more than the rest; those that explain enough first, smallest first,
        then the others by what they explain.

    Raises
    ------
    DataError
        Rows and losses differ in number.
    """
    sides = []
    for place, (frame, loss) in enumerate(((reference, reference_loss), (current, current_loss))):
        values = np.asarray(loss, dtype=np.float64)
        if len(values) != len(frame):
            raise DataError(f"there are {len(frame)} rows and {len(values)} losses")
        finite = np.isfinite(values)
        block = np.arange(len(values)) if blocks is None else np.asarray(blocks[place])
        sides.append((frame[finite], values[finite], np.unique(block[finite], return_inverse=True)[1]))
    names = [str(name) for name in (columns if columns is not None else reference.columns) if name in current]
    conditions = list(_conditions(sides[0][0], sides[1][0], names))
    singles = {one: (_mask(sides[0][0], one), _mask(sides[1][0], one)) for one in conditions}
    tried: dict[tuple[Condition, ...], _Tested] = {}
    for one, masks in singles.items():
        result = _tested(masks, sides)
        if result is not None:
            tried[one,] = result
    strongest = [one for (one,) in sorted(tried, key=lambda segment: -tried[segment].z)[:_PAIRED]]
    for first, second in combinations(strongest, 2):
        if first.column != second.column:  # two conditions on one column are one condition
            (a, c), (b, d) = singles[first], singles[second]
            result = _tested((a & b, c & d), sides)
            if result is not None:
                tried[first, second] = result
    whole = float(sides[1][1].mean() - sides[0][1].mean()) if all(len(side[1]) for side in sides) else 0.0
    if not tried or whole <= 0:
        return []
    adjusted = benjamini_hochberg([float(special.ndtr(-result.z)) for result in tried.values()])
    drops = [
        SegmentDrop(
            conditions=segment,
            rows=result.rows,
            share=result.rows / len(sides[1][1]),
            rise=Interval(
                value=result.rise, low=result.rise - 1.96 * result.error, high=result.rise + 1.96 * result.error
            ),
            explains=result.rise * result.rows / len(sides[1][1]) / whole,
            p_adjusted=p_value,
        )
        for (segment, result), p_value in zip(tried.items(), adjusted, strict=True)
        if p_value <= alpha
    ]
    return sorted(
        drops,
        key=lambda drop: (drop.explains < explained, drop.share if drop.explains >= explained else -drop.explains),
    )[:most]


@dataclass(frozen=True, kw_only=True)
class _Tested:
    rows: int
    rise: float
    error: float
    z: float  #: the smaller of the rise's and its excess over the rest, in standard errors


def _tested(
    masks: tuple[Mask, Mask], sides: Sequence[tuple[pd.DataFrame, Floats, NDArray[np.int64]]]
) -> _Tested | None:
    means, variances = [], []
    for inside in (True, False):
        for mask, (_, loss, block) in zip(masks, sides, strict=True):
            chosen = mask if inside else ~mask
            if chosen.sum() < FEWEST_ROWS:
                return None
            mean = float(loss[chosen].mean())
            off = np.bincount(block[chosen], weights=loss[chosen] - mean)
            used = np.unique(block[chosen]).size
            means.append(mean)
            variances.append(float(off @ off) * used / max(used - 1, 1) / chosen.sum() ** 2)
    rise, other = means[1] - means[0], means[3] - means[2]
    error = float(np.sqrt(variances[0] + variances[1]))
    both = float(np.sqrt(sum(variances)))
    z = min(rise / error, (rise - other) / both) if error > 0 and both > 0 else 0.0
    return _Tested(rows=int(masks[1].sum()), rise=rise, error=error, z=z)


def _conditions(reference: pd.DataFrame, current: pd.DataFrame, names: Sequence[str]) -> Iterator[Condition]:
    for name in names:
        column = reference[name]
        numeric = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
        if numeric and column.nunique() > _VALUES:
            values = column.dropna().to_numpy(np.float64)
            tenth, third, other, last = np.quantile(values, [0.1, 1 / 3, 2 / 3, 0.9]).tolist()
            for low, high in ((None, third), (third, other), (other, None), (None, tenth), (last, None)):
                yield Condition(column=name, kind=ConditionKind.RANGE, low=low, high=high)
        elif not pd.api.types.is_datetime64_any_dtype(column):
            for value in current[name].value_counts().index[:_VALUES].tolist():
                yield Condition(column=name, kind=ConditionKind.VALUE, value=value)
        if column.isna().any() or current[name].isna().any():
            yield Condition(column=name, kind=ConditionKind.MISSING)


def _mask(frame: pd.DataFrame, condition: Condition) -> Mask:
    column = frame[condition.column]
    if condition.kind is ConditionKind.MISSING:
        return column.isna().to_numpy()
    if condition.kind is ConditionKind.VALUE:
        return (column == condition.value).fillna(False).to_numpy(dtype=bool)
    values = pd.to_numeric(column, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    low = -np.inf if condition.low is None else condition.low
    return (values >= low) & (values < (np.inf if condition.high is None else condition.high))


def compare_segments(
    reference: Any, current: Any, by: str, *, alpha: float = 0.05, seed: int = 0, **options: Any
) -> dict[str, DriftComparison]:
    """Compare every segment with the same segment of the reference; multiplicity is controlled over all at once.

    Parameters
    ----------
    reference, current
        Any sources.
    by
        The column whose values are the segments; those with at least 30 rows on both sides are compared.
    alpha, seed, options
        As in `compare`.

    Raises
    ------
    DataError
        There is no such column.
    """
    first, second = read_frame(reference), read_frame(current)
    for frame in (first, second):
        if by not in frame:
            raise DataError(
                f"there is no column {by!r} to make segments of", hint=nearest(by, map(str, frame.columns))
            )
    sizes = [frame[by].value_counts() for frame in (first, second)]
    names = [name for name in sizes[0].index if sizes[0][name] >= FEWEST_ROWS <= sizes[1].get(name, 0)]
    found = {
        str(name): compare(
            first[first[by] == name].drop(columns=by),
            second[second[by] == name].drop(columns=by),
            alpha,
            seed,
            **options,
        )
        for name in sorted(names, key=str)
    }
    tested = [
        (name, column)
        for name, comparison in found.items()
        for column in comparison.columns.values()
        if np.isfinite(column.p_value)
    ]
    adjusted = benjamini_hochberg([column.p_value for _, column in tested])
    family = {(name, column.name): value for (name, column), value in zip(tested, adjusted, strict=True)}
    return {
        name: comparison.judged(
            alpha, {column: family[name, column] for column in comparison.columns if (name, column) in family}
        )
        for name, comparison in found.items()
    }
