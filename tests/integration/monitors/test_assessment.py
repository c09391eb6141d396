import json
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pytest

from nbprod.domain.check import CheckOutcome
from nbprod.domain.monitor import MonitorPolicy, Verdict
from nbprod.errors import SettingsError
from nbprod.monitors.assessment import assess
from nbprod.monitors.charts import pictures
from nbprod.monitors.metric_history import metric_history
from tests.unit.monitors.conftest import BEGIN, days, window_of

POLICY = MonitorPolicy()


def outcome_of(found, name, subject=None):
    return next(check.outcome for check in found.checks if check.name == name and subject in {None, check.subject})


@pytest.fixture(scope="module")
def usual(reference):
    return assess(window_of(days(10, seed=2), reference), POLICY)


def test_nothing_happened(usual):
    assert usual.verdict is Verdict.HEALTHY
    assert usual.sentence.startswith("nothing changed significantly")
    assert usual.changed == ()
    assert outcome_of(usual, "agreement") is CheckOutcome.PASSED
    assert usual.metrics["estimated_accuracy"] == pytest.approx(usual.metrics["accuracy"], abs=0.04)


def test_a_harder_world_alarms_by_the_estimate_before_any_outcome_comes(reference):
    """Rows near the boundary: the model cannot be as good, and knows it."""
    harder = days(10, seed=3, spread=0.2).assign(outcome=np.nan)

    found = assess(window_of(harder, reference), POLICY)
    truth = assess(window_of(days(10, seed=3, spread=0.2), reference), POLICY)

    assert found.verdict is Verdict.ALARM
    assert outcome_of(found, "estimated") is CheckOutcome.FAILED
    assert outcome_of(found, "performance") is CheckOutcome.INCONCLUSIVE
    assert "accuracy is estimated to have fallen" in found.sentence
    assert found.estimated["accuracy"].low < truth.metrics["accuracy"] < found.estimated["accuracy"].high


def test_a_day_is_looked_at_with_the_days_before_it(reference):
    """A third of the sizes is missing since four days: one day of it could be chance at the budget of daily looks."""
    frame = days(10, seed=2)
    since = frame["at"] >= frame["at"].iloc[-1].floor("D") - timedelta(days=3)
    frame["size"] = frame["size"].mask(since & (frame.index % 3 == 0))
    look = {"level": 2 / 365, "policy": replace(POLICY, columns=("size",), min_rows=50)}

    alone = assess(window_of(frame, reference, length=1), **look)
    together = assess(window_of(frame, reference, length=1, earlier_days=3), **look)

    assert alone.changed == ()
    assert together.changed == ("size",)
    assert together.verdict is Verdict.ALARM
    assert any("last 4 windows together" in check.sentence for check in together.checks)


def test_days_that_another_version_answered_are_not_taken_together(reference):
    frame = days(10, seed=2)
    frame["size"] = frame["size"].mask(frame.index % 3 == 0)
    window = window_of(frame, reference, length=1, earlier_days=3)
    window.earlier.frame["version"] = "model/0"

    found = assess(window, replace(POLICY, columns=("size",), min_rows=50), level=2 / 365)

    assert found.changed == ()


def test_known_outcomes_decide_and_the_estimate_is_told_beside_them(reference):
    found = assess(window_of(days(10, seed=3, spread=0.2), reference), POLICY)

    assert outcome_of(found, "performance") is CheckOutcome.FAILED
    assert outcome_of(found, "estimated") is CheckOutcome.PASSED


def test_outcomes_that_mean_something_else_are_told_with_date_and_place(reference):
    """From the seventh of January on, in the north, the opposite is true."""
    turn = BEGIN + timedelta(days=6)
    frame = days(16, seed=4, flipped=lambda rows: (rows["place"] == "north") & (rows["at"] >= turn))

    found = assess(window_of(frame, reference, earlier_days=6), POLICY)

    assert found.verdict is Verdict.ALARM
    assert found.changed == ()
    assert outcome_of(found, "agreement") is CheckOutcome.INCONCLUSIVE
    assert abs(found.concept.began_at - turn) <= timedelta(days=3)
    assert found.segment.segment == "place = north"
    assert found.where == [{"column": "place", "kind": "value", "value": "north", "low": None, "high": None}]
    assert found.segment.explains > 0.8
    assert "nbprod retraining start model" in found.next_step
    assert any("place = north" in reason for reason in found.reasons)


def test_rows_too_young_to_count_are_not_taken_for_negative(reference):
    """Bad news travels fast: for a week only the model's mistakes are reported."""
    frame = days(10, seed=5)
    wrong = frame["outcome"] != frame["prediction"]
    early = frame.assign(outcome=frame["outcome"].where(wrong))
    window = window_of(early, reference, as_of=BEGIN + timedelta(days=10, hours=1), delay=timedelta(hours=1))

    hasty = assess(window, POLICY)
    patient = assess(window, replace(POLICY, horizon="30d"))

    assert outcome_of(hasty, "performance") is CheckOutcome.FAILED
    assert outcome_of(patient, "performance") is CheckOutcome.INCONCLUSIVE
    assert patient.verdict is not Verdict.ALARM
    assert "0 of 600 rows are older than 30 days" in patient.labels
    assert "more outcomes" in patient.next_step


