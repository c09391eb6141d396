"""How often the present configuration would speak without a reason, measured on the user's own reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nbprod.datasets import read_frame
from nbprod.errors import DataError
from nbprod.statistics.blocks import time_blocks
from nbprod.statistics.lookback import compare_together
from nbprod.statistics.profile import Profile
from nbprod.statistics.sequential import AlarmBudget
from nbprod.statistics.significance import upper_share

__all__ = ["FalseAlarms", "calibrate_false_alarms"]


@dataclass(frozen=True, kw_only=True)
class FalseAlarms:
    """Alarms on windows of the reference itself, which had no reason to be one."""

    windows: int
    significant: int  #: windows with any significant column
    changed: int  #: of those, with a material one: alarms
    alpha: float
    budget: AlarmBudget

    @property
    def per_year(self) -> float:
        """Expected false alarms a year at the measured rate."""
        return self.changed / max(self.windows, 1) * self.budget.looks_per_year

    @property
    def per_year_bound(self) -> float:
        """With 95 %, there are at most so many a year; large where few windows could be tried."""
        return upper_share(self.changed, self.windows) * self.budget.looks_per_year

    @property
    def sentence(self) -> str:
        """The finding in words."""
        # by the rule of three: without an alarm in n windows, the rate is below 3 / n with 95 %
        needed = ceil(3 * self.budget.looks_per_year / self.budget.per_year)
        few = f" It takes about {needed:,} windows to confirm the budget." if self.windows < needed else ""
        return (
            f"{self.changed} of {self.windows} windows of the reference would have raised an alarm: "
            f"{self.per_year:.2g} a year expected (at most {self.per_year_bound:.2g} with 95 %), "
            f"the budget is {self.budget.per_year:g}.{few}"
        )

    def __repr__(self) -> str:
        return f"<FalseAlarms {self.sentence}>"


def calibrate_false_alarms(
    reference: Any,
    *,
    rows: int | None = None,
    time: str | None = None,
    block: str = "1d",
    blocks: int = 1,
    together: int = 1,
    alpha: float | None = None,
    budget: AlarmBudget | None = None,
    columns: Sequence[str] | None = None,
    thresholds: Mapping[str, float] | None = None,
    runs: int = 100,
    seed: int = 0,
) -> FalseAlarms:
    """Take windows out of the reference, compare each with the rest, and count the alarms.

    Parameters
    ----------
    reference
        Any source.
    rows
        Rows of a window, drawn at random, if there is no ``time``; by default a tenth.
    time, block, blocks
        With a column of moments, a window is so many neighbouring blocks, and the comparison rests on blocks.
    together
        How many such windows in a row are also looked at as one, as far as the reference is four times as long; the
        two looks share alpha as in `compare_together`.
    alpha
        As in `compare`; by default that of the budget.
    budget
        Two a year in daily looks by default.
    columns, thresholds
        As in `compare`.
    runs
        Windows at most.
    seed
        The same seed takes the same windows.

    Raises
    ------
    DataError
        The reference is too short to take a window out.
    """
    budget = budget or AlarmBudget()
    level = budget.alpha if alpha is None else alpha
    frame = read_frame(reference)
    names = list(columns) if columns is not None else [str(name) for name in frame.columns if name != time]
    random = np.random.default_rng(seed)
    if time is None:
        windows = [[inside] for inside in _rows_at_random(frame, rows, runs, random)]
    else:
        windows = _neighbouring(time_blocks(frame[time], block), blocks, together, runs, random)
    significant = changed = 0
    grid = Profile.of(frame, time=time, block=block, columns=names)
    how = {"columns": names, "thresholds": thresholds}
    for parts in windows:
        outside = ~np.logical_or.reduce(parts)
        rest, *seen = (
            Profile.of(frame[chosen], grid=grid, columns=names, time=time, block=block)
            for chosen in (outside, *parts)
        )
        found = compare_together(rest, seen, level, seed, lengths=sorted({1, len(seen)}), **how)
        significant += bool(found.significant)
        changed += bool(found.changed)
    return FalseAlarms(
        windows=len(windows),
        significant=significant,
        changed=changed,
        alpha=level,
        budget=budget,
    )


def _rows_at_random(
    frame: pd.DataFrame, rows: int | None, runs: int, random: np.random.Generator
) -> list[NDArray[np.bool_]]:
    size = rows or max(len(frame) // 10, 1)
    if size >= len(frame):
        raise DataError(f"a window of {size} rows cannot be taken out of {len(frame)}")
    masks = []
    for _ in range(runs):
        inside = np.zeros(len(frame), dtype=bool)
        inside[random.permutation(len(frame))[:size]] = True
        masks.append(inside)
    return masks


def _neighbouring(
    ids: NDArray[np.int64], blocks: int, together: int, runs: int, random: np.random.Generator
) -> list[list[NDArray[np.bool_]]]:
    """Windows of so many blocks, each with those before it that are looked at together with it, oldest first."""
    number = np.unique(ids, return_inverse=True)[1]
    count = int(number.max()) + 1
    if count < 4 * blocks:
        raise DataError(
            f"a window of {blocks} blocks cannot be taken out of {count}",
            hint="Use a longer reference, or less blocks.",
        )
    together = max(min(together, count // (4 * blocks)), 1)
    starts = np.arange(count - blocks * together + 1)
    if len(starts) > runs:
        starts = np.sort(random.choice(starts, runs, replace=False))
    return [
        [(number >= first) & (number < first + blocks) for first in range(start, start + blocks * together, blocks)]
        for start in starts.tolist()
    ]
