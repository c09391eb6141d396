import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbprod.domain.numbers import number


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (15550.0, "15,550"),
        (15549.6, "15,550"),
        (1234.56, "1,235"),
        (999.96, "1,000"),
        (12.345, "12.35"),
        (0.00001234, "1.234e-05"),
        (0.1 + 0.2, "0.3"),
        (-45312, "-45,312"),
        (np.float32(2.5), "2.5"),
        (np.int64(31000), "31,000"),
        (1e300, "1e+300"),
        (None, "—"),
        (math.inf, "∞"),
        ("0.5 [0.4, 0.6]", "0.5 [0.4, 0.6]"),
    ],
)
def test_numbers_as_people_read_them(value, said):
    assert number(value) == said


def test_a_change_has_its_sign():
    assert [number(value, signed=True) for value in (0.02, -0.02, 15550.0)] == ["+0.02", "-0.02", "+15,550"]


@given(st.integers(-(10**14), 10**14))
def test_whole_numbers_stay_whole(value):
    """Read back, a whole number is itself: no digit is lost to an exponent."""
    assert int(number(float(value)).replace(",", "")) == value


@given(st.floats(1e-3, 1e14), st.integers(1, 6))
def test_so_many_digits_are_right(value, digits):
    """Half a unit of the last digit that is kept, or half of one where that is more than is asked for."""
    read = float(number(value, digits).replace(",", ""))
    assert (
        abs(read - value) <= max(0.5, 0)
        if value >= 10 ** (digits - 1)
        else abs(read - value) <= value * 10 ** (1 - digits)
    )
