"""Which task a target asks for, and the targets no model can be trained on."""

from __future__ import annotations

from typing import Any, Literal

import pandas as pd

from nbprod.domain.names import nearest
from nbprod.errors import DataError, SettingsError
from nbprod.training.columns import FeatureKind, kind_of

__all__ = ["Task", "check_target", "infer_task", "task_for", "task_of"]

Task = Literal["classification", "regression"]

#: A whole-number target with at most this many values, each seen often, is taken as classes.
_MOST_CLASSES_OF_NUMBERS = 20
_ROWS_PER_CLASS = 10


def infer_task(target: pd.Series[Any]) -> Task:
    """Classes are text, booleans, categories and few whole numbers that come back often; anything else is a number.

    Examples
    --------
    >>> infer_task(pd.Series([0, 1] * 50)), infer_task(pd.Series(range(100)))
    ('classification', 'regression')
    """
    if kind_of(target) is not FeatureKind.NUMERIC:
        return "classification"
    values = target.dropna().astype("float64")
    distinct = values.nunique()
    if distinct <= 2:
        return "classification"
    whole = bool((values % 1 == 0).all())
    few = distinct <= _MOST_CLASSES_OF_NUMBERS and len(values) / distinct >= _ROWS_PER_CLASS
    return "classification" if whole and few else "regression"


def task_of(name: str, target: pd.Series[Any]) -> Task:
    """The task somebody named, or the inferred one for ``auto``.

    Raises
    ------
    SettingsError
        The name is none of ``auto``, ``classification``, ``regression``.
    """
    if name == "auto":
        return infer_task(target)
    if name == "classification":
        return "classification"
    if name == "regression":
        return "regression"
    raise SettingsError(f"{name!r} is not a task", hint=nearest(str(name), ["auto", "classification", "regression"]))


def task_for(frame: pd.DataFrame, target: str | None, name: str = "auto") -> Task | None:
    """The task a column of a frame asks for; ``None`` where no target is named.

    Raises
    ------
    SettingsError
        The column does not exist, or the task is none.
    DataError
        Regression is asked of words.
    """
    if target is None:
        return None
    if target not in frame.columns:
        raise SettingsError(f"the data have no column {target!r}", hint=nearest(target, map(str, frame.columns)))
    task = task_of(name, frame[target])
    if task == "regression":
        _check_numbers(frame[target])
    return task


def check_target(target: pd.Series[Any], task: Task) -> None:
    """Refuse a target nothing can be learned from.

    Parameters
    ----------
    target
        The known values, without missing ones.

    Raises
    ------
    DataError
        No value is known, all are equal, a class is seen once, or regression is asked of words.
    """
    name = target.name
    if target.empty:
        raise DataError(
            f"the target {name!r} has no known value in these rows",
            hint="Check the column, or choose other rows with start and end.",
        )
    counts = target.value_counts()
    if len(counts) == 1:
        raise DataError(
            f"the target {name!r} is {counts.index[0]!s} in all {len(target):,} rows; there is nothing to learn",
            hint="Check how the column was made, or choose other rows.",
        )
    if task == "regression":
        _check_numbers(target)
        return
    rare = counts[counts == 1].index
    if len(rare) > len(counts) / 2:
        raise DataError(
            f"the target {name!r} has {len(counts):,} classes in {len(target):,} rows, most of them seen once",
            hint='Set task="regression" if it is a quantity; else check the column.',
        )
    if len(rare):
        raise DataError(
            f"the class {rare[0]!s} of the target {name!r} is seen once; a class needs a row to learn from and one"
            " to be tested on",
            hint="Leave out or merge classes this rare.",
        )


def _check_numbers(target: pd.Series[Any]) -> None:
    if kind_of(target) not in {FeatureKind.NUMERIC, FeatureKind.BOOLEAN, FeatureKind.EMPTY}:
        raise DataError(
            f"the target {target.name!r} holds words, so it cannot be predicted as a number",
            hint='Set task="classification", or convert the column to numbers.',
        )
