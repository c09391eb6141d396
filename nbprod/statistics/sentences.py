"""What happened to a column, in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from nbprod.domain.numbers import number
from nbprod.statistics.category import CategoryProfile
from nbprod.statistics.columns import Kind
from nbprod.statistics.comparison import Unseen
from nbprod.statistics.numeric import NumericProfile
from nbprod.statistics.scores import category_counts

__all__ = ["column_sentence"]


def column_sentence(
    name: str,
    reference: NumericProfile | CategoryProfile,
    current: NumericProfile | CategoryProfile,
    unseen: Sequence[Unseen],
    outside: float,
) -> str:
    """One sentence, without a verdict: what was, and what is."""
    parts = []
    if not current.n and current.rows:
        parts.append("has no values")
    elif not reference.n and current.n:
        parts.append("has values, where the reference has none")
    elif isinstance(reference, NumericProfile) and isinstance(current, NumericProfile):
        parts += _numbers(reference, current, outside)
    elif isinstance(reference, CategoryProfile) and isinstance(current, CategoryProfile) and current.n:
        parts += _categories(reference, current, unseen)
    before, after = ((part.rows - part.n) / part.rows if part.rows else 0.0 for part in (reference, current))
    if abs(after - before) >= 0.005:
        parts.append(f"missing in {after:.1%} of rows, before in {before:.1%}")
    return f"{name}: {'; '.join(parts)}." if parts else f"{name}: no values to compare."


def _numbers(reference: NumericProfile, current: NumericProfile, outside: float) -> list[str]:
    if reference.mean is None or current.mean is None or reference.std is None or current.std is None:
        return []
    show = _shown(reference)
    parts = [f"mean {show(current.mean)}, before {show(reference.mean)}"]
    if reference.std == 0 < current.std:
        parts[0] = f"was constant ({show(reference.mean)}) in training; now varies, mean {show(current.mean)}"
    elif reference.std and not 0.9 <= current.std / reference.std <= 1.1:
        parts.append(f"spread {number(current.std / reference.std, 2)} times as large")
    if outside >= 0.005:
        parts.append(f"{outside:.1%} of rows outside the reference's range")
    return parts


def _shown(column: NumericProfile) -> Callable[[float], str]:
    if column.kind is Kind.MOMENT:
        return lambda seconds: f"{datetime.fromtimestamp(seconds, tz=UTC):%Y-%m-%d %H:%M}"
    unit = {Kind.DURATION: " s", Kind.TEXT: " characters"}.get(column.kind, "")
    return lambda value: f"{number(value)}{unit}"


def _categories(reference: CategoryProfile, current: CategoryProfile, unseen: Sequence[Unseen]) -> list[str]:
    names, first, second = category_counts(reference, current)
    before, after = first / reference.n, second / current.n
    known = [place for place, count in enumerate(first) if count and names[place]]
    parts = []
    if known:
        most = max(known, key=lambda place: (abs(after[place] - before[place]), -place))
        parts.append(f"{names[most]!r} in {after[most]:.1%} of rows, before in {before[most]:.1%}")
    if unseen:
        more = f" and {len(unseen) - 1} more" if len(unseen) > 1 else ""
        share = sum(one.share for one in unseen)
        parts.append(f"new: {unseen[0].value!r}{more} ({share:.1%} of rows)")
    return parts
