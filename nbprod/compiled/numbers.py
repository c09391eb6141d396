"""Operations on columns of numbers; each is written for one row and for many, side by side, with the same doubles.

An operation is a function of its parameters and of whether there are many rows; it returns what is called with one
list of columns for each register the step reads, and gives a list of columns. Of one row a column is a number.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_right
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from nbprod.compiled.arithmetic import FUNCTIONS, expm1, expm1_of, log, log1p, log1p_of, log_of
from nbprod.errors import SchemaError

__all__ = ["NUMBER_OPERATIONS", "Run"]

Run = Callable[..., list[Any]]
Params = Mapping[str, Any]


def take(params: Params, many: bool) -> Run:  # noqa: FBT001, ARG001 — the form of every operation
    """Some of the columns, in an order."""
    positions = [int(one) for one in params["columns"]]
    return lambda xs: [xs[position] for position in positions]


def join(params: Params, many: bool) -> Run:  # noqa: FBT001, ARG001
    """The columns of several registers, one after the other."""
    return lambda *registers: [x for xs in registers for x in xs]


def constant(params: Params, many: bool) -> Run:  # noqa: FBT001
    """Numbers that depend on no column."""
    values = params["values"].tolist()
    if many:
        return lambda xs: [np.full(len(xs[0]), value) for value in values]
    return lambda xs: list(values)  # noqa: ARG005


def shift(params: Params, many: bool) -> Run:  # noqa: FBT001, ARG001
    """``x - values``."""
    values = params["values"].tolist()
    return lambda xs: [x - value for x, value in zip(xs, values, strict=True)]


def add(params: Params, many: bool) -> Run:  # noqa: FBT001, ARG001
    """``x + values``."""
    values = params["values"].tolist()
    return lambda xs: [x + value for x, value in zip(xs, values, strict=True)]


def divide(params: Params, many: bool) -> Run:  # noqa: FBT001, ARG001
    """``x / values``."""
    values = params["values"].tolist()
    return lambda xs: [x / value for x, value in zip(xs, values, strict=True)]


def multiply(params: Params, many: bool) -> Run:  # noqa: FBT001, ARG001
    """``x * values``."""
    values = params["values"].tolist()
    return lambda xs: [x * value for x, value in zip(xs, values, strict=True)]


def standardise(params: Params, many: bool) -> Run:  # noqa: FBT001, ARG001
    """``(x - mean) / scale``."""
    pairs = list(zip(params["mean"].tolist(), params["scale"].tolist(), strict=True))
    return lambda xs: [(x - mean) / scale for x, (mean, scale) in zip(xs, pairs, strict=True)]


def clip(params: Params, many: bool) -> Run:  # noqa: FBT001
    """Numbers brought into a range; missing ones stay missing."""
    low, high = params["low"].tolist(), params["high"].tolist()
    if many:
        return lambda xs: [np.minimum(np.maximum(x, a), b) for x, a, b in zip(xs, low, high, strict=True)]
    return lambda xs: [a if x < a else min(x, b) for x, a, b in zip(xs, low, high, strict=True)]


def fill(params: Params, many: bool) -> Run:  # noqa: FBT001
    """A number for each missing one."""
    values = params["values"].tolist()
    if many:
        return lambda xs: [np.where(x != x, value, x) for x, value in zip(xs, values, strict=True)]  # noqa: PLR0124
    return lambda xs: [value if x != x else x for x, value in zip(xs, values, strict=True)]  # noqa: PLR0124


def fill_equal(params: Params, many: bool) -> Run:  # noqa: FBT001
    """A number for each that equals another one, which marks missing ones."""
    values, mark = params["values"].tolist(), float(params["mark"])
    if many:
        return lambda xs: [np.where(x == mark, value, x) for x, value in zip(xs, values, strict=True)]
    return lambda xs: [value if x == mark else x for x, value in zip(xs, values, strict=True)]


def marks(params: Params, many: bool) -> Run:  # noqa: FBT001
    """For some columns 1 where missing, else 0."""
    positions = [int(one) for one in params["columns"]]
    mark = params.get("mark")
    if mark is not None:
        if many:
            return lambda xs: [(xs[position] == mark).astype(np.float64) for position in positions]
        return lambda xs: [1.0 if xs[position] == mark else 0.0 for position in positions]
    if many:
        return lambda xs: [_missing(xs[position]).astype(np.float64) for position in positions]
    return lambda xs: [1.0 if xs[position] is None or xs[position] != xs[position] else 0.0 for position in positions]


def _missing(column: Any) -> np.ndarray:
    if isinstance(column, np.ndarray):
        return column != column  # noqa: PLR0124 — NaN
    return column.spread(np.array([value is None for value in column.values]))


def apply(params: Params, many: bool) -> Run:  # noqa: FBT001
    """A named function of each number."""
    function = FUNCTIONS[params["function"]][many]
    return lambda xs: [function(x) for x in xs]


def normalise(params: Params, many: bool) -> Run:  # noqa: FBT001
    """The row divided by its length: the sum of absolutes (l1), the root of squares (l2) or the largest absolute."""
    norm = params["norm"]
    absolute: Any = np.abs if many else abs

    def run(xs: list[Any]) -> list[Any]:
        length: Any = 0.0 * absolute(xs[0])
        for x in xs:
            if norm == "max":
                length = np.maximum(length, absolute(x)) if many else max(length, abs(x))
            else:
                length = length + (x * x if norm == "l2" else absolute(x))
        if norm == "l2":
            length = np.sqrt(length) if many else math.sqrt(length)
        length = np.where(length == 0.0, 1.0, length) if many else length or 1.0
        return [x / length for x in xs]

    return run


def power(params: Params, many: bool) -> Run:  # noqa: FBT001
    """The transformations of Yeo and Johnson (2000) or of Box and Cox (1964), a power for each column."""
    lambdas = params["lambdas"].tolist()
    if params["method"] == "box-cox":
        if many:
            return lambda xs: [_box_cox_of(x, p) for x, p in zip(xs, lambdas, strict=True)]
        return lambda xs: [_box_cox(x, p) for x, p in zip(xs, lambdas, strict=True)]
    if many:
        return lambda xs: [_yeo_johnson_of(x, p) for x, p in zip(xs, lambdas, strict=True)]
    return lambda xs: [_yeo_johnson(x, p) for x, p in zip(xs, lambdas, strict=True)]


def _box_cox(x: float, p: float) -> float:
    return log(x) if p == 0.0 else expm1(p * log(x)) / p


def _box_cox_of(x: np.ndarray, p: float) -> np.ndarray:
    return log_of(x) if p == 0.0 else expm1_of(p * log_of(x)) / p


def _yeo_johnson(x: float, p: float) -> float:
    if x < 0.0:
        q = 2.0 - p
        return -log1p(-x) if q == 0.0 else -expm1(q * log1p(-x)) / q
    return log1p(x) if p == 0.0 else expm1(p * log1p(x)) / p


def _yeo_johnson_of(x: np.ndarray, p: float) -> np.ndarray:
    q = 2.0 - p
    below, above = np.where(x < 0.0, -x, 0.0), np.where(x < 0.0, 0.0, x)
    low = -log1p_of(below) if q == 0.0 else -expm1_of(q * log1p_of(below)) / q
    high = log1p_of(above) if p == 0.0 else expm1_of(p * log1p_of(above)) / p
    return np.where(x < 0.0, low, high)


def interpolate(params: Params, many: bool) -> Run:  # noqa: FBT001
    """A function of each column given by points, straight between them and level outside."""
    tables = [(x.tolist(), y.tolist()) for x, y in zip(params["x"], params["y"], strict=True)]
    if many:
        arrays = list(zip(params["x"], params["y"], strict=True))
        return lambda xs: [_interpolated_of(x, *table) for x, table in zip(xs, arrays, strict=True)]
    return lambda xs: [_interpolated(x, *table) for x, table in zip(xs, tables, strict=True)]


def _interpolated(value: float, x: list[float], y: list[float]) -> float:
    if value != value:  # noqa: PLR0124 — NaN
        return value
    if value < x[0]:
        return y[0]
    if value >= x[-1]:
        return y[-1]
    k = bisect_right(x, value)
    slope = (y[k] - y[k - 1]) / (x[k] - x[k - 1])
    return slope * (value - x[k - 1]) + y[k - 1]


def _interpolated_of(value: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    if len(x) == 1:
        return np.where(value != value, value, y[0])  # noqa: PLR0124 — NaN
    k = np.clip(np.searchsorted(x, value, side="right"), 1, len(x) - 1)
    gap = x[k] - x[k - 1]
    slope = (y[k] - y[k - 1]) / np.where(gap == 0.0, 1.0, gap)  # no gap only where the ends decide
    inside = slope * (value - x[k - 1]) + y[k - 1]
    return np.where(value < x[0], y[0], np.where(value >= x[-1], y[-1], inside))


def quantiles(params: Params, many: bool) -> Run:  # noqa: FBT001
    """The share of the reference below each number: the mean of the way up and the way down, as ties ask for."""
    forward = interpolate({"x": params["x"], "y": params["y"]}, many)
    back = interpolate({"x": [-x[::-1] for x in params["x"]], "y": [-y[::-1] for y in params["y"]]}, many)
    ends = [(float(x[0]), float(x[-1])) for x in params["x"]]

    def run(xs: list[Any]) -> list[Any]:
        up, down = forward(xs), back([-x for x in xs])
        made: list[Any] = []
        for x, a, b, (low, high) in zip(xs, up, down, ends, strict=True):
            y = 0.5 * (a - b)
            if many:
                made.append(np.where(x == low, 0.0, np.where(x == high, 1.0, y)))
            else:
                made.append(0.0 if x == low else 1.0 if x == high else y)
        return made

    return run


def bins(params: Params, many: bool) -> Run:  # noqa: FBT001
    """Each column as the row of a table that its bin has."""
    edges, tables = params["edges"], params["tables"]
    if many:
        return lambda xs: [
            column
            for x, edge, table in zip(xs, edges, tables, strict=True)
            for column in table[np.searchsorted(edge, x, side="right")].T
        ]
    pairs = [(edge.tolist(), table.tolist()) for edge, table in zip(edges, tables, strict=True)]
    return lambda xs: [
        value for x, (edge, table) in zip(xs, pairs, strict=True) for value in table[bisect_right(edge, x)]
    ]


def products(params: Params, many: bool) -> Run:  # noqa: FBT001
    """Products of some columns; of none, 1."""
    terms = [[int(one) for one in term] for term in params["terms"]]

    def run(xs: list[Any]) -> list[Any]:
        made = []
        for term in terms:
            value: Any = xs[term[0]] if term else (np.ones(len(xs[0])) if many else 1.0)
            for position in term[1:]:
                value = value * xs[position]
            made.append(value)
        return made

    return run


def single(params: Params, many: bool) -> Run:  # noqa: FBT001, ARG001
    """Each number rounded to 32 bits, as models that compute in 32 bits take it."""
    if many:
        return _single_of
    return lambda xs: array("f", xs).tolist()


def _single_of(xs: list[np.ndarray]) -> list[Any]:
    with np.errstate(over="ignore"):
        return [x.astype(np.float32).astype(np.float64) for x in xs]


def finite(params: Params, many: bool) -> Run:  # noqa: FBT001
    """The columns as they are, or an error where a number is infinite or, unless allowed, missing."""
    may_miss = bool(params["missing"])

    def run(xs: list[Any]) -> list[Any]:
        for x in xs:
            if many:
                wrong = np.isinf(x).any() if may_miss else not np.isfinite(x).all()
            else:
                wrong = math.isinf(x) or (not may_miss and x != x)  # noqa: PLR0124 — NaN
            if wrong:
                raise SchemaError(
                    "A number the model is given is infinite" + ("." if may_miss else " or missing."),
                    hint="The model has learned from finite numbers alone.",
                )
        return xs

    return run


#: By name, for plans.
NUMBER_OPERATIONS: dict[str, Callable[[Params, bool], Run]] = {
    "add": add,
    "apply": apply,
    "bins": bins,
    "clip": clip,
    "constant": constant,
    "divide": divide,
    "fill": fill,
    "fill_equal": fill_equal,
    "finite": finite,
    "interpolate": interpolate,
    "join": join,
    "marks": marks,
    "multiply": multiply,
    "normalise": normalise,
    "power": power,
    "products": products,
    "quantiles": quantiles,
    "shift": shift,
    "single": single,
    "standardise": standardise,
    "take": take,
}
