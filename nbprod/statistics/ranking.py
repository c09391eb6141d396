"""Which changed columns matter: effect times importance times what the model lost, and one sentence in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite

from nbprod.statistics.comparison import ColumnVerdict, DriftComparison

__all__ = ["Impact", "rank_columns", "ranking_sentence"]


@dataclass(frozen=True, kw_only=True)
class Impact:
    """How much the change of a column is likely to matter."""

    name: str
    impact: float  #: 0 and up; shares of the estimated loss if one was given
    effect: float  #: in units of the column's threshold
    importance: float  #: share of the importance of all columns
    verdict: ColumnVerdict


def rank_columns(
    comparison: DriftComparison,
    importances: Mapping[str, float] | None = None,
    *,
    loss: float | None = None,
) -> list[Impact]:
    """Columns by impact, the greatest first.

    Impact is the effect (in units of its threshold, at most 10) times the share of the column in all importances,
    scaled to add up to ``loss`` where one is given: the part of an estimated loss of performance each change may
    explain. Columns without a significant change have no impact.

    Parameters
    ----------
    comparison
        Of the features.
    importances
        Of the features in the model, for instance permutation importances; negative ones count as zero. Left out,
        all columns are alike.
    loss
        By how much a metric is estimated to be worse.
    """
    weights = dict.fromkeys(comparison.columns, 1.0)
    if importances is not None:
        weights = {name: max(float(importances.get(name, 0.0)), 0.0) for name in comparison.columns}
    total = sum(weights.values()) or 1.0
    found = []
    for name, column in comparison.columns.items():
        effect = min(column.severity, 10.0) if isfinite(column.severity) else 10.0
        share = weights[name] / total
        found.append((name, effect, share, effect * share if column.significant else 0.0, column.verdict))
    whole = sum(impact for *_, impact, _ in found)
    scale = loss / whole if loss is not None and whole > 0 else 1.0
    ranked = [
        Impact(name=name, impact=impact * scale, effect=effect, importance=share, verdict=verdict)
        for name, effect, share, impact, verdict in found
    ]
    return sorted(ranked, key=lambda one: (-one.impact, -one.effect, one.name))


def ranking_sentence(ranked: list[Impact]) -> str:
    """The first columns in words."""
    moved = [one for one in ranked if one.impact > 0]
    if not moved:
        return "No column that the model uses changed."
    total = sum(one.impact for one in moved)
    first = ", ".join(f"{one.name} ({one.impact / total:.0%})" for one in moved[:3])
    more = f" and {len(moved) - 3} more" if len(moved) > 3 else ""
    return f"What changed and the model relies on: {first}{more}."
