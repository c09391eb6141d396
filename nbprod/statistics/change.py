"""What changed in one column: its p-value, and its effects with their intervals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import nan

import numpy as np
from numpy.typing import NDArray

from nbprod.statistics.blocknull import (
    block_evidence,
    block_null,
    largest_share_distance,
    score_distance,
    shares_distance,
    wasserstein_distance,
)
from nbprod.statistics.category import CategoryProfile
from nbprod.statistics.distances import jensen_shannon
from nbprod.statistics.effects import (
    USUAL_LINE,
    Effect,
    categories_effect,
    cell_means,
    group_places,
    middle_gaps,
    outside_effect,
    share_effect,
    shares_effect,
    shift_effect,
    steps_effect,
    values_effect,
)
from nbprod.statistics.numeric import NumericProfile
from nbprod.statistics.omnibus import (
    Evidence,
    category_evidence,
    combined_p,
    line_evidence,
    lone_evidence,
    rows_outside,
    score_means,
)
from nbprod.statistics.scores import score_profiles, tested_counts
from nbprod.statistics.significance import Null, independent_square, two_proportions
from nbprod.statistics.unseen import unseen_categories, unseen_effect

__all__ = ["Change", "ColumnTest", "category_change", "empty_change", "line_change"]

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
Blocks = tuple[Counts, Counts]
_FAULT = 1e-9  # line of what is wrong however seldom it is


@dataclass(frozen=True, kw_only=True)
class Change:
    """A column's p-value and effects; the first effect is the one it is named by."""

    p_value: float
    missing_p_value: float
    effects: tuple[Effect, ...]


@dataclass(frozen=True, kw_only=True)
class ColumnTest:
    """How a column is tested.

    Attributes
    ----------
    line
        The effect from which on a change is material.
    blocks
        Rows by block and group of both, where rows depend on time.
    design
        By how much dependence between rows in their order inflates the variance of a mean.
    seed
        Of the noise columns share.
    random
        Of this column.
    """

    line: float
    blocks: Blocks | None
    design: float
    seed: int
    random: np.random.Generator


def line_change(reference: NumericProfile, current: NumericProfile, test: ColumnTest, *, few: bool) -> Change:
    """Of a column whose values lie on a line; of few values, the effect is the distance of their shares."""
    positions = cell_means(reference, current)
    evidence, null, design = _line_evidence(reference, current, positions, test)
    blocks = test.blocks is not None
    effects: list[Effect] = []
    if few:
        used = (reference.counts + current.counts) > 0
        score = score_profiles("jensenshannon", reference, current)
        effects.append(shares_effect(score, reference.counts[used], current.counts[used], test.line, design))
    else:
        effects.append(shift_effect(reference, current, null, test.line, design, blocks=blocks))
    effects.append(steps_effect(reference.counts, current.counts, design, scaled=test.line / USUAL_LINE))
    repeated = values_effect(reference, current, design)
    if repeated is not None:
        effects.append(repeated)
    effects.append(outside_effect(rows_outside(reference.counts, current.counts), current.n, reference.n, design))
    return _with_missing_values(reference, current, test, evidence, effects)


def category_change(reference: CategoryProfile, current: CategoryProfile, test: ColumnTest) -> Change:
    """Of a column of categories."""
    names, first, second = tested_counts(reference, current)
    score = jensen_shannon(first / first.sum(), second / second.sum())
    design = test.design
    evidence: Evidence | None
    if test.blocks is None:
        evidence = category_evidence(first, second, test.random, design=design)
    else:
        parts = [part[:, :-1] for part in test.blocks]
        found = block_evidence(
            parts[0],
            parts[1],
            {"block distance": shares_distance, "block groups": largest_share_distance},
            test.random,
        )
        evidence = None
        if found is not None:
            evidence, nulls = found
            groups = int(((parts[0].sum(axis=0) + parts[1].sum(axis=0)) > 0).sum())
            independent = max(groups - 1, 1) / 8 * (1 / reference.n + 1 / current.n)
            design = max(nulls["block distance"].mean_square / independent, 1.0)
    effects = [shares_effect(score, first, second, test.line, design)]
    one = categories_effect(names, first, second, design)
    if one is not None:
        effects.append(one)
    new = unseen_categories(reference, current)
    if new.rows:
        effects.append(unseen_effect(new, current.n, reference.n, design))
    return _with_missing_values(reference, current, test, evidence, effects)


def empty_change(
    reference: NumericProfile | CategoryProfile, current: NumericProfile | CategoryProfile, test: ColumnTest
) -> Change:
    """Of a column that has no values on one side at least: only that they are missing can have changed."""
    return _with_missing_values(reference, current, test, None, [])


def _line_evidence(
    reference: NumericProfile, current: NumericProfile, positions: Floats, test: ColumnTest
) -> tuple[Evidence | None, Null, float]:
    if test.blocks is None:
        evidence = line_evidence(
            reference.counts, current.counts, positions, test.random, seed=test.seed, design=test.design
        )
        assert evidence.shift is not None
        return evidence, evidence.shift, test.design
    first, second = (part[:, :-1] for part in test.blocks)
    whole = first.sum(axis=0), second.sum(axis=0)
    gaps = middle_gaps(*whole, group_places(reference, current, positions))
    scores = score_means(_shares(*whole))
    distances = {
        "block distance": wasserstein_distance(gaps),
        "block centre": score_distance(scores["wilcoxon"]),
        "block spread": score_distance(scores["klotz"]),
        "block groups": largest_share_distance,
    }
    found = block_evidence(first, second, distances, test.random)
    independent = independent_square(
        reference.counts, current.counts, middle_gaps(reference.counts, current.counts, positions)
    )
    if found is None:
        return None, Null(p_value=nan, mean_square=independent, high=2 * float(np.sqrt(independent))), 1.0
    evidence, nulls = found
    null = nulls["block distance"]
    return evidence, null, max(null.mean_square / independent, 1.0) if independent else 1.0


def _shares(first: Counts, second: Counts) -> Floats:
    total = (first + second).astype(np.float64)
    return total / max(float(total.sum()), 1.0)


def _with_missing_values(
    reference: NumericProfile | CategoryProfile,
    current: NumericProfile | CategoryProfile,
    test: ColumnTest,
    evidence: Evidence | None,
    effects: list[Effect],
) -> Change:
    """With missing and infinite values, which every kind of column may have."""
    parts = [] if evidence is None else [evidence]
    by_itself: dict[str, float] = {}
    counted: Mapping[str, tuple[int, int]] = {
        "missing": (reference.missing, current.missing),
        "infinite": (reference.infinite, current.infinite),
    }
    for name, (before, after) in counted.items():
        if not (before or after) or not (reference.rows and current.rows):
            continue
        design = test.design
        if test.blocks is not None and name == "missing":
            split = [np.column_stack([part[:, :-1].sum(axis=1), part[:, -1]]) for part in test.blocks]
            found = block_null(split[0], split[1], shares_distance)
            p_value = nan if found is None else found.p_value
        else:
            p_value = two_proportions(
                *(int(rows / design) for rows in (before, reference.rows, after, current.rows)), expected=100
            )
        if not np.isnan(p_value):
            by_itself[name] = p_value
            parts.append(lone_evidence(name, p_value, test.random))
        effect = share_effect(name, (before, reference.rows), (after, current.rows), design)
        # nothing is divided by zero now and then by the world: any infinite value that is no accident is a fault
        effects.append(replace(effect, line=_FAULT) if name == "infinite" else effect)
    return Change(p_value=combined_p(*parts), missing_p_value=by_itself.get("missing", nan), effects=tuple(effects))
