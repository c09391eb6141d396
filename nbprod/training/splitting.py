"""An honest split into rows to learn from and rows to be tested on, and folds of the same kind."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nbprod.domain.markup import card
from nbprod.domain.names import nearest
from nbprod.errors import DataError, SettingsError
from nbprod.training.preparation import TrainingRows

__all__ = ["Split", "folds_of", "split_rows"]

_KINDS = ("random", "group", "time")
_FEWEST_ROWS = 4


@dataclass(frozen=True, kw_only=True, eq=False)
class Split:
    """Rows to learn from and rows to be tested on."""

    train: TrainingRows
    test: TrainingRows
    kind: str  #: ``random``, ``group`` or ``time``
    seed: int
    sentence: str

    @property
    def blocks(self) -> NDArray[np.int64] | None:
        """The block of each test row, where rows depend on each other: the group, or the stretch of time."""
        if self.kind == "group" and self.test.groups is not None:
            return np.unique(self.test.groups.astype(str), return_inverse=True)[1].astype(np.int64)
        return _stretches(self.test) if self.kind == "time" else None

    def __repr__(self) -> str:
        return f"<Split {self.sentence}>"

    def _repr_html_(self) -> str:
        return card(
            f"Split: {self.kind}",
            [("", self.sentence), ("train", f"{len(self.train):,} rows"), ("test", f"{len(self.test):,} rows")],
        )


def split_rows(rows: TrainingRows, kind: str, *, test_size: float = 0.2, seed: int = 0) -> Split:
    """Hold back rows to test on.

    Parameters
    ----------
    rows
        In the order of time, if they have one.
    kind
        ``auto``: by group where there are groups, by time where there are moments, else at random. ``random``: drawn
        at random, classes in proportion. ``group``: whole groups. ``time``: the latest rows, by the time column or
        else by row order; rows of one moment stay together.
    test_size
        Share of the rows, between 0 and 1.
    seed
        Of the random choice.

    Raises
    ------
    SettingsError
        The kind is unknown, or needs a column that was not named.
    DataError
        There are too few rows or groups, or the rows to learn from hold a single class.
    """
    if kind == "auto":
        kind = "group" if rows.groups is not None else "time" if rows.times is not None else "random"
    if kind not in _KINDS:
        raise SettingsError(f"{kind!r} is not a split", hint=nearest(kind, _KINDS))
    if not 0 < test_size < 1:
        raise SettingsError(f"test_size is {test_size}", hint="It is a share between 0 and 1, for instance 0.2.")
    if kind == "group" and rows.groups is None:
        raise SettingsError('split="group" needs a group column', hint="Name it: group=…")
    if kind != "group" and rows.groups is not None:
        raise SettingsError(
            f"rows belong together by {rows.groups.name!r}, but the split is {kind!r}",
            hint='Set split="group", or leave group out.',
        )
    if len(rows) < _FEWEST_ROWS:
        raise DataError(f"{len(rows)} rows are too few to train and to test on", hint="Give more rows.")
    train, test, sentence = {"random": _at_random, "group": _by_group, "time": _by_time}[kind](rows, test_size, seed)
    if kind == "random" and rows.times is not None:
        sentence += " Where neighbouring rows depend on each other, that makes every score too good: split by time."
    split = Split(train=rows.rows(train), test=rows.rows(test), kind=kind, seed=seed, sentence=sentence)
    if rows.task == "classification" and split.train.target.nunique() < 2:
        raise DataError(
            f"all rows to learn from have {rows.target.name} = {split.train.target.iloc[0]!s}",
            hint="Choose other rows (start, end), a smaller test_size or another split.",
        )
    return split


def folds_of(rows: TrainingRows, kind: str, count: int, seed: int) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Positions of rows to learn from and to be scored on, fold by fold; folds of time never learn from the future.

    Raises
    ------
    DataError
        There are fewer groups or rows than folds.
    """
    from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold, TimeSeriesSplit  # heavy, and only here

    size = len(rows)
    if kind == "group":
        assert rows.groups is not None
        count = min(count, rows.groups.nunique())
    if count < 2 or size < 2 * count:
        raise DataError(f"{size:,} rows cannot be cut into {count} folds", hint="Give more rows, or fewer folds.")
    if kind == "group":
        folds = GroupKFold(n_splits=count).split(np.zeros(size), groups=rows.groups)
    elif kind == "time":
        folds = TimeSeriesSplit(n_splits=count).split(np.zeros(size))
    elif rows.task == "classification" and rows.target.value_counts().min() >= count:
        shuffled = StratifiedKFold(n_splits=count, shuffle=True, random_state=seed)
        folds = shuffled.split(np.zeros(size), rows.target)
    else:
        folds = KFold(n_splits=count, shuffle=True, random_state=seed).split(np.zeros(size))
    listed = list(folds)
    if rows.task == "classification":  # the first stretch of time may know a single class
        listed = [(train, test) for train, test in listed if rows.target.iloc[train].nunique() > 1]
    return listed


