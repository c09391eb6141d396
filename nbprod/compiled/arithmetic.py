"""Functions of one number or of an array, made of additions, multiplications and divisions alone.

``exp`` and ``log`` of C libraries, numpy and browsers differ in the last digit. These are the same doubles wherever
they are computed: of one number and of an array here, and by the same formulas in ``resources/pages/compiled.js``.
The error is a few units in the last place.

The exponential is reduced by ``x = k ln 2 + r`` with ``|r| <= ln 2 / 2`` and its Taylor series (degree 13, remainder
below 4e-18); the logarithm by ``x = m 2^e`` and ``ln m = 2 artanh((m - 1) / (m + 1))`` (to the power 21). ``log1p``
and ``expm1`` use the corrections of Kahan (in Higham, *Accuracy and Stability of Numerical Algorithms*, 1.14.1).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import numpy as np

__all__ = ["FUNCTIONS", "exp", "exp_of", "expm1", "expm1_of", "log", "log_of", "sigmoid", "sigmoid_of"]

LN2: Final = 0.6931471805599453
LN2_HIGH: Final = 0.693147180369123816490  # the leading 33 bits, so that k times it is exact
LN2_LOW: Final = 1.90821492927058770002e-10
LN10: Final = 2.302585092994046
ROOT_HALF: Final = 0.7071067811865476
HIGHEST: Final = 709.782712893384  # exp is infinite above
LOWEST: Final = -745.2  # exp is zero below
EXP_TERMS: Final = tuple(1.0 / math.factorial(n) for n in range(13, -1, -1))
LOG_TERMS: Final = tuple(1.0 / n for n in range(21, 1, -2))


def exp(x: float) -> float:
    """The exponential of one number."""
    if x != x:  # noqa: PLR0124 — NaN
        return x
    if x > HIGHEST:
        return math.inf
    if x < LOWEST:
        return 0.0
    k = math.floor(x / LN2 + 0.5)
    r = (x - k * LN2_HIGH) - k * LN2_LOW
    y = 0.0
    for term in EXP_TERMS:
        y = y * r + term
    half = k >> 1
    return y * math.ldexp(1.0, half) * math.ldexp(1.0, k - half)  # twice: 2^k alone may overflow


def exp_of(x: np.ndarray) -> np.ndarray:
    """The exponential of each number, the same doubles as :func:`exp`."""
    inside = np.minimum(np.maximum(x, LOWEST), HIGHEST)
    k = np.floor(inside / LN2 + 0.5)
    r = (inside - k * LN2_HIGH) - k * LN2_LOW
    y = np.zeros_like(r)
    for term in EXP_TERMS:
        y = y * r + term
    whole = np.where(k != k, 0.0, k).astype(np.int64)  # noqa: PLR0124 — NaN
    half = whole >> 1
    with np.errstate(under="ignore"):
        made = y * np.ldexp(1.0, half) * np.ldexp(1.0, whole - half)
    return np.where(x > HIGHEST, np.inf, np.where(x < LOWEST, 0.0, made))


def log(x: float) -> float:
    """The natural logarithm of one number."""
    if x <= 0.0 or x != x or x == math.inf:  # noqa: PLR0124 — NaN
        return -math.inf if x == 0.0 else math.inf if x == math.inf else math.nan
    m, e = math.frexp(x)
    if m < ROOT_HALF:
        m, e = m * 2.0, e - 1
    s = (m - 1.0) / (m + 1.0)
    z = s * s
    y = 0.0
    for term in LOG_TERMS:
        y = (y + term) * z
    s2 = s + s
    return e * LN2_HIGH + (s2 + (s2 * y + e * LN2_LOW))


def log_of(x: np.ndarray) -> np.ndarray:
    """The natural logarithm of each number, the same doubles as :func:`log`."""
    is_usual = (x > 0.0) & (x < np.inf)
    m, exponent = np.frexp(np.where(is_usual, x, 1.0))
    small = m < ROOT_HALF
    m = np.where(small, m * 2.0, m)
    e = (exponent - small).astype(np.float64)
    s = (m - 1.0) / (m + 1.0)
    z = s * s
    y = np.zeros_like(z)
    for term in LOG_TERMS:
        y = (y + term) * z
    s2 = s + s
    made = e * LN2_HIGH + (s2 + (s2 * y + e * LN2_LOW))
    return np.where(is_usual, made, np.where(x == 0.0, -np.inf, np.where(x == np.inf, np.inf, np.nan)))


def log1p(x: float) -> float:
    """``log(1 + x)`` without loss near zero."""
    u = 1.0 + x
    if u == 1.0:
        return x
    return log(u) * x / (u - 1.0) if 0.0 < u < math.inf else log(u)


def log1p_of(x: np.ndarray) -> np.ndarray:
    """The same doubles as :func:`log1p`."""
    u = 1.0 + x
    is_usual = (u > 0.0) & (u < np.inf) & (u != 1.0)
    safe = np.where(is_usual, u, 2.0)
    made = log_of(safe) * np.where(is_usual, x, 1.0) / (safe - 1.0)
    return np.where(is_usual, made, np.where(u == 1.0, x, log_of(u)))


def expm1(x: float) -> float:
    """``exp(x) - 1`` without loss near zero."""
    u = exp(x)
    if u == 1.0:
        return x
    v = u - 1.0
    return v * x / log(u) if -1.0 < x < 1.0 else v  # nothing is lost further away


def expm1_of(x: np.ndarray) -> np.ndarray:
    """The same doubles as :func:`expm1`."""
    u = exp_of(x)
    v = u - 1.0
    is_usual = (u != 1.0) & (x > -1.0) & (x < 1.0)
    made = np.where(is_usual, v, 1.0) * np.where(is_usual, x, 1.0) / log_of(np.where(is_usual, u, 2.0))
    return np.where(is_usual, made, np.where(u == 1.0, x, v))


def sigmoid(x: float) -> float:
    """``1 / (1 + exp(-x))``."""
    return 1.0 / (1.0 + exp(-x))


def sigmoid_of(x: np.ndarray) -> np.ndarray:
    """The same doubles as :func:`sigmoid`."""
    return 1.0 / (1.0 + exp_of(-x))


def _tanh(x: float) -> float:
    t = expm1(-2.0 * abs(x))
    y = -t / (t + 2.0)
    return -y if x < 0.0 else y


def _tanh_of(x: np.ndarray) -> np.ndarray:
    t = expm1_of(-2.0 * np.abs(x))
    y = -t / (t + 2.0)
    return np.where(x < 0.0, -y, y)


def _sqrt(x: float) -> float:
    return math.sqrt(x) if x >= 0.0 else math.nan


def _sqrt_of(x: np.ndarray) -> np.ndarray:
    return np.where(x >= 0.0, np.sqrt(np.maximum(x, 0.0)), np.nan)


def _reciprocal(x: float) -> float:
    return 1.0 / x if x else math.copysign(math.inf, x)


def _reciprocal_of(x: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return 1.0 / x


def _sign(x: float) -> float:
    return float(x > 0.0) - float(x < 0.0) if x == x else x  # noqa: PLR0124 — NaN


def _relu(x: float) -> float:
    return max(x, 0.0)


def _finite(whole: Callable[[float], int]) -> Callable[[float], float]:
    return lambda x: float(whole(x)) if math.isfinite(x) else x


#: By the name of the numpy function: of one number, and of an array.
FUNCTIONS: dict[str, tuple[Callable[[float], float], Callable[[Any], Any]]] = {
    "abs": (abs, np.abs),
    "absolute": (abs, np.abs),
    "ceil": (_finite(math.ceil), np.ceil),
    "exp": (exp, exp_of),
    "expm1": (expm1, expm1_of),
    "fabs": (abs, np.abs),
    "floor": (_finite(math.floor), np.floor),
    "log": (log, log_of),
    "log10": (lambda x: log(x) / LN10, lambda x: log_of(x) / LN10),
    "log1p": (log1p, log1p_of),
    "log2": (lambda x: log(x) / LN2, lambda x: log_of(x) / LN2),
    "negative": (lambda x: -x, np.negative),
    "reciprocal": (_reciprocal, _reciprocal_of),
    "relu": (_relu, lambda x: np.maximum(x, 0.0)),
    "sigmoid": (sigmoid, sigmoid_of),
    "sign": (_sign, np.sign),
    "sqrt": (_sqrt, _sqrt_of),
    "square": (lambda x: x * x, np.square),
    "tanh": (_tanh, _tanh_of),
}
