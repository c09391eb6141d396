"""The fast check of single rows takes and refuses what the check of whole tables takes and refuses."""

import math
from dataclasses import replace
from datetime import datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from nbprod.compiled import RowChecker
from nbprod.domain.schema import Column, ColumnKind, Schema
from nbprod.errors import SchemaError
from nbprod.packages.rows import check_rows

KINDS = {
    "number": Column(name="x", kind=ColumnKind.NUMBER, dtype="float64"),
    "single": Column(name="x", kind=ColumnKind.NUMBER, dtype="float32"),
    "whole": Column(name="x", kind=ColumnKind.INTEGER, dtype="int64"),
    "boolean": Column(name="x", kind=ColumnKind.BOOLEAN, dtype="bool"),
    "category": Column(name="x", kind=ColumnKind.CATEGORY, dtype="str", categories=("a", "b")),
    "number category": Column(name="x", kind=ColumnKind.CATEGORY, dtype="category", categories=(1, 2)),
    "text": Column(name="x", kind=ColumnKind.TEXT, dtype="str"),
    "moment": Column(name="x", kind=ColumnKind.DATETIME, dtype="datetime64[us]"),
    "zoned": Column(name="x", kind=ColumnKind.DATETIME, dtype="datetime64[us, Europe/Berlin]"),
}
WHOLE = st.integers(-(2**53), 2**53)
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    WHOLE,
    st.floats(allow_subnormal=False, max_value=1e38, min_value=-1e38) | st.just(math.nan) | st.just(math.inf),
    st.text(max_size=5),
    st.sampled_from(["a", "b", "1", "2026-01-31", "2026-01-31T09:30:00Z", "2026-01-31 09:30:00+02:00", "2026-01", "now"]),
    st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1)),  # noqa: DTZ001
    st.builds(np.float64, st.floats(-1e6, 1e6)),
    st.builds(np.int64, WHOLE),
)  # fmt: skip


def schema_of(column, nullable):
    return Schema(columns=(replace(column, nullable=nullable),), target="y", task="regression")


@pytest.mark.parametrize("kind", KINDS)
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=60)
@given(value=VALUES, nullable=st.booleans())
def test_a_row_is_taken_or_refused_as_by_the_check_of_tables(kind, value, nullable):
    assume(kind != "number category" or not isinstance(value, bool | datetime))  # pandas mixes them with numbers
    schema = schema_of(KINDS[kind], nullable)
    try:
        with np.errstate(all="ignore"):
            slow = check_rows([{"x": value}], schema).frame["x"].iloc[0]
        refused = False
    except (SchemaError, OverflowError):
        refused = True
    checked = RowChecker(schema).check({"x": value})

    assert bool(checked.problems) == refused, (value, checked.problems)
    if not refused:
        _same(checked.values[0], slow)  # noqa: PD011 — no data frame


def _same(fast, slow):
    if slow is None or slow is pd.NaT or (isinstance(slow, float) and math.isnan(slow)):
        assert fast is None or math.isnan(fast)
    elif isinstance(slow, pd.Timestamp):
        clock = slow.tz_localize(None) if slow.tz is not None else slow
        assert fast == (clock - pd.Timestamp(0)) // pd.Timedelta(1, "us")
    else:
        assert fast == slow


def two():
    return Schema(
        columns=(
            Column(name="hour", kind=ColumnKind.INTEGER, dtype="int64"),
            Column(name="place", kind=ColumnKind.CATEGORY, dtype="str", categories=("north", "south"), nullable=True),
        ),
        target="y",
        task="regression",
        time="at",
    )


def test_each_field_has_its_own_record_and_none_holds_the_value():
    checked = RowChecker(two()).check({"hour": "s3cret", "plase": "s3cret"}, 7)

    assert [(p.row, p.field, p.problem) for p in checked.problems] == [
        (7, "hour", "type"), (7, "place", "missing"), (7, "plase", "unknown"),
    ]  # fmt: skip
    assert "did you mean place?" in checked.problems[2].expected
    assert checked.problems[0].expected == "a whole number"
    assert checked.problems[1].expected == "text, or null"
    assert "s3cret" not in repr(checked.problems)


def test_null_is_taken_exactly_where_training_had_missing_values():
    checker = RowChecker(two())
    assert checker.check({"hour": 3, "place": None}).values == [3.0, None]  # noqa: PD011 — no data frame
    assert [(p.field, p.problem) for p in checker.check({"hour": None, "place": None}).problems] == [("hour", "null")]


def test_unseen_categories_are_told_and_the_truth_may_come_along():
    checked = RowChecker(two()).check({"hour": 3, "place": "moon", "y": 2.0, "at": "2026-01-01"})
    assert (checked.problems, checked.unseen) == ([], ["place"])


@pytest.mark.parametrize(
    ("value", "problem"), [(3.5, "not whole"), (math.inf, "infinite"), (10**400, "infinite"), (2**70, "out of range")]
)
def test_numbers_that_are_none_are_refused_by_what_is_wrong(value, problem):
    assert RowChecker(two()).check({"hour": value, "place": None}).problems[0].problem == problem
