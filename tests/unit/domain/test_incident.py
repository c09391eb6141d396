from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbprod.domain.alert import Alert, AlertChange, AlertStatus, Severity
from nbprod.domain.alert_policy import AlertPolicy
from nbprod.domain.check import Cause, CheckOutcome, CheckResult
from nbprod.domain.incident import Sight, bring_in_line

FAILED, PASSED, DOUBT = CheckOutcome.FAILED, CheckOutcome.PASSED, CheckOutcome.INCONCLUSIVE
SEEN = datetime(2026, 11, 27, 9, tzinfo=UTC)
JANUARY = datetime(1997, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
COLUMNS = tuple(f"column_{number}" for number in range(10))


def check(name, subject, outcome=FAILED, **more):
    return CheckResult(name=name, subject=subject, outcome=outcome, sentence=f"{subject} is {outcome}.", **more)


def sight(*checks, began=JANUARY, days=31, look=0, ranked=(), contradicted=None):
    return Sight(
        deployment="churn",
        source=f"run-{look}",
        began=began,
        ended=began + days * DAY,
        seen_at=SEEN + look * timedelta(hours=1),
        checks=checks,
        ranked=ranked,
        contradicted=contradicted or {},
    )


class Ledger:
    """Alerts over several looks, as the service keeps them."""

    def __init__(self, policy=None):
        self.policy, self.alerts, self.changes, self.ids = policy or AlertPolicy(), {}, [], count(1)

    def see(self, *checks, **window):
        standing = [alert for alert in reversed(self.alerts.values()) if not alert.is_resolved]
        looked = sight(*checks, look=len(self.changes), **window)
        moves = bring_in_line(standing, looked, self.policy, lambda: f"a{next(self.ids)}")
        self.alerts |= {move.after.id: move.after for move in moves}
        self.changes.append([move.change for move in moves])
        return moves

    def put(self, alert):
        self.alerts[alert.id] = alert

    @property
    def open(self):
        return [alert for alert in self.alerts.values() if not alert.is_resolved]


def everything():
    """What one cause moves: ten columns, the predictions, the estimate, the accuracy, and the server's health."""
    columns = [check("drift", name) for name in COLUMNS]
    return [
        *columns,
        check("prediction", "prediction"),
        check("estimated", "accuracy"),
        check("performance", "accuracy"),
    ]


def test_one_cause_that_moves_ten_columns_and_the_accuracy_is_one_alert():
    ledger = Ledger()
    ledger.see(*everything(), ranked=COLUMNS[::-1])
    ledger.see(check("health", "latency"), began=JANUARY + 20 * DAY, days=1)

    (alert,) = ledger.open
    assert [part.label for part in alert.parts[:4]] == [
        "performance accuracy", "estimated accuracy", "health latency", "drift column_9"
    ]  # fmt: skip
    assert (alert.check, alert.subject, alert.severity) == ("performance", "accuracy", Severity.CRITICAL)
    assert alert.title == "performance accuracy and 13 more"
    assert alert.summary == (
        "accuracy is failed. With it: estimated (accuracy), health (latency), "
        "drift (column_9, column_8, column_7 and 7 more), prediction (prediction)."
    )
    assert ledger.changes == [[AlertChange.OPENED], [AlertChange.GREW]]


def test_two_causes_months_apart_are_two_alerts_though_the_first_still_stands():
    ledger = Ledger()
    for month in range(4):
        began = JANUARY + month * 31 * DAY
        ledger.see(check("drift", "age"), *([check("performance", "accuracy")] if month == 3 else []), began=began)

    assert [alert.title for alert in ledger.open] == ["drift age", "performance accuracy"]
    assert ledger.changes[-1] == [AlertChange.REPEATED, AlertChange.OPENED]
    assert ledger.alerts["a1"].happened == "1 January to 4 May 1997"


def test_another_cause_while_one_is_open_is_a_part_that_is_told_once():
    ledger = Ledger()
    ledger.see(check("drift", "age"))
    for _ in range(3):
        ledger.see(check("drift", "age"), check("drift", "income"), began=JANUARY + 31 * DAY, days=28)

    assert [*map(tuple, ledger.changes)] == [("opened",), ("grew",), ("repeated",), ("repeated",)]
    assert len(ledger.open) == 1


@given(gap=st.integers(-40, 40), group=st.integers(1, 20))
def test_windows_that_lie_closer_than_the_grouping_window_are_one_cause(gap, group):
    """The gap counts from the window an alert was first found in, on either side of it."""
    ledger = Ledger(AlertPolicy(group=group * DAY))
    began = JANUARY + (10 + gap) * DAY if gap >= 0 else JANUARY + gap * DAY - 5 * DAY
    ledger.see(check("drift", "age"), days=10)
    ledger.see(check("drift", "income"), began=began, days=5)

    assert len(ledger.open) == (1 if abs(gap) <= group else 2)


@given(
    st.lists(
        st.tuples(
            st.integers(0, 300),
            st.dictionaries(st.sampled_from("abcde"), st.sampled_from([FAILED, PASSED, DOUBT]), min_size=1),
        ),
        max_size=12,
    )
)
def test_no_subject_stands_in_two_alerts_and_each_failure_stands_in_one(looks):
    ledger = Ledger()
    for day, outcomes in looks:
        ledger.see(*(check("drift", name, so) for name, so in outcomes.items()), began=JANUARY + day * DAY, days=7)

        standing = [part.key for alert in ledger.open for part in alert.standing]
        assert len(standing) == len(set(standing))
        assert {("drift", name) for name, so in outcomes.items() if so is FAILED} <= set(standing)
        assert all(alert.standing and (alert.check, alert.subject) == alert.standing[0].key for alert in ledger.open)


def test_a_cause_that_is_over_leaves_the_next_one_to_itself():
    """The model decays until April; in May it does well, and columns come alive: another cause."""
    ledger = Ledger()
    ledger.see(check("performance", "accuracy"))
    ledger.see(check("performance", "accuracy", PASSED), check("drift", "age"), began=JANUARY + 31 * DAY, days=28)

    assert ledger.changes[1] == [AlertChange.RESOLVED, AlertChange.OPENED]
    assert [alert.status for alert in ledger.alerts.values()] == [AlertStatus.RESOLVED, AlertStatus.OPEN]


def test_a_part_that_is_gone_stays_listed_and_comes_back_without_a_sound():
    ledger = Ledger()
    ledger.see(check("drift", "age"), check("drift", "income"))
    ledger.see(check("drift", "age", PASSED))
    assert ledger.changes[1] == [AlertChange.EASED]
    assert [(part.subject, part.is_over) for part in ledger.open[0].parts] == [("income", False), ("age", True)]

    ledger.see(check("drift", "age"))
    (part,) = (part for part in ledger.open[0].parts if part.subject == "age")
    assert (part.times_seen, part.is_over) == (2, False)


def test_doubt_neither_opens_nor_closes():
    ledger = Ledger()
    ledger.see(check("drift", "age"))

    assert ledger.see(check("drift", "age", DOUBT), check("drift", "income", DOUBT)) == []


def test_a_whole_check_that_passes_ends_its_subjects():
    ledger = Ledger()
    ledger.see(check("drift", "age"), check("performance", "accuracy"))
    ledger.see(check("drift", "", PASSED))

    assert [part.subject for part in ledger.open[0].standing] == ["accuracy"]


def test_an_older_window_that_passes_ends_nothing():
    """A backfill of November says nothing about December."""
    ledger = Ledger()
    ledger.see(check("drift", "age"))

    assert ledger.see(check("drift", "age", PASSED), began=JANUARY - 31 * DAY) == []


@pytest.mark.parametrize("status", [AlertStatus.ACKNOWLEDGED, AlertStatus.SNOOZED])
def test_what_becomes_worse_than_it_ever_was_is_open_again(status):
    ledger = Ledger()
    ledger.see(check("drift", "age"))
    ledger.put(replace(ledger.alerts["a1"], status=status, snoozed_until=SEEN + DAY, status_by="ada"))

    ledger.see(check("drift", "age"), check("drift", "income"))
    assert (ledger.alerts["a1"].status, ledger.changes[-1]) == (status, [AlertChange.GREW])

    ledger.see(check("performance", "accuracy"))
    assert (ledger.alerts["a1"].status, ledger.changes[-1]) == (AlertStatus.OPEN, [AlertChange.RAISED])
    assert (ledger.alerts["a1"].status_by, ledger.alerts["a1"].snoozed_until) == ("nbprod", None)


def test_severity_never_falls_so_that_it_rises_once():
    ledger = Ledger()
    ledger.see(check("drift", "age"), check("performance", "accuracy"))
    ledger.see(check("drift", "age"), check("performance", "accuracy", PASSED))
    ledger.see(check("drift", "age"), check("performance", "accuracy"))

    assert ledger.alerts["a1"].severity is Severity.CRITICAL
    assert not any(AlertChange.RAISED in changes for changes in ledger.changes)


def test_an_estimate_that_outcomes_contradict_is_resolved_with_their_words():
    ledger = Ledger()
    ledger.see(check("estimated", "accuracy"))
    ledger.see(check("estimated", "accuracy", PASSED), contradicted={"accuracy": "Outcomes contradict the estimate."})

    assert ledger.alerts["a1"].note == "Outcomes contradict the estimate."


def test_an_alert_of_an_earlier_nbprod_is_repeated_and_resolved_as_the_part_it_is():
    old = Alert(
        id="old",
        deployment="churn",
        check="drift",
        subject="age",
        status=AlertStatus.OPEN,
        summary="age changed",
        run_id="r",
        opened_at=SEEN - DAY,
        last_seen_at=SEEN - DAY,
        times_seen=2,
    )
    ledger = Ledger()
    ledger.put(old)
    ledger.see(check("drift", "age"))
    assert (ledger.alerts["old"].times_seen, ledger.alerts["old"].happened) == (3, "January 1997")

    ledger.see(check("drift", "age", PASSED))
    assert ledger.alerts["old"].is_resolved


def test_owner_and_runbook_follow_what_matters_most():
    policy = AlertPolicy(owner="maria", runbook="https://x/all", runbooks={"performance": "https://x/slow"})
    ledger = Ledger(policy)
    ledger.see(check("drift", "age"))
    assert (ledger.open[0].owner, ledger.open[0].runbook) == ("maria", "https://x/all")

    ledger.see(check("performance", "accuracy"))
    assert ledger.open[0].runbook == "https://x/slow"


def test_a_broken_source_is_critical_and_a_policy_may_say_otherwise():
    broken = check("drift", "age", cause=Cause.SOURCE)

    assert AlertPolicy().severity_of(broken) is Severity.CRITICAL
    assert AlertPolicy(severities={"drift": Severity.INFO}).severity_of(broken) is Severity.INFO
    assert AlertPolicy().severity_of(check("drift", "age", cause=Cause.VALUES)) is Severity.WARNING
