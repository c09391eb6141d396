"""All checks of a table in one call, with one verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from nbprod.datasets.windows import AUTO, check_frame, moments, only_moments
from nbprod.domain.check import CheckOutcome, CheckResult, worst
from nbprod.domain.markup import card
from nbprod.validation.checks import (
    check_balance,
    check_constants,
    check_contradictions,
    check_duplicates,
    check_missing,
    check_order,
)
from nbprod.validation.leakage import check_alone, check_sums, power_alone
from nbprod.validation.overlap import check_overlap
from nbprod.validation.tables import schema_table

__all__ = ["Validation", "validate"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Validation:
    """What the checks say, and the tables behind them."""

    rows: int
    task: str | None
    checks: tuple[CheckResult, ...]
    schema: pd.DataFrame
    powers: pd.Series[float]  #: how well each column predicts the target alone, 0 to 1

    @property
    def outcome(self) -> CheckOutcome:
        """Of all checks together; a doubt is a doubt, a failure fails."""
        return worst(self.checks)

    @property
    def table(self) -> pd.DataFrame:
        """One line a check."""
        lines = [
            {"check": each.name, "outcome": str(each.outcome), "what was seen": each.sentence} for each in self.checks
        ]
        return pd.DataFrame(lines).set_index("check")

    @property
    def sentence(self) -> str:
        """The verdict in words."""
        telling = [each.sentence for each in self.checks if each.outcome is not CheckOutcome.PASSED]
        return " ".join(telling) or f"{len(self.checks)} checks found nothing wrong in {self.rows:,} rows."

    def __repr__(self) -> str:
        return f"<Validation {self.outcome}: {self.sentence}>"

    def _repr_html_(self) -> str:
        return card(
            f"Data: {self.outcome}", [(each.name, f"{each.outcome}: {each.sentence}") for each in self.checks]
        )


def validate(
    frame: pd.DataFrame,
    *,
    target: str | None = None,
    task: str | None = None,
    time: str | None = None,
    test: pd.DataFrame | None = None,
    drop: Sequence[str] = (),
    private: Sequence[str] = (),
    most_missing: float = 0.5,
    most_duplicates: float = 0.01,
) -> Validation:
    """Look at a table before anything is learned from it.

    Parameters
    ----------
    frame
        The rows to learn from.
    target, task
        The column to predict, and whether it is ``classification`` or ``regression``; checks that need them are left
        out without them.
    time
        The column that says when a row happened; ``auto``: the only column of moments, if there is one.
    test
        Rows to be tested on, which must not be among the rows to learn from.
    drop
        Columns nobody will learn from; they cannot leak.
    private
        Columns whose values are not shown.
    most_missing
        Share of a column's values.
    most_duplicates
        Share of the rows, of duplicates, contradictions and overlap.

    Raises
    ------
    DataError
        There are no rows.
    SettingsError
        A column does not exist.
    """
    if time == AUTO:
        time = only_moments(frame, apart={*drop, *([target] if target else [])})
    check_frame(frame, [target, time, *drop], time=time)
    checks = [
        check_missing(frame, most=most_missing),
        check_duplicates(frame, most=most_duplicates),
        check_constants(frame),
    ]
    powers = pd.Series(dtype=float)
    features = frame.drop(columns=[name for name in {*drop, *([time] if time else [])} if name != target])
    if target is not None and frame[target].notna().any():
        powers = power_alone(features, target, task or "regression")
        checks += [check_alone(powers, target), check_sums(features, target)]
        if task == "classification":
            checks += [
                check_balance(frame[target]),
                check_contradictions(features, target, most=most_duplicates),
            ]
    if time is not None:
        checks.append(check_order(moments(frame[time])))
    if test is not None:
        checks.append(check_overlap(frame, test, target=target, most=most_duplicates))
    return Validation(
        rows=len(frame),
        task=task,
        checks=tuple(checks),
        schema=schema_table(frame, private=private),
        powers=powers,
    )
