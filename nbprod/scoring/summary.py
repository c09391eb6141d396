"""What a batch job did, as a value that shows itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from nbprod.domain.markup import card

__all__ = ["ScoreSummary"]


@dataclass(frozen=True, kw_only=True)
class ScoreSummary:
    """What a batch job did."""

    rows: int  #: predicted
    output: str
    version: str
    package: str  #: digest
    seconds: float
    rejected: int = 0  #: rows
    rejects: str | None = None  #: where they are told
    predicted: Mapping[str, float] = field(default_factory=dict)  #: rows by class; of numbers their mean
    unseen: Mapping[str, int] = field(default_factory=dict)  #: by column: rows whose category was never seen
    path: str = ""  #: compiled model or pipeline
    workers: str = ""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is odd without being wrong."""
        return tuple(
            f"{name} has values never seen in training in {count:,} of {self.rows:,} rows."
            for name, count in self.unseen.items()
        )

    @classmethod
    def of_receipt(cls, said: Mapping[str, Any]) -> ScoreSummary:
        """What was written beside an output when it was done."""
        names = {one.name for one in fields(cls)}
        return cls(**{name: value for name, value in said.items() if name in names})

    def __repr__(self) -> str:
        apart = f", {self.rejected:,} rejected," if self.rejected else ""
        return f"<ScoreSummary {self.rows:,} rows{apart} by {self.version} into {self.output}>"

    def _repr_html_(self) -> str:
        return card(
            f"{self.rows:,} rows scored by {self.version}",
            [
                ("output", self.output),
                *([("rejected", f"{self.rejected:,} rows, told in {self.rejects}")] if self.rejected else []),
                ("took", f"{self.seconds:.1f} s, {self.workers}, by the {self.path}"),
                *((f"predicted {name}", f"{value:,.6g}") for name, value in list(self.predicted.items())[:8]),
                *(("warning", warning) for warning in self.warnings[:5]),
            ],
        )
