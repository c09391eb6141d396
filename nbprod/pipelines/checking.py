"""Refuses a pipeline that cannot go through, before anything of it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from nbprod.domain.names import nearest
from nbprod.domain.parameter import Parameter
from nbprod.domain.pipeline import Pipeline, Step
from nbprod.domain.reference import Reference, filled, is_single_reference, references
from nbprod.domain.type_rule import TypeRule, ValueKind
from nbprod.errors import NbprodError, ParameterError
from nbprod.notebook.annotations import rule_of_default
from nbprod.runs import Runs
from nbprod.runs.preparing import make_plan

__all__ = ["bind_inputs", "check", "notebook_path"]

# What a parameter may be for a result to fit; what is in a list or table is held against its type when it is known.
FITS = {
    "run": {ValueKind.STR},
    "package": {ValueKind.STR, ValueKind.MODEL},
    "version": {ValueKind.STR, ValueKind.MODEL},
    "metrics": {ValueKind.FLOAT, ValueKind.INT},
    "files": {ValueKind.STR, ValueKind.PATH, ValueKind.DATASET},
}


def bind_inputs(pipeline: Pipeline, given: Mapping[str, Any], *, from_text: bool) -> dict[str, Any]:
    """The value of every input: as given, of the type of its default, else its default.

    Raises
    ------
    ParameterError
        A name is unknown or a value is of another type.
    """
    values = dict(pipeline.inputs)
    for name, value in given.items():
        if name not in values:
            raise ParameterError(
                f"{name!r} is not an input of the pipeline {pipeline.name}", names=[name], hint=nearest(name, values)
            )
        declared = Parameter(name=name, rule=rule_of_default(values[name]), default_text=repr(values[name]))
        try:
            values[name] = declared.coerce(value, text=from_text)
        except ParameterError as error:
            raise ParameterError(
                error.message, names=[name], hint=f"Its default in {pipeline.name} says so."
            ) from None
    return values


def check(pipeline: Pipeline, inputs: Mapping[str, Any], runs: Runs) -> None:
    """Check every step as far as it can be without the results of another.

    Raises
    ------
    NotFoundError
        A template, notebook or data set is not there.
    ParameterError
        A parameter is unknown, missing or of the wrong type, or a result would not fit it.
    """
    for step in pipeline.steps:
        try:
            if step.notebook:
                _check_step(step, inputs, runs)
        except NbprodError as error:
            error.message = f"Step {step.name} of {pipeline.name}: {error.message}"
            raise


def notebook_path(notebook: str, runs: Runs) -> str:
    """A template's name, or the path of a notebook, which is below the workspace unless it is absolute."""
    return str(runs.root / notebook) if notebook.endswith(".ipynb") else notebook


def _check_step(step: Step, inputs: Mapping[str, Any], runs: Runs) -> None:
    source = runs.source(notebook_path(step.notebook, runs))
    declared = {parameter.name: parameter for parameter in source.parameters}
    later = {name: value for name, value in step.parameters.items() if any(one.step for one in references(value))}
    for name, value in later.items():
        if name not in declared:
            raise ParameterError(
                f"{name!r} is not a parameter of {step.notebook}", names=[name], hint=nearest(name, declared)
            )
        _check_fit(declared[name], value)
    now = {name: value for name, value in step.parameters.items() if name not in later}
    make_plan(
        replace(source, parameters=tuple(one for name, one in declared.items() if name not in later)),
        filled(now, lambda one: inputs[one.part]),
        from_text=False,
        kernel=runs.settings["kernels.name"],
        root=runs.root,
        resolve=runs.resolve,
    )


def _check_fit(parameter: Parameter, value: Any) -> None:
    if parameter.is_secret:
        raise ParameterError(f"{parameter.name} is a secret and cannot be a result of a step", names=[parameter.name])
    if not isinstance(value, str):
        return
    (first, *_) = (one for one in references(value) if one.step)
    wanted: set[ValueKind] = (
        FITS[first.part]
        if is_single_reference(value)
        else {ValueKind.STR, ValueKind.PATH, ValueKind.DATASET, ValueKind.MODEL}
    )
    if not _takes(parameter.rule, wanted):
        raise ParameterError(
            f"{parameter.name} = {value} cannot be: it must be {parameter.allowed}, and {_words(first, value)}",
            names=[parameter.name],
        )


def _takes(rule: TypeRule, wanted: set[ValueKind]) -> bool:
    if rule.kind is ValueKind.UNION:
        return any(_takes(one, wanted) for one in rule.inner)
    return rule.kind is ValueKind.ANY or rule.kind in wanted


def _words(reference: Reference, value: str) -> str:
    if not is_single_reference(value):
        return "this is a text"
    return {
        "run": "this is the id of a run",
        "package": "this is the digest of a package",
        "version": "this is a model version",
        "metrics": "this is a number",
        "files": "this is the path of a file",
    }[reference.part]
