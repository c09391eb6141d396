"""From comparisons and metrics to checks, from checks to a verdict and its sentence."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from nbprod.domain.advice import Verdict
from nbprod.domain.check import Cause, CheckOutcome, CheckResult, Need
from nbprod.domain.monitor import MonitorPolicy
from nbprod.monitors.judging import (
    agreement_check,
    agreement_sentence,
    column_checks,
    performance_checks,
    verdict_of,
    verdict_sentence,
)
from nbprod.statistics import Agreement, ColumnVerdict, Interval, compare

PASSED, FAILED, DOUBT = CheckOutcome.PASSED, CheckOutcome.FAILED, CheckOutcome.INCONCLUSIVE
POLICY = MonitorPolicy()
STRICT = 1e-12  #: a level nothing but a gross change reaches


def check(name, outcome, subject="accuracy", **facts):
    return CheckResult(name=name, subject=subject, outcome=outcome, sentence=f"{name} of {subject}", **facts)


@pytest.fixture(scope="module")
def same():
    """Six hundred rows against six hundred like them, and every column made to say it is the same."""
    random = np.random.default_rng(4)
    frame = pd.DataFrame(random.normal(size=(600, 3)), columns=["age", "size", "prediction"])
    found = compare(frame, pd.DataFrame(random.normal(size=(600, 3)), columns=list(frame)))
    return with_(found, **{name: {"verdict": ColumnVerdict.SAME, "rows_needed": None} for name in found.columns})


def with_(comparison, **changes):
    """The comparison with other values in columns."""
    columns = {name: replace(one, **changes.get(name, {})) for name, one in comparison.columns.items()}
    return replace(comparison, columns=columns)


def checks_of(comparison, began=None):
    return {one.subject: one for one in column_checks(comparison, began or {})}


def agreement(p_value):
    return Agreement(
        metric="accuracy",
        estimated=interval(0.9),
        realised=0.8,
        difference=Interval(value=-0.1, low=-0.2, high=0.0),
        p_value=p_value,
        rows=600,
    )


def interval(value, width=0.01):
    return Interval(value=value, low=value - width, high=value + width)


def test_a_changed_column_fails_by_its_values(same):
    found = checks_of(with_(same, age={"verdict": ColumnVerdict.CHANGED}))

    assert (found["age"].outcome, found["age"].cause) == (FAILED, Cause.VALUES)
    assert (found["size"].outcome, found["size"].cause, found["size"].needs) == (PASSED, None, None)
    assert (found["age"].name, found["prediction"].name) == ("drift", "prediction")


@pytest.mark.parametrize(
    ("facts", "cause"),
    [
        ({"method": "schema"}, Cause.SOURCE),
        ({"reference_missing": 0.0, "current_missing": 0.06}, Cause.SOURCE),
        ({"reference_missing": 0.06, "current_missing": 0.0}, Cause.SOURCE),
        ({"reference_missing": 0.0, "current_missing": 0.04}, Cause.VALUES),
    ],
)
def test_missing_values_and_another_type_are_the_sources(same, facts, cause):
    found = checks_of(with_(same, age={"verdict": ColumnVerdict.CHANGED, **facts}))

    assert found["age"].cause is cause


def test_a_change_says_when_it_began(same):
    changed = with_(same, age={"verdict": ColumnVerdict.CHANGED})

    assert checks_of(changed, {"age": datetime(1997, 5, 2, tzinfo=UTC)})["age"].sentence.endswith(
        "It began about 2 May 1997."
    )
    assert "began" not in checks_of(changed)["age"].sentence


@pytest.mark.parametrize(
    ("rows", "needs", "needed"),
    [(7200, Need.PREDICTIONS, 6600), (7201, Need.REFERENCE, None), (1234, Need.PREDICTIONS, 630)],
)
def test_what_cannot_be_told_needs_rows_unless_no_number_of_them_would_do(same, rows, needs, needed):
    """Twelve windows are worth waiting for; the count is of two digits."""
    found = checks_of(with_(same, age={"verdict": ColumnVerdict.INCONCLUSIVE, "rows_needed": rows}))

    assert (found["age"].outcome, found["age"].needs, found["age"].needed) == (DOUBT, needs, needed)
    assert (found["size"].outcome, found["size"].needed) == (PASSED, None)


def doubtful(comparison):
    """A column that would have changed at five percent and has not at the budget's level."""
    large = replace(comparison.columns["age"].effects[0], value=1.0, low=0.9, high=1.1)
    facts = {"verdict": ColumnVerdict.SAME, "p_adjusted": 0.01, "effect": 1.0, "effects": (large,)}
    return with_(comparison, age=facts)


def test_a_change_the_budget_does_not_allow_is_a_doubt_and_watched(same):
    made = doubtful(same)
    found = checks_of(made)

    assert found["age"].outcome is DOUBT
    assert "too weak for an alarm" in found["age"].sentence
    assert found["age"].needs is None
    assert verdict_of([*found.values()], made, None) is Verdict.WATCH
    assert verdict_sentence(Verdict.WATCH, [*found.values()], made, POLICY).startswith("age changed, but too little")


@pytest.mark.parametrize("verdict", [ColumnVerdict.CHANGED, ColumnVerdict.WATCH])
def test_what_is_significant_already_is_no_doubt(same, verdict):
    """A small change that is certain is told as it is, though at five percent it would count as well."""
    found = checks_of(with_(same, age={"verdict": verdict, "p_adjusted": 0.01, "effect": 1.0}))

    assert found["age"].outcome is (FAILED if verdict is ColumnVerdict.CHANGED else PASSED)
    assert "too weak" not in found["age"].sentence


