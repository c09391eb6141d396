"""Hold a candidate against the champion on the same rows, overall and in every slice.

The names load on first use, so that importing the package loads no numerical library.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbprod.domain.gate import GatePolicy, GateVerdict
    from nbprod.evaluation.mistakes import worst_mistakes
    from nbprod.evaluation.rows import EvaluationRows, choose_rows
    from nbprod.evaluation.side_by_side import SideBySide, as_predictions, check_comparable, compare
    from nbprod.evaluation.slices import fairness_gaps, groups_of, slice_gains

__all__ = [
    "EvaluationRows",
    "GatePolicy",
    "GateVerdict",
    "SideBySide",
    "as_predictions",
    "check_comparable",
    "choose_rows",
    "compare",
    "fairness_gaps",
    "groups_of",
    "slice_gains",
    "worst_mistakes",
]

_HOMES = {
    "EvaluationRows": "nbprod.evaluation.rows",
    "GatePolicy": "nbprod.domain.gate",
    "GateVerdict": "nbprod.domain.gate",
    "SideBySide": "nbprod.evaluation.side_by_side",
    "as_predictions": "nbprod.evaluation.side_by_side",
    "check_comparable": "nbprod.evaluation.side_by_side",
    "choose_rows": "nbprod.evaluation.rows",
    "compare": "nbprod.evaluation.side_by_side",
    "fairness_gaps": "nbprod.evaluation.slices",
    "groups_of": "nbprod.evaluation.slices",
    "slice_gains": "nbprod.evaluation.slices",
    "worst_mistakes": "nbprod.evaluation.mistakes",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
