from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbprod.errors import ParameterError
from nbprod.runs.keys import changed, local_modules, run_key
from nbprod.runs.sweeping import combinations, values_of


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("1,2", ["1", "2"]),
        ("0:3", ["0", "1", "2"]),
        ("0:10:4", ["0", "4", "8"]),
        ("a", ["a"]),
        ("s3://x", ["s3://x"]),
    ],
)
def test_a_text_stands_for_values(text, values):
    assert values_of(text) == values


@pytest.mark.parametrize("text", ["3:3", "0:5:0"])
def test_a_range_without_numbers_is_refused(text):
    with pytest.raises(ParameterError, match="has no numbers"):
        values_of(text)


@given(st.lists(st.integers(1, 5), min_size=1, max_size=4), st.integers(1, 30))
def test_drawn_combinations_are_different_and_of_the_grid(sizes, wanted):
    grid = {f"p{number}": list(range(size)) for number, size in enumerate(sizes)}
    everything = [tuple(one.values()) for one in combinations(grid)]
    drawn = [tuple(one.values()) for one in combinations(grid, random=wanted)]
    assert len(drawn) == min(wanted, len(everything)) == len(set(drawn))
    assert set(drawn) <= set(everything)


def test_a_sweep_without_end_is_refused():
    with pytest.raises(ParameterError, match="1,000,000 members"):
        combinations({"a": list(range(1000)), "b": list(range(1000))})


def test_the_key_depends_on_every_ingredient_and_the_change_is_named():
    same = {"code": "c", "parameters": {"a": 1}, "data": {"data": "f"}, "modules": {}, "environment": "e"}
    for part, other in {
        "code": "d",
        "parameters": {"a": 2},
        "data": {},
        "modules": {"m": "x"},
        "environment": "",
    }.items():
        assert run_key({**same, part: other}) != run_key(same)
        assert list(changed(same, {**same, part: other})) == [part]
    assert changed(same, {**same, "parameters": {"a": 2}}) == {"parameters": "parameters a"}
    assert changed(same, dict(same)) == {}


def test_local_modules_are_found_without_importing_them(tmp_path):
    (tmp_path / "mine.py").write_text("import json, package.inner\nraise RuntimeError\n")
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").write_text("")
    (tmp_path / "package" / "inner.py").write_text("import mine\n")
    found = local_modules(["import mine, numpy\n%matplotlib inline"], [tmp_path])
    assert list(found) == ["mine", "package", "package.inner"]
