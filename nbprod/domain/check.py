"""The answer of a check: passed, failed, or inconclusive, which never promotes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["CheckOutcome", "CheckResult", "worst"]


class CheckOutcome(StrEnum):
    """What a check says."""

    PASSED = "passed"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"  #: not enough evidence either way


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """One check's outcome, with the number, its interval and the rule it was held against."""

    name: str
    outcome: CheckOutcome
    sentence: str  #: what was seen, in words
    subject: str = ""  #: the column, metric or slice it is about
    value: float | None = None
    low: float | None = None
    high: float | None = None
    rule: str = ""  #: ``gain >= 0.01``

    def __repr__(self) -> str:
        return f"<CheckResult {self.name} {self.outcome}: {self.sentence}>"


def worst(results: Iterable[CheckResult]) -> CheckOutcome:
    """The outcome of all together: one failure fails, else one doubt is a doubt; no check at all is a doubt.

    Examples
    --------
    >>> worst([])
    <CheckOutcome.INCONCLUSIVE: 'inconclusive'>
    """
    outcomes = {result.outcome for result in results}
    if CheckOutcome.FAILED in outcomes:
        return CheckOutcome.FAILED
    return CheckOutcome.PASSED if outcomes == {CheckOutcome.PASSED} else CheckOutcome.INCONCLUSIVE
