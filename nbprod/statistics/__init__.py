"""The statistics that decide: profiles, verdicts, estimated performance, intervals; usable alone.

>>> from nbprod.statistics import Profile, compare  # doctest: +SKIP
>>> compare(reference, current).sentence  # doctest: +SKIP

The names load on first use, so that importing the package loads no numerical library.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbprod.lazy import on_first_use

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

__getattr__ = on_first_use(__name__)
