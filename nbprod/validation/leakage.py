"""Columns that give the answer away: one that predicts the target almost perfectly, or several that add up to it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nbprod.domain.check import CheckOutcome, CheckResult
from nbprod.validation.tables import sampled_rows

__all__ = ["check_alone", "check_sums", "power_alone"]

_MOST_ROWS = 20_000
_MOST_BINS = 200
_ROWS_PER_BIN = 20
_MOST_PARTS = 8
_TOLERANCE = 1e-6  # of the target's spread
_ALMOST_ALL = 0.98
_MOSTLY = 0.8
_MOST_FITTED = 4000
_REFITS = 10


def power_alone(frame: pd.DataFrame, target: str, task: str, *, seed: int = 0) -> pd.Series[float]:
    """How well each column predicts the target by itself, in held-out halves; the best first.

    A column is cut into at most 200 groups (its values, or parts of equal size, of 20 rows or more); each predicts
    its mean target (its most frequent class). Groups are learned on one half of the rows and scored on the other, and
    the other way round. Range: 0 (no better than knowing nothing) to 1 (always right): the share of the variance
    explained, or of the errors of always guessing the most frequent class that are avoided.

    Parameters
    ----------
    frame
        Any; at most 20,000 rows are looked at.
    target
        A column of it.
    task
        ``classification`` or ``regression``.
    seed
        Of the sample and the halves.
    """
    known = sampled_rows(frame[frame[target].notna()], most=_MOST_ROWS, seed=seed)
    first = np.random.default_rng(seed).random(len(known)) < 0.5
    answers = known[target]
    truth = answers.to_numpy(dtype=np.float64) if task == "regression" else pd.factorize(answers)[0]
    powers = {
        str(name): _power(_groups(known[name], first), truth, first, task) for name in known.columns if name != target
    }
    return pd.Series(powers, dtype=float).sort_values(ascending=False, kind="stable")


def check_alone(powers: pd.Series[float], target: str, *, most: float = 0.98) -> CheckResult:
    """No column predicts the target by itself better than this."""
    suspects = powers[powers > most]
    if len(suspects):
        listed = ", ".join(f"{name} ({value:.3f})" for name, value in suspects.iloc[:5].items())
        sentence = f"By itself, {listed} predicts {target} almost perfectly. Is it known when a prediction is made?"
    elif len(powers):
        sentence = (
            f"No column predicts {target} alone; the strongest is {powers.index[0]} ({powers.iloc[0]:.2f} of 1)."
        )
    else:
        sentence = f"There is no column beside {target}."
    return CheckResult(
        name="leak alone",
        outcome=CheckOutcome.FAILED if len(suspects) else CheckOutcome.PASSED,
        sentence=sentence,
        subject=", ".join(map(str, suspects.index[:5])),
        value=float(powers.iloc[0]) if len(powers) else None,
        rule=f"power <= {most:g}",
    )


def check_sums(frame: pd.DataFrame, target: str, *, seed: int = 0) -> CheckResult:
    """No few numeric columns add up, or subtract, to a numeric target.

    The target is regressed on the other numbers; where that leaves nothing over, columns are taken away one by one as
    long as nothing is left over. What remains are the parts, and their coefficients say how they are added.
    """
    rule = "no columns add up to the target"
    parts, constant = _parts(sampled_rows(frame[frame[target].notna()], most=_MOST_ROWS, seed=seed), target)
    if not parts:
        return CheckResult(
            name="leak sum",
            outcome=CheckOutcome.PASSED,
            sentence=f"No columns add up to {target}.",
            subject="",
            rule=rule,
        )
    terms = [name if abs(weight - 1) < 1e-6 else f"{weight:.4g} * {name}" for name, weight in parts.items()]
    terms += [f"{constant:.4g}"] if abs(constant) > 1e-6 else []
    return CheckResult(
        name="leak sum",
        outcome=CheckOutcome.FAILED,
        sentence=f"{' + '.join(terms)} = {target}. Leave these columns out: they are the answer.",
        subject=", ".join(parts),
        value=float(len(parts)),
        rule=rule,
    )


def _parts(frame: pd.DataFrame, target: str) -> tuple[dict[str, float], float]:
    """The weights of the columns that add up to the target, and the constant; no weight when none do."""
    columns, truth = _numbers(frame, target)
    terms = list(columns)
    if not terms or len(truth) < 3 * len(terms) + 10 or not _adds_up(columns, terms, truth):
        return {}, 0.0
    weights, _, _ = _fitted(columns, terms, truth)
    size = {name: abs(weight) * float(columns[name].std()) for name, weight in zip(terms, weights, strict=True)}
    telling = [name for name in terms if size[name] > _TOLERANCE * float(truth.std())]
    terms = telling if telling and _adds_up(columns, telling, truth) else terms
    for name in sorted(terms, key=size.__getitem__):
        fewer = [each for each in terms if each != name]
        if fewer and _adds_up(columns, fewer, truth):
            terms = fewer
    if len(terms) > _MOST_PARTS:
        return {}, 0.0  # so many columns are a law of the world, no bookkeeping
    weights, constant, _ = _fitted(columns, terms, truth)
    return dict(zip(terms, weights.tolist(), strict=True)), constant


def _numbers(frame: pd.DataFrame, target: str) -> tuple[dict[str, NDArray[np.float64]], NDArray[np.float64]]:
    """The numeric columns that vary and are mostly known, and the target, in rows where all are known."""
    if not _is_number(frame[target]) or frame[target].nunique() < 3:
        return {}, np.empty(0)
    names = [name for name in frame.columns if name != target and _is_number(frame[name])]
    numbers = {str(name): frame[name].to_numpy(dtype=np.float64, na_value=np.nan) for name in names}
    numbers = {name: values for name, values in numbers.items() if np.isfinite(values).mean() > _MOSTLY}
    truth = frame[target].to_numpy(dtype=np.float64)
    known = np.isfinite(np.column_stack([truth, *numbers.values()])).all(axis=1)
    truth = truth[known][:_MOST_FITTED]
    if len(truth) < 3 or np.ptp(truth) == 0:
        return {}, truth
    numbers = {name: values[known][:_MOST_FITTED] for name, values in numbers.items()}
    return {name: values for name, values in numbers.items() if np.ptp(values) > 0}, truth


def _adds_up(columns: dict[str, NDArray[np.float64]], names: list[str], truth: NDArray[np.float64]) -> bool:
    *_, left = _fitted(columns, names, truth)
    # nearly all rows: a few wrong entries do not hide a sum
    return bool(np.mean(np.abs(left) <= _TOLERANCE * float(truth.std())) >= _ALMOST_ALL)


def _fitted(
    columns: dict[str, NDArray[np.float64]], names: list[str], truth: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float, NDArray[np.float64]]:
    """Weights, constant, and what is left over; refitted to the better half, so that few errors do no harm."""
    matrix = np.column_stack([*(columns[name] for name in names), np.ones(len(truth))])
    matrix, scale = matrix / np.abs(matrix).max(axis=0), np.abs(matrix).max(axis=0)
    weights = np.linalg.lstsq(matrix, truth, rcond=None)[0]
    for _ in range(_REFITS):
        off = np.abs(truth - matrix @ weights)
        if off.max() <= _TOLERANCE * float(truth.std()):
            break
        best = off <= np.median(off)
        weights = np.linalg.lstsq(matrix[best], truth[best], rcond=None)[0]
    left = truth - matrix @ weights
    weights = weights / scale
    return weights[:-1], float(weights[-1]), left


def _is_number(column: pd.Series[Any]) -> bool:
    types = pd.api.types
    return bool(
        types.is_numeric_dtype(column.dtype)
        and not types.is_bool_dtype(column.dtype)
        and not types.is_complex_dtype(column.dtype)
    )


def _groups(column: pd.Series[Any], first: NDArray[np.bool_]) -> NDArray[np.int64] | None:
    """The group of each row, from 0; missing values are a group. ``None`` for what has no groups."""
    orderly = _is_number(column) or pd.api.types.is_datetime64_any_dtype(column.dtype)
    try:
        codes, values = pd.factorize(column, sort=orderly, use_na_sentinel=True)
    except TypeError:
        return None
    codes = codes.astype(np.int64)
    bins = max(10, min(_MOST_BINS, len(column) // _ROWS_PER_BIN))
    if len(values) > bins:
        if not orderly:
            counts = np.bincount(codes[codes >= 0], minlength=len(values))
            rank = np.empty(len(values), dtype=np.int64)
            rank[np.argsort(-counts, kind="stable")] = np.arange(len(values))
            codes = np.where(codes >= 0, np.minimum(rank[codes], bins - 1), -1)
        else:
            ends = np.quantile(codes[first & (codes >= 0)], np.linspace(0, 1, bins + 1)[1:-1])
            codes = np.where(codes >= 0, np.searchsorted(ends, codes), -1)
    return codes + 1


def _power(groups: NDArray[np.int64] | None, truth: NDArray[Any], first: NDArray[np.bool_], task: str) -> float:
    if groups is None:
        return 0.0
    count = int(groups.max()) + 1
    lost = base = 0.0
    for train in (first, ~first):
        test = ~train
        if not train.any() or not test.any():
            return 0.0
        if task == "regression":
            mean = truth[train].mean()
            rows = np.bincount(groups[train], minlength=count)
            sums = np.bincount(groups[train], weights=truth[train], minlength=count)
            guess = np.where(rows > 0, sums / np.maximum(rows, 1), mean)[groups[test]]
            lost += float(((truth[test] - guess) ** 2).sum())
            base += float(((truth[test] - mean) ** 2).sum())
        else:
            table = np.zeros((count, int(truth.max()) + 1))
            np.add.at(table, (groups[train], truth[train]), 1)
            usual = int(np.bincount(truth[train]).argmax())
            guess = np.where(table.sum(axis=1) > 0, table.argmax(axis=1), usual)[groups[test]]
            lost += float((truth[test] != guess).sum())
            base += float((truth[test] != usual).sum())
    return max(0.0, 1 - lost / base) if base > 0 else 0.0
