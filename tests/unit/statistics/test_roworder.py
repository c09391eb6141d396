"""Rows that depend on each other, by what their order and equality say."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbprod.statistics.roworder import look_at_order

STEPS = st.floats(1e-6, 1e6, allow_nan=False)


@given(st.integers(0, 10_000), STEPS, st.floats(-1e3, 1e3), st.integers(2, 300))
def test_measured_values_in_another_unit_repeat_by_nature(seed, step, steps_off, spread):
    """Whole numbers times any step, from any zero, are no copies of rows, however few or many there are."""
    whole = np.round(np.random.default_rng(seed).normal(0, spread, 1000))
    assert look_at_order({"x": (whole + steps_off) * step}).repeated == 0


@given(st.integers(0, 10_000), STEPS, st.integers(2, 10))
def test_copies_of_continuous_rows_are_noticed_in_any_unit(seed, step, times):
    """The share of rows that repeat others is told exactly."""
    random = np.random.default_rng(seed)
    rows = np.tile(random.normal(size=1000 // times), times) * step
    assert look_at_order({"x": random.permutation(rows)}).repeated == pytest.approx(1 - 1 / times)


@pytest.mark.parametrize(
    "made",
    [
        lambda random: random.choice(random.normal(size=12), 1000),
        lambda random: random.poisson(5, 1000) / (1 + random.poisson(5, 1000)),
        lambda random: np.where(random.uniform(size=1000) < 0.1, 0.7312, random.normal(size=1000)),
        lambda random: np.round(random.normal(20, 8, 1000), 1) * 1.8 + 32,
    ],
    ids=["few", "ratios of counts", "one stuck value", "another temperature scale"],
)
def test_values_that_come_again_are_no_copies(made):
    """Whatever the reason for equal values in one column, rows are not said to be copies."""
    assert look_at_order({"x": made(np.random.default_rng(3))}).repeated == 0
