"""The score: sums of sections, the smallest counts; what it means, and claims beside the records."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbprod.domain.scorecard import TESTS, Claim, Evidence, Means, SealedFacts, interpretation, judge_model
from nbprod.domain.scorecard.card import score_test
from nbprod.errors import NotFoundError

AT = datetime(2026, 11, 1, tzinfo=UTC)
IDS = [test.id for test in TESTS]


def claim(test, days=0, note="looked at it"):
    return Claim(test=test, by="ada", at=AT + timedelta(days=days), note=note)


@given(st.sets(st.sampled_from(IDS)))
def test_the_score_is_the_smallest_sum_of_a_section(tests):
    """Half a point each, added by hand from the published rule."""
    card = judge_model(Evidence(model="power"), [claim(one) for one in tests])
    sums = {name: sum(0.5 for one in tests if one.startswith(f"{name}-")) for name in card.sections}
    assert card.sections == sums
    assert card.score == min(sums.values())


def test_everything_by_hand_is_three_and_a_half():
    card = judge_model(Evidence(model="power"), [claim(one) for one in IDS])
    assert card.sections == dict.fromkeys(["data", "model", "infrastructure", "monitoring"], 3.5)
    assert card.score == 3.5
    assert "critical" in card.interpretation


@pytest.mark.parametrize(
    ("scores", "word"),
    [
        ((0,), "research"),
        ((0.5, 1), "holes"),
        ((1.5, 2), "first pass"),
        ((2.5, 3), "fairly well"),
        ((3.5, 5), "critical"),
        ((5.5, 7), "exceptionally"),
    ],
)
def test_the_bands_are_those_of_the_published_table(scores, word):
    """Bounds belong to the band below: 0, to 1, to 2, to 3, to 5, above."""
    for score in scores:
        assert word in interpretation(score)


def test_a_claim_is_worth_half_a_point_and_never_takes_from_what_records_show():
    sealed = Evidence(model="power", sealed=SealedFacts(inputs=("age",)))
    card = {one.id: one for one in judge_model(sealed, [claim("data-1"), claim("data-3")]).tests}
    assert (card["data-1"].points, card["data-1"].claim) == (1.0, None)
    assert (card["data-3"].points, card["data-3"].means) == (0.5, Means.BY_HAND)
    assert card["data-3"].claim == claim("data-3")
    assert "Claimed by ada: looked at it" in card["data-3"].sentence


def test_of_two_claims_the_newest_shows():
    card = judge_model(Evidence(model="power"), [claim("data-3", 2, "new"), claim("data-3", 1, "old")])
    assert next(one for one in card.tests if one.id == "data-3").sentence == "Claimed by ada: new"


def test_what_is_missing_names_a_command_without_blanks_to_fill():
    for one in judge_model(Evidence(model="power", deployments=("live",))).tests:
        assert one.earn, one.id
        assert "{" not in one.earn
    earned = judge_model(Evidence(model="power", sealed=SealedFacts(inputs=("age",)))).tests[0]
    assert earned.earn == ""


def test_a_test_that_does_not_exist_names_the_nearest():
    with pytest.raises(NotFoundError, match="data-9") as caught:
        score_test("data-9")
    assert "data-" in str(caught.value.hint)
