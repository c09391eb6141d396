"""Tests of significance agree with scipy, and hold their level on data without a difference."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from nbprod.statistics import significance
from nbprod.statistics.blocknull import block_null, shares_distance, wasserstein_distance

counts = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=2, max_size=8).map(
    lambda pairs: np.array(pairs).T
)


@given(table=counts)
def test_chi_square_equals_scipy_on_the_contingency_table(table):
    used = table[:, table.sum(axis=0) > 0]
    if used.shape[1] < 2 or (used.sum(axis=1) == 0).any():
        return
    found = significance.chi_square(*table)
    expected = stats.chi2_contingency(used, correction=False)
    assert found[0] == pytest.approx(expected.statistic, rel=1e-9, abs=1e-9)
    assert found[1] == pytest.approx(expected.pvalue, rel=1e-9)


@given(a=st.integers(0, 30), b=st.integers(0, 4), more=st.tuples(st.integers(1, 60), st.integers(1, 60)))
def test_two_proportions_is_fisher_for_small_and_chi_square_for_large_counts(a, b, more):
    rows_a, rows_b = a + more[0], b + more[1]
    found = significance.two_proportions(a, rows_a, b, rows_b)
    table = [[a, rows_a - a], [b, rows_b - b]]
    expected = np.array(table).sum(axis=0).min() * min(rows_a, rows_b) / (rows_a + rows_b)
    if expected < 5:
        assert found == pytest.approx(stats.fisher_exact(table).pvalue, rel=1e-6)
    else:
        assert found == pytest.approx(stats.chi2_contingency(table, correction=False).pvalue, rel=1e-9)


def test_upper_share_is_clopper_pearson():
    for hits, rows in [(0, 100), (3, 40), (40, 40)]:
        expected = stats.binomtest(hits, rows).proportion_ci(0.9, method="exact").high
        assert significance.upper_share(hits, rows) == pytest.approx(expected)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_benjamini_hochberg_equals_scipy(p_values):
    assert significance.benjamini_hochberg(p_values) == pytest.approx(stats.false_discovery_control(p_values))


# ------------------------------------------------------------------------------------------------ blocks


def days(random, count, level, rows=48):
    """Days whose mean wanders with a standard deviation of one around a level; rows by cell of a line."""
    means = level + random.normal(size=count)
    cells = np.clip(np.rint(means[:, None] + random.normal(size=(count, rows)) + 10), 0, 20).astype(int)
    return np.stack([np.bincount(day, minlength=21) for day in cells])


def test_blocks_find_a_day_that_is_out_of_line():
    random = np.random.default_rng(0)
    found = block_null(days(random, 90, 0), days(random, 1, 6), wasserstein_distance(np.ones(20)))
    assert found.p_value < 1e-3


def test_constant_reference_is_left_by_anything_new():
    reference, same, new = np.tile([10, 0], (30, 1)), np.tile([10, 0], (5, 1)), np.tile([4, 6], (5, 1))
    assert block_null(reference, same, shares_distance).p_value == 1.0
    assert block_null(reference, new, shares_distance).p_value < 1e-4
    one_day = np.vstack([same[:4], new[:1]])
    assert block_null(reference, one_day, shares_distance).p_value == pytest.approx(5 / 35)


def test_too_few_blocks_say_nothing():
    assert block_null(np.full((7, 2), 5), np.full((1, 2), 5), shares_distance) is None
    assert block_null(np.full((9, 2), 5), np.zeros((1, 2)), shares_distance) is None
