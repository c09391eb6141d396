"""What happened to a column, in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from nbprod.domain.numbers import number
from nbprod.statistics.category import CategoryProfile
from nbprod.statistics.columns import ColumnType
from nbprod.statistics.effects import Effect
from nbprod.statistics.numeric import NumericProfile
from nbprod.statistics.scores import category_counts
from nbprod.statistics.unseen import UnseenRows

__all__ = ["column_sentence"]


def column_sentence(
    name: str,
    reference: NumericProfile | CategoryProfile,
    current: NumericProfile | CategoryProfile,
    unseen: UnseenRows,
    effects: Sequence[Effect],
) -> str:
    """One sentence, without a verdict: what was, and what is."""
    parts = []
    if not current.n and current.rows:
        parts.append("has no values")
    elif not reference.n and current.n:
        parts.append("has values, where the reference has none")
    elif isinstance(reference, NumericProfile) and isinstance(current, NumericProfile):
        parts += _numbers(reference, current, effects)
    elif isinstance(reference, CategoryProfile) and isinstance(current, CategoryProfile) and current.n:
        parts += _categories(reference, current, unseen)
    before, after = (part.missing / part.rows if part.rows else 0.0 for part in (reference, current))
    if abs(after - before) >= 0.005:
        parts.append(f"missing in {after:.1%} of rows, before in {before:.1%}")
    before, after = (part.infinite / part.rows if part.rows else 0.0 for part in (reference, current))
    if after > before:
        parts.append(f"infinite in {after:.2g} of rows" if after < 0.001 else f"infinite in {after:.1%} of rows")
        parts[-1] += f", before in {before:.1%}" if before else ", before in none"
    return f"{name}: {'; '.join(parts)}." if parts else f"{name}: no values to compare."


def _numbers(reference: NumericProfile, current: NumericProfile, effects: Sequence[Effect]) -> list[str]:
    if reference.mean is None or current.mean is None or reference.std is None or current.std is None:
        return []
    show = _shown(reference)
    parts = [f"mean {show(current.mean)}, before {show(reference.mean)}"]
    if reference.std == 0 < current.std:
        parts[0] = f"was constant ({show(reference.mean)}) in training; now varies, mean {show(current.mean)}"
    elif reference.std and not 0.9 <= current.std / reference.std <= 1.1:
        parts.append(f"spread {number(current.std / reference.std, 2)} times as large")
    found = {effect.name: effect for effect in effects}
    if reference.std and "shift" in found and found["shift"].low > 0:
        parts.append(f"median {show(current.median)}, before {show(reference.median)}")
    repeated, outside = found.get("repeated"), found.get("outside")
    if repeated is not None and repeated.material:
        parts.append(f"{repeated.where} in {repeated.after:.1%} of rows, before in {repeated.before:.1%}")
    if outside is not None and outside.low > 0:
        parts.append(f"{outside.value:.1%} of rows outside the reference's range")
    return parts


def _shown(column: NumericProfile) -> Callable[[float], str]:
    if column.kind is ColumnType.MOMENT:
        return lambda seconds: f"{datetime.fromtimestamp(seconds, tz=UTC):%Y-%m-%d %H:%M}"
    unit = {ColumnType.DURATION: " s", ColumnType.TEXT: " characters"}.get(column.kind, "")
    return lambda value: f"{number(value)}{unit}"


def _categories(reference: CategoryProfile, current: CategoryProfile, unseen: UnseenRows) -> list[str]:
    names, first, second = category_counts(reference, current)
    before, after = first / reference.n, second / current.n
    known = [place for place, count in enumerate(first) if count and names[place]]
    parts = []
    if known:
        most = max(known, key=lambda place: (abs(after[place] - before[place]), -place))
        parts.append(f"{names[most]!r} in {after[most]:.1%} of rows, before in {before[most]:.1%}")
    if unseen.listed:
        more = f" and {len(unseen.listed) - 1} more" if len(unseen.listed) > 1 else ""
        share = sum(one.share for one in unseen.listed)
        parts.append(f"new: {unseen.listed[0].value!r}{more} ({share:.1%} of rows)")
    elif unseen.rows:
        seen, expected = unseen.rows / current.n, unseen.expected
        parts.append(f"{seen:.1%} of rows of categories that the reference lacks, of {expected:.1%} expected")
    return parts
