"""Intervals hold the truth, and tests raise false alarms, as often as they say: measured on many simulated tables."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from nbprod.evaluation import compare as compare_predictions
from nbprod.evaluation import slice_gains
from nbprod.monitors.budget import share_of_level
from nbprod.statistics import (
    compare,
    domain_drift,
    find_segments,
    group_gaps,
    metric_interval,
)
from nbprod.statistics.blocknull import block_null, wasserstein_distance
from nbprod.statistics.metrics import metric
from nbprod.statistics.omnibus import combined_p, line_evidence
from nbprod.training import cross_validated, make_estimator, make_pipeline
from tests.unit.evaluation.test_comparison import chosen, told
from tests.unit.statistics.test_estimation import fitted, scored
from tests.unit.statistics.test_segments import table
from tests.unit.statistics.test_significance import days
from tests.unit.training.test_comparison import rows


def test_interval_over_folds_covers_the_truth_more_often_than_the_naive_one():
    # the truth: how a model of this size does on rows it never saw
    pipeline = make_pipeline(make_estimator("logreg", "classification"), rows().features)
    fresh = rows(20_000, seed=99)
    hits = 0
    for seed in range(20):
        drawn = rows(200, seed=seed)
        interval = cross_validated(pipeline, drawn, "random", metric("accuracy"), folds=5, seed=seed)
        truth = pipeline.fit(drawn.features, drawn.target).score(fresh.features, fresh.target)
        hits += interval.low <= truth <= interval.high

    assert hits >= 17


def test_interval_holds_the_realised_metric_as_often_as_it_says():
    """Of 60 windows, at least 90 % of realised metrics lie in the 95 % interval."""
    estimator = fitted()
    held = dict.fromkeys(("accuracy", "roc_auc", "log_loss"), 0)
    for seed in range(60):
        found = estimator.check(scored(200, shift=0.5, seed=100 + seed))
        for name in held:
            held[name] += found[name].realised in found[name].estimated
    assert min(held.values()) >= 53, held


def test_no_gap_is_found_where_there_is_none():
    hits = 0
    for seed in range(20):
        random = np.random.default_rng(seed)
        y = random.integers(0, 2, 600)
        predicted = np.where(random.uniform(size=600) < 0.8, y, 1 - y)
        groups = random.choice(list("abcd"), 600)
        hits += any(score.significant for score in group_gaps("accuracy", y, predicted, groups).values())
    assert hits <= 4


def test_no_segment_is_named_if_all_rows_or_none_became_worse():
    named = 0
    for seed in range(10):
        before, after = table(2000, seed), table(2000, seed + 100)
        random = np.random.default_rng(seed)
        calm = (random.uniform(size=2000) < 0.1).astype(float)
        for rate in (0.1, 0.3):
            named += bool(find_segments(before, calm, after, (random.uniform(size=2000) < rate).astype(float)))
    assert named <= 2


def test_same_tables_are_not_told_apart():
    hits = 0
    for seed in range(8):
        random = np.random.default_rng(seed)
        parts = [pd.DataFrame({"x": random.normal(size=150), "k": random.choice(list("ab"), 150)}) for _ in range(2)]
        hits += domain_drift(*parts, seed=seed).significant
    assert hits <= 3


SHAPES = {
    "normal": lambda random, n: random.normal(size=n),
    "Student t, 2 d.o.f.": lambda random, n: random.standard_t(2, size=n),
    "95 % zeros": lambda random, n: np.where(random.uniform(size=n) < 0.95, 0, random.lognormal(size=n)),
    "Poisson": lambda random, n: random.poisson(3, size=n),
    "binary": lambda random, n: random.integers(0, 2, n),
    "120 categories": lambda random, n: np.minimum(random.zipf(1.4, n), 120).astype(str),
}


@pytest.mark.parametrize("sizes", [(60, 60), (2000, 300), (2000, 2000)])
def test_the_combined_test_holds_its_level_on_every_shape(sizes):
    """Share of p < 0.05 in 200 runs without a difference: at most 5 % and four standard errors."""
    hits = dict.fromkeys(SHAPES, 0)
    for run in range(200):
        random = np.random.default_rng([run, *sizes])
        a, b = (pd.DataFrame({name: make(random, n) for name, make in SHAPES.items()}) for n in sizes)
        for name, column in compare(a, b, seed=run).columns.items():
            hits[name] += column.p_value < 0.05
    assert max(hits.values()) <= 22, hits
    assert sum(hits.values()) >= 20, hits


def test_what_would_have_been_seen_is_seen():
    """Four times in five, a shift as small as is said is found."""
    found = 0
    for run in range(100):
        random = np.random.default_rng(run)
        reference = pd.DataFrame({"x": random.normal(size=5000)})
        smallest = compare(reference, pd.DataFrame({"x": random.normal(size=480)})).columns["x"].detectable
        shifted = pd.DataFrame({"x": random.normal(smallest, size=480)})
        found += compare(reference, shifted, seed=run).columns["x"].significant
    assert 68 <= found <= 97


def test_the_sum_of_looks_at_outcomes_that_arrive_spends_the_level_once():
    """Four looks at one window, each with a quarter more of the outcomes; nothing has changed."""
    alarms = once = 0
    shares = (0.25, 0.5, 0.75, 1.0)
    for run in range(2000):
        wrong = np.random.default_rng(run).uniform(size=800) < 0.2
        seen = [wrong[: int(800 * share)] for share in shares]
        z = [(part.mean() - 0.2) / np.sqrt(0.16 / len(part)) for part in seen]
        levels = [0.025 * share_of_level(shares[:place], share) for place, share in enumerate(shares)]
        alarms += any(stats.norm.sf(each) <= level for each, level in zip(z, levels, strict=True))
        once += any(stats.norm.sf(each) <= 0.025 for each in z)
    assert alarms / 2000 <= 0.025 + 3 * np.sqrt(0.025 / 2000)
    assert once / 2000 > 0.04


def test_blocks_hold_their_level_where_rows_do_not():
    distance = wasserstein_distance(np.ones(20))
    by_block = by_row = 0
    for run in range(200):
        random = np.random.default_rng(run)
        reference, current = days(random, 90, 0), days(random, 1, 0)
        by_block += block_null(reference, current, distance).p_value <= 0.05
        a, b = reference.sum(axis=0), current.sum(axis=0)
        by_row += combined_p(line_evidence(a, b, np.arange(21.0), random)) <= 0.05
    assert by_block <= 22
    assert by_row >= 100


def test_blocks_widen_the_interval_of_dependent_rows_to_its_right_size():
    """With one value a day repeated 50 times, coverage by days is nominal and by rows is far below."""
    held = {"rows": 0, "days": 0}
    runs = 150
    for seed in range(runs):
        random = np.random.default_rng(seed)
        error = np.repeat(random.normal(1.0, 0.5, 12), 50)
        day = np.repeat(np.arange(12), 50)
        y = np.zeros(600)
        score = lambda y, p: p.mean()  # noqa: E731
        held["days"] += 1.0 in metric_interval(score, y, error, blocks=day, seed=seed, resamples=200)
        held["rows"] += 1.0 in metric_interval(score, y, error, seed=seed, resamples=200)
    assert held["days"] >= stats.binom.ppf(0.001, runs, 0.93)
    assert held["rows"] < 0.5 * runs


def test_interval_of_the_effect_holds_the_true_effect():
    """A shift of d standard deviations is a distance of d; 95 % intervals hold it in at least 90 % of 60 runs."""
    for shift, size in [(0.0, 300), (0.1, 1000), (0.5, 300)]:
        held = 0
        for run in range(60):
            random = np.random.default_rng([run, size])
            a, b = random.normal(size=size), random.normal(shift, size=size)
            found = compare(pd.DataFrame({"x": a}), pd.DataFrame({"x": b}), seed=run).columns["x"]
            held += found.low <= shift <= found.high
        assert held >= 54, shift


def test_equal_models_are_rarely_told_apart_in_any_slice():
    alarms = 0
    for seed in range(12):
        asked = chosen()
        result = compare_predictions(
            asked, told(asked, 0.8, seed), told(asked, 0.8, seed + 100), metric="accuracy", resamples=200
        )
        gains = slice_gains(result, leave_out=["at"])
        alarms += bool(((gains["gain_low"] > 0) | (gains["gain_high"] < 0)).any())

    assert alarms <= 3


def test_change_that_no_single_column_shows_is_seen_by_the_domain_classifier():
    random = np.random.default_rng(5)
    x = random.normal(size=(2, 600))
    before = pd.DataFrame({"a": x[0], "b": 0.9 * x[0] + 0.44 * x[1], "c": random.normal(size=600)})
    y = random.normal(size=(2, 600))
    after = pd.DataFrame({"a": y[0], "b": -0.9 * y[0] + 0.44 * y[1], "c": random.normal(size=600)})
    assert compare(before, after).changed == ()
    found = domain_drift(before, after)
    assert found.significant
    assert found.auc.low > 0.7
    assert set(list(found.importances)[:2]) == {"a", "b"}
    few = before[:100], after[:100]
    assert domain_drift(*few) == domain_drift(*few)
