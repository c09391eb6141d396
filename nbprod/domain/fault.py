"""A fault: one place where a notebook is not in the form nbprod keeps in git."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["NotebookFault"]


@dataclass(frozen=True, kw_only=True)
class NotebookFault:
    """Which file, which cell, which rule, and what to do about it."""

    file: str
    cell: str  #: the cell's id; ``-`` for the notebook as a whole
    rule: str  #: ``cell-id``, ``outputs``, …
    sentence: str
    is_mended_by_tidy: bool = False

    def __str__(self) -> str:
        return f"{self.file}: {self.cell}: {self.rule}: {self.sentence}"