_Positions = tuple[NDArray[np.intp], NDArray[np.intp], str]


def _at_random(rows: TrainingRows, test_size: float, seed: int) -> _Positions:
    from sklearn.model_selection import train_test_split  # heavy, and only here

    size = len(rows)
    test_count = max(1, round(test_size * size))
    stratified = rows.task == "classification" and rows.target.nunique() <= min(test_count, size - test_count)
    train, test = train_test_split(
        np.arange(size), test_size=test_count, random_state=seed, stratify=rows.target if stratified else None
    )
    proportions = ", classes in proportion" if stratified else ""
    return (
        np.sort(train),
        np.sort(test),
        f"{test_count:,} of {size:,} rows drawn at random are held back{proportions}.",
    )


def _by_group(rows: TrainingRows, test_size: float, seed: int) -> _Positions:
    from sklearn.model_selection import GroupShuffleSplit  # heavy, and only here

    assert rows.groups is not None
    if rows.groups.isna().any():
        raise DataError(
            f"{int(rows.groups.isna().sum()):,} rows have no {rows.groups.name}", hint="Fill or leave out these rows."
        )
    count = rows.groups.nunique()
    if count < 2:
        raise DataError(f"{rows.groups.name} has one group only", hint="A group split needs at least two.")
    splitter = GroupShuffleSplit(n_splits=1, test_size=max(1, round(test_size * count)), random_state=seed)
    train, test = next(splitter.split(np.zeros(len(rows)), groups=rows.groups))
    test_count = rows.groups.iloc[test].nunique()
    return train, test, f"{test_count:,} of {count:,} groups ({rows.groups.name}) are held back with all their rows."


def _by_time(rows: TrainingRows, test_size: float, seed: int) -> _Positions:  # noqa: ARG001 — nothing is drawn
    size = len(rows)
    cut = min(size - 1, max(1, size - round(test_size * size)))
    if rows.times is None:
        return np.arange(cut), np.arange(cut, size), f"The last {size - cut:,} of {size:,} rows are held back."
    at = rows.times.iloc[cut]
    first = int((rows.times < at).sum())  # rows of one moment stay together
    if first == 0:
        raise DataError(f"all rows to learn from happened at {at}", hint="The time column must tell rows apart.")
    return (
        np.arange(first),
        np.arange(first, size),
        f"The {size - first:,} rows from {at:%Y-%m-%d %H:%M} on are held back.",
    )


def _stretches(rows: TrainingRows) -> NDArray[np.int64]:
    """Days if there are enough of them, hours if not, else twenty stretches of equal length in row order."""
    if rows.times is not None:
        for unit in ("D", "h"):
            stretch = rows.times.dt.floor(unit)
            if stretch.nunique() >= 10:
                return np.unique(stretch, return_inverse=True)[1].astype(np.int64)
    return np.arange(len(rows), dtype=np.int64) * 20 // max(1, len(rows))
