import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbprod.domain.schema import Column, ColumnKind, Schema
from nbprod.errors import SchemaError

FINITE = st.none() | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.text(max_size=9) | st.integers() | st.booleans()
COLUMNS = st.builds(
    Column,
    name=st.text(max_size=9),
    kind=st.sampled_from(ColumnKind),
    dtype=st.text(max_size=9),
    nullable=st.booleans(),
    low=FINITE,
    high=FINITE,
    categories=st.lists(VALUES, max_size=4).map(tuple),
)
SCHEMAS = st.builds(
    Schema,
    columns=st.lists(COLUMNS, max_size=5, unique_by=lambda column: column.name).map(tuple),
    target=st.text(max_size=9),
    task=st.sampled_from(["classification", "regression"]),
    classes=st.lists(VALUES, max_size=4).map(tuple),
    probabilistic=st.booleans(),
    time=st.none() | st.text(max_size=9),
)


@given(SCHEMAS)
def test_json_brings_it_back_equal(schema):
    assert Schema.from_json(schema.to_json()) == schema


def schema(**changes):
    columns = (Column(name="hour", kind=ColumnKind.INTEGER, dtype="int64", low=0, high=23),)
    return Schema(
        **{
            "columns": columns,
            "target": "class",
            "task": "classification",
            "classes": ("DOWN", "UP"),
            "probabilistic": True,
            **changes,
        }
    )


def test_outputs_depend_on_the_classes():
    assert schema().outputs == ("prediction", "probability")
    assert schema(classes=("a", "b", 3)).outputs == ("prediction", "probability_a", "probability_b", "probability_3")
    assert schema(probabilistic=False).outputs == ("prediction",)


def test_a_column_twice_is_refused():
    with pytest.raises(SchemaError, match="more than once: hour"):
        schema(columns=schema().columns * 2)


def test_an_unknown_task_is_refused():
    with pytest.raises(SchemaError, match="'ranking' is not a task"):
        schema(task="ranking")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 1}', "null"])
def test_other_text_is_no_schema(text):
    with pytest.raises(SchemaError, match="not a schema"):
        Schema.from_json(text)


def test_a_later_format_is_refused_with_the_way_out():
    later = json.dumps({**json.loads(schema().to_json()), "format": 2})
    with pytest.raises(SchemaError, match="Use a newer nbprod"):
        Schema.from_json(later)


def test_names_are_escaped_in_a_notebook():
    html = schema(columns=(Column(name="<script>", kind=ColumnKind.TEXT, dtype="str"),))._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html


def test_the_repr_says_what_it_is():
    assert repr(schema()) == "<Schema of 1 columns, classification of 'class'>"
    assert "0 to 23" in schema()._repr_html_()
