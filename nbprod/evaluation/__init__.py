"""Hold a candidate against the champion on the same rows, overall and in every slice.

The names load on first use, so that importing the package loads no numerical library.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbprod.lazy import on_first_use

if TYPE_CHECKING:
    from nbprod.domain.gate import GatePolicy, GateVerdict
    from nbprod.evaluation.mistakes import worst_mistakes
    from nbprod.evaluation.model_comparison import ModelComparison, as_predictions, check_comparable, compare
    from nbprod.evaluation.rows import EvaluationRows, choose_rows
    from nbprod.evaluation.slices import fairness_gaps, groups_of, slice_gains

__all__ = [
    "EvaluationRows",
    "GatePolicy",
    "GateVerdict",
    "ModelComparison",
    "as_predictions",
    "check_comparable",
    "choose_rows",
    "compare",
    "fairness_gaps",
    "groups_of",
    "slice_gains",
    "worst_mistakes",
]

__getattr__ = on_first_use(__name__)
