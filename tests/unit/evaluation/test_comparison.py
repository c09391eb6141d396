"""A candidate and a champion are scored on the same rows, overall, in slices and by protected group."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from nbprod.domain.check import CheckOutcome
from nbprod.errors import DataError, SettingsError
from nbprod.evaluation import (
    GatePolicy,
    as_predictions,
    choose_rows,
    compare,
    fairness_gaps,
    groups_of,
    slice_gains,
    worst_mistakes,
)
from nbprod.statistics.predictions import Predictions

ROWS = 1200


def table(rows=ROWS):
    random = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "at": pd.date_range("2026-01-01", periods=rows, freq="h", tz="UTC"),
            "hour": np.arange(rows) % 24,
            "size": random.normal(size=rows),
            "place": random.choice(["north", "south"], rows),
            "y": random.choice(["no", "yes"], rows),
        }
    )


def told(rows, right, seed):
    """Predictions of a model that is right on this share of the rows, given as a package's predictor gives them."""
    random = np.random.default_rng(seed)
    is_right = random.random(len(rows)) < right
    is_yes = np.where(is_right, rows.truth == "yes", rows.truth == "no")
    probability = np.where(is_yes, 0.5 + random.random(len(rows)) / 2, random.random(len(rows)) / 2)
    frame = pd.DataFrame({"prediction": np.where(is_yes, "yes", "no"), "probability": probability})
    return as_predictions(frame, ("no", "yes"))


def chosen(**options):
    settings = {"target": "y", "task": "classification", "time": "at", "block": "1d", **options}
    return choose_rows(options.pop("frame", table()), **{k: v for k, v in settings.items() if k != "frame"})


def test_a_better_candidate_passes_and_a_worse_one_does_not():
    rows = chosen()
    good, bad = told(rows, 0.9, 1), told(rows, 0.6, 2)
    facts = {"candidate": "c", "champion": "d", "data": "f"}

    better = compare(rows, good, bad, metric="accuracy").judge(GatePolicy(), **facts)
    worse = compare(rows, bad, good, metric="accuracy").judge(GatePolicy(), **facts)

    assert better.outcome is CheckOutcome.PASSED
    assert worse.outcome is CheckOutcome.FAILED
    assert (better.evidence.blocks, better.evidence.rows) == (50, ROWS)
    assert worse.evidence.gain.value == pytest.approx(-better.evidence.gain.value)


def test_gain_of_an_error_is_positive_when_the_candidate_errs_less():
    frame = table().assign(y=np.arange(ROWS, dtype=float))
    rows = choose_rows(frame, target="y", task="regression")
    near, far = (Predictions(answers=rows.truth.to_numpy() + off) for off in (1.0, 5.0))

    result = compare(rows, near, far)

    assert result.metric.name == "mae"
    assert result.measured("gain").value == pytest.approx(4)
    assert result.judge(GatePolicy(max=2), candidate="c", champion="d", data="f").outcome is CheckOutcome.PASSED


def test_first_model_is_judged_alone():
    rows = chosen()
    result = compare(rows, told(rows, 0.9, 1))

    verdict = result.judge(
        GatePolicy(metric="roc_auc", min=0.7, first="hold"), candidate="c", champion=None, data="f"
    )

    assert list(result.table.columns) == ["candidate", "candidate_low", "candidate_high"]
    assert [check.name for check in verdict.checks] == ["score", "first"]
    assert verdict.outcome is CheckOutcome.INCONCLUSIVE


def test_the_slice_where_a_candidate_fails_is_named_first():
    rows = chosen()
    champion = told(rows, 0.95, 1)
    inverted = np.where(champion.answers == "yes", "no", "yes")
    candidate = Predictions(answers=np.where(rows.frame["place"] == "south", inverted, champion.answers))

    result = compare(rows, candidate, champion, metric="accuracy")
    gains = slice_gains(result, leave_out=["at"])
    verdict = result.judge(GatePolicy(max_slice_drop=0.1), candidate="c", champion="d", data="f", slices=gains)

    assert gains.index[0] == "place = south"
    assert gains.iloc[0]["gain_high"] < -0.5
    assert "Where place = south the candidate is clearly worse" in verdict.sentence


def test_protected_groups_get_rates_and_gaps():
    rows = chosen(protected=["place"])
    north = rows.frame["place"] == "north"
    result = compare(rows, Predictions(answers=np.where(north, "yes", "no"), classes=("no", "yes")))

    gaps = fairness_gaps(result, "place", resamples=50)

    assert gaps.loc["place = north", "selection_rate"] == 1
    assert gaps.loc["gap", ["selection_rate", "true_positive_rate", "false_positive_rate"]].tolist() == [1, 1, 1]


def test_worst_mistakes_are_wrong_and_sure_and_hide_private_columns():
    rows = chosen()
    result = compare(rows, told(rows, 0.8, 1))

    worst = worst_mistakes(result, most=5, private=["place"])

    assert (worst["truth"] != worst["candidate"]).all()
    assert worst["off"].is_monotonic_decreasing
    assert "place" not in worst.columns


def test_numbers_are_cut_into_quarters_and_words_are_groups():
    frame = table().assign(size=lambda f: f["size"].mask(f.index < 10))

    quarters = dict(groups_of(frame["size"]))

    assert len(quarters) == 5
    assert sum(mask.sum() for mask in quarters.values()) == ROWS
    assert {name for name, _ in groups_of(frame["place"])} == {"place = south", "place = north"}


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"target": "z"}, SettingsError, "no column 'z'"),
        ({"start": "2027-01-01"}, DataError, "no row lies between"),
        ({"time": None, "block": "1d"}, SettingsError, "needs a time column"),
        ({"protected": ["plaice"]}, SettingsError, "Did you mean place"),
        ({"protected": ["place"], "private": ["place"]}, SettingsError, "both protected and private"),
        ({"frame": table().iloc[:0]}, DataError, "no rows"),
        ({"frame": table().assign(y=None)}, DataError, "no row has a known y"),
        ({"task": "regression"}, DataError, "holds no numbers"),
    ],
)
def test_rows_that_cannot_be_evaluated_are_refused(options, error, says):
    with pytest.raises(error) as caught:
        chosen(**options)

    assert says in str(caught.value)


def test_slicing_by_a_private_column_is_refused():
    rows = chosen()
    result = compare(rows, told(rows, 0.9, 1), metric="accuracy")

    assert not any("place" in name for name in slice_gains(result, private=["place"]).index)
    with pytest.raises(SettingsError, match="'place' is private"):
        slice_gains(result, ["place"], private=["place"])


def test_metric_of_another_task_is_refused():
    rows = chosen()

    with pytest.raises(SettingsError, match="'mae' cannot be had"):
        compare(rows, told(rows, 0.9, 1), metric="mae")


def test_class_no_model_knows_is_refused():
    rows = chosen(frame=table().assign(y=["no", "yes", "perhaps"] * (ROWS // 3)))

    with pytest.raises(DataError, match="has the class perhaps"):
        compare(rows, as_predictions(pd.DataFrame({"prediction": ["no"] * ROWS, "probability": 0.1}), ("no", "yes")))
