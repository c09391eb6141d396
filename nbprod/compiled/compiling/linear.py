"""Compiles linear models and their kin: weights, links, normal densities, layers of neurons, constants."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nbprod.compiled.compiling.building import (
    Answers,
    Block,
    Builder,
    NotCompiledError,
    floats,
    numbered,
    numbers_only,
    once,
)

__all__ = ["LINEAR", "Estimate"]

Estimate = Callable[[Builder, Any, Block, str], Answers]

REGRESSORS = (
    "ARDRegression",
    "BayesianRidge",
    "ElasticNet",
    "ElasticNetCV",
    "HuberRegressor",
    "Lars",
    "LarsCV",
    "Lasso",
    "LassoCV",
    "LassoLars",
    "LassoLarsCV",
    "LassoLarsIC",
    "LinearRegression",
    "LinearSVR",
    "OrthogonalMatchingPursuit",
    "OrthogonalMatchingPursuitCV",
    "PassiveAggressiveRegressor",
    "QuantileRegressor",
    "Ridge",
    "RidgeCV",
    "SGDRegressor",
    "TheilSenRegressor",
)
GENERAL = ("GammaRegressor", "PoissonRegressor", "TweedieRegressor")
CLASSIFIERS = (
    "LinearDiscriminantAnalysis",
    "LinearSVC",
    "LogisticRegression",
    "LogisticRegressionCV",
    "PassiveAggressiveClassifier",
    "Perceptron",
    "RidgeClassifier",
    "RidgeClassifierCV",
    "SGDClassifier",
)
LINKS = {"IdentityLink": None, "LogLink": "exp"}


def linear_scores(builder: Builder, block: Block, coefficients: Any, intercepts: Any, where: str) -> int:
    """The register of the weighted sums."""
    weights = np.atleast_2d(np.array(coefficients, dtype=np.float64))
    if weights.shape[1] != len(block):
        raise NotCompiledError(where, f"it has {weights.shape[1]} weights and is given {len(block)} columns")
    given = builder.made("finite", block, missing=False)
    offsets = np.broadcast_to(floats(intercepts), (len(weights),)).copy()
    return builder.made("linear", given, numbered(len(weights)), weights=weights, intercepts=offsets).register


def regressor(builder: Builder, part: Any, block: Block, where: str) -> Answers:
    """One weighted sum."""
    numbers_only(block, where)
    if np.ndim(part.coef_) > 1 and len(part.coef_) > 1:
        raise NotCompiledError(where, "it predicts several numbers")
    value = once(lambda: linear_scores(builder, block, part.coef_, part.intercept_, where))
    return Answers(value=value)


def general(builder: Builder, part: Any, block: Block, where: str) -> Answers:
    """A weighted sum behind a link."""
    numbers_only(block, where)
    link = type(part._base_loss.link).__name__  # noqa: SLF001 — which link 'auto' has chosen
    if link not in LINKS:
        raise NotCompiledError(where, f"the link {link} has no compiled form")
    scores = once(lambda: linear_scores(builder, block, part.coef_, part.intercept_, where))
    return Answers(value=once(lambda: linked(builder, scores(), link)))


def linked(builder: Builder, score: int, link: str) -> int:
    """The register of a score behind the inverse of a link."""
    function = LINKS[link]
    return builder.add("apply", score, function=function) if function else score


def classifier(builder: Builder, part: Any, block: Block, where: str) -> Answers:
    """Weighted sums, of which some give probabilities."""
    numbers_only(block, where)
    decision = once(lambda: linear_scores(builder, block, part.coef_, part.intercept_, where))
    many = len(np.atleast_2d(part.coef_)) > 1
    return scored(builder, decision, _probable(part), many=many, classes=part.classes_)


def _probable(part: Any) -> str | None:
    name = type(part).__name__
    if name in {"LogisticRegression", "LogisticRegressionCV", "LinearDiscriminantAnalysis"}:
        if getattr(part, "solver", "") == "liblinear" or getattr(part, "multi_class", None) == "ovr":
            return "shares"
        return "softmax"
    if name == "SGDClassifier":
        return {"log_loss": "shares", "modified_huber": "softened"}.get(part.loss)
    return None


def scored(builder: Builder, decision: Callable[[], int], link: str | None, *, many: bool, classes: Any) -> Answers:
    """Labels of scores, and probabilities: by softmax, as shares of each class against the rest, or softened."""

    def probabilities() -> int:
        if link == "softened":
            soft = builder.add("softened", decision())
            return builder.add("shares", soft) if many else builder.add("two", soft)
        if not many:
            return builder.add("second", decision())
        if link == "softmax":
            return builder.add("softmax", decision())
        return builder.add("shares", builder.add("apply", decision(), function="sigmoid"))

    label = once(lambda: builder.add("largest" if many else "above", decision()))
    return Answers(
        decision=decision, label=label, classes=tuple(classes), probabilities=once(probabilities) if link else None
    )


def gaussian_bayes(builder: Builder, part: Any, block: Block, where: str) -> Answers:
    """Normal densities of independent columns."""
    numbers_only(block, where)
    variances = np.array(part.var_, dtype=np.float64)
    constants = -0.5 * np.sum(np.log(2.0 * np.pi * variances), axis=1)

    def likelihoods() -> int:
        given = builder.made("finite", block, missing=False)
        prior = np.log(part.class_prior_)
        means = np.array(part.theta_, dtype=np.float64)
        return builder.add(
            "likelihoods", given.register, prior=prior, means=means, variances=variances, constants=constants
        )

    decision = once(likelihoods)
    return Answers(
        label=once(lambda: builder.add("largest", decision())),
        probabilities=once(lambda: builder.add("softmax", decision())),
        classes=tuple(part.classes_),
    )


def neurons(builder: Builder, part: Any, block: Block, where: str) -> Answers:
    """Layers of neurons."""
    numbers_only(block, where)
    names = {"identity": None, "logistic": "sigmoid", "relu": "relu", "tanh": "tanh"}
    layers = list(zip(part.coefs_, part.intercepts_, strict=True))

    def output() -> int:
        at = builder.made("finite", block, missing=False).register
        for number, (weights, intercepts) in enumerate(layers):
            at = builder.add(
                "linear", at, weights=np.array(weights.T, dtype=np.float64), intercepts=floats(intercepts)
            )
            function = names[part.activation]
            if number < len(layers) - 1 and function:
                at = builder.add("apply", at, function=function)
        return at

    score = once(output)
    if part.out_activation_ == "identity":
        if part.n_outputs_ > 1:
            raise NotCompiledError(where, "it predicts several numbers")
        return Answers(value=score)
    link = "softmax" if part.out_activation_ == "softmax" else "shares"
    if link == "shares" and part.n_outputs_ > 1:
        raise NotCompiledError(where, "it predicts several labels at once")
    return scored(builder, score, link, many=part.n_outputs_ > 1, classes=part.classes_)


def constant_classifier(builder: Builder, part: Any, block: Block, where: str) -> Answers:
    """The same for every row."""
    if part.strategy in {"stratified", "uniform"} or part.n_outputs_ > 1:
        raise NotCompiledError(where, f"strategy={part.strategy!r} answers at random")
    classes = tuple(part.classes_)
    if part.strategy == "constant":
        chosen = list(part.classes_).index(np.ravel(part.constant)[0])
    else:
        chosen = int(np.argmax(part.class_prior_))
    shares = floats(part.class_prior_) if part.strategy == "prior" else np.eye(len(classes))[chosen]
    return Answers(
        probabilities=once(lambda: builder.add("constant", block.register, values=shares)),
        label=once(
            lambda: builder.add(
                "largest", builder.add("constant", block.register, values=np.eye(len(classes))[chosen])
            )
        ),
        classes=classes,
    )


def constant_regressor(builder: Builder, part: Any, block: Block, where: str) -> Answers:
    """The same number for every row."""
    values = floats(part.constant_)
    if len(values) > 1:
        raise NotCompiledError(where, "it predicts several numbers")
    return Answers(value=once(lambda: builder.add("constant", block.register, values=values)))


#: By the name of the class.
LINEAR: dict[str, Estimate] = {
    **dict.fromkeys(REGRESSORS, regressor),
    **dict.fromkeys(GENERAL, general),
    **dict.fromkeys(CLASSIFIERS, classifier),
    "DummyClassifier": constant_classifier,
    "DummyRegressor": constant_regressor,
    "GaussianNB": gaussian_bayes,
    "MLPClassifier": neurons,
    "MLPRegressor": neurons,
}
