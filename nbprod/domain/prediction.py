"""What was kept of predictions and outcomes that were handed in."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["OutcomesAdded", "PredictionsAdded"]


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
