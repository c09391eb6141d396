"""Compare two tables: significant and material, column by column."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan, nan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbprod.datasets import Dataset, open_dataset
from nbprod.domain.names import nearest
from nbprod.errors import DataError, SettingsError
from nbprod.statistics.blocknull import block_null, shares_distance, wasserstein_distance
from nbprod.statistics.category import CategoryProfile
from nbprod.statistics.columns import Kind, numbers, text_lengths
from nbprod.statistics.comparison import ColumnComparison, ColumnVerdict, Comparison, Unseen
from nbprod.statistics.effects import (
    Effect,
    cell_means,
    group_places,
    rows_needed,
    shares_effect,
    wasserstein_effect,
)
from nbprod.statistics.numeric import NumericProfile
from nbprod.statistics.profile import ColumnProfile, Profile
from nbprod.statistics.scores import (
    METHODS,
    category_counts,
    default_method,
    score_profiles,
    score_values,
    wasserstein_of_profiles,
)
from nbprod.statistics.sentences import column_sentence
from nbprod.statistics.significance import (
    Null,
    chi_square_null,
    independent_square,
    two_proportions,
    upper_share,
    wasserstein_null,
)

__all__ = ["compare"]

Floats = NDArray[np.float64]
_UNSEEN_SHOWN = 20
_SURE = 1e-3  # of one category among many


@dataclass(frozen=True, kw_only=True)
class _Pair:
    """A column of both tables, and its values where they are in memory."""

    name: str
    reference: ColumnProfile
    current: ColumnProfile
    values: tuple[Floats, Floats] | None
    blocks: tuple[NDArray[np.int64], NDArray[np.int64]] | None
    method: str | None
    threshold: float | None
    seed: int


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
) -> Comparison:
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
    first, second, sources = _profiles(reference, current, time, block)
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
        pair = _Pair(
            name=name,
            reference=first.columns[name],
            current=second.columns[name],
            values=_values(name, first.columns[name], second.columns[name], sources),
            blocks=counted,
            method=(methods or {}).get(name),
            threshold=(thresholds or {}).get(name),
            seed=seed,
        )
        results.append(_column(pair))
    return Comparison(
        columns={column.name: column for column in results},
        reference_rows=first.rows,
        current_rows=second.rows,
        alpha=alpha,
        seed=seed,
        added=tuple(name for name in _names(current, second) if name not in first.columns),
        blocks=first.blocks.block if by_blocks and first.blocks is not None else None,
    ).judged(alpha)


def _profiles(
    reference: Any, current: Any, time: str | None, block: str
) -> tuple[Profile, Profile, tuple[Dataset, Dataset] | None]:
    if isinstance(reference, Profile) and isinstance(current, Profile):
        return reference, current, None
    if isinstance(current, Profile):
        source = open_dataset(reference, allow_empty=True)
        names = [name for name in current.columns if name in source.schema.names]
        return Profile.of(source, grid=current, columns=names, time=time, block=block), current, None
    later = open_dataset(current, allow_empty=True)
    earlier = None
    if not isinstance(reference, Profile):
        earlier = open_dataset(reference, allow_empty=True)
        reference = Profile.of(earlier, time=time, block=block)
    names = [name for name in reference.columns if name in later.schema.names]
    profile = Profile.of(later, grid=reference, columns=names, time=time, block=block)
    in_memory = earlier is not None and earlier.kind == later.kind == "frame"
    return reference, profile, (earlier, later) if in_memory and earlier is not None else None


def _names(source: Any, profile: Profile) -> list[str]:
    if isinstance(source, Profile):
        return list(profile.columns)
    return list(open_dataset(source, allow_empty=True).schema.names)


def _values(
    name: str, first: ColumnProfile, second: ColumnProfile, sources: tuple[Dataset, Dataset] | None
) -> tuple[Floats, Floats] | None:
    numeric = first.kind is second.kind and isinstance(first, NumericProfile)
    if sources is None or not numeric or not first.n or not second.n:
        return None
    read = text_lengths if first.kind is Kind.TEXT else numbers
    found = []
    for source in sources:
        values = read(source.table([name]).column(0).combine_chunks())
        found.append(values[np.isfinite(values)])
    return found[0], found[1]


def _schema(name: str, reference: ColumnProfile, rows: int, words: str) -> ColumnComparison:
    return ColumnComparison(
        name=name,
        kind=reference.kind,
        verdict=ColumnVerdict.CHANGED,
        method="schema",
        score=nan,
        p_value=nan,
        p_adjusted=nan,
        effect=nan,
        effect_unit="",
        low=nan,
        high=nan,
        threshold=0.1,
        distance=nan,
        reference_missing=_missing(reference),
        current_missing=1.0 if rows else 0.0,
        missing_p_value=nan,
        sentence=f"{name} {words}.",
    )


def _missing(column: ColumnProfile) -> float:
    return (column.rows - column.n) / column.rows if column.rows else 0.0


def _column(pair: _Pair) -> ColumnComparison:
    """Everything but what depends on the other columns."""
    reference, current = pair.reference, pair.current
    empty = Kind.EMPTY in {reference.kind, current.kind} or not (reference.n and current.n)
    if not empty and reference.kind is not current.kind:
        return _schema(
            pair.name, reference, current.rows, f"holds {current.dtype}, where the reference has {reference.dtype}"
        )
    if not empty and reference.grid is not current.grid and reference.grid != current.grid:
        raise DataError(
            f"column {pair.name!r} was profiled on two grids, which cannot be compared",
            hint="Make the second with Profile.of(data, grid=first).",
        )
    random = np.random.default_rng([pair.seed, zlib.crc32(pair.name.encode(errors="surrogatepass"))])
    method = pair.method or default_method(reference, current)
    if method not in METHODS:
        raise SettingsError(f"there is no drift method {method!r}", hint=nearest(method, METHODS))
    missing_p = _missing_test(pair)
    score = distance = nan
    null: Null | None = None
    effect = Effect(value=nan, unit="", low=nan, high=nan, std_error=nan, noise=nan)
    unseen: tuple[Unseen, ...] = ()
    multiplied = ""
    outside = 0.0
    if not empty and isinstance(reference, NumericProfile) and isinstance(current, NumericProfile):
        score = (
            score_profiles(method, reference, current) if pair.values is None else score_values(method, *pair.values)
        )
        distance, null, effect = _numeric(pair, reference, current, method, score, random)
        outside = _outside(reference, current)
    elif not empty and isinstance(reference, CategoryProfile) and isinstance(current, CategoryProfile):
        score = score_profiles(method, reference, current)
        null, effect = _categories(pair, reference, current, random)
        unseen, multiplied = _unseen(reference, current), _multiplied(reference, current)
    tested = [p for p in (null.p_value if null else nan, missing_p) if not isnan(p)]
    p_value = min(1.0, min(tested) * len(tested)) if tested else nan
    return ColumnComparison(
        name=pair.name,
        kind=reference.kind,
        verdict=ColumnVerdict.SAME,
        method=method,
        score=score,
        p_value=p_value,
        p_adjusted=nan,
        effect=effect.value,
        effect_unit=effect.unit,
        low=effect.low,
        high=effect.high,
        threshold=pair.threshold or 0.1,
        distance=distance,
        reference_missing=_missing(reference),
        current_missing=_missing(current),
        missing_p_value=missing_p,
        unseen=unseen[:_UNSEEN_SHOWN],
        multiplied=multiplied,
        unseen_share=sum(one.share for one in unseen),
        unseen_bound=upper_share(0, reference.n) if reference.n else 1.0,
        outside=outside,
        rows_needed=_needed(effect, pair),
        sentence=column_sentence(pair.name, reference, current, unseen, outside),
    )


def _needed(effect: Effect, pair: _Pair) -> int | None:
    """Rows for a verdict, ``None`` if there are enough to exclude a material change with 95 %."""
    threshold = pair.threshold or 0.1
    if isnan(effect.noise) or effect.value + 1.645 * max(effect.std_error, effect.noise / 2) < threshold:
        return None
    return rows_needed(effect, threshold, pair.reference.n, pair.current.n)


def _missing_test(pair: _Pair) -> float:
    reference, current = pair.reference, pair.current
    absent = reference.rows - reference.n, current.rows - current.n
    if not any(absent) or not (reference.rows and current.rows):
        return nan
    if pair.blocks is not None:
        split = [np.column_stack([part[:, :-1].sum(axis=1), part[:, -1]]) for part in pair.blocks]
        null = block_null(split[0], split[1], shares_distance)
        return nan if null is None else null.p_value
    return two_proportions(absent[0], reference.rows, absent[1], current.rows)


def _numeric(
    pair: _Pair,
    reference: NumericProfile,
    current: NumericProfile,
    method: str,
    score: float,
    random: np.random.Generator,
) -> tuple[float, Null | None, Effect]:
    if pair.values is not None and method in {"wasserstein", "length"}:
        distance = score * max(float(np.std(pair.values[0])), 0.001)
    else:
        distance = wasserstein_of_profiles(reference, current)
    scale = reference.std or reference.merge(current).std or 1.0  # a constant has no spread of its own
    positions = cell_means(reference, current)
    few = method == "jensenshannon"
    chosen: Null | None
    design = 1.0
    if pair.blocks is not None:
        places = group_places(reference, current, positions)
        chosen = block_null(pair.blocks[0][:, :-1], pair.blocks[1][:, :-1], wasserstein_distance(places))
        independent = independent_square(reference.counts, current.counts, positions)
        if chosen is not None and independent:
            design = max(chosen.mean_square / independent, 1.0)
        null = chosen or wasserstein_null(reference.counts, current.counts, positions, random)
    else:
        null = wasserstein_null(reference.counts, current.counts, positions, random)
        chosen = chi_square_null(reference.counts, current.counts, random) if few else null
    if few:
        used = (reference.counts + current.counts) > 0
        effect = shares_effect(
            score_profiles(method, reference, current), reference.counts[used], current.counts[used], design
        )
    else:
        effect = wasserstein_effect(distance, reference, current, null, scale, design)
    return distance, chosen, effect


def _categories(
    pair: _Pair, reference: CategoryProfile, current: CategoryProfile, random: np.random.Generator
) -> tuple[Null | None, Effect]:
    _, first, second = category_counts(reference, current)
    distance = score_profiles("jensenshannon", reference, current)
    if pair.blocks is None:
        return chi_square_null(first, second, random), shares_effect(distance, first, second, 1.0)
    null = block_null(pair.blocks[0][:, :-1], pair.blocks[1][:, :-1], shares_distance)
    groups = int(((pair.blocks[0].sum(axis=0) + pair.blocks[1].sum(axis=0))[:-1] > 0).sum())
    independent = max(groups - 1, 1) / 8 * (1 / reference.n + 1 / current.n)
    design = 1.0 if null is None else max(null.mean_square / independent, 1.0)
    return null, shares_effect(distance, first, second, design)


def _unseen(reference: CategoryProfile, current: CategoryProfile) -> tuple[Unseen, ...]:
    names, first, second = category_counts(reference, current)
    found = [
        Unseen(value=name, rows=int(after), share=int(after) / current.n)
        for name, before, after in zip(names, first, second, strict=True)
        if before == 0 and (name or name in current.counts)
    ]
    return tuple(sorted(found, key=lambda one: (-one.rows, one.value)))


def _multiplied(reference: CategoryProfile, current: CategoryProfile) -> str:
    """The category that changed by the largest factor, if that is two or more and no accident of few rows."""
    found = []
    for name, before, after in zip(*category_counts(reference, current), strict=True):
        low, high = sorted((before / reference.n, after / current.n))
        if name and high - low >= 0.01 and high >= 2 * low:
            p_value = two_proportions(int(before), reference.n, int(after), current.n)
            found += [(low / high, name)] if p_value <= _SURE else []
    return min(found)[1] if found else ""


def _outside(reference: NumericProfile, current: NumericProfile) -> float:
    held = np.flatnonzero(reference.counts)
    beyond = int(current.counts[: held[0]].sum() + current.counts[held[-1] + 1 :].sum())
    return beyond / current.n
