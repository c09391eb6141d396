from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import entropy

from nbprod.errors import SettingsError
from nbprod.statistics import effective_number

items = st.lists(st.sampled_from("abcdefg"), min_size=1, max_size=200)


@given(items)
def test_order_one_is_the_exponential_of_scipys_entropy(shown):
    _, counts = np.unique(shown, return_counts=True)

    assert effective_number(shown) == pytest.approx(np.exp(entropy(counts)))
    assert effective_number(shown, 2) == pytest.approx(1 / np.sum((counts / counts.sum()) ** 2))
    assert effective_number(shown, 0) == pytest.approx(len(counts))


@given(items)
def test_higher_orders_see_fewer_and_none_sees_more_than_there_are(shown):
    numbers = [effective_number(shown, order) for order in (0, 0.5, 1, 2, 5)]

    assert all(before >= after - 1e-9 for before, after in pairwise(numbers))
    assert numbers[-1] >= 1 - 1e-9


def test_two_catalogues_apart_are_the_sum_of_both():
    """Hill numbers double when a second catalogue of the same size is shown as often (Jost 2006)."""
    assert effective_number(["a"] * 3 + ["b"] * 1 + ["c"] * 3 + ["d"] * 1) == pytest.approx(
        2 * effective_number(["a"] * 3 + ["b"] * 1)
    )


def test_nothing_shown_is_no_number_and_a_negative_order_none():
    assert np.isnan(effective_number([None, float("nan")]))
    with pytest.raises(SettingsError):
        effective_number(["a"], -1)
