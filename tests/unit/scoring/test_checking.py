"""Columns are checked by the contract of single rows."""

import datetime as dt
import math
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbprod.compiled import RowChecker
from nbprod.datasets.schema import infer_schema
from nbprod.domain.schema import Column, ColumnKind, Schema
from nbprod.scoring.checking import TableChecker

MOMENT = dt.datetime(2026, 11, 20, 9, 44, 13, 123456)  # noqa: DTZ001 — of no zone on purpose
COLUMNS = [
    Column(name="number", kind=ColumnKind.NUMBER, dtype="float64"),
    Column(name="gaps", kind=ColumnKind.NUMBER, dtype="float32", nullable=True),
    Column(name="whole", kind=ColumnKind.INTEGER, dtype="int64"),
    Column(name="truth", kind=ColumnKind.BOOLEAN, dtype="bool", nullable=True),
    Column(name="word", kind=ColumnKind.TEXT, dtype="str"),
    Column(name="place", kind=ColumnKind.CATEGORY, dtype="category", categories=("a", "b"), nullable=True),
    Column(name="level", kind=ColumnKind.CATEGORY, dtype="category", categories=(1, 2)),
    Column(name="at", kind=ColumnKind.DATETIME, dtype="datetime64[us]"),
    Column(name="local", kind=ColumnKind.DATETIME, dtype="datetime64[us, Europe/Berlin]", nullable=True),
]
SCHEMA = Schema(columns=tuple(COLUMNS), target="y", task="regression")
ANY = {
    "floats": (pa.float64(), st.none() | st.floats()),
    "singles": (pa.float32(), st.none() | st.floats(width=32)),
    "integers": (pa.int64(), st.none() | st.integers(-(2**63), 2**63 - 1)),
    "small": (pa.uint8(), st.none() | st.integers(0, 255)),
    "truths": (pa.bool_(), st.none() | st.booleans()),
    "words": (pa.string(), st.none() | st.sampled_from(["a", "b", "moon", "1", "2026-01-31T09:30:00Z", ""])),
    "large words": (pa.large_string(), st.none() | st.sampled_from(["a", "c"])),
    "codes": (pa.dictionary(pa.int32(), pa.string()), st.none() | st.sampled_from(["a", "b", "c"])),
    "moments": (pa.timestamp("us"), st.none() | st.datetimes(MOMENT.replace(year=1900))),
    "zoned": (pa.timestamp("ms", "Asia/Tokyo"), st.none() | st.just(MOMENT.replace(microsecond=0))),
    "dates": (pa.date32(), st.none() | st.dates(MOMENT.date().replace(year=1800))),
    "decimals": (pa.decimal128(10, 2), st.none() | st.sampled_from([Decimal("1.50"), Decimal("2.00")])),
    "nothing": (pa.null(), st.none()),
}


@st.composite
def tables(draw):
    size = draw(st.integers(1, 6))
    columns = {}
    for column in COLUMNS:
        kind, values = ANY[draw(st.sampled_from(sorted(ANY)))]
        columns[column.name] = pa.array(draw(st.lists(values, min_size=size, max_size=size)), kind)
    return pa.table(columns)


def same(one, other):
    return one == other or (isinstance(one, float) and math.isnan(one) and other != other)  # noqa: PLR0124 — NaN


@settings(max_examples=50, deadline=None)
@given(table=tables(), first=st.integers(0, 10**6))
def test_a_table_is_taken_and_refused_as_its_rows_are_one_by_one(table, first):
    """Whatever the types, problems, values and unseen categories are those of the checker of single rows."""
    checked = TableChecker(SCHEMA).check(table, first)
    one = RowChecker(SCHEMA)
    alone = [one.check(row, first + number) for number, row in enumerate(table.to_pylist())]
    taken = [number for number, row in enumerate(alone) if not row.problems]

    assert list(checked.problems) == [problem for row in alone for problem in row.problems]
    assert (list(range(table.num_rows)) if checked.taken is None else checked.taken.tolist()) == taken
    for number, name in enumerate(SCHEMA.names):
        form = checked.columns[name]
        values = form.tolist() if isinstance(form, np.ndarray) else form.to_pylist()
        expected = [alone[row].values[number] for row in taken]  # noqa: PD011 — no frame
        assert all(map(same, values, expected)), (name, values, expected)
    unseen = [name for row in taken for name in alone[row].unseen]
    for name in {*unseen, *checked.unseen}:
        assert checked.unseen[name] == unseen.count(name)


def test_a_problem_never_holds_the_value():
    """The records name row, field and what was expected."""
    table = pa.table({name: pa.array([None]) for name in SCHEMA.names})
    told = {str(problem) for problem in TableChecker(SCHEMA).check(table, 41).problems}
    assert "row 41, number: null; expected a number" in told


@pytest.mark.parametrize(
    ("cell", "problem"),
    [("1.5", None), (" 2 ", None), ("-3e2", None), ("abc", "type"), ("1_0", "type"), ("inf", "infinite"), (None, "null")],
)  # fmt: skip
def test_a_text_cell_is_the_number_it_spells(cell, problem):
    """In a CSV file one bad cell makes the column text; the others are numbers all the same."""
    schema = infer_schema(pd.DataFrame({"number": [0.5, 1.5]}), target="y", task="regression")
    checked = TableChecker(schema, from_text=True).check(pa.table({"number": ["7", cell]}))
    assert [one.problem for one in checked.problems] == ([problem] if problem else [])
    assert checked.columns["number"].tolist() == ([7.0] if problem else [7.0, float(cell)])
