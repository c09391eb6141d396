"""The answer of a check: passed, failed, or inconclusive, which never promotes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

__all__ = ["Cause", "CheckOutcome", "CheckResult", "Need", "worst"]


class CheckOutcome(StrEnum):
    """What a check says."""

    PASSED = "passed"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"  #: not enough evidence either way


class Cause(StrEnum):
    """Where a finding comes from, as far as the check can tell."""

    SOURCE = "source"  #: values are missing or of another type: what delivers the column broke
    VALUES = "values"  #: the column is whole, and its values are distributed otherwise


class Need(StrEnum):
    """What an inconclusive check would need for an answer."""

    PREDICTIONS = "predictions"
    OUTCOMES = "outcomes"
    REFERENCE = "reference"  #: a longer one: its own windows differ by too much for more predictions to help


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """One check's outcome, with the number, its interval and the rule it was held against."""

    name: str
    outcome: CheckOutcome
    sentence: str  #: what was seen, in words for people: nothing is decided by it
    subject: str = ""  #: the column, metric or slice it is about
    value: float | None = None
    low: float | None = None
    high: float | None = None
    rule: str = ""  #: ``gain >= 0.01``, for people
    cause: Cause | None = None
    needs: Need | None = None
    needed: int | None = None  #: how many more of it, where that is known
    detectable: float | None = None  #: the smallest effect that would have been found, in the unit of the value
    rows_needed: int | None = None  #: rows with which one as small as the rule's would be found; ``None``: enough

    @classmethod
    def read(cls, written: Mapping[str, Any]) -> CheckResult:
        """A check from its fields as they were written down, by this or an earlier nbprod."""
        fields = {**_before_fields(str(written.get("rule", ""))), **written}
        for name, kind in (("outcome", CheckOutcome), ("cause", Cause), ("needs", Need)):
            if fields.get(name) is not None:
                fields[name] = kind(fields[name])
        return cls(**fields)

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


def _before_fields(rule: str) -> dict[str, Any]:
    """What nbprod 0.1 wrote into the text of the rule, before there were fields for it."""
    if rule == "as the reference has it":
        return {"cause": Cause.SOURCE}
    if rule == "within what the reference swings by":
        return {"needs": Need.REFERENCE}
    if found := re.fullmatch(r"needs ([\d,]+) (?:more )?(predictions|outcomes)", rule):
        return {"needs": Need(found[2]), "needed": int(found[1].replace(",", ""))}
    return {}
