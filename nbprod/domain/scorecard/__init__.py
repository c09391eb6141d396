"""The ML Test Score: what 28 tests find in the records of a model, and what that is worth."""

from __future__ import annotations

from nbprod.domain.scorecard.card import TESTS, Claim, Scorecard, ScoreResult, Section, interpretation, judge_model
from nbprod.domain.scorecard.evidence import (
    Evidence,
    Finding,
    JudgedVersion,
    KeptRows,
    Means,
    SealedFacts,
    SimplerModel,
)

__all__ = [
    "TESTS",
    "Claim",
    "Evidence",
    "Finding",
    "JudgedVersion",
    "KeptRows",
    "Means",
    "ScoreResult",
    "Scorecard",
    "SealedFacts",
    "Section",
    "SimplerModel",
    "interpretation",
    "judge_model",
]
