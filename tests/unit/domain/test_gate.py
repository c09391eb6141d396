"""A gate passes on evidence, fails on evidence, and says so when there is not enough of it."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbprod.domain.check import CheckOutcome
from nbprod.domain.gate import GateEvidence, GatePolicy, Measured, SliceGain, judge
from nbprod.errors import SettingsError

PASSED, FAILED, INCONCLUSIVE = CheckOutcome.PASSED, CheckOutcome.FAILED, CheckOutcome.INCONCLUSIVE


def measured(value, half=0.05):
    return Measured(value=value, low=value - half, high=value + half)


EVIDENCE = GateEvidence(
    candidate="c" * 64,
    champion="d" * 64,
    data="f" * 64,
    rows=1000,
    blocks=20,
    metric="roc_auc",
    higher_is_better=True,
    candidate_score=measured(0.9),
    champion_score=measured(0.8),
    gain=measured(0.1),
    slices=(
        SliceGain(name="hour = 7", rows=80, gain=measured(0.02)),
        SliceGain(name="hour = 8", rows=90, gain=measured(-0.01)),
    ),
)


@pytest.mark.parametrize(
    ("policy", "change", "outcome", "says"),
    [
        (GatePolicy(min_gain=0), {}, PASSED, "The candidate is better: +0.1"),
        (GatePolicy(min_gain=0.07), {}, INCONCLUSIVE, "spans 0.07"),
        (GatePolicy(min_gain=0.2), {}, FAILED, "does not gain more than 0.2"),
        (GatePolicy(min_gain=0), {"gain": measured(-0.1)}, FAILED, "does not gain"),
        (GatePolicy(min_gain=0), {"gain": measured(0, 0)}, FAILED, "does not gain"),
        (GatePolicy(min_gain=0), {"gain": measured(math.nan)}, INCONCLUSIVE, "cannot be computed"),
        (GatePolicy(min_gain=0), {"gain": None}, INCONCLUSIVE, "cannot be computed"),
        (GatePolicy(min_gain=0), {"candidate": "d" * 64}, FAILED, "The candidate is the champion"),
        (GatePolicy(min=0.85), {}, PASSED, "The candidate is better"),
        (GatePolicy(min=0.90), {}, INCONCLUSIVE, "spans the bound 0.9"),
        (GatePolicy(min=0.96), {}, FAILED, "clearly beyond the bound"),
        (GatePolicy(min=0.5), {"candidate_score": measured(math.nan)}, INCONCLUSIVE, "cannot be computed"),
        (GatePolicy(max=12), {"higher_is_better": False, "candidate_score": measured(9)}, PASSED, "better"),
        (GatePolicy(max=9), {"higher_is_better": False, "candidate_score": measured(9)}, INCONCLUSIVE, "spans"),
        (GatePolicy(max=8), {"higher_is_better": False, "candidate_score": measured(9)}, FAILED, "clearly beyond"),
        (GatePolicy(max_slice_drop=0.1), {}, PASSED, "The candidate is better"),
        (
            GatePolicy(max_slice_drop=0.1),
            {"slices": (SliceGain(name="hour = 8", rows=90, gain=measured(-0.12)),)},
            INCONCLUSIVE,
            "Where hour = 8 the candidate may be worse",
        ),
        (
            GatePolicy(max_slice_drop=0.1),
            {"slices": (SliceGain(name="hour = 8", rows=90, gain=measured(-0.2)),)},
            FAILED,
            "Where hour = 8 the candidate is clearly worse",
        ),
        (GatePolicy(max_slice_drop=0.1), {"slices": ()}, INCONCLUSIVE, "No slice is large enough"),
        (GatePolicy(), {"champion": None, "gain": None, "champion_score": None}, PASSED, "lets the first model pass"),
        (GatePolicy(first="hold"), {"champion": None, "gain": None}, INCONCLUSIVE, "holds the first model"),
        (GatePolicy(min=0.96), {"champion": None, "gain": None}, FAILED, "clearly beyond"),
        (GatePolicy(min_gain=None), {}, INCONCLUSIVE, ""),
    ],
)
def test_outcome_follows_the_interval(policy, change, outcome, says):
    verdict = judge(policy, replace(EVIDENCE, **change))

    assert verdict.outcome is outcome
    assert says in verdict.sentence


def test_no_champion_yet_is_an_outcome_of_its_own():
    verdict = judge(GatePolicy(), replace(EVIDENCE, champion=None, gain=None, champion_score=None, slices=()))

    assert verdict.comparison == "no champion yet"
    assert [check.name for check in verdict.checks] == ["first"]


def test_record_names_packages_data_and_policy_as_plain_json():
    written = judge(GatePolicy(min=0.5, max_slice_drop=0.1), EVIDENCE).to_dict()

    assert json.loads(json.dumps(written, allow_nan=False)) == written
    assert (written["evidence"]["candidate"], written["evidence"]["champion"]) == ("c" * 64, "d" * 64)
    assert written["evidence"]["data"] == "f" * 64
    assert written["policy"]["metric"] == "roc_auc"
    assert len(written["policy_digest"]) == 64


@given(value=st.floats(-1, 1), half=st.floats(0.001, 1), bound=st.floats(0, 1))
def test_what_spans_the_bound_never_passes_and_never_fails(value, half, bound):
    outcome = judge(GatePolicy(min_gain=bound), replace(EVIDENCE, gain=measured(value, half))).outcome

    if value - half > bound:
        assert outcome is PASSED
    elif value + half <= bound:
        assert outcome is FAILED
    else:
        assert outcome is INCONCLUSIVE


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"mim": 0.5}, "Did you mean min"),
        ({"min": "high"}, "min is 'high'"),
        ({"min": True}, "min is True"),
        ({"first": "maybe"}, '"pass" or "hold"'),
        ({"max_slice_drop": -0.1}, "from 0 on"),
        ({"min": 0.5, "max": 3}, "both min and max"),
        ({"metric": 3}, "not text"),
    ],
)
def test_a_policy_that_cannot_be_used_is_refused(table, says):
    with pytest.raises(SettingsError) as caught:
        GatePolicy.from_mapping(table)

    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("policy", "higher", "says"),
    [(GatePolicy(min=1), False, "Set max instead"), (GatePolicy(max=1), True, "Set min instead")],
)
def test_a_bound_against_the_metrics_direction_is_refused(policy, higher, says):
    with pytest.raises(SettingsError) as caught:
        judge(policy, replace(EVIDENCE, higher_is_better=higher))

    assert says in str(caught.value)
