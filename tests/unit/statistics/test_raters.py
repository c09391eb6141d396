"""Agreement of raters against scikit-learn and the published example."""

import math

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from nbprod.errors import DataError, SettingsError
from nbprod.statistics import cohen_kappa, krippendorff_alpha

#: Krippendorff 2011, example C: four observers, twelve units, points where one did not judge.
OBSERVERS = ("123321412...", "1233224125.3", ".3332342251.", "12332441251.")
UNITS = [[float(said) for said in unit if said != "."] for unit in zip(*OBSERVERS, strict=True)]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("weighted", [False, True])
def test_kappa_is_scikit_learns(seed, weighted):
    """Cohen's kappa, also of weighted things, is the number scikit-learn gives."""
    random = np.random.default_rng(seed)
    first = random.choice(["a", "b", "c"], 80)
    second = np.where(random.random(80) < 0.6, first, random.choice(["a", "b", "c"], 80))
    weights = random.random(80) if weighted else None
    expected = cohen_kappa_score(first, second, sample_weight=weights)
    assert cohen_kappa(first.tolist(), second.tolist(), weights=weights) == pytest.approx(expected)


def test_kappa_of_one_class_alone_cannot_be_told():
    """Where both named one class only, chance explains it all."""
    assert math.isnan(cohen_kappa(["a"] * 5, ["a"] * 5))
    with pytest.raises(DataError):
        cohen_kappa([], [])


def test_alpha_is_that_of_the_published_example():
    """0.743 for classes and 0.849 for numbers."""
    assert krippendorff_alpha(UNITS) == pytest.approx(0.743, abs=5e-4)
    assert krippendorff_alpha(UNITS, scale="interval") == pytest.approx(0.849, abs=5e-4)


def test_alpha_is_one_of_the_same_nought_of_chance():
    """Whole agreement is 1, answers thrown by dice are near 0, and nothing judged twice says nothing."""
    random = np.random.default_rng(0)
    assert krippendorff_alpha([["a", "a"], ["b", "b"]]) == 1
    assert abs(krippendorff_alpha(random.integers(0, 3, (3000, 3)).tolist())) < 0.03
    assert math.isnan(krippendorff_alpha([["a"], ["b"]]))
    assert math.isnan(krippendorff_alpha([["a", "a"]]))
    with pytest.raises(SettingsError):
        krippendorff_alpha([["a", "a"]], scale="ordinal")
