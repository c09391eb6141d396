import json
import traceback
from datetime import date
from pathlib import Path

import pytest

from nbprod.domain.markers import Secret
from nbprod.domain.parameter import Parameter, bind, is_parameter_name, plain
from nbprod.domain.type_rule import TypeRule, ValueKind
from nbprod.errors import ParameterError

TEST_SIZE = Parameter(
    name="test_size",
    rule=TypeRule(kind=ValueKind.FLOAT, low=0.05, high=0.5),
    annotation="Annotated[float, Range(0.05, 0.5)]",
    default=0.2,
    default_text="0.2",
)
SHUFFLE = Parameter(
    name="shuffle", rule=TypeRule(kind=ValueKind.BOOL), annotation="bool", default=True, default_text="True"
)
TARGET = Parameter(name="target", rule=TypeRule(kind=ValueKind.STR), annotation="str", is_required=True)
TOKEN = Parameter(
    name="token", rule=TypeRule(kind=ValueKind.SECRET), annotation="Secret", default=Secret("env:A"), default_text="…"
)
STAMP = Parameter(name="stamp", rule=TypeRule(), default_text="today()", is_computed=True)
SEED = Parameter(name="seed", rule=TypeRule(kind=ValueKind.INT), default=1, default_text="1")
ALL = (TEST_SIZE, SHUFFLE, TARGET, TOKEN, STAMP, SEED)


def test_given_values_are_exact_and_defaults_fill_the_rest():
    assert bind(ALL, {"target": "class", "test_size": "0.3"}) == {
        "test_size": 0.3,
        "shuffle": True,
        "target": "class",
        "token": Secret("env:A"),
        "seed": 1,
    }


def test_a_computed_default_is_left_to_the_kernel_unless_a_value_is_given():
    assert "stamp" not in bind([STAMP], {})
    assert bind([STAMP], {"stamp": "now"}) == {"stamp": "now"}


def test_all_problems_are_told_together():
    with pytest.raises(ParameterError) as caught:
        bind(ALL, {"tset_size": 0.2, "test_size": 0.9, "shuffle": "maybe"})
    assert caught.value.message.splitlines() == [
        "'tset_size' is not a parameter of this notebook.",
        "test_size is 0.9 but must be a number between 0.05 and 0.5.",
        "shuffle is 'maybe' but must be true or false.",
        "target has no default and was not given; it must be a text.",
    ]
    assert "Did you mean test_size?" in caught.value.hint
    assert caught.value.names == ("tset_size", "test_size", "shuffle", "target")


def test_the_words_say_that_a_rule_was_inferred_from_the_default():
    with pytest.raises(ParameterError) as caught:
        SEED.coerce(0.5)
    assert caught.value.message == (
        "seed is 0.5 but must be a whole number, as its default 1 suggests (a float is not cut to a whole number silently)"
    )
    assert caught.value.hint == "Annotate seed in the notebook to allow more."


def test_a_wrong_item_of_a_list_is_named():
    sizes = Parameter(
        name="sizes",
        rule=TypeRule(kind=ValueKind.LIST, inner=(TypeRule(kind=ValueKind.INT, low=1),)),
        annotation="list[int]",
    )
    with pytest.raises(ParameterError, match=r"must be a list of whole numbers of at least 1 \(item 2, 0, is not"):
        sizes.coerce([1, 0])


@pytest.mark.parametrize("many", [False, True])
def test_the_value_of_a_secret_is_in_no_message_and_no_trace(many):
    word = "hunter" + str(2)  # so that no source line in the trace holds it
    parameter = TOKEN
    if many:
        parameter = Parameter(
            name="token", rule=TypeRule(kind=ValueKind.LIST, inner=(TOKEN.rule,)), annotation="list[Secret]"
        )
    with pytest.raises(ParameterError) as caught:
        bind([parameter], {"token": [word] if many else word})
    assert word not in str(caught.value)
    assert word not in "".join(traceback.format_exception(caught.value))


def test_a_long_value_is_shortened_in_the_message():
    with pytest.raises(ParameterError) as caught:
        SHUFFLE.coerce("x" * 5000)
    assert len(caught.value.message) < 250


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("alpha", True),
        ("été", True),
        ("class", False),
        ("a b", False),
        ("x; y", False),
        ("__a", False),
        ("ﬁx", False),
        ("", False),
    ],
)
def test_only_identifiers_are_names(name, is_one):
    assert is_parameter_name(name) is is_one


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (ValueKind.DATE, date(2026, 1, 31)),
        (ValueKind.PATH, Path("a/b")),
        (ValueKind.SECRET, Secret("cmd:pass show db")),
        (ValueKind.FLOAT, float("inf")),
        (ValueKind.LIST, [1, "a", None]),
    ],
)
def test_plain_values_pass_through_json_and_back(kind, value):
    parameter = Parameter(name="x", rule=TypeRule(kind=kind), annotation="…")
    assert parameter.coerce(json.loads(json.dumps(plain(value)))) == value
