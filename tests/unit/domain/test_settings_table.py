"""Values of a table of ``nbprod.toml`` come out by type, and a refusal names the table and the key."""

import pytest

from nbprod.domain.monitor import MonitorPolicy
from nbprod.domain.retraining import Autonomy
from nbprod.domain.settings_table import SettingsTable
from nbprod.errors import SettingsError


def table(**content):
    return SettingsTable("[monitors.churn]", content)


def test_values_come_out_by_type():
    given = table(name="a", on=["x", "y"], seconds=3, autonomy="guard", train={"data": "d"})

    assert given.text("name", "") == "a"
    assert given.texts("on", "") == ["x", "y"]
    assert given.number("seconds", float) == 3.0
    assert given.choice("autonomy", Autonomy.ADVISE) is Autonomy.GUARD
    assert given.table("train", "") == {"data": "d"}


def test_what_is_left_out_is_its_default():
    given = table()

    assert given.text("name", "usual") == "usual"
    assert given.texts("on", "") == []
    assert given.number("seconds", int) is None
    assert given.choice("autonomy", Autonomy.ADVISE) is Autonomy.ADVISE
    assert given.table("train", "") == {}


@pytest.mark.parametrize(
    ("read", "message"),
    [
        (lambda given: given.text("key", ""), "must be a text"),
        (lambda given: given.texts("key", "A list."), "cannot be used\nA list."),
        (lambda given: given.number("key", int), "A number, zero or more."),
        (lambda given: given.choice("key", Autonomy.ADVISE), "One of advise, guard, auto."),
        (lambda given: given.table("key", "A table."), "must be a table\nA table."),
    ],
)
@pytest.mark.parametrize("value", [True, -1, [1]])
def test_a_refusal_names_the_table_and_the_key(read, message, value):
    with pytest.raises(SettingsError) as refused:
        read(table(key=value))

    assert "[monitors.churn] key" in str(refused.value)
    assert message in str(refused.value)


def test_an_unknown_key_is_refused_with_the_nearest_one():
    with pytest.raises(SettingsError, match="unknown setting holdot\nDid you mean holdout"):
        table(holdot="1d").refuse_unknown(("holdout", "cooldown"))


def test_settings_are_of_the_type_of_their_defaults():
    assert table(max_drop=1, columns=["age"]).by_defaults(MonitorPolicy()) == {"max_drop": 1.0, "columns": ("age",)}
    for key, value in (("min_rows", 0.5), ("columns", "age"), ("alpha", True)):
        with pytest.raises(SettingsError, match=f"{key} = .* cannot be used"):
            table(**{key: value}).by_defaults(MonitorPolicy())
