"""Categories the reference does not have: how many rows of them sampling alone explains."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

from scipy import special

from nbprod.statistics.category import CategoryProfile
from nbprod.statistics.effects import MATERIAL_OUTSIDE, Effect
from nbprod.statistics.scores import category_counts
from nbprod.statistics.significance import upper_share

__all__ = ["Unseen", "UnseenRows", "unseen_categories", "unseen_effect"]

_ALL = 2**64
_SURPRISING = 0.01
_SURE = 3.0  # standard deviations


@dataclass(frozen=True, kw_only=True)
class Unseen:
    """A category of the current rows that the reference does not have."""

    value: str
    rows: int
    share: float  #: of the current rows with a value


@dataclass(frozen=True, kw_only=True)
class UnseenRows:
    """Rows of categories the reference does not have.

    Attributes
    ----------
    rows
        How many there are.
    expected
        As a share of the current rows, how many there are without a change.
    listed
        The categories that sampling does not explain, the most frequent first.
    """

    rows: int
    expected: float
    listed: tuple[Unseen, ...]


def unseen_categories(reference: CategoryProfile, current: CategoryProfile) -> UnseenRows:
    """Find the categories that are new, and tell apart those a larger reference would have had.

    Notes
    -----
    Of n reference rows, f categories that occur once leave about f / n of all rows to categories that did not occur
    (Good 1953, Biometrika 40). As many unseen rows are expected, and only more than that, or one category with so
    many rows that they can hardly all have fallen into the current sample, are news. Where no category occurs only
    once, the reference knows its categories, and any further one is news.
    """
    names, first, second = category_counts(reference, current)
    found = [
        Unseen(value=name, rows=int(after), share=int(after) / current.n)
        for name, before, after in zip(names, first, second, strict=True)
        if before == 0 and after and (name or name in current.counts)
    ]
    once = sum(count == 1 for count in reference.counts.values()) * (_ALL / reference.threshold)
    rows = sum(one.rows for one in found)
    expected = once / reference.n
    mean = expected * current.n
    twice = sum(count == 2 for count in reference.counts.values()) * (_ALL / reference.threshold)
    # of the estimate (Good 1953), and of the rows themselves, which come by the category
    deviation = sqrt((once + 2 * twice) * (current.n / reference.n) ** 2 + 2 * mean)
    many = bool(found) and (once == 0 or rows > mean + _SURE * deviation)
    share = current.n / (reference.n + current.n)
    listed = [one for one in found if many or share**one.rows * len(found) <= _SURPRISING]
    return UnseenRows(
        rows=rows, expected=expected, listed=tuple(sorted(listed, key=lambda one: (-one.rows, one.value)))
    )


def unseen_effect(found: UnseenRows, current_rows: int, reference_rows: int, design: float) -> Effect:
    """The share of rows of unseen categories beyond the expected one."""
    hits, all_ = int(found.rows / design), max(int(current_rows / design), 1)
    known = max(int(reference_rows / design), 1)
    once = found.expected * known
    low = float(special.betaincinv(hits, all_ - hits + 1, 0.025)) if hits else 0.0
    return Effect(
        name="unseen",
        value=max(found.rows / current_rows - found.expected, 0.0),
        unit="of the rows",
        low=max(low - upper_share(int(once), known), 0.0),
        high=upper_share(hits, all_, 0.975),
        line=MATERIAL_OUTSIDE,
        where=found.listed[0].value if found.listed else "",
    )
