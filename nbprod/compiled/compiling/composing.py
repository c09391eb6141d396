"""Compiles estimators made of others: votes, stacks, calibration, bags, searches and transformed targets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from nbprod.compiled.compiling.arranging import pipeline_answers
from nbprod.compiled.compiling.building import (
    Answers,
    Block,
    Builder,
    Field,
    NotCompiledError,
    floats,
    numbers_only,
    once,
)
from nbprod.compiled.compiling.linear import Estimate
from nbprod.compiled.compiling.preparing import function_name

__all__ = ["COMPOSED"]


def _members(builder: Builder, members: Sequence[Any], block: Block, where: str) -> list[Answers]:
    return [
        builder.answers(builder, member, block, f"{where} › {number}" if where else str(number))  # noqa: RUF001
        for number, member in enumerate(members)
    ]


def _mean(builder: Builder, registers: Callable[[], Sequence[int]], weights: Any, count: int) -> Callable[[], int]:
    plain = np.ones(count) if weights is None else floats(weights)
    return once(lambda: builder.add("mean", *registers(), weights=plain, total=float(plain.sum())))


def _asked(answers: Answers, name: str, where: str) -> int:
    found = getattr(answers, name)
    if found is None:
        raise NotCompiledError(where, f"a member gives no {name}")
    made: int = found()
    return made


def voting_classifier(builder: Builder, part: Any, block: Block, where: str) -> Answers:
    """The mean of probabilities, or the most votes."""
    members = _members(builder, part.estimators_, block, where)
    weights, classes = part._weights_not_none, tuple(part.classes_)  # noqa: SLF001 — those of dropped members left out
    if part.voting == "soft":
        shares = _mean(builder, lambda: [_asked(m, "probabilities", where) for m in members], weights, len(members))
        return Answers(probabilities=shares, label=once(lambda: builder.add("largest", shares())), classes=classes)
    hits = np.ones(len(members)) if weights is None else floats(weights)

    def label() -> int:
        labels = [_asked(member, "label", where) for member in members]
        counted = builder.add("votes", *labels, hits=hits, misses=np.zeros(len(hits)), classes=len(classes))
        return builder.add("largest", counted)

    return Answers(label=once(label), classes=classes)


def voting_regressor(builder: Builder, part: Any, block: Block, where: str) -> Answers:
    """The mean of the members."""
    members = _members(builder, part.estimators_, block, where)
    weights = part._weights_not_none  # noqa: SLF001
    return Answers(value=_mean(builder, lambda: [_asked(m, "value", where) for m in members], weights, len(members)))


def stacking(builder: Builder, part: Any, block: Block, where: str) -> Answers:
    """A last estimator over the answers of the first ones."""
    blocks: list[Block] = []
    for number, (answers, method) in enumerate(
        zip(_members(builder, part.estimators_, block, where), part.stack_method_, strict=True)
    ):
        width = 1
        if method == "predict":
            register = _asked(answers, "value" if answers.value else "label", where)
        elif method == "predict_proba":
            register, width = _asked(answers, "probabilities", where), len(answers.classes)
            if width == 2:  # the first one says nothing more
                register, width = builder.add("take", register, columns=[1]), 1
        else:
            register = _asked(answers, "decision", where)
            width = 1 if len(answers.classes) <= 2 else len(answers.classes)
        blocks.append(Block(register=register, fields=tuple(Field(name=f"{number} {k}") for k in range(width))))
    if part.passthrough:
        numbers_only(block, where)
        blocks.append(block)
    last = builder.answers(builder, part.final_estimator_, builder.joined(blocks), where)
    if not hasattr(part, "classes_"):
        return last
    return Answers(
        decision=last.decision, probabilities=last.probabilities, label=last.label, classes=tuple(part.classes_)
    )


def calibrated(builder: Builder, part: Any, block: Block, where: str) -> Answers:
    """The mean of calibrated classifiers."""
    members = part.calibrated_classifiers_
    classes = tuple(part.classes_)

    def shares() -> int:
        return builder.add(
            "mean",
            *(_calibrated(builder, member, block, where) for member in members),
            weights=np.ones(len(members)),
            total=float(len(members)),
        )

    made = once(shares)
    return Answers(probabilities=made, label=once(lambda: builder.add("largest", made())), classes=classes)


def _calibrated(builder: Builder, member: Any, block: Block, where: str) -> int:
    answers = builder.answers(builder, member.estimator, block, where)
    classes = len(member.classes)
    if len(answers.classes) != classes:
        raise NotCompiledError(where, "a fold has not seen every class")
    is_decision = answers.decision is not None
    register = _asked(answers, "decision" if is_decision else "probabilities", where)
    if member.method == "temperature":
        return _cooled(builder, member.calibrators[0], register, classes, is_decision=is_decision)
    if classes == 2:
        one = register if is_decision else builder.add("take", register, columns=[1])
        return builder.add("two", _calibrator(builder, member.calibrators[0], one, where))
    columns = [
        _calibrator(builder, calibrator, builder.add("take", register, columns=[number]), where)
        for number, calibrator in enumerate(member.calibrators)
    ]
    return builder.add("shares", builder.add("join", *columns))


def _calibrator(builder: Builder, part: Any, register: int, where: str) -> int:
    name = type(part).__name__
    if name == "_SigmoidCalibration":
        sloped = builder.add("multiply", register, values=np.array([float(part.a_)]))
        moved = builder.add("add", sloped, values=np.array([float(part.b_)]))
        return builder.add("apply", builder.add("apply", moved, function="negative"), function="sigmoid")
    if name == "IsotonicRegression" and part.out_of_bounds == "clip":
        return builder.add("interpolate", register, x=[floats(part.X_thresholds_)], y=[floats(part.y_thresholds_)])
    raise NotCompiledError(where, f"the calibrator {name} has no compiled form")


def _cooled(builder: Builder, part: Any, register: int, classes: int, *, is_decision: bool) -> int:
    if not is_decision:
        register = builder.add("logits", register, small=float(np.finfo(np.float64).eps))
    elif classes == 2:
        register = builder.add("join", builder.add("apply", register, function="negative"), register)
    scaled = builder.add("multiply", register, values=np.full(classes, float(part.beta_)))
    return builder.add("softmax", scaled)


def bagging(builder: Builder, part: Any, block: Block, where: str) -> Answers:
    """The mean of members fitted on samples of rows and columns."""
    members = [
        builder.answers(builder, member, builder.chosen(block, [int(one) for one in columns]), where)
        for member, columns in zip(part.estimators_, part.estimators_features_, strict=True)
    ]
    if not hasattr(part, "classes_"):
        return Answers(value=_mean(builder, lambda: [_asked(m, "value", where) for m in members], None, len(members)))
    if any(len(member.classes) != len(part.classes_) for member in members):
        raise NotCompiledError(where, "a member has not seen every class")
    shares = _mean(builder, lambda: [_asked(m, "probabilities", where) for m in members], None, len(members))
    return Answers(
        probabilities=shares,
        label=once(lambda: builder.add("largest", shares())),
        classes=tuple(part.classes_),
    )


def ada_boost(builder: Builder, part: Any, block: Block, where: str) -> Answers:
    """Weighted votes (SAMME: Zhu and others, 2009)."""
    members = _members(builder, part.estimators_, block, where)
    classes = tuple(part.classes_)
    count, weights = len(classes), floats(part.estimator_weights_)[: len(members)]
    if any(member.classes != classes for member in members):
        raise NotCompiledError(where, "a member has not seen every class")

    def sums() -> int:
        labels = [_asked(member, "label", where) for member in members]
        misses = -1.0 / (count - 1) * weights
        voted = builder.add("votes", *labels, hits=weights, misses=misses, classes=count)
        shared = builder.add("divide", voted, values=np.full(count, weights.sum()))
        if count > 2:
            return shared
        mirrored = builder.add("multiply", shared, values=np.array([-1.0, 1.0]))
        return builder.add("linear", mirrored, weights=np.ones((1, 2)), intercepts=np.zeros(1))

    decision = once(sums)

    def shares() -> int:
        if count == 2:
            pair = builder.add("join", builder.add("apply", decision(), function="negative"), decision())
            return builder.add("softmax", builder.add("divide", pair, values=np.full(2, 2.0)))
        return builder.add("softmax", builder.add("divide", decision(), values=np.full(count, count - 1.0)))

    label = once(lambda: builder.add("above" if count == 2 else "largest", decision()))
    return Answers(decision=decision, probabilities=once(shares), label=label, classes=classes)


def transformed_target(builder: Builder, part: Any, block: Block, where: str) -> Answers:
    """A regressor whose target was transformed; its answers are transformed back."""
    inside = builder.answers(builder, part.regressor_, block, where)
    back = part.transformer_
    name = type(back).__name__

    def value() -> int:
        register = _asked(inside, "value", where)
        if name == "FunctionTransformer":
            if back.inverse_func is None:
                return register
            function = function_name(back.inverse_func)
            if function is None or back.inv_kw_args:
                shown = getattr(back.inverse_func, "__name__", type(back.inverse_func).__name__)
                raise NotCompiledError(where, f"the inverse function {shown} is code")
            return builder.add("apply", register, function=function)
        if name == "MinMaxScaler":
            register = builder.add("shift", register, values=floats(back.min_))
            return builder.add("divide", register, values=floats(back.scale_))
        if name in {"StandardScaler", "RobustScaler", "MaxAbsScaler"}:
            if getattr(back, "scale_", None) is not None:
                register = builder.add("multiply", register, values=floats(back.scale_))
            middle = getattr(back, "mean_" if name == "StandardScaler" else "center_", None)
            used = getattr(back, "with_mean", True)
            return register if middle is None or not used else builder.add("add", register, values=floats(middle))
        raise NotCompiledError(where, f"the target's {name} has no compiled inverse")

    return Answers(value=once(value))


def best_of_search(builder: Builder, part: Any, block: Block, where: str) -> Answers:
    """What a search has found."""
    return builder.answers(builder, part.best_estimator_, block, where)


def frozen(builder: Builder, part: Any, block: Block, where: str) -> Answers:
    """An estimator that is not fitted again."""
    return builder.answers(builder, part.estimator, block, where)


def threshold(builder: Builder, part: Any, block: Block, where: str) -> Answers:
    """A classifier of two classes with a threshold of its own."""
    inside = builder.answers(builder, part.estimator_, block, where)
    found = getattr(part, "best_threshold_", getattr(part, "threshold", 0.5))
    method = part.response_method
    if isinstance(found, str):
        found = 0.5 if inside.probabilities is not None and method != "decision_function" else 0.0
    if getattr(part, "pos_label", None) not in {None, inside.classes[1]}:
        raise NotCompiledError(where, "its positive class is the first one")
    use_shares = method == "predict_proba" or (method == "auto" and inside.probabilities is not None)

    def label() -> int:
        if use_shares:
            score = builder.add("take", _asked(inside, "probabilities", where), columns=[1])
        else:
            score = _asked(inside, "decision", where)
        return builder.add("above", builder.add("shift", score, values=np.array([float(found)])), equal=True)

    return Answers(
        decision=inside.decision, probabilities=inside.probabilities, label=once(label), classes=inside.classes
    )


#: By the name of the class.
COMPOSED: dict[str, Estimate] = {
    "AdaBoostClassifier": ada_boost,
    "BaggingClassifier": bagging,
    "BaggingRegressor": bagging,
    "CalibratedClassifierCV": calibrated,
    "FixedThresholdClassifier": threshold,
    "FrozenEstimator": frozen,
    "GridSearchCV": best_of_search,
    "HalvingGridSearchCV": best_of_search,
    "HalvingRandomSearchCV": best_of_search,
    "Pipeline": pipeline_answers,
    "RandomizedSearchCV": best_of_search,
    "StackingClassifier": stacking,
    "StackingRegressor": stacking,
    "TransformedTargetRegressor": transformed_target,
    "TunedThresholdClassifierCV": threshold,
    "VotingClassifier": voting_classifier,
    "VotingRegressor": voting_regressor,
}
