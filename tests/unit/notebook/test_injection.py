import ast
import copy
import math
import sys
import types
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import nbformat
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from IPython.core.inputtransformer2 import TransformerManager

from nbprod.domain.markers import Secret
from nbprod.domain.parameter import is_parameter_name
from nbprod.errors import ParameterError
from nbprod.notebook.injection import inject, injected_source, literal


def notebook(*cells):
    made = [nbformat.v4.new_markdown_cell("# Title", id="title")]
    for cell_id, source, tags in cells:
        made.append(nbformat.v4.new_code_cell(source, id=cell_id, metadata={"tags": tags}))
    return nbformat.v4.new_notebook(cells=made)


@pytest.fixture(scope="module", autouse=True)
def markers_in_nbprod():
    """The injected cell says ``from nbprod import Secret``."""
    import nbprod

    if "Secret" not in dir(nbprod):
        nbprod.Secret = Secret


def run(source):
    """Execute a cell as a kernel would, after IPython has looked for magics in it."""
    namespace = {}
    exec(compile(TransformerManager().transform_cell(source), "cell", "exec"), namespace)
    return namespace


def same(one, other):
    if type(one) is not type(other):
        return False
    if isinstance(one, float):
        return (one == other and math.copysign(1, one) == math.copysign(1, other)) or (
            math.isnan(one) and math.isnan(other)
        )
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return same(list(one), list(other)) and same(list(one.values()), list(other.values()))
    return one == other


keys = st.text() | st.integers() | st.booleans() | st.none() | st.dates()
leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    | st.dates()
    | st.datetimes(timezones=st.none() | st.timedeltas(timedelta(hours=-23), timedelta(hours=23)).map(timezone))
    | st.text(min_size=1).map(Path)
    | st.text(st.characters(categories=["Lu", "Ll"]), min_size=1).map(lambda name: Secret(f"file:{name}'\"\\"))
)
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)


@given(values)
def test_every_value_comes_back_exactly_or_is_refused(value):
    try:
        source = injected_source({"x": value})
    except ParameterError as error:
        assert "no whole number of seconds" in error.message  # noqa: PT017 — nothing else may be refused
    else:
        assert same(run(source)["x"], value)


@given(st.text())
def test_no_text_runs_as_code_or_as_a_magic(words):
    """One comment and one assignment of a constant, whatever the text says."""
    source = injected_source({"x": words})
    assert TransformerManager().transform_cell(source) == source + "\n"
    (statement,) = ast.parse(source).body
    assert isinstance(statement, ast.Assign)
    assert isinstance(statement.value, ast.Constant)
    assert statement.value.value == words


@given(st.text())
def test_a_name_is_an_identifier_or_is_refused(name):
    if is_parameter_name(name):
        assert injected_source({name: 1}) == f"# Parameters\n{name} = 1"
        assert run(injected_source({name: 1}))[name] == 1
    else:
        with pytest.raises(ParameterError) as caught:
            injected_source({name: 1})
        assert caught.value.names == (name,)


@pytest.mark.parametrize("name", ["x; print(1)", "class", "a b", "", "__builtins__", "x=1\ny", "ﬁ", None])
def test_a_name_that_could_do_harm_is_refused(name):
    with pytest.raises(ParameterError, match="cannot be the name of a parameter"):
        inject(notebook(), {name: 1})


class Sly(str):
    __slots__ = ()

    def __repr__(self):
        return "__import__('os').abort()"


class SlyList(list):
    def __repr__(self):
        return "__import__('os').abort()"


@pytest.mark.parametrize(
    "value", [Sly("x"), [SlyList()], object(), len, {1: Sly()}, 1j, types.SimpleNamespace(), np.arange(3)]
)
def test_a_value_without_a_literal_is_refused(value):
    with pytest.raises(ParameterError, match="x cannot be written into the notebook"):
        injected_source({"x": value})


def test_a_knot_is_refused():
    knot = []
    knot.append(knot)
    with pytest.raises(ParameterError, match="nested too deeply"):
        injected_source({"x": knot})


def test_values_at_the_edges_come_back():
    for value in (10**5000, -(2**40_000), sys.maxsize, "\ud800", "a\u2028b", "%%bash\n!ls", set(), {3, 1}):
        assert run(injected_source({"x": value}))["x"] == value


def test_numpy_numbers_become_numbers():
    assert literal([np.float64(0.1), np.int64(3), np.bool_(True), np.str_("a")]) == "[0.1, 3, True, 'a']"


def test_the_readers_own_datetime_and_path_are_not_replaced():
    source = injected_source({"start": date(2026, 1, 31), "at": datetime(2026, 1, 31, tzinfo=UTC), "file": Path("x")})
    assert run("datetime = Path = 'mine'\n" + source)["datetime"] == "mine"
    assert run("datetime = Path = 'mine'\n" + source)["Path"] == "mine"


def test_values_come_right_behind_the_parameters():
    before = notebook(("imports", "import os", []), ("parameters", "x: int = 1", ["parameters"]), ("work", "x", []))
    kept = copy.deepcopy(before)
    after = inject(before, {"x": 2})
    assert [cell.id for cell in after.cells] == ["title", "imports", "parameters", "injected-parameters", "work"]
    assert after.cells[3].source == "# Parameters\nx = 2"
    assert after.cells[3].metadata.tags == ["injected-parameters"]
    assert before == kept
    nbformat.validate(after)


def test_an_earlier_injected_cell_is_replaced():
    twice = inject(inject(notebook(("p", "x = 1", ["parameters"])), {"x": 2}), {"x": 3})
    assert [cell.id for cell in twice.cells] == ["title", "p", "injected-parameters"]
    assert twice.cells[2].source.endswith("x = 3")


def test_without_parameters_the_values_come_before_the_first_code():
    after = inject(notebook(("work", "1", [])), {"x": 2})
    assert [cell.id for cell in after.cells] == ["title", "injected-parameters", "work"]


def test_a_cell_that_took_the_id_keeps_it():
    after = inject(notebook(("injected-parameters", "1", [])), {"x": 2})
    assert [cell.id for cell in after.cells] == ["title", "injected-parameters-2", "injected-parameters"]


def test_a_secret_is_written_as_its_reference():
    template = notebook(("parameters", "token: Secret = Secret('env:A')", ["parameters"]))
    after = inject(template, {"token": Secret("env:DB_TOKEN")})
    assert after.cells[2].source == "# Parameters\nfrom nbprod import Secret\ntoken = Secret('env:DB_TOKEN')"
    with pytest.raises(ParameterError, match="token is not a reference") as caught:
        inject(template, {"token": "hunter2"})
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("float", math.inf),
        ("set", set()),
        ("_Path", Path("x")),
        ("_datetime", date(2026, 1, 31)),
        ("Secret", Secret("env:A")),
    ],
)
def test_a_name_that_a_literal_calls_is_refused_only_then(name, value):
    assert run(injected_source({name: 5}))[name] == 5
    with pytest.raises(ParameterError, match=f"'{name}' cannot be the name"):
        injected_source({name: 5, "x": [value]})
