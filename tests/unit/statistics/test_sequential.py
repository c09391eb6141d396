"""Looking whenever one likes: run lengths and coverage hold, rises are found and dated."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from nbprod.errors import DataError, SettingsError
from nbprod.statistics import (
    AlarmBudget,
    concept_drift,
    confidence_sequence,
    detect_rise,
    losses,
    mature,
    outcome_delays,
)


def test_budget_is_a_chance_a_look():
    assert AlarmBudget(per_year=2, looks_per_year=365).alpha == pytest.approx(2 / 365)
    assert AlarmBudget(per_year=2, looks_per_year=12).alpha == 0.05
    assert AlarmBudget(per_year=2, looks_per_year=365, lengths=2).run_length == pytest.approx(365)
    with pytest.raises(SettingsError, match="not a budget"):
        AlarmBudget(per_year=0)


def test_mean_run_length_without_a_rise_is_at_least_what_was_asked():
    """Asked for 100 looks; over 60 series, the mean is at least that, within three standard errors of 13."""
    runs = [detect_rise(np.random.default_rng(run).beta(2, 8, 1000), 0.2, 100).at for run in range(60)]
    assert np.mean([1000 if at is None else at + 1 for at in runs]) >= 100 - 39


def test_rise_is_found_and_dated():
    random = np.random.default_rng(0)
    values = np.r_[random.beta(2, 8, 100), random.beta(4, 6, 60)]
    found = detect_rise(values, 0.2, 200)
    assert 100 <= found.at <= 130
    assert 90 <= found.began <= 108
    assert repr(found).startswith("<Detection at 1")


def test_confidence_sequence_holds_at_all_times_at_once():
    missed = 0
    for run in range(100):
        values = np.random.default_rng(run).beta(3, 7, 400)
        low, high = confidence_sequence(values)
        assert (np.diff(low) >= 0).all()
        assert (np.diff(high) <= 0).all()
        missed += bool((low > 0.3).any() or (high < 0.3).any())
    assert missed <= 5
    assert high[-1] - low[-1] < 0.12


def test_values_to_watch_must_be_between_zero_and_one():
    with pytest.raises(SettingsError, match="between 0 and 1"):
        detect_rise(np.array([2.0]), 0.2, 100)


# ------------------------------------------------------------------------------------------------ concept drift

START = pd.Timestamp("2026-01-01", tz="UTC")


def labelled(days, error, *, start=0, seed=0, per_day=40):
    random = np.random.default_rng([seed, start])
    at = START + pd.to_timedelta(start * 24 * 60 + np.arange(days * per_day) * (24 * 60 / per_day), "min")
    daily = np.repeat(np.clip(error + random.normal(0, 0.05, days), 0, 1), per_day)
    return (random.uniform(size=days * per_day) < daily).astype(float), at


def test_rise_of_the_loss_is_dated():
    before, before_at = labelled(60, 0.2)
    calm, calm_at = labelled(40, 0.2, start=60)
    bad, bad_at = labelled(30, 0.4, start=100)
    found = concept_drift(before, before_at, np.r_[calm, bad], calm_at.append(bad_at))
    change = START + timedelta(days=100)
    assert found.detected
    assert abs(found.began_at - change) <= timedelta(days=3)
    assert change < found.detected_at <= change + timedelta(days=15)
    assert "certain on" in found.sentence
    quiet = concept_drift(before, before_at, calm, calm_at)
    assert not quiet.detected
    assert "did not rise" in quiet.sentence


def test_no_false_alarm_where_days_differ_by_themselves():
    alarms = 0
    for seed in range(30):
        before, before_at = labelled(60, 0.2, seed=seed)
        after, after_at = labelled(120, 0.2, start=60, seed=seed)
        alarms += concept_drift(before, before_at, after, after_at).detected
    assert alarms <= 3


def test_segment_that_alone_became_worse_is_named():
    before, before_at = labelled(60, 0.2)
    after, after_at = labelled(60, 0.2, start=60)
    random = np.random.default_rng(1)
    first, second = random.choice(list("abcdefgh"), len(before)), random.choice(list("abcdefgh"), len(after))
    after = np.where(second == "c", (random.uniform(size=len(after)) < 0.6).astype(float), after)
    found = concept_drift(before, before_at, after, after_at, segments=(first, second))
    assert [name for name, part in found.segments.items() if part.detected] == ["c"]
    assert found.detected


def test_missing_outcomes_are_neither_right_nor_wrong():
    assert losses("classification", ["a", None, "b"], ["a", "a", "a"]).tolist()[::2] == [0.0, 1.0]
    assert np.isnan(losses("classification", ["a", None, "b"], ["a", "a", "a"])[1])
    assert losses("classification", [1, 0], [0.75, 0.25]) == pytest.approx([0.0625, 0.0625])
    assert losses("regression", [1.0, 2.0], [1.5, 12.0], largest=5).tolist() == [0.1, 1.0]
    before, before_at = labelled(60, 0.2)
    gone = np.full(len(before), np.nan)
    found = concept_drift(before, before_at, gone, before_at)
    assert (found.rows, found.detected) == (0, False)
    with pytest.raises(DataError, match="0 blocks"):
        concept_drift(gone, before_at, before, before_at)
    with pytest.raises(DataError, match="1 losses and"):
        concept_drift(before[:1], before_at, before, before_at)


# ------------------------------------------------------------------------------------------------ late outcomes

NOW = datetime(2026, 3, 1, tzinfo=UTC)
HORIZON = timedelta(days=7)


def arrivals(rows=2000):
    random = np.random.default_rng(0)
    predicted = pd.Series(pd.Timestamp(NOW) - pd.to_timedelta(random.uniform(0, 30, rows), "D"))
    outcome = predicted + pd.to_timedelta(random.exponential(2.0, rows), "D")
    return predicted, outcome.where(outcome <= NOW)


def test_only_rows_older_than_the_horizon_count():
    predicted, outcome = arrivals()
    chosen = mature(predicted, outcome, now=NOW, horizon=HORIZON)
    assert (predicted[chosen] <= pd.Timestamp(NOW) - HORIZON).all()
    assert outcome[chosen].notna().all()
    assert ((outcome - predicted)[chosen] <= HORIZON).all()


def test_coverage_and_delays_are_corrected_for_age():
    predicted, outcome = arrivals()
    found = outcome_delays(predicted, outcome, now=NOW, horizon=HORIZON)
    assert found.coverage == pytest.approx(1 - np.exp(-3.5), abs=0.02)
    assert found.early > 0
    half = next(delay for delay, share in found.delays if share >= 0.5)
    assert half.total_seconds() / 86_400 == pytest.approx(2 * np.log(2), abs=0.2)
    assert "days" in found.sentence


def test_delays_equal_the_kaplan_meier_estimate_of_scipy():
    from scipy.stats import CensoredData, ecdf

    predicted, outcome = arrivals(300)
    delay = (outcome.fillna(pd.Timestamp(NOW)) - predicted).dt.total_seconds().astype(int).to_numpy()
    came = outcome.notna().to_numpy()
    curve = ecdf(CensoredData(uncensored=delay[came], right=delay[~came])).cdf
    for age, share in outcome_delays(predicted, outcome, now=NOW, horizon=HORIZON).delays:
        assert share == pytest.approx(curve.evaluate(age.total_seconds()), abs=1e-9)


def test_no_outcome_at_all_has_an_answer():
    predicted, _ = arrivals(10)
    found = outcome_delays(predicted, [None] * 10, now=NOW, horizon=HORIZON)
    assert (found.coverage, found.delays, found.matured_with_outcome) == (0.0, (), 0)
    with pytest.raises(DataError, match="no time zone"):
        mature(predicted, [None] * 10, now=datetime(2026, 3, 1), horizon=HORIZON)  # noqa: DTZ001
