"""A window together with those before it: what is small, or rare, gathers evidence from one look to the next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial, reduce
from itertools import pairwise, takewhile
from typing import Any

from nbprod.errors import SettingsError
from nbprod.statistics.comparison import ColumnComparison, DriftComparison
from nbprod.statistics.profile import Profile
from nbprod.statistics.verdict import compare

__all__ = ["compare_together"]


def compare_together(
    reference: Profile,
    windows: Sequence[Profile],
    alpha: float = 0.05,
    seed: int = 0,
    *,
    lengths: Sequence[int] = (1, 7, 28),
    **how: Any,
) -> DriftComparison:
    """Compare the newest window with the reference, and the newest ones taken together.

    By itself, a window of one block of time proves little: what no day of 180 has shown has a chance of 1 in 181 on
    the next, however large it is. On three days of seven it has a chance of 1 in 30,000.

    Parameters
    ----------
    reference
        With blocks of time, where rows depend on it.
    windows
        Oldest first, on the grids of the reference; the last is the present one. Looking back ends at a window whose
        columns are not of the kinds the present one has.
    alpha
        As in `compare`, of the whole look: the lengths there are windows for share it equally.
    seed
        As in `compare`.
    lengths
        Numbers of windows taken together, the first of them 1.
    **how
        As of `compare`, whose errors it raises.

    Returns
    -------
    DriftComparison
        Of the present window; but a column that only changed over several windows is reported as it is over the
        fewest, with their number in its sentence and in `ColumnComparison.windows`.
    """
    if not windows or not lengths or lengths[0] != 1 or list(lengths) != sorted(set(lengths)):
        raise SettingsError(
            f"windows cannot be taken together by lengths {list(lengths)}", hint="For instance 1, 7, 28: 1 first."
        )
    windows = [*takewhile(partial(_alike, windows[-1]), reversed(windows))][::-1]
    known = [length for length in lengths if length <= len(windows)]
    level = alpha / len(known)
    found = compare(reference, windows[-1], level, seed, **how)
    columns = dict(found.columns)
    joined = windows[-1]
    for before, length in pairwise(known):
        joined = reduce(Profile.merge, windows[-length : len(windows) - before], joined)
        longer = compare(reference, joined, level, seed, **how)
        for name in longer.changed:
            if columns[name].verdict is not longer.columns[name].verdict:
                columns[name] = _pooled_finding(longer.columns[name], length)
    return replace(found, columns=columns)


def _alike(one: Profile, other: Profile) -> bool:
    return {name: column.kind for name, column in one.columns.items()} == {
        name: column.kind for name, column in other.columns.items()
    }


def _pooled_finding(column: ColumnComparison, windows: int) -> ColumnComparison:
    return replace(
        column, windows=windows, sentence=f"{column.sentence} Seen in the last {windows} windows together."
    )
