"""A verdict that a registration names is held against the gates of the model it registers."""

from __future__ import annotations

from dataclasses import replace

from nbprod.domain.pipeline import Pipeline, Step
from nbprod.domain.reference import references
from nbprod.gates import Gates, policy_parameters

__all__ = ["gated"]

JUDGE = "evaluate"


def gated(pipeline: Pipeline, gates: Gates) -> Pipeline:
    """The pipeline, whose evaluations for a registration have the parameters its model's gates ask for.

    An evaluation by other numbers than the gates' would be no evidence when the version is to be promoted.

    Raises
    ------
    SettingsError
        A step's own parameter contradicts the gates.
    """
    judged: dict[str, str] = {}  # model by step
    for step in pipeline.steps:
        if step.register:
            judged |= {one.step: step.register for one in references(step.parameters.get("verdict", "")) if one.step}

    def with_gates(step: Step) -> Step:
        if step.notebook != JUDGE or step.name not in judged:
            return step
        return replace(step, parameters=policy_parameters(gates.policy(judged[step.name]), step.parameters))

    return replace(pipeline, steps=tuple(map(with_gates, pipeline.steps)))
