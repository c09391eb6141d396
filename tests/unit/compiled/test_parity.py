"""A share of what the compiled model predicts is compared in use, and counted."""

import math

import pytest

from nbprod.compiled.parity import Parity


def test_the_share_is_kept_over_calls_of_any_size():
    parity = Parity(share=0.01)
    assert sum(parity.due(1) for _ in range(1000)) + parity.due(5000) == pytest.approx(60, abs=1)
    assert parity.rows == 6000


def test_equal_answers_agree_and_others_are_counted():
    parity = Parity()
    assert parity.compare(
        {"prediction": "UP", "probability": 0.25}, {"prediction": "UP", "probability": 0.25 + 1e-15}
    )
    assert parity.holds
    assert not parity.compare({"prediction": "UP", "probability": 0.25}, {"prediction": "DOWN", "probability": 0.25})
    assert not parity.compare({"prediction": 1.0}, {"prediction": 1.1})
    assert not parity.compare({"prediction": 1.0}, {"prediction": math.nan})
    assert not parity.holds
    counts = parity.counts()
    assert (counts["compared"], counts["differing"], counts["label_flips"]) == (4, 3, 1)
    assert counts["largest_difference"] == math.inf


def test_numbers_may_differ_as_much_as_was_certified():
    assert Parity(tolerance=1e-6).compare({"prediction": 1000.0}, {"prediction": 1000.0005})
    assert not Parity(tolerance=1e-12).compare({"prediction": 1000.0}, {"prediction": 1000.0005})
