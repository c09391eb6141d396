"""A rollout in words: the answer first, then who moved it when."""

from datetime import timedelta

import pytest

from nbprod.domain.event import Event
from nbprod.domain.exposure import Exposure
from nbprod.domain.rollout import RolloutStatus
from nbprod.pages.rollout_words import moves_of, share_chart, standing, step_rows
from tests.unit.domain.test_rollout import HOUR, NOW, a_rollout

MINUTE = timedelta(minutes=1)


def an_event(number, what, *, actor="ana", reason="", rollout="r1", **data):
    return Event(
        number=number,
        at=NOW + number * MINUTE,
        kind=f"rollout.{what}",
        subject="churn",
        actor=actor,
        reason=reason,
        evidence=("run-1",),
        data={"rollout": rollout, **data},
    )


EVENTS = [
    an_event(1, "started"),
    an_event(2, "analysed", acted="renewed"),
    an_event(3, "analysed", acted="advanced", reason="advance: enough units"),
    an_event(4, "started", rollout="another"),
    an_event(5, "advanced", actor="ben", reason="go on", step=2),
]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "churn/2 is asked beside churn/1, and nobody is given its answers."),
        ({"step": 2}, "churn/2 answers 25 % of the units, churn/1 the others."),
        ({"step": 2, "status": RolloutStatus.PAUSED}, "churn/1 the others. It is paused."),
        (
            {"step": 2, "lease_until": NOW},
            "No clean analysis renewed the share of churn/2 until 2026-03-01 12:00 UTC",
        ),
        (
            {"status": RolloutStatus.ROLLED_BACK, "ended_because": "roll back: worse in errors"},
            "churn/2 was taken out, and churn/1 answers everybody: worse in errors.",
        ),
        (
            {"status": RolloutStatus.PROMOTED, "ended_because": "good enough"},
            "churn/2 took over from churn/1: good enough.",
        ),
        ({"status": RolloutStatus.ABORTED, "ended_because": ""}, "It was ended without a decision"),
    ],
)
def test_the_answer_comes_first(changes, words):
    """Who answers whom, and why; the decision's own word is not repeated."""
    said = standing(a_rollout(**changes), at=NOW, exposure=Exposure(reached=57, requests=1204))
    assert words in said
    assert said.endswith("reached 57 of 1,204 requests.")


def test_moves_are_told_with_who_and_why_and_looks_that_moved_nothing_are_not():
    """Of this rollout alone, oldest first, each with the step it led to."""
    moves = moves_of(a_rollout(step=2), EVENTS[::-1])
    assert [(one.what, one.by, one.why, one.step) for one in moves] == [
        ("started", "ana", "", 0),
        ("advanced", "the analysis", "enough units", 1),
        ("advanced", "ben", "go on", 2),
    ]


def test_each_step_says_when_it_began_and_who_ended_it():
    """Steps that were not reached are not said to be."""
    rollout = a_rollout(step=2)
    rows = step_rows(rollout, moves_of(rollout, EVENTS))
    assert [row["end"] for row in rows] == ["advanced by the analysis", "advanced by ben", "", "", ""]
    assert [row["is_reached"] for row in rows] == [True, True, True, False, False]
    assert [row["is_now"] for row in rows] == [False, False, True, False, False]
    assert rows[0]["took"] == "2 min 00 s"
    assert rows[-1]["step"] == "promotion"


def test_a_step_that_a_guard_ended_says_so():
    rollout = a_rollout(step=1, status=RolloutStatus.ROLLED_BACK, ended_at=NOW + HOUR)
    events = [*EVENTS[:3], an_event(6, "rolled-back", actor="guard", reason="9 of 9 failures")]
    rows = step_rows(rollout, moves_of(rollout, events))
    assert rows[1]["end"] == "rolled back by guard"
    drawn = share_chart(rollout, moves_of(rollout, events), until=NOW + HOUR)
    assert "What churn/2 was given" in drawn
    assert "canary 5 %" in drawn
