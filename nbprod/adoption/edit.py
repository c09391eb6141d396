"""One proposed change, and what the declaration of a parameter looks like; every edit can be refused by itself."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Declaration", "Edit", "EditKind", "NewCell", "Replacement"]


class EditKind(StrEnum):
    """What an edit is for."""

    PARAMETER = "parameter"  #: a literal becomes a parameter
    RECORD = "record"  #: a metric is kept with the run
    MODULE = "module"  #: a function or class moves into a module beside the notebook
    SAVE_MODEL = "save-model"  #: a fitted estimator is kept with the run


@dataclass(frozen=True, kw_only=True)
class Replacement:
    """Other text for a part of a cell."""

    start: int
    end: int
    text: str

    def overlaps(self, other: Replacement) -> bool:
        """Whether both change the same text."""
        return self.start < other.end and other.start < self.end


@dataclass(frozen=True, kw_only=True)
class Declaration:
    """One line of the parameters cell."""

    name: str
    annotation: str
    value: str  #: as written
    help: str

    def __str__(self) -> str:
        return f"{self.name}: {self.annotation} = {self.value}  # {self.help}"


@dataclass(frozen=True, kw_only=True)
class NewCell:
    """A code cell that comes behind the one an edit belongs to."""

    id: str
    source: str


@dataclass(frozen=True, kw_only=True)
class Edit:
    """One proposed change.

    The cell is the one whose text it changes, or behind which it puts a new one.
    """

    kind: EditKind
    cell: str  #: id, as it is after tidying
    sentence: str
    replacements: tuple[Replacement, ...] = ()
    declaration: Declaration | None = None
    in_place: bool = False  #: the cell itself becomes the parameters cell
    new_cell: NewCell | None = None
    module: tuple[str, ...] = ()  #: imports, constants and definitions that come into the module beside the notebook

    def overlaps(self, other: Edit) -> bool:
        """Whether both change the same text of a cell."""
        pairs = itertools.product(self.replacements, other.replacements)
        return self.cell == other.cell and any(one.overlaps(another) for one, another in pairs)
