from datetime import UTC, datetime, timedelta

import pytest

from nbprod.domain.advice import next_step
from nbprod.domain.check import Cause, CheckOutcome, CheckResult, Need
from nbprod.domain.monitor import MonitorPolicy, MonitorReport, Verdict, Window
from nbprod.errors import SettingsError

FAILED, DOUBT = CheckOutcome.FAILED, CheckOutcome.INCONCLUSIVE

END = datetime(1997, 6, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "length"), [("24h", timedelta(days=1)), ("30d", timedelta(days=30)), ("4w", timedelta(weeks=4))]
)
def test_a_length_counts_back_from_its_end(text, length):
    assert Window.last(text, until=END) == Window(start=END - length, end=END)


@pytest.mark.parametrize("text", ["", "30", "d", "0d", "1y", "-1d", "1.5d"])
def test_other_lengths_are_refused(text):
    with pytest.raises(SettingsError, match="is not a length of time"):
        Window.last(text, until=END)


def test_a_window_needs_order_and_zones():
    with pytest.raises(SettingsError):
        Window(start=END, end=END)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"false_alarms_per_year": 0}, "is not a budget"),
        ({"false_alarms_per_year": 1000}, "at most 365"),
        ({"horizon": "a week"}, "is not a length of time"),
        ({"false_alarm_per_year": 2}, "false_alarms_per_year"),
    ],
)
def test_a_budget_and_a_horizon_that_cannot_be_used_are_refused(settings, told):
    with pytest.raises(SettingsError) as caught:
        MonitorPolicy.parse("churn", settings)

    assert told in f"{caught.value} {caught.value.hint}"


def test_a_policy_says_when_outcomes_count():
    assert MonitorPolicy.parse("churn", {"horizon": "7d"}).matures_after == timedelta(days=7)
    assert MonitorPolicy.parse("churn", {}).matures_after is None


@pytest.mark.parametrize(
    ("verdict", "checks", "told"),
    [
        (Verdict.HEALTHY, [], "Nothing to do."),
        (Verdict.ALARM, [("drift", "age", FAILED, {"cause": Cause.SOURCE})], "First look at where age comes from"),
        (Verdict.ALARM, [("drift", "age", FAILED, {}), ("performance", "mae", FAILED, {})], "Retrain"),
        (Verdict.ALARM, [("estimated", "mae", FAILED, {})], "Get outcomes"),
        (Verdict.ALARM, [("estimated", "mae", FAILED, {}), ("performance", "mae", FAILED, {})], "Retrain"),
        (Verdict.ALARM, [("drift", "age", FAILED, {"cause": Cause.VALUES})], "Find out why age changed"),
        (Verdict.ALARM, [("prediction", "prediction", FAILED, {})], "Look at the alerts"),
        (
            Verdict.INCONCLUSIVE,
            [("performance", "mae", DOUBT, {"needs": Need.OUTCOMES, "needed": 12})],
            "Wait for 12 more outcomes, then",
        ),
        (
            Verdict.INCONCLUSIVE,
            [
                ("drift", "age", DOUBT, {"needs": Need.PREDICTIONS, "needed": 900}),
                ("drift", "income", DOUBT, {"needs": Need.PREDICTIONS, "needed": 1200}),
                ("performance", "mae", DOUBT, {"needs": Need.OUTCOMES, "needed": 5}),
            ],
            "Wait for 1,200 more predictions and 5 more outcomes, then",
        ),
        (Verdict.INCONCLUSIVE, [("drift", "age", DOUBT, {"needs": Need.REFERENCE})], "with a reference this short"),
        (Verdict.WATCH, [("drift", "age", DOUBT, {"needs": Need.REFERENCE})], "Look again with the next window."),
        (Verdict.WATCH, [], "Look again with the next window."),
    ],
)
def test_each_verdict_comes_with_what_to_do(verdict, checks, told):
    made = [CheckResult(name=name, subject=on, outcome=so, sentence="…", **facts) for name, on, so, facts in checks]

    assert told in next_step("churn", verdict, made)


def test_advice_reads_fields_and_never_the_rule():
    """A rule is for people: what it says changes nothing."""
    rules = ["as the reference has it", "needs 12 more outcomes", "within what the reference swings by"]
    made = [CheckResult(name="drift", subject="age", outcome=FAILED, sentence="…", rule=rule) for rule in rules]
    doubts = [CheckResult(name="drift", subject="age", outcome=DOUBT, sentence="…", rule=rule) for rule in rules]

    assert next_step("churn", Verdict.ALARM, made).startswith("Find out why age")
    assert next_step("churn", Verdict.INCONCLUSIVE, doubts) == "Look again with the next window."


def test_more_columns_than_three_are_counted():
    made = [CheckResult(name="drift", subject=name, outcome=FAILED, sentence="…") for name in "abcde"]

    assert "why a, b, c and 2 more changed" in next_step("churn", Verdict.ALARM, made)
    assert "why a, b and c changed" in next_step("churn", Verdict.ALARM, made[:3])


def test_a_metric_is_told_as_realised_estimated_and_in_the_reference():
    report = MonitorReport(
        run_id="r",
        deployment="churn",
        version=None,
        start=END - timedelta(days=1),
        end=END,
        verdict=Verdict.HEALTHY,
        sentence="…",
        rows=1,
        outcomes=1,
        metrics={"estimated_mae": 2.0, "mae": 3.0, "reference_mae": 1.0, "reference_r2": 0.5},
    )

    assert report.by_metric == {
        "mae": {"realised": 3.0, "estimated": 2.0, "reference": 1.0},
        "r2": {"reference": 0.5},
    }
    assert report.level is None
