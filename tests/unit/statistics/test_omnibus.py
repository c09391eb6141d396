"""The statistics that are combined equal scipy's, and what is combined finds what each of them finds."""

import numpy as np
import pytest
from scipy import stats

from nbprod.statistics.omnibus import category_evidence, combined_p, line_evidence, lone_evidence, score_means

RANDOM = np.random.default_rng(0)


def table(n=3000, shift=0.0):
    """Counts on a line of a reference and a current sample, on few enough values for each to be a cell."""
    values = [np.clip(np.rint(RANDOM.normal(m, 4, n)), -12, 12) for m in (0, shift)]
    counts = [np.bincount((v + 12).astype(int), minlength=25) for v in values]
    return values, counts


def found(counts, **options):
    return line_evidence(*counts, np.arange(25.0), np.random.default_rng(1), **options)


def test_ranks_of_tied_values_are_those_of_mann_and_whitney():
    values, counts = table(n=400, shift=0.5)
    expected = stats.mannwhitneyu(*values, use_continuity=False).pvalue
    assert found(counts).observed["wilcoxon"] == pytest.approx(expected, rel=1e-6)


def test_largest_step_is_that_of_kolmogorov_and_smirnov():
    values, counts = table(n=400, shift=0.5)
    step = stats.ks_2samp(*values, method="asymp").statistic
    expected = stats.kstwobign.sf(step * np.sqrt(200))
    assert found(counts).observed["kolmogorov"] == pytest.approx(expected, rel=1e-6)


def test_squared_scores_are_those_of_klotz_and_absolute_ones_of_ansari():
    ranks = (np.arange(1000) + 0.5) / 1000
    means = score_means(np.full(1000, 1 / 1000))
    assert means["klotz"][5:-5] == pytest.approx(stats.norm.ppf(ranks)[5:-5] ** 2, rel=1e-3, abs=1e-5)
    assert means["normal"][5:-5] == pytest.approx(stats.norm.ppf(ranks)[5:-5], rel=1e-3, abs=1e-6)
    assert means["spread"] == pytest.approx(np.abs(ranks - 0.5), abs=1e-3)
    assert np.diff(means["savage high"])[:-5] == pytest.approx(np.diff(-np.log(1 - ranks))[:-5], rel=0.05)
    assert means["savage low"] == pytest.approx(-means["savage high"][::-1], abs=1e-9)


def test_squares_of_categories_equal_pearsons():
    a, b = RANDOM.multinomial(800, np.full(6, 1 / 6)), RANDOM.multinomial(500, np.full(6, 1 / 6))
    seen = category_evidence(a, b, np.random.default_rng(0)).observed
    assert seen["squares"] == pytest.approx(stats.chi2_contingency(np.stack([a, b])).pvalue)


def test_rows_beyond_the_range_have_the_chance_of_two_runs():
    """That of three rows beyond a reference of equal size, on either side: 1/8 (1 + 3/2)."""
    counts = [np.r_[0, np.full(23, 40), 0], np.r_[1, np.full(23, 40), 2]]
    share = 923 / (923 + 920)
    assert found(counts).observed["outside"] == pytest.approx(share**3 * (1 + 3 * (1 - share)))
    alone = np.mean(RANDOM.geometric(0.5, size=(2, 100_000)).sum(axis=0) - 2 >= 3)
    assert alone == pytest.approx(0.125 * 2.5, abs=0.01)


def test_small_p_values_go_on_beyond_the_number_of_draws():
    _, counts = table(n=4000, shift=0.8)
    assert 1e-30 < combined_p(found(counts)) < 1e-8


def test_dependent_rows_say_less():
    _, counts = table(n=2000, shift=0.3)
    assert combined_p(found(counts)) < combined_p(found(counts, design=10.0))


def test_statistic_that_cannot_vary_is_never_surprising():
    one = np.array([5]), np.array([9])
    random = np.random.default_rng(0)
    assert combined_p(line_evidence(*one, np.array([1.0]), random)) == 1.0
    assert combined_p(category_evidence(*one, random)) == 1.0
    assert np.isnan(combined_p())


def test_a_single_test_keeps_its_p_value():
    assert combined_p(lone_evidence("missing", 0.03, np.random.default_rng(0))) == 0.03
