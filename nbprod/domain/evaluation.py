"""An evaluation: a candidate held against the champion and the gates, on named rows, in a run."""

from __future__ import annotations

from dataclasses import dataclass

from nbprod.domain.check import CheckOutcome, CheckResult
from nbprod.domain.markup import card

__all__ = ["Evaluation"]


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """The recorded verdict of an evaluate run; evidence for the package it names and for no other."""

    run_id: str
    candidate: str  #: digest of the package that was judged
    champion: str | None  #: digest of the package it was compared with; ``None``: no champion yet
    data: str  #: fingerprint of the rows
    metric: str  #: that decided
    policy: str  #: digest of the gates it was judged by
    outcome: CheckOutcome
    checks: tuple[CheckResult, ...]

    @property
    def sentence(self) -> str:
        """What decided, in words: the checks that did not pass, else all of them."""
        telling = [check for check in self.checks if check.outcome is not CheckOutcome.PASSED] or self.checks
        return "; ".join(check.sentence for check in telling)

    def __repr__(self) -> str:
        return f"<Evaluation {self.run_id} of {self.candidate[:12]}: {self.outcome}>"

    def _repr_html_(self) -> str:
        return card(
            f"Evaluation of {self.candidate[:12]}",
            [
                ("against", self.champion[:12] if self.champion else "nothing: no champion yet"),
                ("gates", self.outcome),
                *((check.name, f"{check.outcome}: {check.sentence}") for check in self.checks),
                ("run", self.run_id),
            ],
        )
