"""Where a candidate is better and worse: groups of rows made from the columns, and gaps between protected groups."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nbprod.domain.names import nearest
from nbprod.domain.numbers import number
from nbprod.errors import SettingsError
from nbprod.evaluation.model_comparison import ModelComparison
from nbprod.statistics.bootstrap import metric_interval
from nbprod.statistics.interval import Interval
from nbprod.statistics.predictions import difference

__all__ = ["fairness_gaps", "groups_of", "slice_gains"]

_FEWEST_ROWS = 50
_FEWEST_BLOCKS = 5
_MOST_VALUES = 12  # a number with more distinct values is cut into quarters
_MOST_COLUMNS = 30
_MOST_ROWS = 200_000
_LEVEL = 0.95


def groups_of(column: pd.Series[Any]) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """The groups a column makes, by name, with the rows in each: its values, or quarters of its numbers."""
    missing = column.isna().to_numpy(dtype=bool)
    if missing.any():
        yield f"{column.name} missing", missing
    present = column[~missing]
    if present.empty or pd.api.types.is_datetime64_any_dtype(column.dtype):
        return
    counts = _counts(present)
    if counts is None:
        return
    if pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_bool_dtype(column.dtype):
        if len(counts) > _MOST_VALUES:
            yield from _quarters(column, missing)
            return
        counts = counts.sort_index()
    elif len(counts) > _MOST_VALUES:
        counts = counts.iloc[:_MOST_VALUES]
    for value in counts.index:
        yield f"{column.name} = {value}", (column == value).fillna(False).to_numpy(dtype=bool)


def slice_gains(
    result: ModelComparison,
    columns: Sequence[str] = (),
    *,
    leave_out: Sequence[str] = (),
    private: Sequence[str] = (),
    resamples: int = 300,
) -> pd.DataFrame:
    """The metric and the gain in every slice that is large enough, the least favourable first.

    The bounds hold for all slices together (Bonferroni: the 5 % are shared out over the slices), so that looking at
    many does not find a bad one by luck.

    Parameters
    ----------
    result
        Of `compare`.
    columns
        To slice by; by default all but the target.
    leave_out
        Not to slice by of themselves.
    private
        Columns whose values may not appear in results.
    resamples
        Of the bootstrap, at least; more where the level asks for it.

    Returns
    -------
    DataFrame
        Index: the slice's name. Columns: ``rows``, the metric, and ``gain`` when there is a champion, with bounds.

    Raises
    ------
    SettingsError
        A column does not exist or is private.
    """
    frame = result.rows.frame
    for name in columns:
        if name not in frame.columns:
            raise SettingsError(f"the data have no column {name!r}", hint=nearest(name, map(str, frame.columns)))
        if name in private:
            raise SettingsError(f"{name!r} is private, and slices are named by values", hint="Take it out of slices.")
    leave_out = [*leave_out, *private]
    automatic = [name for name in frame.columns if name != result.rows.truth.name and name not in leave_out]
    chosen = list(columns) or automatic[:_MOST_COLUMNS]
    sampled = _sample(len(frame), result.seed)
    found = [(name, mask & sampled) for column in chosen for name, mask in groups_of(frame[column])]
    found = [(name, mask) for name, mask in found if _is_enough(result, mask)]
    level = 1 - (1 - _LEVEL) / max(1, len(found))
    resamples = max(resamples, min(2000, round(20 / (1 - level))))
    lines = {name: _line(result, mask, level, resamples) for name, mask in found}
    table = pd.DataFrame.from_dict(lines, orient="index").rename_axis("slice")
    if table.empty:
        return pd.DataFrame(columns=["rows", result.metric.name, "gain"]).rename_axis("slice")
    worst_first = "gain" if result.champion is not None else result.metric.name
    ascending = result.champion is not None or result.metric.higher_is_better
    return table.dropna(subset=[worst_first]).sort_values(worst_first, ascending=ascending, kind="stable")


def fairness_gaps(result: ModelComparison, column: str, *, resamples: int = 500) -> pd.DataFrame:
    """How a model treats the groups of a protected column.

    Classification of two classes: ``selection_rate`` (share called positive), ``true_positive_rate``,
    ``false_positive_rate`` and ``accuracy``. Of more classes: ``accuracy``. Regression: ``mean_error`` (predicted
    minus true) and ``mae``. Each with bounds; the last line has the gap between the largest and the smallest group.

    Parameters
    ----------
    result
        Of `compare`; the candidate is looked at.
    column
        Of the data.
    resamples
        Of the bootstrap.
    """
    guess = result.candidate.answers
    truth = result.rows.truth.to_numpy()
    lines: dict[str, dict[str, float]] = {}
    for name, mask in groups_of(result.rows.frame[column]):
        if not mask.any():
            continue
        blocks = None if result.rows.blocks is None else result.rows.blocks[mask]
        line: dict[str, float] = {"rows": int(mask.sum())}
        for measure, function in _measures(result).items():
            interval = metric_interval(
                function, truth[mask], guess[mask], blocks=blocks, seed=result.seed, resamples=resamples
            )
            line |= {measure: interval.value, f"{measure}_low": interval.low, f"{measure}_high": interval.high}
        lines[name] = line
    table = pd.DataFrame.from_dict(lines, orient="index").rename_axis("group")
    gaps = {measure: float(table[measure].max() - table[measure].min()) for measure in _measures(result)}
    table.loc["gap"] = pd.Series({"rows": table["rows"].sum(), **gaps})
    return table.astype({"rows": int})


def _measures(result: ModelComparison) -> dict[str, Any]:
    if result.rows.task == "regression":
        return {"mean_error": lambda y, p: float(np.mean(p - y)), "mae": lambda y, p: float(np.mean(np.abs(p - y)))}
    accuracy = {"accuracy": lambda y, p: float(np.mean(y == p))}
    classes = result.candidate.classes or tuple(sorted(set(result.rows.truth.tolist()), key=str))
    if len(classes) != 2:
        return accuracy
    positive = classes[1]
    return {
        "selection_rate": lambda _, p: float(np.mean(p == positive)),
        "true_positive_rate": lambda y, p: _share(p[y == positive] == positive),
        "false_positive_rate": lambda y, p: _share(p[y != positive] == positive),
        **accuracy,
    }


def _share(values: NDArray[np.bool_]) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _counts(present: pd.Series[Any]) -> pd.Series[int] | None:
    try:
        return present.value_counts()
    except TypeError:  # lists and dicts have no groups
        return None


def _quarters(column: pd.Series[Any], missing: NDArray[np.bool_]) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    numbers = column.to_numpy(dtype=np.float64, na_value=np.nan)
    ends = np.unique(np.quantile(numbers[~missing], [0, 0.25, 0.5, 0.75, 1]))
    for low, high in pairwise(ends):
        inside = (numbers >= low) & ((numbers < high) | (high == ends[-1]))
        yield f"{column.name} {number(low)} to {number(high)}", inside & ~missing


def _sample(rows: int, seed: int) -> NDArray[np.bool_]:
    if rows <= _MOST_ROWS:
        return np.ones(rows, dtype=bool)
    sampled = np.zeros(rows, dtype=bool)
    sampled[np.random.default_rng(seed).choice(rows, _MOST_ROWS, replace=False)] = True
    return sampled


def _is_enough(result: ModelComparison, mask: NDArray[np.bool_]) -> bool:
    rows = int(mask.sum())
    if rows < _FEWEST_ROWS or rows == len(mask):
        return False
    return result.rows.blocks is None or len(np.unique(result.rows.blocks[mask])) >= _FEWEST_BLOCKS


def _line(result: ModelComparison, mask: NDArray[np.bool_], level: float, resamples: int) -> dict[str, float]:
    truth = result.rows.truth.to_numpy()[mask]
    blocks = None if result.rows.blocks is None else result.rows.blocks[mask]
    candidate = result.candidate.rows(mask)
    name = result.metric.name
    score = metric_interval(
        result.metric,
        truth,
        candidate.for_metric(result.metric),
        blocks=blocks,
        classes=candidate.classes,
        seed=result.seed,
        level=level,
        resamples=resamples,
    )
    line: dict[str, float] = {"rows": int(mask.sum()), **_bounds(name, score)}
    if result.champion is not None:
        gain = difference(
            result.metric,
            truth,
            candidate,
            result.champion.rows(mask),
            blocks=blocks,
            seed=result.seed,
            level=level,
            resamples=resamples,
        )
        line |= _bounds("gain", gain)
    return line


def _bounds(name: str, interval: Interval) -> dict[str, float]:
    return {name: interval.value, f"{name}_low": interval.low, f"{name}_high": interval.high}
