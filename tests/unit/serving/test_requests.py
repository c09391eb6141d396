"""Strict JSON: what is taken is what the standard library reads, and nothing else."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbprod.serving.requests import BodyError, FormError, read_json, read_predict

SCALARS = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
ROWS = st.lists(st.dictionaries(TEXT, SCALARS | TEXT, max_size=5), max_size=4)


@given(ROWS, st.none() | st.text(st.characters(codec="utf-8"), min_size=1, max_size=9), st.booleans())
def test_what_json_writes_is_read_equal(rows, unit, ascii_only):
    asked = read_predict(json.dumps({"rows": rows, "unit": unit}, ensure_ascii=ascii_only).encode())
    assert asked.rows == rows
    assert asked.unit == unit


@given(st.dictionaries(TEXT, SCALARS | TEXT, min_size=1, max_size=5), st.data())
def test_a_name_given_twice_is_always_refused(row, data):
    """Wherever it stands, whatever else the row holds: the second would silently win."""
    name = data.draw(st.sampled_from(sorted(row)))
    pairs = [*row.items(), (name, data.draw(SCALARS | TEXT))]
    inner = ",".join(f"{json.dumps(key)}:{json.dumps(value)}" for key, value in data.draw(st.permutations(pairs)))
    with pytest.raises(BodyError, match="twice"):
        read_predict(f'{{"rows":[{{{inner}}}]}}'.encode())


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(body):
    """No other error comes out, and what is read has no number that is none."""
    try:
        value = read_json(body)
    except BodyError:
        return
    assert not (isinstance(value, float) and not math.isfinite(value))
    try:
        read_predict(body)
    except (BodyError, FormError) as problem:
        assert problem.message  # noqa: PT017


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", "9" * 5000])
def test_numbers_that_are_none_are_refused(number):
    with pytest.raises(BodyError):
        read_predict(f'{{"rows":[{{"a":{number}}}]}}'.encode())
