"""The statistics that decide: profiles, verdicts, estimated performance, intervals; usable alone.

>>> from nbprod.statistics import Profile, compare  # doctest: +SKIP
>>> compare(reference, current).sentence  # doctest: +SKIP

The names load on first use, so that importing the package loads no numerical library.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbprod.statistics.blocks import time_blocks
    from nbprod.statistics.bootstrap import metric_interval, paired_difference
    from nbprod.statistics.comparison import ColumnComparison, ColumnVerdict, DriftComparison
    from nbprod.statistics.concept import ConceptDrift, concept_drift, losses
    from nbprod.statistics.domain_classifier import DomainDrift, domain_drift
    from nbprod.statistics.estimation import Agreement, PerformanceEstimator
    from nbprod.statistics.interval import Interval
    from nbprod.statistics.lookback import compare_together
    from nbprod.statistics.maturity import Maturity, mature, outcome_delays
    from nbprod.statistics.metrics import METRICS, Metric, metric
    from nbprod.statistics.profile import Profile
    from nbprod.statistics.ranking import Impact, rank_columns, ranking_sentence
    from nbprod.statistics.segments import GroupScore, SegmentDrop, compare_segments, find_segments, group_gaps
    from nbprod.statistics.selftest import FalseAlarms, calibrate_false_alarms
    from nbprod.statistics.sequential import AlarmBudget, confidence_sequence, detect_rise
    from nbprod.statistics.verdict import compare

__all__ = [
    "METRICS",
    "Agreement",
    "AlarmBudget",
    "ColumnComparison",
    "ColumnVerdict",
    "ConceptDrift",
    "DomainDrift",
    "DriftComparison",
    "FalseAlarms",
    "GroupScore",
    "Impact",
    "Interval",
    "Maturity",
    "Metric",
    "PerformanceEstimator",
    "Profile",
    "SegmentDrop",
    "calibrate_false_alarms",
    "compare",
    "compare_segments",
    "compare_together",
    "concept_drift",
    "confidence_sequence",
    "detect_rise",
    "domain_drift",
    "find_segments",
    "group_gaps",
    "losses",
    "mature",
    "metric",
    "metric_interval",
    "outcome_delays",
    "paired_difference",
    "rank_columns",
    "ranking_sentence",
    "time_blocks",
]

_HOMES = {
    "Agreement": "estimation",
    "AlarmBudget": "sequential",
    "ColumnComparison": "comparison",
    "ColumnVerdict": "comparison",
    "DriftComparison": "comparison",
    "ConceptDrift": "concept",
    "DomainDrift": "domain_classifier",
    "FalseAlarms": "selftest",
    "GroupScore": "segments",
    "Impact": "ranking",
    "Interval": "interval",
    "METRICS": "metrics",
    "Maturity": "maturity",
    "Metric": "metrics",
    "PerformanceEstimator": "estimation",
    "Profile": "profile",
    "SegmentDrop": "segments",
    "calibrate_false_alarms": "selftest",
    "compare": "verdict",
    "compare_segments": "segments",
    "compare_together": "lookback",
    "concept_drift": "concept",
    "confidence_sequence": "sequential",
    "detect_rise": "sequential",
    "domain_drift": "domain_classifier",
    "find_segments": "segments",
    "group_gaps": "segments",
    "losses": "concept",
    "mature": "maturity",
    "metric": "metrics",
    "metric_interval": "bootstrap",
    "outcome_delays": "maturity",
    "paired_difference": "bootstrap",
    "rank_columns": "ranking",
    "ranking_sentence": "ranking",
    "time_blocks": "blocks",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
