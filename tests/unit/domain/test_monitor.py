from datetime import UTC, datetime, timedelta

import pytest

from nbprod.domain.advice import LONGER, SOURCE, WAIT, next_step
from nbprod.domain.check import CheckOutcome, CheckResult
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
    with pytest.raises(SettingsError, match="is no length of time"):
        Window.last(text, until=END)


def test_a_window_needs_order_and_zones():
    with pytest.raises(SettingsError):
        Window(start=END, end=END)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"false_alarms_per_year": 0}, "is no budget"),
        ({"false_alarms_per_year": 1000}, "at most 365"),
        ({"horizon": "a week"}, "is no length of time"),
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
        (Verdict.ALARM, [("drift", "age", FAILED, SOURCE)], "Look at where age comes from"),
        (Verdict.ALARM, [("drift", "age", FAILED, ""), ("performance", "mae", FAILED, "")], "Retrain"),
        (Verdict.ALARM, [("estimated", "mae", FAILED, "")], "Ask for outcomes"),
        (Verdict.ALARM, [("drift", "age", FAILED, "")], "Find out why age changed"),
        (Verdict.ALARM, [("prediction", "prediction", FAILED, "")], "Look at the alerts"),
        (
            Verdict.INCONCLUSIVE,
            [("performance", "mae", DOUBT, f"{WAIT}12 more outcomes")],
            "Wait for 12 more outcomes",
        ),
        (Verdict.INCONCLUSIVE, [("drift", "age", DOUBT, LONGER)], "the reference is too short"),
        (Verdict.WATCH, [], "Look again with the next window."),
    ],
)
def test_each_verdict_comes_with_what_to_do(verdict, checks, told):
    made = [CheckResult(name=name, subject=on, outcome=so, sentence="…", rule=rule) for name, on, so, rule in checks]

    assert told in next_step("churn", verdict, made)


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
