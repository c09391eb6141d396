"""What stands behind an alert: window, segment, rows, versions, runs and notebooks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from nbprod.domain.markup import card
from nbprod.domain.segment import Condition, segment_sentence

__all__ = ["AlertTrace", "VersionOrigin"]


@dataclass(frozen=True, kw_only=True)
class VersionOrigin:
    """A version that answered rows of an alert, and where it comes from."""

    version: str
    rows: int
    package: str | None = None  #: digest
    run_id: str | None = None  #: that trained it
    notebook: str | None = None  #: of that run, executed


@dataclass(frozen=True, kw_only=True)
class AlertTrace:
    """From an alert to rows, and from there to what made them; a prediction's id leads back to all of it."""

    alert_id: str
    deployment: str
    check: str
    subject: str
    summary: str
    start: datetime  #: of the window in which it was seen last
    end: datetime  #: not included
    run_id: str  #: of the monitor that saw it
    notebook: str | None  #: of that run; ``None``: it was pruned
    conditions: tuple[Condition, ...]  #: of the segment; none: all rows of the window
    rows: int  #: in the segment
    versions: tuple[VersionOrigin, ...]  #: that answered them, most rows first
    predictions: Sequence[Mapping[str, Any]]  #: the newest: id, moment, version, prediction, outcome
    tables: Mapping[str, int] = field(default_factory=dict)  #: versions of the tables the monitor read

    @property
    def segment(self) -> str:
        """The segment in words; empty: all rows of the window."""
        return segment_sentence(self.conditions)

    def __repr__(self) -> str:
        where = f" where {self.segment}" if self.segment else ""
        return f"<AlertTrace {self.alert_id}: {self.rows:,} rows{where}>"

    def _repr_html_(self) -> str:
        return card(
            f"Alert {self.alert_id}",
            [
                ("summary", self.summary),
                ("window", f"{self.start:%Y-%m-%d %H:%M} to {self.end:%Y-%m-%d %H:%M}"),
                ("segment", self.segment or "all rows"),
                ("rows", f"{self.rows:,}"),
                *((one.version, f"{one.rows:,} rows, {one.notebook or 'no notebook'}") for one in self.versions),
                ("predictions", ", ".join(str(row["prediction_id"]) for row in self.predictions[:5])),
                ("monitor", self.notebook),
            ],
        )
