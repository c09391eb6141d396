"""Which gates an evaluation in a pipeline is held against."""

import pytest

from nbprod.domain.pipeline import Pipeline
from nbprod.errors import SettingsError
from nbprod.gates import Gates
from nbprod.pipelines.service import with_gate_parameters

GATES = Gates({"electricity": {"metric": "accuracy", "min": 0.6}})


def pipeline(verdict="{judge.run}", **own):
    steps = {
        "train": {"template": "train"},
        "judge": {"template": "evaluate", "parameters": {"candidate": "{train.package}", **own}},
        "enter": {"register": "electricity", "parameters": {"package": "{train.package}", "verdict": verdict}},
    }
    return Pipeline.parse("weekly", {"steps": steps})


def test_a_verdict_for_a_registration_is_held_against_its_models_gates():
    judge = with_gate_parameters(pipeline(), GATES)["judge"]

    assert (judge.parameters["metric"], judge.parameters["min"]) == ("accuracy", 0.6)
    assert judge.parameters["candidate"] == "{train.package}"
    assert judge.needs == ("train",)


def test_an_evaluation_nobody_registers_by_keeps_its_own_numbers():
    steps = {"judge": {"template": "evaluate", "parameters": {"min": 0.1}}}

    assert with_gate_parameters(Pipeline.parse("weekly", {"steps": steps}), GATES)["judge"].parameters == {"min": 0.1}


def test_numbers_that_contradict_the_gates_are_refused_before_anything_runs():
    with pytest.raises(SettingsError, match=r"min=0\.1 contradicts the gate"):
        with_gate_parameters(pipeline(min=0.1), GATES)
