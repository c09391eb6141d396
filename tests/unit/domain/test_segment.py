"""Segments: what reports write of them reads back as the same conditions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbprod.domain.segment import Condition, ConditionKind, parse_segment, segment_sentence
from nbprod.errors import SettingsError

COLUMNS = ["hour", "hour of day", "and", "x >= 1", "region"]
NUMBERS = st.integers(-9_999, 9_999).map(float)
WORDS = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=8)


@st.composite
def conditions(draw):
    """One to three conditions on columns with names that look like the grammar."""
    made = []
    for column in draw(st.lists(st.sampled_from(COLUMNS), min_size=1, max_size=3, unique=True)):
        kind = draw(st.sampled_from(list(ConditionKind)))
        fields = {}
        if kind is ConditionKind.VALUE:
            fields = {"value": draw(WORDS)}
        elif kind is ConditionKind.RANGE:
            fields = draw(
                st.sampled_from(
                    [{"low": draw(NUMBERS)}, {"high": draw(NUMBERS)}, {"low": draw(NUMBERS), "high": draw(NUMBERS)}]
                )
            )
        made.append(Condition(column=column, kind=kind, **fields))
    return tuple(made)


@given(conditions())
def test_what_is_written_reads_back_as_the_same_conditions(segment):
    assert parse_segment(segment_sentence(segment), COLUMNS) == segment


def test_a_value_may_hold_the_word_that_joins_conditions():
    found = parse_segment("region = north and south and hour < 1,500", ["region", "hour"])
    assert [(one.column, one.value, one.high) for one in found] == [
        ("region", "north and south", None),
        ("hour", None, 1500),
    ]


@pytest.mark.parametrize("text", ["", "regoin = north", "hour > 3", "hour >= soon", "region = north and hour"])
def test_what_is_no_condition_is_refused_by_name(text):
    if text == "region = north and hour":  # a value may hold any words
        assert parse_segment(text, ["region", "hour"])[0].value == "north and hour"
        return
    with pytest.raises(SettingsError):
        parse_segment(text, ["region", "hour"])


def test_conditions_written_as_plain_values_read_back():
    one = Condition(column="hour", kind=ConditionKind.RANGE, low=6.0, high=18.0)
    written = {"column": "hour", "kind": "range", "value": None, "low": 6.0, "high": 18.0}
    assert Condition.read(written) == one
