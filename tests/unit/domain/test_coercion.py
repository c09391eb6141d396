import math
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbprod.domain.coercion import coerce
from nbprod.domain.markers import Secret
from nbprod.domain.type_rule import TypeRule, ValueKind


def rule(kind, **more):
    return TypeRule(kind=ValueKind(kind), **more)


@pytest.mark.parametrize(
    ("a_rule", "value", "exact"),
    [
        (rule("bool"), "false", False),
        (rule("bool"), "TRUE", True),
        (rule("bool"), "no", False),
        (rule("bool"), np.bool_(True), True),
        (rule("int"), "007", 7),
        (rule("int"), "-1_000", -1000),
        (rule("int"), np.int8(-3), -3),
        (rule("float"), "1e-3", 0.001),
        (rule("float"), 1, 1.0),
        (rule("float"), np.float32(0.5), 0.5),
        (rule("float"), "inf", math.inf),
        (rule("str"), "007", "007"),
        (rule("str"), "None", "None"),
        (rule("str", optional=True), "None", "None"),
        (rule("int", optional=True), "none", None),
        (rule("int", optional=True), "", None),
        (rule("choice", choices=("a", 1, True)), "1", 1),
        (rule("choice", choices=("a", 1, True)), True, True),
        (rule("choice", choices=("a", 1, True)), "true", True),
        (rule("choice", choices=("1", 1)), "1", "1"),
        (rule("list", inner=(rule("int"),)), "1, 2", [1, 2]),
        (rule("list", inner=(rule("int"),)), "[1, 2]", [1, 2]),
        (rule("list", inner=(rule("str"),)), "a,b", ["a", "b"]),
        (rule("list", inner=(rule("str"),)), '["a, b"]', ["a, b"]),
        (rule("list", inner=(rule("bool"),)), "[true, false]", [True, False]),
        (rule("list"), "", []),
        (rule("list"), (1, "x"), [1, "x"]),
        (rule("tuple", inner=(rule("int"), rule("str"))), "3,a", (3, "a")),
        (rule("tuple", inner=(rule("float"),), any_length=True), [1, 2], (1.0, 2.0)),
        (rule("dict"), '{"a": null}', {"a": None}),
        (rule("dict", inner=(rule("str"), rule("float"))), {"a": 1}, {"a": 1.0}),
        (rule("date"), "2026-01-31", date(2026, 1, 31)),
        (rule("datetime"), "2026-01-31T10:00Z", datetime(2026, 1, 31, 10, tzinfo=UTC)),
        (rule("datetime"), pd.Timestamp("2026-01-31 10:00Z"), datetime(2026, 1, 31, 10, tzinfo=UTC)),
        (rule("path"), "data/x.csv", Path("data/x.csv")),
        (rule("secret"), "env:TOKEN", Secret("env:TOKEN")),
        (rule("dataset"), Path("x.csv"), "x.csv"),
        (rule("union", inner=(rule("str"), rule("int"))), "7", "7"),
        (rule("union", inner=(rule("float"), rule("int"))), 7, 7),
        (rule("any"), {"a": [1, None, (2.5,)]}, {"a": [1, None, (2.5,)]}),
    ],
)
def test_a_value_becomes_exactly_what_is_declared(a_rule, value, exact):
    result = coerce(a_rule, value)
    assert result == exact
    assert type(result) is type(exact)


@pytest.mark.parametrize(
    ("a_rule", "value"),
    [
        (rule("bool"), "maybe"),
        (rule("bool"), 1),
        (rule("bool"), ""),
        (rule("int"), 3.0),
        (rule("int"), True),
        (rule("int"), "3.0"),
        (rule("int"), None),
        (rule("int"), "٣"),
        (rule("float"), True),
        (rule("float"), "abc"),
        (rule("float"), "1e999"),
        (rule("float"), 2**53 + 1),
        (rule("float"), 10**400),
        (rule("float", low=0, high=1), "nan"),
        (rule("float", low=0), math.inf),
        (rule("float", low=0.05, high=0.5), 0.6),
        (rule("int", low=1), 0),
        (rule("str"), 5),
        (rule("choice", choices=("a", 1)), True),
        (rule("choice", choices=("a", 1)), 1.0),
        (rule("list", inner=(rule("int"),)), "1,x"),
        (rule("list"), "[1,"),
        (rule("list"), {1: 2}),
        (rule("tuple", inner=(rule("int"), rule("int"))), (1,)),
        (rule("dict"), "a=1"),
        (rule("date"), "31.1.2026"),
        (rule("date"), datetime(2026, 1, 31, tzinfo=UTC)),
        (rule("datetime"), pd.NaT),
        (rule("datetime"), pd.Timestamp(1)),
        (rule("path"), ""),
        (rule("path"), "a\0b"),
        (rule("model"), "  "),
        (rule("any"), object()),
        (rule("any"), float),
        (rule("union", inner=(rule("int"), rule("date"))), "x"),
    ],
)
def test_what_is_not_declared_is_refused(a_rule, value):
    with pytest.raises(ValueError):  # noqa: PT011 — the words are tested with the parameter
        coerce(a_rule, value)


def test_a_command_line_can_say_none_where_a_text_is_allowed():
    assert coerce(rule("str", optional=True), "None", text=True) is None
    assert coerce(rule("str", optional=True), "", text=True) == ""


def test_a_command_line_gives_the_number_before_the_text_of_a_union():
    numbers = rule("union", inner=(rule("str"), rule("int")))
    assert coerce(numbers, "7", text=True) == 7
    assert coerce(numbers, "seven", text=True) == "seven"


def test_a_comma_makes_a_list_only_where_nothing_else_is_allowed():
    either = rule("union", inner=(rule("list", inner=(rule("str"),)), rule("str")))
    assert coerce(either, "a,b", text=True) == "a,b"
    assert coerce(either, '["a", "b"]', text=True) == ["a", "b"]


def test_an_undeclared_text_is_guessed_from_the_command_line_only():
    assert [coerce(TypeRule(), text, text=True) for text in ("3", "0.5", "true", "None", "x")] == [
        3,
        0.5,
        True,
        None,
        "x",
    ]
    assert coerce(TypeRule(), "3") == "3"


def test_a_moment_in_a_named_zone_keeps_its_instant():
    """``fold`` and the zone's name are lost, the instant and the wall clock are not."""
    moment = datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Paris"), fold=1)
    exact = coerce(rule("datetime"), moment)
    assert exact.utcoffset() == timedelta(hours=1) == moment.utcoffset()
    assert exact.isoformat() == moment.isoformat()
    assert isinstance(exact.tzinfo, timezone)


def test_a_self_containing_list_is_refused():
    knot = []
    knot.append(knot)
    with pytest.raises(ValueError, match="nested too deeply"):
        coerce(TypeRule(), knot)


@given(st.integers())
def test_the_text_of_an_int_is_that_int(number):
    assert coerce(rule("int"), str(number)) == number


@given(st.floats())
def test_the_text_of_a_float_is_that_float(number):
    read = coerce(rule("float"), repr(number))
    assert read == number or (math.isnan(read) and math.isnan(number))


@given(st.text(), st.booleans())
def test_a_declared_text_is_kept_to_the_letter(words, is_text):
    assert coerce(rule("str"), words, text=is_text) == words


@given(st.floats(allow_nan=True))
def test_nothing_leaves_its_range(number):
    bounded = rule("float", low=-1.0, high=2.0)
    try:
        read = coerce(bounded, number)
    except ValueError:
        assert not -1.0 <= number <= 2.0
    else:
        assert read == number
