"""Scores equal evidently's, whose import takes ten seconds: function by function, and against its preset."""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nbprod.statistics import Profile, compare
from nbprod.statistics.scores import score_values

pytestmark = pytest.mark.slow
ROWS = 3000


@pytest.fixture(scope="module")
def evidently():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from evidently.legacy.calculations.stattests import registry
        from evidently.legacy.core import ColumnType

        def score(method, a, b, *, numeric):
            kind = ColumnType.Numerical if numeric else ColumnType.Categorical
            a, b = pd.Series(a), pd.Series(b)
            return registry._registered_stat_tests[method][kind](a, b, kind, None).drift_score

        yield score


def samples():
    random = np.random.default_rng(2)
    yield "normal", random.normal(size=ROWS), random.normal(0.1, 1, ROWS)
    yield "lognormal", random.lognormal(size=ROWS), random.lognormal(0.2, 1, 500)
    yield "outliers", np.r_[random.normal(size=ROWS), 1e6], random.normal(2, 1, ROWS)
    yield "tiny", random.normal(0, 1e-5, ROWS), random.normal(5e-5, 1e-5, ROWS)
    yield "integers", random.poisson(3, ROWS).astype(float), random.poisson(4, ROWS).astype(float)
    yield "constant", np.full(ROWS, 2.5), np.full(ROWS, 2.5)
    for name, table in real().items():
        for column in table.select_dtypes("number"):
            values = table[column].dropna().to_numpy(dtype=float)
            half = len(values) // 2
            yield f"{name}.{column}", values[:half:3], values[half::3]


def real():
    from nbprod.datasets import read_frame

    folder = Path(__file__).parents[2] / "nbprod" / "resources" / "data"
    return {path.stem: read_frame(path) for path in sorted(folder.glob("*.parquet"))}


@pytest.mark.parametrize("method", ["wasserstein", "jensenshannon", "psi", "hellinger", "ks"])
def test_scores_of_numbers_equal_evidently_to_nine_digits(evidently, method):
    for name, a, b in samples():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected = evidently(method, a, b, numeric=True)
        if np.isnan(expected):  # a constant has no bins of a width
            continue
        found = score_values(method, a, b)
        assert found == pytest.approx(
            expected, rel=1e-9, abs=2e-8 if method in {"jensenshannon", "hellinger"} else 1e-12
        ), name


def test_scores_of_categories_equal_evidently(evidently):
    random = np.random.default_rng(4)
    frames = [
        pd.DataFrame(
            {"few": random.choice(list("abc"), ROWS), "many": random.zipf(1.5, ROWS).clip(0, 300).astype(str)}
        )
        for _ in range(2)
    ]
    frames[1].loc[:50, "few"] = "new"
    found = compare(*frames)
    for name in frames[0]:
        expected = evidently("jensenshannon", frames[0][name], frames[1][name], numeric=False)
        assert found.columns[name].method == "jensenshannon"
        assert found.columns[name].score == pytest.approx(expected, rel=1e-9)
    psi = compare(*frames, methods={"few": "psi", "many": "hellinger"})
    for name, method in [("few", "psi"), ("many", "hellinger")]:
        expected = evidently(method, frames[0][name], frames[1][name], numeric=False)
        assert psi.columns[name].score == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("rows", [ROWS, 20_000])
def test_compare_gives_the_numbers_of_evidentlys_preset(rows):
    random = np.random.default_rng(6)
    reference, current = (
        pd.DataFrame(
            {
                "normal": random.normal(shift, 1, rows),
                "skewed": random.lognormal(shift, 1, rows),
                "count": random.poisson(30, rows),
                "grade": random.integers(0, 4, rows),
                "kind": random.choice(list("abcdef"), rows),
                "flag": random.uniform(size=rows) < 0.2 + shift,
            }
        )
        for shift in (0, 0.1)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from evidently import Dataset, Report
        from evidently.presets import DataDriftPreset

        report = Report([DataDriftPreset()]).run(Dataset.from_pandas(current), Dataset.from_pandas(reference))
    expected = {
        metric["config"]["column"]: float(metric["value"])
        for metric in report.dict()["metrics"]
        if "column" in metric.get("config", {})
    }
    exact, stored = compare(reference, current), compare(Profile.of(reference), current)
    assert set(expected) == set(reference)
    for name, value in expected.items():
        assert exact.columns[name].score == pytest.approx(value, rel=1e-9), name
        assert stored.columns[name].score == pytest.approx(value, abs=1e-3), name
