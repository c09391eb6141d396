"""Distances equal scipy's and their definitions; evidently's are compared in the integration tests."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial import distance

from nbprod.errors import SettingsError
from nbprod.statistics import Profile, distances
from nbprod.statistics.scores import score_profiles, score_values

samples = st.lists(st.floats(-1e6, 1e6) | st.integers(-3, 3).map(float), min_size=1, max_size=40).map(np.array)


@given(a=samples, b=samples)
def test_wasserstein_equals_scipy(a, b):
    assert distances.wasserstein(a, b) == pytest.approx(stats.wasserstein_distance(a, b), rel=1e-9, abs=1e-9)


@given(shares=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=9))
def test_jensen_shannon_equals_scipy_and_is_symmetric(shares):
    p, q = np.array(shares, dtype=float).T
    if not p.sum() or not q.sum():
        return
    p, q = p / p.sum(), q / q.sum()
    assert distances.jensen_shannon(p, q) == pytest.approx(distance.jensenshannon(p, q), abs=1e-7)
    assert distances.jensen_shannon(p, q) == pytest.approx(distances.jensen_shannon(q, p), abs=1e-12)


def test_psi_and_hellinger_follow_their_formulas():
    p, q = np.array([0.5, 0.5]), np.array([0.25, 0.75])
    assert distances.psi(p, q) == pytest.approx(0.25 * np.log(2) + 0.25 * np.log(1.5))
    assert distances.hellinger(p, q) == pytest.approx(np.sqrt(1 - np.sqrt(0.125) - np.sqrt(0.375)))
    assert distances.psi(np.array([0.5, 0.5]), np.array([1.0, 0.0])) == pytest.approx(
        0.5 * np.log(2) + 0.4999 * np.log(0.5 / 0.0001)
    )


SHAPES = {
    "normal": lambda random, n: random.normal(size=n),
    "lognormal": lambda random, n: random.lognormal(size=n),
    "integers": lambda random, n: random.normal(0, 100, n).round(),
    "heavy tails": lambda random, n: random.standard_t(2, n),
    "mostly zero": lambda random, n: np.where(random.uniform(size=n) < 0.95, 0, random.lognormal(size=n)),
    "Poisson": lambda random, n: random.poisson(3, n).astype(float),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("shift", [0, 0.1])
def test_wasserstein_from_profiles_is_within_a_thousandth(shape, shift):
    random = np.random.default_rng(5)
    a, b = SHAPES[shape](random, 20_000), SHAPES[shape](random, 20_000)
    b = b + shift * a.std()
    p = Profile.of(pd.DataFrame({"x": a}))
    q = Profile.of(pd.DataFrame({"x": b}), grid=p)
    found = score_profiles("wasserstein", p.columns["x"], q.columns["x"])
    assert found == pytest.approx(stats.wasserstein_distance(a, b) / a.std(), abs=1e-3)


def test_method_that_needs_the_rows_is_refused_for_profiles():
    a = Profile.of(pd.DataFrame({"x": np.arange(100.0)}))
    with pytest.raises(SettingsError, match="ks of a column of many values needs the rows"):
        score_profiles("ks", a.columns["x"], a.columns["x"])
    with pytest.raises(SettingsError, match="no drift method 'chi'"):
        score_values("chi", np.arange(3.0), np.arange(3.0))
