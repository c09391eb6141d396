"""Pictures read on light and dark pages, and say in words what they show."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from nbprod.evaluation import figures
from nbprod.recording.figures import draw
from nbprod.statistics.predictions import Predictions

TRUTH = np.array([0, 1] * 50)
CLASSES = Predictions(answers=TRUTH, probabilities=np.column_stack([1 - TRUTH, TRUTH]).astype(float), classes=(0, 1))
NUMBERS = Predictions(answers=TRUTH + 0.5)
CASES = {
    "bars": (lambda: figures.bars(pd.Series({"<b>": 2.0, "c": 1.0}), title="Missing"), "<b>: 2; c: 1"),
    "calibration": (lambda: figures.calibration(TRUTH, {"new": CLASSES}), "new: off by 0.0% on average"),
    "confusion": (lambda: figures.confusion(TRUTH, CLASSES), "0: 50 of 50 right; 1: 50 of 50 right"),
    "residuals": (lambda: figures.residuals(TRUTH, {"new": NUMBERS}), "new: mean 0.5, spread 0"),
    "intervals": (
        lambda: figures.intervals(
            pd.DataFrame({"gain": [0.1], "gain_low": [0.0], "gain_high": [0.2]}, index=["hour = 7"]), "gain"
        ),
        "hour = 7: 0.1",
    ),
    "learning": (
        lambda: figures.learning(pd.DataFrame({"rows": [10, 20], "learned": [1, 1], "held_back": [0.5, 0.6]}), "f1"),
        "10 rows: 0.5; 20 rows: 0.6",
    ),
}


@pytest.mark.parametrize("name", sorted(CASES))
def test_picture_has_words_no_background_and_no_black(name):
    make, says = CASES[name]

    figure = make()
    backgrounds = [figure.patch.get_facecolor(), *(axes.patch.get_facecolor() for axes in figure.axes)]
    first, again = draw(name, figure), draw(name, make())

    assert says in first.alt
    assert first.content == again.content
    assert first.media_type == "image/svg+xml"
    assert "#000000" not in first.content
    assert {colour[3] for colour in backgrounds} == {0}
    assert "<b>" not in first.content
