"""Bounds of planned looks."""

import numpy as np
import pytest
from scipy import stats

from nbprod.errors import SettingsError
from nbprod.statistics import spending_bounds


def test_one_look_is_the_usual_bound():
    """All of alpha at one look."""
    assert spending_bounds([1.0]) == pytest.approx([stats.norm.isf(0.025)], abs=1e-6)
    assert spending_bounds([1.0], sides=1) == pytest.approx([stats.norm.isf(0.05)], abs=1e-6)


def test_two_looks_agree_with_the_bivariate_normal():
    """The chance to cross the second bound and not the first, by scipy's bivariate normal."""
    first, second = spending_bounds([0.5, 1.0])
    joint = stats.multivariate_normal([0, 0], [[1, np.sqrt(0.5)], [np.sqrt(0.5), 1]])
    stays = joint.cdf([first, second], lower_limit=[-first, -second])
    assert 2 * stats.norm.sf(first) == pytest.approx(0.025, abs=1e-6)
    assert 1 - stays == pytest.approx(0.05, abs=1e-5)


@pytest.mark.parametrize("power", [1.0, 3.0])
def test_all_looks_together_spend_alpha(power):
    """Simulated: 5 % of 100,000 paths cross at any of fourteen looks."""
    bounds = spending_bounds(np.arange(1, 15) / 14, power=power)
    paths = np.random.default_rng(0).normal(size=(100_000, 14)).cumsum(axis=1) / np.sqrt(np.arange(1, 15))
    assert (np.abs(paths) > bounds).any(axis=1).mean() == pytest.approx(0.05, abs=0.0025)


def test_looks_that_are_no_plan_are_refused():
    """Shares must rise, and end by one."""
    for looks in ([], [0.5, 0.5], [0.5, 1.5], [0.0]):
        with pytest.raises(SettingsError):
            spending_bounds(looks)
