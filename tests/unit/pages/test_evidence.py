"""Evidence over time, from what notebooks recorded or from the verdicts themselves."""

from datetime import timedelta

import pytest

from nbprod.domain.rollout import RolloutAnalysis, RolloutDecision
from nbprod.pages.evidence import evidence_chart, evidence_groups
from tests.unit.domain.test_rollout import NOW, a_rollout
from tests.unit.pages.conftest import HOSTILE, active

HOUR = timedelta(hours=1)


def an_analysis(number, *, step=1, failure="", **evidence):
    told = {
        name: {"e_harm": 1.0, "e_not_worse": value, "sentence": name, "estimate": 1.0}
        for name, value in evidence.items()
    }
    return RolloutAnalysis(
        run_id=f"run-{number}",
        rollout="r1",
        at=NOW + number * HOUR,
        step=step,
        decision=RolloutDecision.HOLD,
        failure=failure,
        evidence=told,
        sentence="hold: so far",
    )


def test_each_verdict_is_a_look_where_the_notebook_recorded_no_course():
    """Oldest first, by metric; what decides allows for how many metrics there are."""
    analyses = [
        an_analysis(3, errors=8.0, wrong=2.0),
        an_analysis(2, failure="it raised"),
        an_analysis(1, errors=4.0, wrong=1.0),
    ]
    [group] = evidence_groups(a_rollout(), analyses, lambda run_id: None)
    errors = group.metrics[0]
    assert (group.is_paired, group.analysis.run_id) == (False, "run-3")
    assert errors.looks == ((NOW + HOUR, 1.0, 4.0), (NOW + 3 * HOUR, 1.0, 8.0))
    assert (errors.rolls_back, errors.promotes) == pytest.approx((40, 20))


def test_the_recorded_course_is_drawn_and_a_shadow_apart():
    """A shadow is counted otherwise than two arms, so it has pictures of its own."""
    course = {"errors": [{"at": NOW.isoformat(), "e_harm": 2.0, "e_not_worse": 5.0}]}
    analyses = [an_analysis(2, errors=5.0), an_analysis(1, step=0, errors=3.0)]
    arms, paired = evidence_groups(a_rollout(), analyses, {"run-2": course}.get)
    assert arms.metrics[0].looks == ((NOW, 2.0, 5.0),)
    assert (paired.is_paired, paired.metrics[0].looks) == (True, ((NOW + HOUR, 1.0, 3.0),))


@pytest.mark.parametrize(
    "record",
    [
        None,
        3,
        "x",
        [1],
        {"errors": 3},
        {"errors": [{"at": "never"}]},
        {"errors": [{"at": NOW.isoformat(), "e_harm": "much"}]},
    ],
)
def test_a_record_of_anything_else_is_no_course(record):
    """A notebook of somebody's own may record what it likes under that name."""
    [group] = evidence_groups(a_rollout(), [an_analysis(1, errors=3.0)], lambda run_id: record)
    assert group.metrics[0].looks == ((NOW + HOUR, 1.0, 3.0),)


def test_a_metric_without_any_event_comes_last():
    analysis = an_analysis(1, slow=3.0, wrong=2.0)
    analysis.evidence["slow"]["estimate"] = float("nan")
    [group] = evidence_groups(a_rollout(), [analysis], lambda run_id: None)
    assert [one.name for one in group.metrics] == ["wrong", "slow"]


def test_the_axis_names_evidence_and_its_lines_say_what_they_decide():
    """Not powers of ten; what lies beyond the axis says so."""
    looks = [(NOW + n * HOUR, 10.0**-n, 10.0 ** (2 * n)) for n in range(4)]
    drawn = evidence_chart("wrong", looks, rolls_back=60, promotes=20)
    assert "harm: rolls back at 60" in drawn
    assert "not worse: goes on at 20" in drawn
    assert ">10k+</text>" in drawn
    assert ">&lt;1/100</text>" in drawn
    assert "1e+" not in drawn


def test_names_of_metrics_stay_words():
    for payload in HOSTILE:
        assert active(evidence_chart(payload, [(NOW, 1.0, 1.0)], rolls_back=20, promotes=20)) == []
