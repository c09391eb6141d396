"""Compiles the preprocessing of scikit-learn that works on numbers, and what arranges columns."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from nbprod.compiled.arithmetic import FUNCTIONS
from nbprod.compiled.columns import is_missing
from nbprod.compiled.compiling.building import Block, Builder, Field, NotCompiledError, floats, numbered, numbers_only

__all__ = ["NUMBERS", "Transform", "function_name"]

Transform = Callable[[Builder, Any, Block, str], Block]
Made = Block


def standard_scaler(builder: Builder, part: Any, block: Block, where: str) -> Made:
    """Subtract the mean, divide by the deviation."""
    numbers_only(block, where)
    mean = part.mean_ if part.with_mean else None
    return _scaled(builder, block, mean, part.scale_ if part.with_std else None)


def robust_scaler(builder: Builder, part: Any, block: Block, where: str) -> Made:
    """Subtract the median, divide by the range of the middle."""
    numbers_only(block, where)
    return _scaled(builder, block, part.center_, part.scale_)


def _scaled(builder: Builder, block: Block, mean: Any, scale: Any) -> Made:
    if mean is not None and scale is not None:
        return builder.made("standardise", block, mean=floats(mean), scale=floats(scale))
    if mean is not None:
        return builder.made("shift", block, values=floats(mean))
    return builder.made("divide", block, values=floats(scale)) if scale is not None else block


def max_abs_scaler(builder: Builder, part: Any, block: Block, where: str) -> Made:
    """Divide by the largest absolute."""
    numbers_only(block, where)
    made = builder.made("divide", block, values=floats(part.scale_))
    ends = np.ones(len(block))
    return builder.made("clip", made, low=-ends, high=ends) if getattr(part, "clip", False) else made


def min_max_scaler(builder: Builder, part: Any, block: Block, where: str) -> Made:
    """Bring the range of training into another one."""
    numbers_only(block, where)
    made = builder.made("add", builder.made("multiply", block, values=floats(part.scale_)), values=floats(part.min_))
    if part.clip:
        low, high = (np.full(len(block), float(end)) for end in part.feature_range)
        made = builder.made("clip", made, low=low, high=high)
    return made


def normalizer(builder: Builder, part: Any, block: Block, where: str) -> Made:
    """Divide each row by its length."""
    numbers_only(block, where)
    return builder.made("normalise", builder.made("finite", block, missing=False), norm=part.norm)


def binarizer(builder: Builder, part: Any, block: Block, where: str) -> Made:
    """One above a threshold."""
    numbers_only(block, where)
    edges = [np.array([np.nextafter(float(part.threshold), np.inf)])] * len(block)
    tables = [np.array([[0.0], [1.0]])] * len(block)
    return builder.made("bins", builder.made("finite", block, missing=False), edges=edges, tables=tables)


def power_transformer(builder: Builder, part: Any, block: Block, where: str) -> Made:
    """A power for each column, then standardised."""
    numbers_only(block, where)
    made = builder.made("power", block, method=part.method, lambdas=floats(part.lambdas_))
    return standard_scaler(builder, part._scaler, made, where) if part.standardize else made  # noqa: SLF001


def quantile_transformer(builder: Builder, part: Any, block: Block, where: str) -> Made:
    """The share of training below."""
    numbers_only(block, where)
    if part.output_distribution != "uniform":
        raise NotCompiledError(where, "output_distribution='normal' has no compiled form")
    x = [floats(part.quantiles_[:, number]) for number in range(len(block))]
    return builder.made("quantiles", block, x=x, y=[floats(part.references_)] * len(block))


def bins_discretizer(builder: Builder, part: Any, block: Block, where: str) -> Made:
    """Bins as numbers or as a column each."""
    numbers_only(block, where)
    edges = [floats(edge[1:-1]) for edge in part.bin_edges_]
    counts = [int(count) for count in part.n_bins_]
    ordinal = part.encode == "ordinal"
    tables = [np.arange(n, dtype=np.float64)[:, None] if ordinal else np.eye(n) for n in counts]
    fields = numbered(sum(table.shape[1] for table in tables))
    return builder.made("bins", builder.made("finite", block, missing=False), fields, edges=edges, tables=tables)


def polynomial_features(builder: Builder, part: Any, block: Block, where: str) -> Made:
    """Products of columns."""
    numbers_only(block, where)
    terms = [[int(column) for column in np.repeat(np.arange(len(row)), row)] for row in part.powers_]
    if sum(map(len, terms)) > 20_000:
        raise NotCompiledError(where, f"{len(terms):,} products are too many")
    return builder.made("products", builder.made("finite", block, missing=False), numbered(len(terms)), terms=terms)


def function_transformer(builder: Builder, part: Any, block: Block, where: str) -> Made:
    """A known function of numpy."""
    if part.func is None or _only_checks(part.func):
        return block
    numbers_only(block, where)
    if part.kw_args:
        raise NotCompiledError(where, "its function takes further arguments")
    name = function_name(part.func)
    if name is None:
        shown = getattr(part.func, "__name__", type(part.func).__name__)
        raise NotCompiledError(where, f"the function {shown} is code, not one of {', '.join(sorted(NAMED))}")
    return builder.made("apply", block, function=name)


def _only_checks(function: Any) -> bool:
    """Whether it is the check that boosting over bins puts before its numbers."""
    return isinstance(function, partial) and getattr(function.func, "__name__", "") == "check_array"


NAMED = {name for name in FUNCTIONS if hasattr(np, name)}


def function_name(function: Any) -> str | None:
    """The name of a function every engine knows."""
    name = getattr(function, "__name__", "")
    return name if name in NAMED and function is getattr(np, name) else None


def simple_imputer(builder: Builder, part: Any, block: Block, where: str) -> Made:
    """Something for each missing value, and marks of where there were none."""
    mark = _mark(part.missing_values, where)
    statistics = list(part.statistics_)
    kept = list(range(len(block)))
    if part.strategy != "constant" and not part.keep_empty_features:
        kept = [number for number in kept if not is_missing(statistics[number])]
    inside = builder.chosen(block, kept)
    values = [statistics[number] for number in kept]
    if any(one.kind == "moment" for one in block.fields):
        raise NotCompiledError(where, "it fills moments")
    is_text = any(one.kind == "text" for one in inside.fields)
    if is_text or any(isinstance(value, str) for value in values):
        if mark is not None:
            raise NotCompiledError(where, f"missing_values={part.missing_values!r} marks text")
        plain = [value if isinstance(value, str) else float(value) for value in values]
        if any(
            (one.kind == "text") != isinstance(value, str) for one, value in zip(inside.fields, plain, strict=True)
        ):
            raise NotCompiledError(where, "it fills numbers with text, or text with numbers")
        made = builder.made("fill_text", inside, values=plain)
    elif mark is None:
        made = builder.made("fill", inside, values=floats(values))
    else:
        made = builder.made("fill_equal", inside, values=floats(values), mark=mark)
    if part.add_indicator and part.indicator_ is not None:
        return builder.joined([made, missing_indicator(builder, part.indicator_, block, where)])
    return made


def missing_indicator(builder: Builder, part: Any, block: Block, where: str) -> Made:
    """Marks of missing values."""
    columns = [int(number) for number in part.features_]
    mark = _mark(part.missing_values, where)
    fields = [Field(name=f"missing {block.fields[number].name}") for number in columns]
    return builder.made("marks", block, fields, columns=columns, mark=mark)


def _mark(missing_values: Any, where: str) -> float | None:
    """The number that marks a missing value; ``None`` where the usual ones do."""
    if missing_values is None or type(missing_values).__name__ == "NAType":
        return None
    if isinstance(missing_values, int | float | np.number):
        return None if missing_values != missing_values else float(missing_values)  # noqa: PLR0124 — NaN
    raise NotCompiledError(where, f"missing_values={missing_values!r} marks text")


def selector(builder: Builder, part: Any, block: Block, where: str) -> Made:
    """Some of the columns."""
    numbers_only(block, where)
    return builder.chosen(block, [int(number) for number in part.get_support(indices=True)])


def projection(builder: Builder, part: Any, block: Block, where: str) -> Made:
    """Principal components, or a truncated decomposition."""
    numbers_only(block, where)
    mean = getattr(part, "mean_", None)
    made = builder.made("shift", block, values=floats(mean)) if mean is not None else block
    weights = np.array(part.components_, dtype=np.float64)
    if getattr(part, "whiten", False):
        weights = weights / np.sqrt(part.explained_variance_)[:, None]
    made = builder.made("finite", made, missing=False)
    return builder.made("linear", made, numbered(len(weights)), weights=weights, intercepts=np.zeros(len(weights)))


SELECTORS = (
    "GenericUnivariateSelect",
    "RFE",
    "RFECV",
    "SelectFdr",
    "SelectFpr",
    "SelectFromModel",
    "SelectFwe",
    "SelectKBest",
    "SelectPercentile",
    "SequentialFeatureSelector",
    "VarianceThreshold",
)

#: By the name of the class.
NUMBERS: dict[str, Transform] = {
    **dict.fromkeys(SELECTORS, selector),
    "Binarizer": binarizer,
    "FunctionTransformer": function_transformer,
    "KBinsDiscretizer": bins_discretizer,
    "MaxAbsScaler": max_abs_scaler,
    "MinMaxScaler": min_max_scaler,
    "MissingIndicator": missing_indicator,
    "Normalizer": normalizer,
    "PCA": projection,
    "PolynomialFeatures": polynomial_features,
    "PowerTransformer": power_transformer,
    "QuantileTransformer": quantile_transformer,
    "RobustScaler": robust_scaler,
    "SimpleImputer": simple_imputer,
    "StandardScaler": standard_scaler,
    "TruncatedSVD": projection,
}
