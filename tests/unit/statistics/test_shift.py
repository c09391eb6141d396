"""What a shift is read from, how dense a window is, and the regression that weights reference rows."""

import numpy as np
import pandas as pd
import pytest
from scipy import special
from sklearn.linear_model import LogisticRegression

from nbprod.statistics.shift import CodedColumns, DensityRatio, effective_rows, hats, logistic_offset, usable_features


def test_moments_running_numbers_constants_and_free_text_are_left_out():
    frame = pd.DataFrame(
        {
            "at": pd.date_range("2026-01-01", periods=300),
            "id": np.arange(300),
            "year": 2025,
            "note": [f"text {k}" for k in range(300)],
            "kind": ["a", "b", None] * 100,
            "size": np.tile([1.0, np.nan, 3.0], 100),
        }
    )
    assert usable_features(frame, list(frame)) == ("kind", "size")


def test_codes_are_bins_and_places_and_a_new_category_is_missing():
    reference = pd.DataFrame({"size": [1.0, 2.0, 3.0, np.nan], "kind": ["b", "a", "a", None]})
    coded = CodedColumns.of(reference)
    assert coded(reference).tolist() == [[0, 1], [1, 0], [2, 0], [-1, -1]]
    assert coded(pd.DataFrame({"size": [99.0], "kind": ["new"]})).tolist() == [[2, -1]]


def test_a_density_ratio_is_that_of_the_world():
    """Normal(0.5, 1) to normal(0, 1) is exp(0.5 x - 0.125); up to the bins, the ratio has that slope."""
    random = np.random.default_rng(0)
    reference = pd.DataFrame({"x": random.normal(size=3000)})
    coded = CodedColumns.of(reference)
    ratio = DensityRatio(codes=coded(reference))
    weights = ratio(coded(pd.DataFrame({"x": random.normal(0.5, 1, 3000)})))
    x = reference["x"].to_numpy()
    assert weights.mean() == pytest.approx(1)
    assert float(weights @ x / weights.sum()) == pytest.approx(0.5, abs=0.08)
    assert effective_rows(weights) / 3000 == pytest.approx(np.exp(-0.25), abs=0.08)
    same = ratio(coded(reference))
    assert np.abs(same - 1).max() < 0.01


def test_a_weighted_logistic_regression_equals_scikit_learns():
    random = np.random.default_rng(1)
    design = random.normal(size=(400, 3))
    hit = (random.uniform(size=400) < special.expit(design[:, 0])).astype(float)
    weights = random.uniform(0.1, 2, 400)
    found = logistic_offset(design, hit, np.zeros(400), weights, penalty=2.0)
    known = LogisticRegression(C=0.5, fit_intercept=False, tol=1e-10).fit(design, hit, sample_weight=weights)
    assert found == pytest.approx(known.coef_[0], abs=1e-5)


def test_hats_interpolate():
    knots, values = np.array([0.0, 1.0, 3.0]), np.array([5.0, 7.0, 1.0])
    at = np.array([-1.0, 0.5, 1.0, 2.0, 9.0])
    assert hats(at, knots) @ values == pytest.approx(np.interp(at, knots, values))
