"""Parameters that name columns: tied to a data set when they are declared, held against it before anything starts."""

import pytest

from nbprod.domain.column_names import check_columns
from nbprod.domain.names import nearest
from nbprod.errors import NotebookError, ParameterError
from nbprod.notebook.parameters import parse_parameters

CELL = """
data: Dataset = "sales"
test_data: nbprod.Dataset | None = None
target: Column = "Price"
time: Literal["auto"] | Column | None = "auto"
drop: list[Column] = []
weights: dict[Column, float] = {}
pair: tuple[Column, int] | None = None
other: Annotated[str, ColumnOf("test_data")] | None = None
note: str = "price"
"""
COLUMNS = {"data": ("Price", "Day", "Größe"), "test_data": ("price",)}


def check(**given):
    parameters = parse_parameters(CELL)
    values = {one.name: one.default for one in parameters} | given
    check_columns(parameters, values, COLUMNS)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"time": None},
        {"time": "Day"},
        {"drop": ["Day", "Größe"]},
        {"weights": {"Day": 2.0}},
        {"pair": ("Day", 1)},
        {"other": "price"},
        {"note": "nothing"},
    ],
)
def test_what_is_there_or_no_column_at_all_is_let_through(given):
    check(**given)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"target": "PRICE"}, "Did you mean Price?"),
        ({"target": "prise"}, "Did you mean Price?"),
        ({"time": "DAY"}, "Did you mean Day?"),
        ({"drop": ["Day", "GRÖSSE"]}, "Did you mean Größe?"),
        ({"weights": {"dy": 1.0}}, "Did you mean Day?"),
        ({"pair": ("prc", 1)}, "Did you mean Price?"),
        ({"other": "Price"}, "Did you mean price?"),
    ],
)
def test_a_mistyped_column_is_refused_with_the_nearest_regardless_of_case(given, words):
    with pytest.raises(ParameterError) as refused:
        check(**given)
    assert words in refused.value.hint
    assert refused.value.names == tuple(given)


def test_all_wrong_names_are_told_at_once():
    with pytest.raises(ParameterError) as refused:
        check(target="x", drop=["y", "z"])
    assert len(refused.value.message.splitlines()) == 3


def test_data_that_are_not_known_yet_are_not_held_against():
    check_columns(parse_parameters(CELL), {"target": "anything"}, {"test_data": ("price",)})


def test_a_data_set_that_is_no_parameter_is_refused_when_the_notebook_is_read():
    with pytest.raises(NotebookError, match=r"ColumnOf..dat.. names no Dataset"):
        parse_parameters('data: Dataset = "x"\ncolumn: Annotated[str, ColumnOf("dat")] = "y"')


def test_the_nearest_name_is_found_whatever_the_case():
    assert nearest("CUSTOMERID", ["customerId", "custom", "name"]).startswith("Did you mean customerId?")