def test_a_small_certain_change_is_watched(same):
    made = with_(same, age={"verdict": ColumnVerdict.WATCH})

    assert verdict_of(column_checks(made, {}), made, None) is Verdict.WATCH


@pytest.mark.parametrize(
    ("p_value", "level", "outcome"),
    [(0.2, 0.05, PASSED), (0.04, 0.05, DOUBT), (0.04, 0.01, PASSED), (0.01, 0.01, DOUBT), (0.06, 0.5, PASSED)],
)
def test_an_estimate_that_outcomes_contradict_is_a_doubt_at_the_looks_level(p_value, level, outcome):
    """Never above five percent, and never a failure."""
    assert agreement_check(agreement(p_value), level).outcome is outcome


def test_a_contradicted_estimate_is_watched_and_named(same):
    checks = [agreement_check(agreement(0.001), 0.05)]

    assert verdict_of(checks, same, None) is Verdict.WATCH
    assert "outcomes contradict the estimate of accuracy" in verdict_sentence(Verdict.WATCH, checks, same, POLICY)
    assert verdict_of([agreement_check(agreement(0.5), 0.05)], same, None) is Verdict.HEALTHY


def test_the_agreement_says_what_was_estimated_and_what_came():
    assert agreement_sentence(agreement(0.5)) == (
        "accuracy was estimated at 0.9 and is 0.8: the inputs predict outcomes as before."
    )
    assert "no longer predict outcomes as before (p = 0.001)" in agreement_sentence(agreement(0.001))


@pytest.mark.parametrize(
    ("outcomes", "verdict"),
    [
        ([PASSED, PASSED], Verdict.HEALTHY),
        ([PASSED, DOUBT], Verdict.INCONCLUSIVE),
        ([DOUBT, FAILED], Verdict.ALARM),
    ],
)
def test_the_worst_check_decides(same, outcomes, verdict):
    assert verdict_of([check("drift", one) for one in outcomes], same, None) is verdict


class Rise:
    """A finding of concept drift, as far as a verdict looks at it."""

    def __init__(self, *, detected):
        self.detected = detected


def test_errors_that_grew_are_watched(same):
    assert verdict_of([check("drift", PASSED)], same, Rise(detected=True)) is Verdict.WATCH
    assert verdict_of([check("drift", PASSED)], same, Rise(detected=False)) is Verdict.HEALTHY


@pytest.mark.parametrize(
    ("metric", "outcome", "value", "told"),
    [
        ("accuracy", DOUBT, 0.03, "accuracy looks lower; the drop may still be under your limit of 0.05"),
        ("accuracy", PASSED, 0.01, "accuracy is lower, but the drop is within your limit of 0.05"),
        ("accuracy", PASSED, -0.01, "the model's errors grew over time, but accuracy is not worse in this window"),
        ("accuracy", DOUBT, None, "the model's errors grew over time, but accuracy is not worse in this window"),
        ("mae", DOUBT, 0.3, "mae looks higher; the rise may still be under your limit of 0.05 of the reference"),
    ],
)
def test_errors_that_grew_are_told_as_what_they_do_to_the_metric(same, metric, outcome, value, told):
    checks = [check("performance", outcome, metric, value=value)]

    assert verdict_sentence(Verdict.WATCH, checks, same, POLICY) == told


def test_an_alarm_names_columns_performance_and_predictions(same):
    checks = [
        check("drift", FAILED, "age"),
        check("drift", FAILED, "size"),
        check("drift", DOUBT, "place"),
        check("performance", FAILED),
        check("estimated", PASSED),
        check("prediction", FAILED, "prediction"),
    ]

    told = verdict_sentence(Verdict.ALARM, checks, same, POLICY)

    assert told == "age and size changed; performance of accuracy; the predictions changed"


def test_a_doubt_names_the_columns_and_what_performance_lacks(same):
    checks = [check("drift", DOUBT, "age"), check("prediction", DOUBT, "prediction"), check("performance", DOUBT)]

    told = verdict_sentence(Verdict.INCONCLUSIVE, checks, same, POLICY)

    assert told == "too few rows to judge age and prediction; performance of accuracy"
    assert verdict_sentence(Verdict.INCONCLUSIVE, checks[2:], same, POLICY) == "performance of accuracy"
    assert verdict_sentence(Verdict.HEALTHY, [], same, POLICY) == "nothing changed significantly"


@pytest.mark.parametrize(
    ("after", "expected", "outcomes"),
    [
        ({"accuracy": interval(0.9)}, {}, {"performance": PASSED}),
        ({"accuracy": interval(0.7)}, {}, {"performance": FAILED}),
        ({}, {"accuracy": interval(0.7)}, {"performance": DOUBT, "estimated": FAILED}),
        ({"accuracy": interval(0.9)}, {"accuracy": interval(0.7)}, {"performance": PASSED, "estimated": PASSED}),
        ({"accuracy": interval(0.7)}, {"accuracy": interval(0.9)}, {"performance": FAILED, "estimated": PASSED}),
    ],
)
def test_an_estimate_alarms_only_while_outcomes_are_missing(after, expected, outcomes):
    before = {"accuracy": interval(0.9)}

    found = performance_checks(before, after, expected, POLICY, "classification", 0.025, 0)

    assert {one.name: one.outcome for one in found} == outcomes
