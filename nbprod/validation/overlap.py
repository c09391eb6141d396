"""Rows of one table that are in another: training rows that came into the test."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nbprod.domain.check import CheckOutcome, CheckResult
from nbprod.errors import DataError
from nbprod.validation.checks import row_keys

__all__ = ["check_overlap"]


def check_overlap(
    train: pd.DataFrame, test: pd.DataFrame, *, target: str | None = None, most: float = 0.01
) -> CheckResult:
    """Test rows whose features are also in the training rows are at most this share.

    Parameters
    ----------
    train, test
        All rows of both are compared, by their common columns.
    target
        Left out of the comparison: an equal row with another label is a leak too.
    most
        Share of the test rows.

    Raises
    ------
    DataError
        The tables have no column in common.
    """
    common = [name for name in train.columns if name in test.columns and name != target]
    if not common:
        raise DataError("the two tables have no column in common", hint="Give the test rows of the same table.")
    both = pd.concat([train[common], test[common]], ignore_index=True)  # one type for each column
    keys = row_keys(both).to_numpy()
    shared = np.isin(keys[len(train) :], keys[: len(train)])
    share = float(shared.mean()) if len(test) else 0.0
    sentence = f"{int(shared.sum()):,} of {len(test):,} test rows ({share:.2%}) have the features of a training row."
    return CheckResult(
        name="overlap",
        outcome=CheckOutcome.FAILED if share > most else CheckOutcome.PASSED,
        sentence=sentence if shared.any() else "No test row is among the training rows.",
        value=share,
        rule=f"share <= {most:g}",
    )
