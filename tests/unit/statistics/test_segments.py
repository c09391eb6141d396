"""Groups and segments: gaps are found where they are, and nowhere else; columns are ranked by what they cost."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import recall_score

from nbprod.errors import DataError
from nbprod.statistics import (
    AlarmBudget,
    calibrate_false_alarms,
    compare,
    compare_segments,
    domain_drift,
    find_segments,
    group_gaps,
    rank_columns,
    ranking_sentence,
)

RANDOM = np.random.default_rng(5)


def test_gap_of_a_group_that_is_served_worse():
    rows = 3000
    group = RANDOM.choice(["a", "b", "c"], rows)
    y = RANDOM.integers(0, 2, rows)
    right = RANDOM.uniform(size=rows) < np.where(group == "c", 0.7, 0.9)
    predicted = np.where(right, y, 1 - y)
    found = group_gaps("recall", y, predicted, group)
    assert list(found) == ["a", "b", "c"]
    inside = group == "c"
    assert found["c"].score.value == pytest.approx(recall_score(y[inside], predicted[inside]))
    assert found["c"].significant
    assert found["c"].gap.high < 0
    assert found["c"].rows == inside.sum()


def test_positive_rate_is_demographic_parity_and_small_groups_are_left_out():
    group = np.r_[["m"] * 100, ["f"] * 100, ["x"] * 5, [None] * 3]
    predicted = np.r_[[1] * 60, [0] * 40, [1] * 20, [0] * 80, [1] * 8]
    found = group_gaps("positive_rate", predicted, predicted, group)
    assert list(found) == ["f", "m"]
    assert found["m"].score.value == pytest.approx(0.6)
    assert found["m"].gap.value == pytest.approx(0.6 - 25 / 105)


def table(rows, seed):
    random = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "region": random.choice(["north", "south", "east", "west"], rows),
            "hour": random.integers(0, 24, rows),
            "size": random.normal(size=rows),
        }
    )


def test_smallest_segment_that_explains_the_drop_comes_first():
    before, after = table(6000, 1), table(6000, 2)
    bad = (after["region"] == "north") & (after["hour"] >= 16)
    loss = [(np.random.default_rng(3).uniform(size=6000) < 0.1).astype(float)]
    loss.append((np.random.default_rng(4).uniform(size=6000) < np.where(bad, 0.6, 0.1)).astype(float))
    found = find_segments(before, loss[0], after, loss[1])
    assert "region = north" in found[0].segment
    assert "hour >=" in found[0].segment
    assert found[0].share == pytest.approx(bad.mean(), abs=0.03)
    assert found[0].explains > 0.8
    assert found[0].rise.low > 0.3


def test_losses_must_fit_the_rows():
    with pytest.raises(DataError, match="2 rows and 1 losses"):
        find_segments(table(2, 0), np.zeros(1), table(2, 0), np.zeros(2))


def test_segments_share_one_control_of_multiplicity():
    before, after = (table(8000, seed) for seed in (1, 2))
    after.loc[after["region"] == "west", "size"] += 0.5
    found = compare_segments(before, after, "region")
    assert {name: comparison.changed for name, comparison in found.items()} == {
        "east": (),
        "north": (),
        "south": (),
        "west": ("size",),
    }
    p_values = [column.p_value for part in found.values() for column in part.columns.values()]
    smallest = min(column.p_adjusted for part in found.values() for column in part.columns.values())
    assert smallest == pytest.approx(min(p_values) * len(p_values))
    with pytest.raises(DataError, match="no column 'regoin'"):
        compare_segments(before, after, "regoin")


def test_columns_are_ranked_by_effect_importance_and_loss():
    before = pd.DataFrame(RANDOM.normal(size=(3000, 3)), columns=["big", "small", "calm"])
    after = pd.DataFrame(RANDOM.normal([1.0, 0.3, 0.0], size=(3000, 3)), columns=before.columns)
    comparison = compare(before, after)
    alike = rank_columns(comparison)
    assert [one.name for one in alike] == ["big", "small", "calm"]
    weighted = rank_columns(comparison, {"small": 0.9, "big": 0.05, "calm": 0.05}, loss=0.1)
    assert [one.name for one in weighted] == ["small", "big", "calm"]
    assert sum(one.impact for one in weighted) == pytest.approx(0.1)
    assert ranking_sentence(weighted).startswith("What changed and the model relies on: small (")
    assert ranking_sentence(rank_columns(compare(before, before))) == "No column that the model uses changed."


# ------------------------------------------------------------------------------------------------ all columns together


def test_too_few_rows_are_not_told_apart():
    with pytest.raises(DataError, match="too few"):
        domain_drift(table(10, 0), table(150, 1))


# ------------------------------------------------------------------------------------------------ the user's reference


def test_false_alarms_are_measured_on_the_reference_itself():
    frame = pd.DataFrame({"x": RANDOM.normal(size=2000), "k": RANDOM.choice(list("abc"), 2000)})
    found = calibrate_false_alarms(frame, rows=300, runs=8, budget=AlarmBudget(per_year=2, looks_per_year=365))
    assert found.windows == 8
    assert found.changed <= 1
    assert found.per_year_bound > found.per_year
    assert "the budget is 2" in found.sentence


def test_false_alarms_by_blocks_are_fewer_than_by_rows():
    days = 60
    at = pd.date_range("2026-01-01", periods=days * 24, freq="h")
    frame = pd.DataFrame(
        {"x": np.repeat(RANDOM.normal(size=days), 24) + 0.1 * RANDOM.normal(size=days * 24), "at": at}
    )
    found = calibrate_false_alarms(frame, time="at", alpha=0.05, runs=30)
    assert found.changed <= 4
    with pytest.raises(DataError, match="cannot be taken out"):
        calibrate_false_alarms(frame, time="at", blocks=30)


def test_columns_that_begin_with_the_same_word_are_combined():
    """A name may hold spaces: a column is known by all of it."""
    random = np.random.default_rng(3)
    kinds = {name: random.choice(["a", "b"], 6000) for name in ("user plan", "user region")}
    frame = pd.DataFrame(kinds)
    inside = (frame["user plan"] == "a") & (frame["user region"] == "b")
    loss = np.full(6000, 0.1)

    found = find_segments(frame, loss, frame, loss + 0.5 * inside + random.normal(0, 0.01, 6000))

    assert any("user plan = a" in one.segment and "user region = b" in one.segment for one in found)
