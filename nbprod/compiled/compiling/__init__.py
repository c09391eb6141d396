"""From a fitted pipeline to a plan, or to the reason why it has none; reads fitted attributes and runs nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nbprod.compiled.compiling.arranging import ARRANGERS
from nbprod.compiled.compiling.boosters import BOOSTERS
from nbprod.compiled.compiling.building import Answers, Block, Builder, Field, NotCompiledError, of_scikit_learn
from nbprod.compiled.compiling.composing import COMPOSED
from nbprod.compiled.compiling.encoding import ENCODERS
from nbprod.compiled.compiling.growing import TREES
from nbprod.compiled.compiling.linear import LINEAR
from nbprod.compiled.compiling.preparing import NUMBERS
from nbprod.compiled.plan import Input, Plan
from nbprod.domain.schema import Column, ColumnKind, Schema

__all__ = ["NotCompiledError", "compile_model"]

TRANSFORMS = {**NUMBERS, **ENCODERS, **ARRANGERS}
ESTIMATES = {**LINEAR, **TREES, **BOOSTERS, **COMPOSED}
KEEPS_ROWS = "it keeps the training rows, which a compiled model does not"
REASONS = {
    "KNNImputer": KEEPS_ROWS,
    "KNeighborsClassifier": KEEPS_ROWS,
    "KNeighborsRegressor": KEEPS_ROWS,
    "RadiusNeighborsClassifier": KEEPS_ROWS,
    "RadiusNeighborsRegressor": KEEPS_ROWS,
}


def compile_model(model: Any, schema: Schema, *, private: Sequence[str] = ()) -> Plan:
    """Compile a fitted estimator or pipeline.

    Parameters
    ----------
    model
        Fitted, of scikit-learn.
    schema
        What it takes and gives.
    private
        Columns whose values must not stand in the plan.

    Raises
    ------
    NotCompiledError
        Naming the step that has no compiled form, and why.
    """
    builder = Builder(transform=_transform, answers=_answers)
    inputs = tuple(Input(name=column.name, kind=_kind(column)) for column in schema.columns)
    fields = tuple(Field(name=one.name, kind=one.kind, is_private=one.name in private) for one in inputs)
    block = Block(register=0, fields=fields)
    answers = _answers(builder, model, _as_fitted(builder, model, block), "")
    if schema.task == "regression":
        if answers.value is None:
            raise NotCompiledError("", f"{type(model).__name__} predicts no number")
        prediction, probabilities, classes = answers.value(), None, ()
    else:
        if answers.label is None:
            raise NotCompiledError("", f"{type(model).__name__} predicts no class")
        if schema.probabilistic and answers.probabilities is None:
            raise NotCompiledError("", f"the probabilities of {type(model).__name__} have no compiled form")
        prediction = answers.label()
        asked = answers.probabilities if schema.probabilistic else None
        probabilities = asked() if asked is not None else None
        classes = tuple(_plain(one) for one in (schema.classes or answers.classes))
    return Plan(
        inputs=inputs,
        steps=tuple(builder.steps),
        prediction=prediction,
        probabilities=probabilities,
        classes=classes,
        is_single=builder.is_single,
    )


def _as_fitted(builder: Builder, model: Any, block: Block) -> Block:
    """The columns in the order the model was fitted on."""
    fitted = getattr(model, "feature_names_in_", None)
    names = [one.name for one in block.fields]
    if fitted is None or list(map(str, fitted)) == names:
        return block
    if sorted(map(str, fitted)) != sorted(names):
        raise NotCompiledError("", "it was fitted on other columns than the schema has")
    return builder.chosen(block, [names.index(str(name)) for name in fitted])


def _transform(builder: Builder, part: Any, block: Block, where: str) -> Block:
    found = TRANSFORMS.get(of_scikit_learn(part))
    if found is None:
        raise NotCompiledError(*_unknown(part, where))
    return found(builder, part, block, where)


def _answers(builder: Builder, part: Any, block: Block, where: str) -> Answers:
    found = ESTIMATES.get(of_scikit_learn(part))
    if found is None:
        raise NotCompiledError(*_unknown(part, where))
    return found(builder, part, block, where)


def _unknown(part: Any, where: str) -> tuple[str, str]:
    name = type(part).__name__
    return where or name, f"{name} has no compiled form" if name not in REASONS else f"{name}: {REASONS[name]}"


def _kind(column: Column) -> str:
    if column.kind in {ColumnKind.NUMBER, ColumnKind.INTEGER, ColumnKind.BOOLEAN}:
        return "number"
    if column.kind is ColumnKind.DATETIME:
        return "moment"
    is_numeric = bool(column.categories) and not any(isinstance(value, str) for value in column.categories)
    return "number" if is_numeric else "text"


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value
