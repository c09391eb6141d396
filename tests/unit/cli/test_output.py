import json
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

import pytest

from nbprod.cli.output import emit, emit_one
from nbprod.domain.plain import plain


class Colour(StrEnum):
    RED = "red"


@dataclass(frozen=True)
class Thing:
    name: str
    colour: Colour
    at: datetime
    score: float


THING = Thing("a|b [bold]", Colour.RED, datetime(2026, 1, 2, 3, 4, tzinfo=UTC), float("nan"))


def test_json_has_every_field_and_no_nan(capsys):
    emit([THING], ["name"], as_json=True)

    assert json.loads(capsys.readouterr().out) == [
        {"name": "a|b [bold]", "colour": "red", "at": "2026-01-02T03:04:00.000000Z", "score": None}
    ]


def test_a_table_shows_values_as_they_are(capsys):
    emit([THING], ["name", "colour", "at"], as_json=False)

    out = capsys.readouterr().out
    assert "a|b [bold]" in out
    assert "2026-01-02 03:04" in out


def test_nothing_is_said_on_stderr(capsys):
    emit([], ["name"], as_json=False, empty="No runs yet.")

    assert capsys.readouterr() == ("", "No runs yet.\n")


def test_one_record_is_an_object(capsys):
    emit_one({"a": 1, "b": None}, as_json=True)

    assert json.loads(capsys.readouterr().out) == {"a": 1, "b": None}


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan")])
def test_numbers_json_does_not_know_become_null(value):
    assert plain({"x": [value]}) == {"x": [None]}
