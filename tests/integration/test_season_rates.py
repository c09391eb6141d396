"""A usual week is surprising as often as its chance says: measured on many simulated ones."""

import numpy as np
import pytest

from nbprod.statistics import unusual_level, unusual_share
from tests.unit.statistics.test_season import levels, shares


@pytest.mark.parametrize("growth", [0.0, 0.05], ids=["no trend", "five percent a week"])
def test_a_usual_level_is_surprising_as_often_as_its_chance_says(growth):
    """Of 400 days 5 % have a chance of at most 5 %, within what so many days allow; a trend is no news."""
    rng = np.random.default_rng(1)
    found = []
    for _ in range(400):
        values = levels(rng, growth=growth)
        found.append(unusual_level(values[0], values[1:], both=True).p_value)

    assert 0.025 <= np.mean(np.array(found) <= 0.05) <= 0.085
    assert min(found) > 1e-5


def test_a_usual_share_is_surprising_as_often_as_its_chance_says():
    """Days differ by 15 % beside chance, which Poisson's variance alone would call surprising all the time."""
    rng = np.random.default_rng(2)
    found = []
    for _ in range(150):
        events, totals = shares(rng)
        found.append(unusual_share(events[0], totals[0], events[1:], totals[1:]).p_value)

    assert 0.015 <= np.mean(np.array(found) <= 0.05) <= 0.1
    assert min(found) > 1e-4
