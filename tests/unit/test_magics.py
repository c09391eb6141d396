"""What a line of ``%nbprod`` means, without a kernel."""

import pytest

import nbprod
from nbprod import magics
from nbprod.errors import ParameterError


def test_a_value_that_is_a_variable_is_handed_over_as_it_is():
    variables = {"columns": ["a", "b c"], "n": 3}
    values = magics._parameter_values(["drop={columns}", "note=n is {n}", "plain={", "rate=0.1"], variables)
    assert values == {"drop": ["a", "b c"], "note": "n is 3", "plain": "{", "rate": "0.1"}


@pytest.mark.parametrize(("text", "words"), [("x={gone}", "no variable gone"), ("x", "has no =")])
def test_what_cannot_be_a_value_is_named(text, words):
    with pytest.raises(ParameterError, match=words):
        magics._parameter_values([text], {})


def test_an_open_quotation_mark_is_named():
    with pytest.raises(ParameterError, match="No closing quotation"):
        magics._split("run train 'x")


def test_the_extension_is_found_on_the_package():
    assert nbprod.load_ipython_extension is magics.load_ipython_extension
    assert "load_ipython_extension" not in nbprod.__all__
