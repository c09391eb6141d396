"""Compare two tables: significant and material, column by column."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from math import nan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbprod.datasets import Dataset, open_dataset
from nbprod.domain.names import nearest
from nbprod.errors import DataError, SettingsError
from nbprod.statistics.category import CategoryProfile
from nbprod.statistics.change import Change, ColumnTest, category_change, empty_change, line_change
from nbprod.statistics.columns import ColumnType, numbers, text_lengths
from nbprod.statistics.comparison import ColumnComparison, ColumnVerdict, DriftComparison
from nbprod.statistics.effects import USUAL_LINE
from nbprod.statistics.numeric import NumericProfile
from nbprod.statistics.omnibus import rows_outside
from nbprod.statistics.profile import ColumnProfile, Profile
from nbprod.statistics.scores import (
    METHODS,
    default_method,
    score_profiles,
    score_values,
    wasserstein_of_profiles,
)
from nbprod.statistics.sentences import column_sentence
from nbprod.statistics.significance import upper_share
from nbprod.statistics.unseen import UnseenRows, unseen_categories

__all__ = ["compare"]

Floats = NDArray[np.float64]
_UNSEEN_SHOWN = 20


def compare(
    reference: Any,
    current: Any,
    alpha: float = 0.05,
    seed: int = 0,
    *,
    columns: Sequence[str] | None = None,
    methods: Mapping[str, str] | None = None,
    thresholds: Mapping[str, float] | None = None,
    time: str | None = None,
    block: str = "1d",
    blocks: bool | None = None,
) -> DriftComparison:
    """Say which columns changed: significantly, and by so much that it matters.

    Parameters
    ----------
    reference, current
        A `Profile`, or any source one can be made of. Two profiles must share their grids. From frames the scores are
        exact, from profiles within about 0.001.
    alpha
        The chance that any column is significant if none has changed; the expected share of false ones among the
        significant otherwise.
    seed
        The same seed gives the same result, to the bit.
    columns
        Only these; by default all columns of the reference except the one of times.
    methods
        The method whose score is given for a column, one of `METHODS`. The verdict does not depend on it.
    thresholds
        The effect from which on a change of a column is material, in its `effect_unit`; 0.1 by default.
    time, block
        A column of moments and a length such as ``1d``, for sources that are no profiles: rows of one block may then
        depend on each other, and what windows of the reference differ by is taken for noise.
    blocks
        Whether to use blocks of time; by default where both profiles have them.

    Raises
    ------
    DataError
        A source cannot be read, or the profiles have different grids.
    SettingsError
        An unknown column, method or an alpha that is no probability.
    """
    if not 0 < alpha < 1:
        raise SettingsError(f"alpha={alpha} is no probability", hint="Give a number such as 0.05.")
    first, second, sources, current_names = _profiles(reference, current, time, block)
    by_blocks = first.blocks is not None and second.blocks is not None if blocks is None else blocks
    if by_blocks and (first.blocks is None or second.blocks is None):
        raise SettingsError("there are no blocks of time", hint="Give time=, or Profile.of(data, time=...) for both.")
    timed = first.blocks.time if first.blocks is not None else None
    names = list(columns) if columns is not None else [name for name in first.columns if name != timed]
    for name in [*names, *(methods or {}), *(thresholds or {})]:
        if name not in first.columns:
            raise SettingsError(f"the reference has no column {name!r}", hint=nearest(name, first.columns))
    results = []
    for name in names:
        if name not in second.columns:
            results.append(_schema(name, first.columns[name], second.rows, "is gone"))
            continue
        counted = None
        if by_blocks:
            assert first.blocks is not None
            assert second.blocks is not None
            counted = first.blocks.counts[name], second.blocks.counts[name]
        test = ColumnTest(
            line=(thresholds or {}).get(name) or USUAL_LINE,
            blocks=counted,
            design=1.0 if by_blocks else _design(name, first, second),
            seed=seed,
            random=np.random.default_rng([seed, zlib.crc32(name.encode(errors="surrogatepass"))]),
        )
        pair = first.columns[name], second.columns[name]
        values = _values(name, *pair, sources)
        results.append(_column(name, *pair, test, values, (methods or {}).get(name)))
    return DriftComparison(
        columns={column.name: column for column in results},
        reference_rows=first.rows,
        current_rows=second.rows,
        alpha=alpha,
        seed=seed,
        added=tuple(name for name in current_names if name not in first.columns),
        blocks=first.blocks.block if by_blocks and first.blocks is not None else None,
        caution="" if by_blocks or second.order is None else second.order.sentence,
    ).judged(alpha)


def _design(name: str, first: Profile, second: Profile) -> float:
    """How many rows of a column count as one; a stored reference is taken to be like the current rows."""
    known = [profile.order.design(name) for profile in (first, second) if profile.order is not None]
    return sum(known) / len(known) if known else 1.0


def _profiles(
    reference: Any, current: Any, time: str | None, block: str
) -> tuple[Profile, Profile, tuple[Dataset, Dataset] | None, Sequence[str]]:
    """Both profiles, both frames where values are in memory, and the names of the current columns."""
    if isinstance(current, Profile):
        if not isinstance(reference, Profile):
            source = open_dataset(reference, allow_empty=True)
            names = [name for name in current.columns if name in source.schema.names]
            reference = Profile.of(source, grid=current, columns=names, time=time, block=block)
        return reference, current, None, list(current.columns)
    later = open_dataset(current, allow_empty=True)
    earlier = None
    if not isinstance(reference, Profile):
        earlier = open_dataset(reference, allow_empty=True)
        reference = Profile.of(earlier, time=time, block=block)
    names = [name for name in reference.columns if name in later.schema.names]
    profile = Profile.of(later, grid=reference, columns=names, time=time, block=block)
    in_memory = earlier is not None and earlier.kind == later.kind == "frame"
    frames = (earlier, later) if in_memory and earlier is not None else None
    return reference, profile, frames, later.schema.names


def _values(
    name: str, first: ColumnProfile, second: ColumnProfile, sources: tuple[Dataset, Dataset] | None
) -> tuple[Floats, Floats] | None:
    numeric = first.kind is second.kind and isinstance(first, NumericProfile)
    if sources is None or not numeric or not first.n or not second.n:
        return None
    read = text_lengths if first.kind is ColumnType.TEXT else numbers
    found = []
    for source in sources:
        values = read(source.table([name]).column(0))
        found.append(values[np.isfinite(values)])
    return found[0], found[1]


def _schema(name: str, reference: ColumnProfile, rows: int, change: str) -> ColumnComparison:
    return ColumnComparison(
        name=name,
        kind=reference.kind,
        verdict=ColumnVerdict.CHANGED,
        method="schema",
        threshold=0.1,
        reference_missing=_missing(reference),
        current_missing=1.0 if rows else 0.0,
        sentence=f"{name} {change}.",
    )


def _missing(column: ColumnProfile) -> float:
    return column.missing / column.rows if column.rows else 0.0


def _column(
    name: str,
    reference: ColumnProfile,
    current: ColumnProfile,
    test: ColumnTest,
    values: tuple[Floats, Floats] | None,
    method: str | None,
) -> ColumnComparison:
    """Everything but what depends on the other columns."""
    empty = ColumnType.EMPTY in {reference.kind, current.kind} or not (reference.n and current.n)
    if not empty and reference.kind is not current.kind:
        return _schema(
            name, reference, current.rows, f"holds {current.dtype}, where the reference has {reference.dtype}"
        )
    if not empty and reference.grid is not current.grid and reference.grid != current.grid:
        raise DataError(
            f"column {name!r} was profiled on two grids, which cannot be compared",
            hint="Make the second with Profile.of(data, grid=first).",
        )
    method = method or default_method(reference, current)
    if method not in METHODS:
        raise SettingsError(f"there is no drift method {method!r}", hint=nearest(method, METHODS))
    score = distance = nan
    new = UnseenRows(rows=0, expected=0.0, listed=())
    outside = 0.0
    if not empty and isinstance(reference, NumericProfile) and isinstance(current, NumericProfile):
        score = score_profiles(method, reference, current) if values is None else score_values(method, *values)
        distance = _distance(values, reference, current, method, score)
        few = default_method(reference, current) == "jensenshannon"
        change = line_change(reference, current, test, few=few)
        outside = rows_outside(reference.counts, current.counts) / current.n
    elif not empty and isinstance(reference, CategoryProfile) and isinstance(current, CategoryProfile):
        score = score_profiles(method, reference, current)
        change = category_change(reference, current, test)
        new = unseen_categories(reference, current)
    else:
        change = empty_change(reference, current, test)
    named = change.effects[0] if not empty else None
    return ColumnComparison(
        name=name,
        kind=reference.kind,
        verdict=ColumnVerdict.SAME,
        method=method,
        score=score,
        p_value=change.p_value,
        effect=named.value if named else nan,
        effect_unit=named.unit if named else "",
        low=named.low if named else nan,
        high=named.high if named else nan,
        threshold=test.line,
        distance=distance,
        reference_missing=_missing(reference),
        current_missing=_missing(current),
        missing_p_value=change.missing_p_value,
        effects=change.effects,
        reference_infinite=reference.infinite / max(reference.rows, 1),
        current_infinite=current.infinite / max(current.rows, 1),
        reference_n=reference.n,
        current_n=current.n,
        unseen=new.listed[:_UNSEEN_SHOWN],
        multiplied=_multiplied(change),
        unseen_share=new.rows / current.n if current.n else 0.0,
        unseen_expected=new.expected,
        unseen_bound=upper_share(0, reference.n) if reference.n else 1.0,
        outside=outside,
        design=test.design,
        sentence=column_sentence(name, reference, current, new, change.effects),
    )


def _distance(
    values: tuple[Floats, Floats] | None,
    reference: NumericProfile,
    current: NumericProfile,
    method: str,
    score: float,
) -> float:
    """The Wasserstein-1 distance in the column's own unit."""
    if values is not None and method in {"wasserstein", "length"}:
        return score * max(float(np.std(values[0])), 0.001)
    return wasserstein_of_profiles(reference, current)


def _multiplied(change: Change) -> str:
    """The category whose share surely changed by a factor of two and a point at least."""
    return next((one.where for one in change.effects if one.name == "category" and one.material), "")
