"""The functions are the same doubles for one number and for an array, and those of numpy up to a few last digits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbprod.compiled.arithmetic import FUNCTIONS

OWN = {"relu": lambda x: np.maximum(x, 0), "sigmoid": lambda x: 1 / (1 + np.exp(-x))}


@pytest.mark.parametrize("name", FUNCTIONS)
@given(values=st.lists(st.floats(), min_size=1, max_size=20))
def test_one_and_many_are_equal_to_the_last_bit(name, values):
    one, many = FUNCTIONS[name]
    with np.errstate(all="ignore"):
        found = np.asarray(many(np.array(values)), dtype=float)
        alone = np.array([one(value) for value in values])
    np.testing.assert_array_equal(alone, found)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_values_are_those_of_numpy(name):
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(size=2000) * scale for scale in (1e-9, 1e-3, 1.0, 10.0, 300.0)])
    x = np.concatenate([x, [0.0, np.inf, -np.inf, np.nan, 709.78, 710.0, -745.1, -746.0]])
    with np.errstate(all="ignore"):
        expected = OWN.get(name) or getattr(np, name)
        np.testing.assert_allclose(FUNCTIONS[name][1](x), expected(x), rtol=1e-15, atol=0)
