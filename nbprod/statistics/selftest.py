"""How often the present configuration would speak without a reason, measured on the user's own reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
import pandas as pd

from nbprod.datasets import read_frame
from nbprod.errors import DataError
from nbprod.statistics.blocks import time_blocks
from nbprod.statistics.profile import Profile
from nbprod.statistics.sequential import AlarmBudget
from nbprod.statistics.significance import upper_share
from nbprod.statistics.verdict import compare

__all__ = ["FalseAlarms", "calibrate_false_alarms"]


@dataclass(frozen=True, kw_only=True)
class FalseAlarms:
    """Alarms on windows of the reference itself, which had no reason to be one."""

    windows: int
    significant: int  #: windows with any significant column
    changed: int  #: of those, with a material one: alarms
    by_column: Mapping[str, int]  #: alarms by column
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
    looks = [list(_windows(frame, rows, time, block, blocks, runs, random))]
    if time is not None:  # of a short reference, fewer can be taken out as one
        together = min(together, len(np.unique(time_blocks(frame[time], block))) // (4 * blocks))
    if together > 1 and time is not None:
        looks.append(list(_windows(frame, rows, time, block, blocks * together, runs, random)))
    windows = max(len(look) for look in looks)
    significant = changed = 0
    by_column: dict[str, int] = {}
    grid = Profile.of(frame, time=time, block=block, columns=names)
    for number in range(windows):
        alarms: set[str] = set()
        surprises: set[str] = set()
        for look in looks:
            inside = look[number % len(look)]
            rest, window = (
                Profile.of(part, grid=grid, columns=names, time=time, block=block)
                for part in (frame[~inside], frame[inside])
            )
            found = compare(rest, window, alpha=level / len(looks), seed=seed, columns=names, thresholds=thresholds)
            surprises |= {*found.significant}
            alarms |= {*found.changed}
        significant += bool(surprises)
        changed += bool(alarms)
        for name in alarms:
            by_column[name] = by_column.get(name, 0) + 1
    return FalseAlarms(
        windows=windows,
        significant=significant,
        changed=changed,
        by_column=dict(sorted(by_column.items())),
        alpha=level,
        budget=budget,
    )


def _windows(
    frame: pd.DataFrame,
    rows: int | None,
    time: str | None,
    block: str,
    blocks: int,
    runs: int,
    random: np.random.Generator,
) -> list[Any]:
    if time is None:
        size = rows or max(len(frame) // 10, 1)
        if size >= len(frame):
            raise DataError(f"a window of {size} rows cannot be taken out of {len(frame)}")
        masks = []
        for _ in range(runs):
            inside = np.zeros(len(frame), dtype=bool)
            inside[random.permutation(len(frame))[:size]] = True
            masks.append(inside)
        return masks
    number = np.unique(time_blocks(frame[time], block), return_inverse=True)[1]
    count = int(number.max()) + 1
    starts = np.arange(count - blocks + 1)
    if count < 4 * blocks:
        raise DataError(
            f"a window of {blocks} blocks cannot be taken out of {count}",
            hint="Use a longer reference, or less blocks.",
        )
    if len(starts) > runs:
        starts = np.sort(random.choice(starts, runs, replace=False))
    return [(number >= start) & (number < start + blocks) for start in starts]
