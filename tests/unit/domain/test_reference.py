import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbprod.domain.reference import filled, is_single_reference, references
from nbprod.errors import SettingsError


def stands_for(reference):
    return {"{rows}": 3, "{train.metrics.roc auc}": 0.5, "{train.files.a/b.csv}": "/x/b.csv"}[reference.text]


def test_a_whole_reference_keeps_the_type_and_one_in_a_text_becomes_text():
    given = {"a": "{rows}", "b": ["{rows} of {{n}}", 7], "c": "{train.metrics.roc auc}", "d": "{train.files.a/b.csv}"}

    assert filled(given, stands_for) == {"a": 3, "b": ["3 of {n}", 7], "c": 0.5, "d": "/x/b.csv"}
    assert [one.step for one in references(given)] == ["", "train", "train"]


@pytest.mark.parametrize(
    "text", ["{", "}", "{}", "{train.}", "{train.colour}", "{rows!r}", "{rows:>4}", "{a.b.c}", "{0}", "{ rows }"]
)
def test_braces_that_hold_nothing_known_are_refused(text):
    with pytest.raises(SettingsError, match="doubled"):
        references(text)


@given(st.text())
def test_any_text_survives_when_its_braces_are_doubled(text):
    doubled = text.replace("{", "{{").replace("}", "}}")

    assert references(doubled) == ()
    assert not is_single_reference(doubled)
    assert filled(doubled, stands_for) == text