def test_columns_are_held_against_the_sealed_profile_whatever_the_kept_rows_say(reference, usual):
    spoilt = replace(reference, rows=reference.rows.assign(x=100.0, size=-5.0, place="moon"))

    found = assess(window_of(days(10, seed=2), spoilt), POLICY)

    assert {name: one.p_value for name, one in found.comparison.columns.items()} == {
        name: one.p_value for name, one in usual.comparison.columns.items()
    }


def test_a_column_that_changed_is_told_with_the_day_it_began_and_ranked_by_reliance(reference):
    frame = days(10, seed=6)
    late = frame["at"] >= BEGIN + timedelta(days=4)
    frame["size"] = frame["size"].where(~late, frame["size"] + 3)
    frame["x"] = frame["x"].where(~late, frame["x"] + 3)

    found = assess(window_of(frame, reference), POLICY)

    assert set(found.changed) == {"x", "size"}
    assert found.began["size"] == datetime.fromisoformat("2026-01-05T00:00:00+00:00")
    assert [one.name for one in found.ranking[:2]] == ["x", "size"]
    assert "What changed and the model relies on: x" in found.reasons[0]


def test_missing_values_send_one_to_the_source_not_to_retraining(reference):
    frame = days(10, seed=7)
    frame["size"] = frame["size"].where(np.arange(len(frame)) % 2 == 0)

    found = assess(window_of(frame, reference), POLICY)

    assert found.changed == ("size",)
    assert found.next_step.startswith("First look at where size comes from")


def test_what_the_budget_does_not_allow_is_a_doubt_that_neither_opens_nor_settles(reference):
    """The same window with next to nothing left to spend."""
    frame = days(10, seed=8)
    frame["size"] = frame["size"] + 2
    window = window_of(frame, reference)

    free, poor = (assess(window, POLICY, level=level) for level in (0.05, 1e-12))

    assert outcome_of(free, "drift", "size") is CheckOutcome.FAILED
    assert outcome_of(poor, "drift", "size") is CheckOutcome.INCONCLUSIVE
    assert (free.verdict, poor.verdict) == (Verdict.ALARM, Verdict.WATCH)
    assert poor.changed == ()


def test_too_few_rows_say_nothing_and_spend_nothing(reference):
    few = window_of(days(1, seed=9), reference, length=1)

    found = assess(few, POLICY)

    assert found.verdict is Verdict.INCONCLUSIVE
    assert [check.name for check in found.checks] == ["volume"]
    assert found.next_step == "Wait for 40 more predictions, then look again."


def test_the_same_window_gives_the_same_bytes(reference):
    texts = [
        json.dumps(assess(window_of(days(10, seed=3, spread=0.5), one), POLICY).to_dict(), sort_keys=True)
        for one in (reference, replace(reference, rows=reference.rows.copy()))
    ]

    assert texts[0] == texts[1]


def test_the_pictures_show_what_matters_first_and_both_performances(reference):
    frame = days(20, seed=6)
    frame["x"] = frame["x"] + 2.0
    window = window_of(frame, reference, earlier_days=10)
    found = assess(window, POLICY)

    shown = pictures(found, window)

    titles = [svg[svg.index('aria-label="') + 12 :][:30] for svg, _ in shown.parts]
    assert titles[0].startswith("x.")
    assert any(title.startswith("accuracy over time") for title in titles)
    assert "realised" in shown._repr_html_()
    assert "estimated" in shown._repr_html_()
    assert "standard deviations" in shown.parts[0][1]
    assert len(metric_history(window, POLICY)) == 8


def test_a_column_the_model_does_not_read_cannot_be_watched(reference):
    with pytest.raises(SettingsError, match="is to watch sise") as caught:
        assess(window_of(days(10, seed=2), reference), MonitorPolicy(columns=("sise",)))

    assert "size" in caught.value.hint


def test_a_quiet_deployment_is_healthy_and_says_what_it_could_have_seen(reference):
    """480 rows a month, and nothing ever changes."""
    found = [assess(window_of(days(8, seed=20 + n), reference, length=8), POLICY) for n in range(3)]

    assert [one.verdict for one in found].count(Verdict.HEALTHY) >= 2
    quiet = next(one for one in found if one.verdict is Verdict.HEALTHY)
    check = next(check for check in quiet.checks if (check.name, check.subject) == ("drift", "size"))
    assert "would not have been seen" in quiet.sentence
    assert "would not have been seen" in check.sentence
    assert 0.1 < check.detectable < 0.5
    assert check.rows_needed > len(days(8))


def test_infinite_values_are_told_apart_from_missing_ones_and_send_one_to_the_source(reference):
    frame = days(10, seed=7)
    frame["size"] = frame["size"].where(np.arange(len(frame)) % 100 != 3, np.inf)

    found = assess(window_of(frame, reference), POLICY)

    assert outcome_of(found, "quality", "size") is CheckOutcome.FAILED
    assert "where size comes from" in found.next_step
    assert "missing" not in found.sentence


def test_looks_before_make_a_look_at_the_same_windows_performance_stricter(reference):
    """What one look would call a fall is a doubt to the fourth, as long as columns are judged as before."""
    frame = days(10, seed=3, spread=0.45)
    window = window_of(frame, reference)

    level = 0.04
    first = assess(window, POLICY, level=level)
    again = assess(window, POLICY, level=1e-7, judged=[0.0, 0.5, 0.99])

    assert outcome_of(first, "performance") is CheckOutcome.FAILED
    assert outcome_of(again, "performance") is CheckOutcome.INCONCLUSIVE
