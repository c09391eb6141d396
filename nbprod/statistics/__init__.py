"""The statistics that decide: profiles, verdicts, estimated performance, intervals; usable alone.

>>> from nbprod.statistics import Profile, compare  # doctest: +SKIP
>>> compare(reference, current).sentence  # doctest: +SKIP

The names load on first use, so that importing the package loads no numerical library.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbprod.lazy import on_first_use

if TYPE_CHECKING:
    from nbprod.statistics.alpha_spending import spending_bounds
    from nbprod.statistics.arm_means import ArmTotals, MeanDifference, MeanStratum, mean_difference
    from nbprod.statistics.block_means import jackknife_interval, mean_interval
    from nbprod.statistics.blocks import time_blocks
    from nbprod.statistics.bootstrap import metric_interval, paired_difference
    from nbprod.statistics.burn_rates import BURN_RULES, Burn, BurnRule, fastest_burns
    from nbprod.statistics.comparison import ColumnComparison, ColumnVerdict, DriftComparison
    from nbprod.statistics.concept import ConceptDrift, concept_drift, losses
    from nbprod.statistics.diversity import effective_number
    from nbprod.statistics.domain_classifier import DomainDrift, domain_drift
    from nbprod.statistics.estimation import Agreement, PerformanceEstimator
    from nbprod.statistics.event_rates import HarmProcess, RateVerdict, Stratum, rate_verdict
    from nbprod.statistics.fall import Fall, fall_between
    from nbprod.statistics.interval import Interval
    from nbprod.statistics.lookback import compare_together
    from nbprod.statistics.maturity import Maturity, mature, outcome_delays
    from nbprod.statistics.metrics import METRICS, Metric, metric
    from nbprod.statistics.paired import PairedVerdict, paired_loss_verdict, paired_verdict
    from nbprod.statistics.profile import Profile
    from nbprod.statistics.ranking import Impact, rank_columns, ranking_sentence
    from nbprod.statistics.raters import cohen_kappa, krippendorff_alpha
    from nbprod.statistics.rollout_verdict import RolloutVerdict, combine_verdicts, harmed_segments
    from nbprod.statistics.sample_ratios import SampleRatio, sample_ratio
    from nbprod.statistics.season import SeasonVerdict, unusual_level, unusual_share
    from nbprod.statistics.segments import GroupScore, SegmentDrop, compare_segments, find_segments, group_gaps
    from nbprod.statistics.selftest import FalseAlarms, calibrate_false_alarms
    from nbprod.statistics.sequential import AlarmBudget, confidence_sequence, detect_rise
    from nbprod.statistics.stratified import SampledStratum, sampled_strata, stratified_share, stratum_weights
    from nbprod.statistics.verdict import compare

__all__ = [
    "BURN_RULES",
    "METRICS",
    "Agreement",
    "AlarmBudget",
    "ArmTotals",
    "Burn",
    "BurnRule",
    "ColumnComparison",
    "ColumnVerdict",
    "ConceptDrift",
    "DomainDrift",
    "DriftComparison",
    "Fall",
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
    "SampledStratum",
    "SeasonVerdict",
    "SegmentDrop",
    "Stratum",
    "calibrate_false_alarms",
    "cohen_kappa",
    "combine_verdicts",
    "compare",
    "compare_segments",
    "compare_together",
    "concept_drift",
    "confidence_sequence",
    "detect_rise",
    "domain_drift",
    "effective_number",
    "fall_between",
    "fastest_burns",
    "find_segments",
    "group_gaps",
    "harmed_segments",
    "jackknife_interval",
    "krippendorff_alpha",
    "losses",
    "mature",
    "mean_difference",
    "mean_interval",
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
    "sampled_strata",
    "spending_bounds",
    "stratified_share",
    "stratum_weights",
    "time_blocks",
    "unusual_level",
    "unusual_share",
]

__getattr__ = on_first_use(__name__)
