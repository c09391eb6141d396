"""Checks of a table by itself: missing values, duplicates, constants, balance, contradictions, order of time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from nbprod.domain.check import CheckOutcome, CheckResult
from nbprod.domain.plain import listed
from nbprod.validation.tables import sampled_rows

__all__ = [
    "check_balance",
    "check_constants",
    "check_contradictions",
    "check_duplicates",
    "check_missing",
    "check_order",
    "row_keys",
]

PASSED, FAILED, INCONCLUSIVE = CheckOutcome.PASSED, CheckOutcome.FAILED, CheckOutcome.INCONCLUSIVE


def check_missing(frame: pd.DataFrame, *, most: float = 0.5) -> CheckResult:
    """No column lacks more than this share of its values."""
    shares = frame.isna().mean().sort_values(ascending=False)
    beyond = shares[shares > most]
    worst = float(shares.iloc[0]) if len(shares) else 0.0
    if len(beyond):
        sentence = (
            f"{listed(beyond.index, 5)} {'lack' if len(beyond) > 1 else 'lacks'} more than {most:.0%} of the values"
            f" ({worst:.1%} at most)."
        )
    elif worst > 0:
        sentence = (
            f"{int((shares > 0).sum())} columns have missing values; {shares.index[0]} most of all, {worst:.1%}."
        )
    else:
        sentence = "No value is missing."
    return CheckResult(
        name="missing",
        outcome=FAILED if len(beyond) else PASSED,
        sentence=sentence,
        subject=_subject(beyond.index),
        value=worst,
        rule=f"missing <= {most:g}",
    )


def check_duplicates(frame: pd.DataFrame, *, most: float = 0.01) -> CheckResult:
    """Rows equal to an earlier row, all columns, are at most this share."""
    seen = sampled_rows(frame)
    repeated = int(row_keys(seen).duplicated().sum())
    share = repeated / max(1, len(seen))
    of = "" if len(seen) == len(frame) else f" of {len(seen):,} looked at"
    sentence = (
        f"{repeated:,} rows{of} repeat an earlier row ({share:.2%})." if repeated else f"No row{of} repeats another."
    )
    return CheckResult(
        name="duplicates",
        outcome=FAILED if share > most else PASSED,
        sentence=sentence,
        value=share,
        rule=f"share <= {most:g}",
    )


def check_constants(frame: pd.DataFrame) -> CheckResult:
    """Every column has at least two values."""
    empty = [str(name) for name in frame.columns if frame[name].isna().all()]
    constant = [str(name) for name in frame.columns if str(name) not in empty and _is_constant(frame[name])]
    parts = []
    if empty:
        parts.append(f"{listed(empty, 5)} {'hold' if len(empty) > 1 else 'holds'} no value at all.")
    if constant:
        parts.append(f"{listed(constant, 5)} never {'change' if len(constant) > 1 else 'changes'}.")
    return CheckResult(
        name="constants",
        outcome=FAILED if empty else INCONCLUSIVE if constant else PASSED,
        sentence=" ".join(parts) or "Every column has at least two values.",
        subject=_subject(empty + constant),
        value=float(len(empty) + len(constant)),
        rule="columns without variation = 0",
    )


def check_balance(target: pd.Series[Any], *, fewest: float = 0.01) -> CheckResult:
    """Every class has at least this share of the rows, and more than one row."""
    shares = target.dropna().value_counts(normalize=True)
    name, rule = "balance", f"share of the rarest class >= {fewest:g}"
    if len(shares) < 2:
        sentence = f"{target.name} has a single value." if len(shares) else f"{target.name} has no value."
        return CheckResult(name=name, outcome=FAILED, sentence=sentence, subject=str(target.name), rule=rule)
    rarest, share = shares.index[-1], float(shares.iloc[-1])
    once = int((target.value_counts() == 1).sum())
    if once:
        sentence = f"{once:,} of {len(shares):,} classes of {target.name} are seen once, for instance {rarest}."
    else:
        listed = ", ".join(f"{value}: {part:.1%}" for value, part in shares.iloc[:5].items())
        sentence = f"The rarest of {len(shares):,} classes of {target.name} is {rarest} with {share:.2%} ({listed})."
    return CheckResult(
        name=name,
        outcome=FAILED if once else INCONCLUSIVE if share < fewest else PASSED,
        sentence=sentence,
        subject=str(target.name),
        value=share,
        rule=rule,
    )


def check_contradictions(frame: pd.DataFrame, target: str, *, most: float = 0.01) -> CheckResult:
    """Rows with equal features and another label are at most this share of the rows."""
    seen = sampled_rows(frame[frame[target].notna()])
    features = seen.drop(columns=target)
    keys = row_keys(features).to_numpy() if features.shape[1] else np.arange(len(seen))
    counts = pd.Series(pd.factorize(seen[target])[0]).groupby(keys).value_counts()
    each = counts.groupby(level=0)
    torn = int(each.sum()[each.size() > 1].sum())
    share, best = torn / max(1, len(seen)), float(each.max().sum()) / max(1, len(seen))
    sentence = f"{torn:,} rows ({share:.2%}) have the features of another row with another {target}"
    sentence += f"; no model can be right on more than {best:.2%} of the rows." if share > most else "."
    return CheckResult(
        name="contradictions",
        outcome=INCONCLUSIVE if share > most else PASSED,
        sentence=sentence if torn else f"Equal rows always have the same {target}.",
        subject=target,
        value=share,
        rule=f"share <= {most:g}",
    )


def check_order(times: pd.Series[Any]) -> CheckResult:
    """Rows come in the order of time, without gaps far beyond the usual step.

    Parameters
    ----------
    times
        Moments, none missing.
    """
    steps = times.diff().dropna()
    backwards = int((steps < pd.Timedelta(0)).sum())
    ordered = times.sort_values()
    gaps = ordered.diff().dropna()
    usual = gaps[gaps > pd.Timedelta(0)].median()  # not a time when all moments are one
    large = gaps[gaps > usual * 10] if pd.notna(usual) else gaps.iloc[:0]
    parts = [f"{times.name} goes from {ordered.iloc[0]:%Y-%m-%d %H:%M} to {ordered.iloc[-1]:%Y-%m-%d %H:%M}"]
    parts.append(f"{backwards:,} rows go back in time" if backwards else "rows are in its order")
    if len(large):
        parts.append(f"{len(large):,} gaps are over ten times the usual step, the largest {_length(large.max())}")
    return CheckResult(
        name="order",
        outcome=INCONCLUSIVE if backwards else PASSED,
        sentence="; ".join(parts) + ".",
        subject=str(times.name),
        value=float(backwards),
        rule="rows that go back in time = 0",
    )


def _is_constant(column: pd.Series[Any]) -> bool:
    shown = column.map(repr) if column.dtype == object else column  # lists cannot be compared with a column
    return bool(shown.eq(shown.iloc[0]).fillna(False).all())


def row_keys(frame: pd.DataFrame) -> pd.Series[Any]:
    """A 64-bit hash of each row: equal for equal rows, and for different ones once in 10^19 pairs."""
    plain = frame.copy(deep=False)
    for name in plain.columns:
        column = plain[name]
        if isinstance(column.dtype, pd.CategoricalDtype):
            plain[name] = column.astype(column.cat.categories.dtype if not column.isna().any() else object)
        elif column.dtype == object:
            plain[name] = column.map(repr)  # lists and mixtures can be hashed by what they show
    hashed = pd.util.hash_pandas_object(plain, index=False)
    return pd.Series(hashed.to_numpy(dtype=np.uint64), index=frame.index)


def _subject(names: Any) -> str:
    return ", ".join(str(name) for name in list(names)[:5])


def _length(step: pd.Timedelta) -> str:
    return f"{step.days} days" if step.days else f"{step.total_seconds() / 3600:.1f} hours"
