"""Whether arms were given the shares they were meant to get."""

import math

import numpy as np
import pytest
from scipy import special

from nbprod.errors import DataError, SettingsError
from nbprod.statistics import sample_ratio


def test_evidence_is_the_dirichlet_multinomial_bayes_factor():
    """Against scipy's gamma function, term by term."""
    counts, shares = np.array([130.0, 870.0]), np.array([0.1, 0.9])
    prior = 1_000 * shares
    expected = special.gammaln(1_000) - special.gammaln(2_000)
    expected += (special.gammaln(prior + counts) - special.gammaln(prior) - counts * np.log(shares)).sum()
    assert sample_ratio([130, 870], [0.1, 0.9]).evidence == pytest.approx(math.exp(expected))


def test_right_shares_are_rarely_called_wrong():
    """Asked at 200 looks, at most one run in a hundred, and its error."""
    rng = np.random.default_rng(1)
    counts = rng.multinomial(200, [0.05, 0.95], size=(400, 200)).cumsum(axis=1)
    found = [any(sample_ratio(look, [0.05, 0.95]).is_mismatch for look in run[::10].tolist()) for run in counts]
    assert np.mean(found) <= 0.01 + 3 * math.sqrt(0.01 * 0.99 / 400)


def test_a_leak_is_found():
    """A tenth of the candidate's units missing is seen within 30,000 units."""
    rng = np.random.default_rng(2)
    counts = rng.multinomial(30_000, [0.09, 0.91], size=50)
    assert np.mean([sample_ratio(run, [0.1, 0.9]).is_mismatch for run in counts.tolist()]) > 0.9


def test_a_unit_in_an_arm_without_a_share_is_a_mismatch():
    """An arm that was meant to get nothing and got something."""
    assert sample_ratio([1, 99], [0.0, 1.0]).is_mismatch
    assert not sample_ratio([0, 99], [0.0, 1.0]).is_mismatch


def test_what_cannot_be_compared_is_refused():
    """Counts and shares that do not belong together; shares that do not sum to one."""
    with pytest.raises(DataError):
        sample_ratio([1], [0.5, 0.5])
    with pytest.raises(SettingsError):
        sample_ratio([1, 2], [0.5, 0.6])
