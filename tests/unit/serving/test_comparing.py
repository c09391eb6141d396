"""Which answers are held against the pipeline of a version, and when two answers are the same."""

import pytest

from nbprod.serving.assignment import Arm
from nbprod.serving.comparing import Comparison, are_equal

GIVEN = {"prediction": ["UP", "DOWN"], "probability": [0.75, 0.25]}


def test_answers_of_another_version_are_no_samples_of_this_one():
    """A canary answers otherwise; compared with the stable pipeline it would take the stable's fast path away."""
    stable, canary = (
        Arm(version=f"power/{number}", digest=str(number) * 64, folder=f"/{number}") for number in (1, 2)
    )
    comparison = Comparison(stable, (), lambda rows, is_equal: None, every=1000)
    for _ in range(1000):  # the thousandth would be taken
        comparison.see(canary, [{"x": 1.0}], {"prediction": [1.0]})
    assert comparison._task is None
    for _ in range(999):
        comparison.see(stable, [{"x": 1.0}], {"prediction": [1.0]})
    assert (comparison._count, comparison._task) == (999, None)


@pytest.mark.parametrize(
    ("expected", "is_equal"),
    [
        (GIVEN, True),
        ({**GIVEN, "probability": [0.75 + 1e-8, 0.25]}, True),
        ({**GIVEN, "probability": [0.75 + 1e-5, 0.25]}, False),
        ({**GIVEN, "probability": [0.75, float("nan")]}, False),
        ({**GIVEN, "prediction": ["UP", "UP"]}, False),
        ({"prediction": ["UP", "DOWN"]}, False),
    ],
)
def test_labels_are_equal_and_numbers_near(expected, is_equal):
    """To about six digits; a missing number or column is no equal one."""
    assert are_equal(expected, GIVEN) is is_equal
