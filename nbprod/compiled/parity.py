"""Keeps comparing a compiled model with its pipeline in use: which rows are due, and what the comparisons said."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

__all__ = ["Parity"]


@dataclass(kw_only=True)
class Parity:
    """Counters of comparisons between both paths; safe to use from several threads.

    A server exports the public numbers as they are.
    """

    share: float = 0.001  #: of the rows predicted by the compiled model, those that the pipeline predicts too
    tolerance: float = 1e-12  #: relative to the larger of one and the number
    rows: int = 0  #: predicted by the compiled model
    compared: int = 0
    differing: int = 0  #: of the compared ones
    label_flips: int = 0
    largest_difference: float = 0.0
    _due: float = 0.0
    _lock: Lock = field(default_factory=Lock, repr=False)

    def due(self, rows: int = 1) -> int:
        """Count rows as predicted, and say how many of them are to be compared now."""
        with self._lock:
            self.rows += rows
            self._due += rows * self.share
            asked = min(rows, math.floor(self._due))
            self._due -= asked
            return asked

    def compare(self, expected: Mapping[str, Any], actual: Mapping[str, Any]) -> bool:
        """Note a comparison of one row's outputs by name, and say whether they agree.

        Parameters
        ----------
        expected
            Of the pipeline.
        actual
            Of the compiled model.
        """
        flipped, largest, within = False, 0.0, True
        for name, value in expected.items():
            other = actual.get(name)
            if _is_number(value) and other is not None and _is_number(other):
                gap = abs(float(value) - float(other)) if value == value or other == other else 0.0  # noqa: PLR0124
                gap = math.inf if gap != gap else gap  # noqa: PLR0124 — one of them is NaN
                within = within and gap <= self.tolerance * max(1.0, abs(float(value)))
                largest = max(largest, gap)
            elif value != other:
                flipped, within = True, False
        with self._lock:
            self.compared += 1
            self.differing += not within
            self.label_flips += flipped
            self.largest_difference = max(self.largest_difference, largest)
        return within

    @property
    def holds(self) -> bool:
        """Whether no comparison has differed; the compiled model is not used further where one has."""
        return self.differing == 0

    def counts(self) -> dict[str, float]:
        """The numbers to export, by name."""
        with self._lock:
            return {
                "rows": self.rows,
                "compared": self.compared,
                "differing": self.differing,
                "label_flips": self.label_flips,
                "largest_difference": self.largest_difference,
            }


def _is_number(value: Any) -> bool:
    return hasattr(value, "__float__") and not isinstance(value, str | bool)
