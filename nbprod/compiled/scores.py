"""Operations of estimators: weighted sums, links, and the ways to probabilities and labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from nbprod.compiled.arithmetic import exp, exp_of, log, log_of, sigmoid, sigmoid_of
from nbprod.compiled.numbers import Run

__all__ = ["SCORE_OPERATIONS"]

Params = Mapping[str, Any]
FEW = 400  #: products up to which a loop over numbers beats calls of numpy


def linear(params: Params, many: bool) -> Run:  # noqa: FBT001
    """For each output the sum of weight times column, from the first column to the last, and its intercept."""
    weights: np.ndarray = params["weights"]  # outputs by columns
    intercepts = params["intercepts"].tolist()
    rows = weights.tolist()
    if many:

        def of_many(xs: list[np.ndarray]) -> list[Any]:
            made = []
            for row, intercept in zip(rows, intercepts, strict=True):
                total = np.zeros(len(xs[0]))
                for x, weight in zip(xs, row, strict=True):
                    total += x * weight
                made.append(total + intercept)
            return made

        return of_many
    if weights.size > FEW:

        def of_wide(xs: list[float]) -> list[Any]:
            totals = np.add.accumulate(np.array(xs) * weights, axis=1)[:, -1].tolist()
            return [(0.0 + total) + intercept for total, intercept in zip(totals, intercepts, strict=True)]

        return of_wide

    def of_one(xs: list[float]) -> list[Any]:
        made = []
        for row, intercept in zip(rows, intercepts, strict=True):
            total = 0.0
            for x, weight in zip(xs, row, strict=True):
                total += x * weight
            made.append(total + intercept)
        return made

    return of_one


def two(params: Params, many: bool) -> Run:  # noqa: FBT001, ARG001
    """Of the second class's probability those of both."""
    return lambda xs: [1.0 - xs[0], xs[0]]


def second(params: Params, many: bool) -> Run:  # noqa: FBT001
    """Of one score the probabilities of two classes by the logistic function."""
    function: Any = sigmoid_of if many else sigmoid
    del params

    def run(xs: list[Any]) -> list[Any]:
        p = function(xs[0])
        return [1.0 - p, p]

    return run


def softmax(params: Params, many: bool) -> Run:  # noqa: FBT001, ARG001
    """Of a score for each class their probabilities."""
    if many:

        def of_many(xs: list[np.ndarray]) -> list[Any]:
            highest = np.maximum.reduce(xs)
            raised = [exp_of(x - highest) for x in xs]
            total = raised[0]
            for one in raised[1:]:
                total = total + one
            return [one / total for one in raised]

        return of_many

    def of_one(xs: list[float]) -> list[Any]:
        highest = max(xs)
        raised = [exp(x - highest) for x in xs]
        total = raised[0]
        for one in raised[1:]:
            total = total + one
        return [one / total for one in raised]

    return of_one


def shares(params: Params, many: bool) -> Run:  # noqa: FBT001
    """Each column as a share of their sum; of no sum, all the same."""
    del params

    def run(xs: list[Any]) -> list[Any]:
        total = xs[0]
        for x in xs[1:]:
            total = total + x
        even = 1.0 / len(xs)
        if many:
            nothing = total == 0.0
            safe = np.where(nothing, 1.0, total)
            return [np.where(nothing, even, x / safe) for x in xs]
        return [x / total for x in xs] if total != 0.0 else [even for _ in xs]

    return run


def softened(params: Params, many: bool) -> Run:  # noqa: FBT001
    """Scores of the modified Huber loss as shares of one (Zadrozny and Elkan, 2002)."""
    del params

    def run(xs: list[Any]) -> list[Any]:
        if many:
            return [(np.minimum(np.maximum(x, -1.0), 1.0) + 1.0) / 2.0 for x in xs]
        return [(min(max(x, -1.0), 1.0) + 1.0) / 2.0 for x in xs]

    return run


def above(params: Params, many: bool) -> Run:  # noqa: FBT001
    """The position of the class: 1 where the score is above zero (or equal, where that counts), else 0."""
    equal = bool(params.get("equal", False))
    if many:
        return lambda xs: [(xs[0] >= 0.0 if equal else xs[0] > 0.0).astype(np.int64)]
    return lambda xs: [int(xs[0] >= 0.0 if equal else xs[0] > 0.0)]


def largest(params: Params, many: bool) -> Run:  # noqa: FBT001, ARG001
    """The position of the largest column, the first of equal ones."""
    if many:
        return lambda xs: [np.argmax(np.array(xs), axis=0)]
    return lambda xs: [xs.index(max(xs))]


def mean(params: Params, many: bool) -> Run:  # noqa: FBT001, ARG001
    """The mean of several registers, column by column, with weights where there are some."""
    weights = params["weights"].tolist()
    total = params["total"]

    def run(*registers: list[Any]) -> list[Any]:
        made = []
        for columns in zip(*registers, strict=True):
            value = columns[0] * weights[0]
            for column, weight in zip(columns[1:], weights[1:], strict=True):
                value = value + column * weight
            made.append(value / total)
        return made

    return run


def votes(params: Params, many: bool) -> Run:  # noqa: FBT001
    """For each class what the members add whose label it is, and what the others add."""
    hits, misses, classes = params["hits"].tolist(), params["misses"].tolist(), int(params["classes"])

    def run(*registers: list[Any]) -> list[Any]:
        made: list[Any] = [np.zeros(len(registers[0][0])) if many else 0.0 for _ in range(classes)]
        for (label,), hit, miss in zip(registers, hits, misses, strict=True):
            for k in range(classes):
                made[k] = made[k] + (np.where(label == k, hit, miss) if many else hit if label == k else miss)
        return made

    return run


def likelihoods(params: Params, many: bool) -> Run:  # noqa: FBT001, ARG001
    """For each class the logarithm of its prior and of the normal densities of the columns, up to what all share."""
    prior, means, variances = params["prior"].tolist(), params["means"].tolist(), params["variances"].tolist()
    constants = params["constants"].tolist()

    def run(xs: list[Any]) -> list[Any]:
        made = []
        for weight, constant, row, spread in zip(prior, constants, means, variances, strict=True):
            total: Any = 0.0
            for x, m, v in zip(xs, row, spread, strict=True):
                total = total + (x - m) * (x - m) / v
            made.append(weight + (constant - 0.5 * total))
        return made

    return run


def logits(params: Params, many: bool) -> Run:  # noqa: FBT001
    """Logarithms of probabilities, kept from minus infinity by a small number."""
    small = float(params["small"])
    function: Any = log_of if many else log
    return lambda xs: [function(x + small) for x in xs]


#: By name, for plans.
SCORE_OPERATIONS: dict[str, Callable[[Params, bool], Run]] = {
    "above": above,
    "largest": largest,
    "likelihoods": likelihoods,
    "linear": linear,
    "logits": logits,
    "mean": mean,
    "second": second,
    "shares": shares,
    "softened": softened,
    "softmax": softmax,
    "two": two,
    "votes": votes,
}
