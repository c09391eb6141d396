from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from nbprod.domain.check import CheckOutcome
from nbprod.domain.plain import listed, plain


@dataclass(frozen=True)
class Thing:
    at: datetime
    outcome: CheckOutcome
    rest: object


def test_a_record_becomes_what_json_knows():
    moment = datetime(2026, 1, 2, tzinfo=UTC)
    rest = {1: float("nan"), "b": [Path("x/y"), date(2026, 1, 2), timedelta(minutes=1)], "c": (True, None, 2, 0.5)}

    assert plain(Thing(moment, CheckOutcome.PASSED, rest)) == {
        "at": "2026-01-02T00:00:00.000000Z",
        "outcome": "passed",
        "rest": {"1": None, "b": ["x/y", "2026-01-02", 60.0], "c": [True, None, 2, 0.5]},
    }
    assert type(plain(CheckOutcome.PASSED)) is str


@pytest.mark.parametrize(
    ("names", "most", "told"),
    [
        ("a", None, "a"),
        ("ab", None, "a and b"),
        ("abc", None, "a, b and c"),
        ("abc", 3, "a, b and c"),
        ("abcde", 3, "a, b, c and 2 more"),
        ("", None, ""),
    ],
)
def test_names_are_listed_as_people_list_them(names, most, told):
    assert listed(names, most) == told
