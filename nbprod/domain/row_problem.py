"""What is wrong with one row sent for a prediction: the error contract that server and batch share."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["RowProblem"]


@dataclass(frozen=True, kw_only=True, slots=True)
class RowProblem:
    """One field of one row that the model cannot take; it never holds the value itself."""

    row: int  #: position of the row in what was sent, from 0
    field: str
    problem: str  #: ``missing``, ``null``, ``type``, ``infinite``, ``not whole``, ``out of range``, ``unknown``
    expected: str  #: in words: ``a number``, ``text``, ``no such field; did you mean 'hour'?``

    def __str__(self) -> str:
        return f"row {self.row}, {self.field}: {self.problem}; expected {self.expected}"
