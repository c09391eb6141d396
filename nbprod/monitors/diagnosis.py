"""Why a window differs: since when, by which columns, in which rows, and whether outcomes mean what they meant."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nbprod.domain.monitor import MonitorPolicy
from nbprod.monitors.performance import FEWEST_OUTCOMES, ScoredRows
from nbprod.monitors.reference import MonitorReference
from nbprod.monitors.window import MonitoredWindow
from nbprod.statistics import (
    Agreement,
    AlarmBudget,
    ConceptDrift,
    Interval,
    PerformanceEstimator,
    Profile,
    SegmentDrop,
    concept_drift,
    find_segments,
    losses,
    time_blocks,
)
from nbprod.statistics.blocks import block_length_us, block_start

__all__ = ["agreements", "change_onset", "concept", "estimates", "of_same_version", "same_version", "worst_segment"]

FEWEST_BLOCKS = 8  #: of the reference and with outcomes, to know how its loss comes and goes
FEWEST_DAYS = 4  #: to say on which of them something began
DAY_US = 86_400_000_000


def estimates(reference: MonitorReference, current: pd.DataFrame) -> dict[str, Interval]:
    """The metrics expected on rows without outcomes; none where the reference or the rows do not allow it."""
    estimator = reference.estimator
    rows = _estimable_rows(estimator, current)
    if estimator is None or len(rows) < FEWEST_OUTCOMES:
        return {}
    return estimator.estimate(rows)


def agreements(reference: MonitorReference, current: pd.DataFrame, scored: ScoredRows) -> dict[str, Agreement]:
    """The estimates beside what outcomes say, on the rows that have one: their assumption is tested by them."""
    estimator = reference.estimator
    rows = _estimable_rows(estimator, current.assign(outcome=scored.frame["outcome"]))
    rows = rows[rows["outcome"].notna()]
    if estimator is None or len(rows) < FEWEST_OUTCOMES:
        return {}
    return estimator.check(rows)


def concept(window: MonitoredWindow, scored: ScoredRows, policy: MonitorPolicy) -> ConceptDrift | None:
    """Whether the loss rose above the reference's, and since when: all rows of the version count, not the window's.

    ``None`` where rows do not depend on time or too few outcomes are known.
    """
    reference = window.reference
    if not policy.block or reference.time is None:
        return None
    known = reference.rows[reference.rows["outcome"].notna()]
    if len(np.unique(time_blocks(known[reference.time], policy.block))) < FEWEST_BLOCKS:
        return None
    before = same_version(window.earlier, scored).matured(window.as_of, policy.matures_after).even
    frame = pd.concat([before.frame, scored.frame], ignore_index=True)
    times = pd.concat([pd.Series(before.times), pd.Series(scored.times)], ignore_index=True)
    usual, largest = _loss(reference.task, known, None)
    current, _ = _loss(reference.task, frame, largest)
    if not np.isfinite(current).any():
        return None
    looks = 365 * DAY_US / block_length_us(policy.block)
    return concept_drift(
        usual,
        known[reference.time],
        current,
        times,
        block=policy.block,
        budget=AlarmBudget(per_year=policy.false_alarms_per_year, looks_per_year=looks),
    )


def worst_segment(window: MonitoredWindow, scored: ScoredRows, policy: MonitorPolicy) -> SegmentDrop | None:
    """The smallest segment of inputs that explains a rise of the loss, if there is one."""
    reference = window.reference
    names = [name for name in policy.columns or reference.inputs if name in window.inputs and name in reference.rows]
    usual, largest = _loss(reference.task, reference.rows, None)
    current, _ = _loss(reference.task, scored.frame, largest)
    blocks = None
    if policy.block and reference.time is not None:
        blocks = time_blocks(reference.rows[reference.time], policy.block), time_blocks(scored.times, policy.block)
    found = find_segments(reference.rows, usual, window.inputs, current, columns=names, blocks=blocks, most=1)
    return found[0] if found else None


def change_onset(name: str, reference: Profile, current: Profile) -> datetime | None:
    """When a column became different, if it did so within the window.

    The split of the window's blocks between which the shares of cells differ most: the squared distance of the two
    sides, weighted as a variance between groups is. ``None`` where there are no blocks of time or where the rows
    before the split are not like the reference either: then it began earlier.
    """
    if reference.blocks is None or current.blocks is None or len(current.blocks) < FEWEST_DAYS:
        return None
    if name not in current.blocks.counts or name not in reference.blocks.counts:
        return None  # the column is gone
    counts = current.blocks.counts[name].astype(np.float64)
    usual = _shares(reference.blocks.counts[name].sum(axis=0, dtype=np.float64))
    first = np.cumsum(counts, axis=0)[:-1]
    second = counts.sum(axis=0) - first
    sizes = first.sum(axis=1), second.sum(axis=1)
    apart = ((_shares(first) - _shares(second)) ** 2).sum(axis=1) * sizes[0] * sizes[1] / (sizes[0] + sizes[1])
    split = int(np.argmax(apart))
    before, after = (float(np.abs(_shares(part[split]) - usual).sum()) for part in (first, second))
    if before > after / 2:
        return None
    return block_start(int(current.blocks.ids[split + 1]), current.blocks.block)


def same_version(earlier: ScoredRows, scored: ScoredRows) -> ScoredRows:
    """The earlier rows that were answered by the version which answered most of the window's."""
    return earlier.rows(of_same_version(earlier, scored))


def of_same_version(earlier: ScoredRows, scored: ScoredRows) -> NDArray[np.bool_]:
    """Which of the earlier rows were answered by the version which answered most of the window's."""
    if "version" not in earlier.frame or "version" not in scored.frame or scored.frame["version"].isna().all():
        return np.ones(len(earlier), dtype=bool)
    newest = scored.frame["version"].mode()[0]
    return (earlier.frame["version"] == newest).to_numpy(dtype=bool)


def _estimable_rows(estimator: PerformanceEstimator | None, rows: pd.DataFrame) -> pd.DataFrame:
    """The rows that hold what an estimate is made of; none where a column is missing."""
    features = () if estimator is None or estimator.probability else estimator.features
    if estimator is None or not {*features, *estimator.probability} <= set(rows):
        return rows.iloc[:0]
    return rows.dropna(subset=["prediction", *estimator.probability])


def _loss(task: str, frame: pd.DataFrame, largest: float | None) -> tuple[NDArray[np.float64], float | None]:
    """The share of wrong labels, or the absolute error as a share of the reference's largest."""
    if task == "regression" and largest is None:
        errors = (frame["outcome"].astype("float64") - frame["prediction"].astype("float64")).abs()
        largest = float(errors.max()) or 1.0
    return losses(task, frame["outcome"], frame["prediction"], largest=largest), largest


def _shares(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    return counts / np.maximum(counts.sum(axis=-1, keepdims=True), 1.0)
