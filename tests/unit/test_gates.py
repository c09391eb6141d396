"""The policy of a model comes from its own table over the default one."""

from __future__ import annotations

import pytest

from nbprod.domain.gate import GatePolicy
from nbprod.errors import SettingsError
from nbprod.gates import Gates, policy_parameters


def test_a_models_table_lies_over_the_default():
    gates = Gates({"default": {"metric": "accuracy", "min": 0.6}, "electricity": {"min": 0.7}})

    assert gates.policy("electricity") == GatePolicy(metric="accuracy", min=0.7)
    assert gates.policy("churn") == GatePolicy(metric="accuracy", min=0.6)
    assert Gates().policy("churn") == GatePolicy()


def test_a_model_judged_by_an_error_drops_the_defaults_floor():
    gates = Gates({"default": {"min": 0.6}, "bikes": {"metric": "mae", "max": 60}})

    assert gates.policy("bikes") == GatePolicy(metric="mae", max=60)


def test_a_model_that_says_nothing_of_a_bound_keeps_the_defaults():
    gates = Gates({"default": {"min": 0.6}, "churn": {"min_gain": 0.01}, "strict": {"min": 0.9}})

    assert gates.policy("churn") == GatePolicy(min=0.6, min_gain=0.01)
    assert gates.policy("strict") == GatePolicy(min=0.9)
    with pytest.raises(SettingsError, match="both min and max"):
        Gates({"both": {"min": 0.5, "max": 0.9}})


@pytest.mark.parametrize(
    ("tables", "says"),
    [
        ({"min": 0.5}, "outside a model's table"),
        ({"churn": {"mini": 0.5}}, "[gates.churn] has an unknown key 'mini'"),
        ({"Churn!": {}}, "cannot be a model"),
    ],
)
def test_a_table_that_cannot_be_used_is_named(tables, says):
    with pytest.raises(SettingsError) as caught:
        Gates(tables)

    assert says in str(caught.value)


def test_a_policy_becomes_plain_parameters_and_cannot_be_contradicted():
    policy = GatePolicy(metric="accuracy", min=0.7)

    given = policy_parameters(policy, {"data": "electricity", "min": 0.7})

    assert given["data"] == "electricity"
    assert (given["min"], given["first"]) == (0.7, "pass")
    with pytest.raises(SettingsError, match="contradicts the gate"):
        policy_parameters(policy, {"min": 0.1})
