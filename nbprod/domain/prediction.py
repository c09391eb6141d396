"""What was kept of predictions and outcomes that were handed in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from nbprod.domain.markup import card

__all__ = ["ErasureReceipt", "OutcomesAdded", "PredictionTrace", "PredictionsAdded"]


@dataclass(frozen=True, kw_only=True)
class PredictionsAdded:
    """What became of predictions that were handed in."""

    deployment: str
    added: int
    repeated: int = 0  #: left out: their id was kept before
    is_replay: bool = False  #: the very same hand-in was kept before, so nothing was added
    table_version: int | None = None
    read_as: str = ""  #: of a CSV file: how it was read

    def __str__(self) -> str:
        if self.is_replay:
            return f"{self.deployment}: the same predictions were added before; nothing was added"
        left_out = f", {self.repeated:,} skipped because their id is already stored" if self.repeated else ""
        return f"{self.deployment}: {self.added:,} predictions added{left_out}"


@dataclass(frozen=True, kw_only=True)
class OutcomesAdded:
    """What became of outcomes that were handed in."""

    deployment: str
    added: int
    matched: int  #: of those added, with a prediction of their id
    unknown: int  #: of those added, with none (yet); kept, and joined if the prediction comes
    repeated: int = 0  #: of those added, with an id given twice: the latest to arrive counts
    blank: int = 0  #: left out: no outcome was given
    is_replay: bool = False
    table_version: int | None = None
    read_as: str = ""  #: of a CSV file: how it was read

    def __str__(self) -> str:
        if self.is_replay:
            return f"{self.deployment}: the same outcomes were added before; nothing was added"
        parts = [f"{self.added:,} outcomes added", f"{self.matched:,} match a prediction"]
        parts += [f"{self.unknown:,} match none yet"] if self.unknown else []
        parts += [f"{self.repeated:,} repeat an id, the latest counts"] if self.repeated else []
        parts += [f"{self.blank:,} blank ones left out"] if self.blank else []
        return f"{self.deployment}: {', '.join(parts)}"


@dataclass(frozen=True, kw_only=True)
class ErasureReceipt:
    """What was erased of a unit; it does not name the unit, or it would not be erased."""

    id: str
    deployment: str
    at: datetime
    predictions: int
    outcomes: int
    parts: int  #: files removed, those of older versions among them
    spooled: int  #: entries that had been set aside
    named_in: tuple[str, ...] = ()  #: files of runs and pages that show the unit or one of its predictions, unchanged

    def __str__(self) -> str:
        said = (
            f"{self.id}: {self.predictions:,} predictions and {self.outcomes:,} outcomes of the unit erased from "
            f"{self.deployment}, {self.parts:,} files removed; no part of any version holds it"
        )
        if not self.named_in:
            return f"{said}, and no file of a run or page names it"
        shown = "".join(f"\n  {path}" for path in self.named_in)
        return (
            f"{said}.\nThese files of runs and pages hold its name as a value, or a prediction of it, and are left "
            f"as they are. Look, and delete what is about it:{shown}"
        )


@dataclass(frozen=True, kw_only=True)
class PredictionTrace:
    """Everything that is known of one prediction."""

    prediction_id: str
    deployment: str
    at: datetime
    outputs: Mapping[str, Any]
    inputs: Mapping[str, Any]  #: without private ones
    version: str | None = None
    arm: str | None = None
    share: float | None = None
    unit: str | None = None
    latency_ms: float | None = None
    package: str | None = None  #: digest
    run_id: str | None = None  #: that trained the model
    notebook: str | None = None  #: of that run, executed
    data: Mapping[str, str] = field(default_factory=dict)  #: fingerprints of what it was trained on
    window: Mapping[str, Any] = field(default_factory=dict)  #: which rows of it: the run's parameters that say so
    outcome: Any = None
    outcome_at: datetime | None = None
    verdict: str | None = None  #: of the monitor whose window held this prediction
    verdict_run: str | None = None

    def __repr__(self) -> str:
        return f"<PredictionTrace {self.prediction_id} of {self.deployment} by {self.version}>"

    def _repr_html_(self) -> str:
        return card(
            f"Prediction {self.prediction_id}",
            [
                ("deployment", self.deployment),
                ("when", f"{self.at:%Y-%m-%d %H:%M:%S}"),
                ("version", self.version),
                *((name, value) for name, value in self.outputs.items()),
                ("outcome", self.outcome),
                ("monitor", self.verdict),
                ("notebook", self.notebook),
            ],
        )
