"""Rules for review: how they are read, what chance they give, and that sending is a function of the id."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbprod.clock import now
from nbprod.domain.prediction_ids import prediction_ids
from nbprod.domain.review import Chooser, ReviewForm, ReviewPolicy, check_reviewer, is_doubled, is_sent, margin_of
from nbprod.domain.schema import Column, ColumnKind, Schema
from nbprod.errors import SettingsError

COLUMNS = (
    Column(name="amount", kind=ColumnKind.NUMBER, dtype="float64"),
    Column(name="country", kind=ColumnKind.CATEGORY, dtype="str", categories=("NO", "SE")),
)
BINARY = Schema(columns=COLUMNS, target="fraud", task="classification", classes=(0, 1), probabilistic=True)
NUMBER = Schema(columns=COLUMNS, target="price", task="regression")


def test_rules_are_read():
    """Rules are joined by commas, of which those inside quotes and brackets are part of a condition."""
    policy = ReviewPolicy.parse(
        "uncertain:0.1, random:0.02, rule:country in ['SE', 'NO'] , rule:amount > 9, double:.5"
    )
    assert (policy.uncertain, policy.random, policy.double, policy.disagreement) == (0.1, 0.02, 0.5, False)
    assert [str(rule) for rule in policy.rules] == ["country in ['SE', 'NO']", "amount > 9"]
    assert ReviewPolicy.parse("  ") is None


def test_some_of_the_rest_is_sent_unless_said_otherwise():
    """Without a plain sample nothing could be said of predictions that look certain."""
    assert ReviewPolicy.parse("uncertain:0.1").random == 0.01
    assert ReviewPolicy.parse("uncertain:0.1, random:0").random == 0


@pytest.mark.parametrize(
    "text",
    [
        *["certain:0.1", "uncertain", "uncertain:2", "uncertain:-0.1", "random:nan", "uncertain:0.1,uncertain:0.2"],
        *[
            "double:0.2",
            "disagreement:1",
            "rule:",
            "rule:amount",
            "rule:country == 'SE, random:0.1",
            "random:0.1 0.2",
        ],
    ],
)
def test_other_rules_are_refused(text):
    """An unknown rule, one said twice, a share that is none, and rules that send nothing."""
    with pytest.raises(SettingsError):
        ReviewPolicy.parse(text)


@pytest.mark.parametrize(
    ("text", "schema", "private", "words"),
    [
        ("uncertain:0.1", NUMBER, (), "regression"),
        ("uncertain:0.1", None, (), "elsewhere"),
        ("disagreement", NUMBER, (), "never quite the same"),
        ("rule:price > 3", BINARY, (), "does not take"),
        ("rule:amount > 3", BINARY, ("amount",), "private"),
        ("rule:amount > 3", None, ("amount",), "private"),
        ("rule:country > 3", BINARY, (), "compares country"),
        ("rule:amount > 'a'", BINARY, (), "compares amount"),
    ],
)
def test_rules_that_cannot_be_followed_are_refused(text, schema, private, words):
    """A regression has no margin, a private column is not kept, a text is not more than a number."""
    with pytest.raises(SettingsError, match=words):
        ReviewPolicy.parse(text).check(schema, private)


def test_uncertain_and_named_rows_are_sent_for_certain():
    """A chance of one for small margins and for rows of which a condition holds; that of the sample for the rest."""
    chooser = Chooser(
        policy=ReviewPolicy.parse("uncertain:0.1, random:0.03, rule:amount > 100"),
        probabilities=("probability",),
        least_margin=0.2,
    )
    outputs = {"prediction": [1, 0, 1, 1], "probability": [0.55, 0.1, 0.61, None]}
    assert chooser.chances(outputs, {"amount": [1, 500, 2, 3]}) == [1.0, 1.0, 0.03, 0.03]


@pytest.mark.parametrize(("probabilities", "margin"), [([0.9], 0.8), ([0.5], 0.0), ([0.5, 0.3, 0.2], 0.2)])
def test_the_margin_is_that_of_the_two_most_probable(probabilities, margin):
    """Of two classes one probability says both."""
    assert margin_of(probabilities) == pytest.approx(margin)


def test_the_share_sent_is_the_chance():
    """Of many ids the share that is sent, and that two people get, is near what was asked for, each independent."""
    ids = prediction_ids(20_000, now())
    sent = [is_sent(name, 0.1) for name in ids]
    assert sum(sent) / len(ids) == pytest.approx(0.1, abs=0.01)
    twice = [is_doubled(name, 0.3) for name, one in zip(ids, sent, strict=True) if one]
    assert sum(twice) / len(twice) == pytest.approx(0.3, abs=0.05)


@given(st.text(min_size=1, max_size=40), st.floats(0, 1), st.floats(0, 1))
def test_whoever_is_sent_at_a_chance_is_sent_at_a_larger_one(name, one, other):
    """The decision is the same again, and nested."""
    low, high = sorted([one, other])
    assert is_sent(name, low) == is_sent(name, low)
    assert is_sent(name, high) or not is_sent(name, low)
    assert is_sent(name, 1.0)
    assert not is_sent(name, 0.0)


@pytest.mark.parametrize(
    ("classes", "given", "read"),
    [
        ((0, 1), "1", 1),
        ((0, 1), "1.0", 1),
        ((0, 1), 1.0, 1),
        ((False, True), "TRUE", True),
        (("DOWN", "UP"), " UP ", "UP"),
    ],
)
def test_an_answer_is_read_as_people_and_spreadsheets_write_it(classes, given, read):
    """It becomes the class itself, in its own type."""
    found = ReviewForm(target="y", task="classification", classes=classes).read(given)
    assert found == read
    assert type(found) is type(read)


def test_other_answers_are_refused():
    """An answer is one of the classes, or a number where numbers are asked."""
    for classes, answer in [((0, 1), "2"), (("UP",), "up"), ((0, 1), True), ((0, 1), None)]:
        with pytest.raises(SettingsError):
            ReviewForm(target="y", task="classification", classes=classes).read(answer)
    numbers = ReviewForm(target="y", task="regression")
    assert numbers.read("2.5") == 2.5
    for answer in ["a", True, "nan", "inf", None]:
        with pytest.raises(SettingsError):
            numbers.read(answer)


def test_a_reviewer_has_a_name():
    """Space around it is no part of it; hidden characters are refused."""
    assert check_reviewer(" ann ") == "ann"
    for name in ["", "  ", "a\u202eb", "x" * 200, None, 3]:
        with pytest.raises(SettingsError):
            check_reviewer(name)
