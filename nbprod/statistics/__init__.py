"""The statistics that decide: profiles, verdicts, estimated performance, intervals; usable alone.

>>> from nbprod.statistics import Profile, compare  # doctest: +SKIP
>>> compare(reference, current).sentence  # doctest: +SKIP

The names load on first use, so that importing the package loads no numerical library.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbprod.statistics.alpha_spending import spending_bounds
    from nbprod.statistics.arm_means import ArmTotals, MeanDifference, MeanStratum, mean_difference
    from nbprod.statistics.blocks import time_blocks
    from nbprod.statistics.bootstrap import metric_interval, paired_difference
    from nbprod.statistics.comparison import ColumnComparison, ColumnVerdict, DriftComparison
    from nbprod.statistics.concept import ConceptDrift, concept_drift, losses
    from nbprod.statistics.domain_classifier import DomainDrift, domain_drift
    from nbprod.statistics.estimation import Agreement, PerformanceEstimator
    from nbprod.statistics.event_rates import HarmProcess, RateVerdict, Stratum, rate_verdict
    from nbprod.statistics.interval import Interval
    from nbprod.statistics.lookback import compare_together
    from nbprod.statistics.maturity import Maturity, mature, outcome_delays
    from nbprod.statistics.metrics import METRICS, Metric, metric
    from nbprod.statistics.paired import PairedVerdict, paired_loss_verdict, paired_verdict
    from nbprod.statistics.profile import Profile
    from nbprod.statistics.ranking import Impact, rank_columns, ranking_sentence
    from nbprod.statistics.rollout_verdict import RolloutVerdict, combine_verdicts, harmed_segments
    from nbprod.statistics.sample_ratios import SampleRatio, sample_ratio
    from nbprod.statistics.segments import GroupScore, SegmentDrop, compare_segments, find_segments, group_gaps
    from nbprod.statistics.selftest import FalseAlarms, calibrate_false_alarms
    from nbprod.statistics.sequential import AlarmBudget, confidence_sequence, detect_rise
    from nbprod.statistics.verdict import compare

__all__ = [
    "METRICS",
    "Agreement",
    "AlarmBudget",
    "ArmTotals",
    "ColumnComparison",
    "ColumnVerdict",
    "ConceptDrift",
    "DomainDrift",
    "DriftComparison",
    "FalseAlarms",
    "GroupScore",
    "HarmProcess",
    "Impact",
    "Interval",
    "Maturity",
    "MeanDifference",
    "MeanStratum",
    "Metric",
    "PairedVerdict",
    "PerformanceEstimator",
    "Profile",
    "RateVerdict",
    "RolloutVerdict",
    "SampleRatio",
    "SegmentDrop",
    "Stratum",
    "calibrate_false_alarms",
    "combine_verdicts",
    "compare",
    "compare_segments",
    "compare_together",
    "concept_drift",
    "confidence_sequence",
    "detect_rise",
    "domain_drift",
    "find_segments",
    "group_gaps",
    "harmed_segments",
    "losses",
    "mature",
    "mean_difference",
    "metric",
    "metric_interval",
    "outcome_delays",
    "paired_difference",
    "paired_loss_verdict",
    "paired_verdict",
    "rank_columns",
    "ranking_sentence",
    "rate_verdict",
    "sample_ratio",
    "spending_bounds",
    "time_blocks",
]

_HOMES = {
    "Agreement": "estimation",
    "AlarmBudget": "sequential",
    "ArmTotals": "arm_means",
    "ColumnComparison": "comparison",
    "ColumnVerdict": "comparison",
    "DriftComparison": "comparison",
    "ConceptDrift": "concept",
    "DomainDrift": "domain_classifier",
    "FalseAlarms": "selftest",
    "GroupScore": "segments",
    "HarmProcess": "event_rates",
    "Impact": "ranking",
    "Interval": "interval",
    "METRICS": "metrics",
    "Maturity": "maturity",
    "MeanDifference": "arm_means",
    "MeanStratum": "arm_means",
    "Metric": "metrics",
    "PairedVerdict": "paired",
    "PerformanceEstimator": "estimation",
    "Profile": "profile",
    "RateVerdict": "event_rates",
    "RolloutVerdict": "rollout_verdict",
    "SampleRatio": "sample_ratios",
    "SegmentDrop": "segments",
    "Stratum": "event_rates",
    "calibrate_false_alarms": "selftest",
    "combine_verdicts": "rollout_verdict",
    "compare": "verdict",
    "compare_segments": "segments",
    "compare_together": "lookback",
    "concept_drift": "concept",
    "confidence_sequence": "sequential",
    "detect_rise": "sequential",
    "domain_drift": "domain_classifier",
    "find_segments": "segments",
    "group_gaps": "segments",
    "harmed_segments": "rollout_verdict",
    "losses": "concept",
    "mature": "maturity",
    "mean_difference": "arm_means",
    "metric": "metrics",
    "metric_interval": "bootstrap",
    "outcome_delays": "maturity",
    "paired_difference": "bootstrap",
    "paired_loss_verdict": "paired",
    "paired_verdict": "paired",
    "rank_columns": "ranking",
    "ranking_sentence": "ranking",
    "rate_verdict": "event_rates",
    "sample_ratio": "sample_ratios",
    "spending_bounds": "alpha_spending",
    "time_blocks": "blocks",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
