"""A compiled model: a plan made into calls, for one row and for many, with numpy and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from nbprod.compiled.categories import CATEGORY_OPERATIONS
from nbprod.compiled.columns import Table, as_columns
from nbprod.compiled.numbers import NUMBER_OPERATIONS, Run
from nbprod.compiled.plan import Plan
from nbprod.compiled.scores import SCORE_OPERATIONS
from nbprod.compiled.trees import TREE_OPERATIONS
from nbprod.errors import PackageError

__all__ = ["CompiledModel"]

OPERATIONS: dict[str, Callable[[Mapping[str, Any], bool], Run]] = {
    **NUMBER_OPERATIONS,
    **CATEGORY_OPERATIONS,
    **TREE_OPERATIONS,
    **SCORE_OPERATIONS,
}
CHUNK = 8_192  #: rows predicted at once


class CompiledModel:
    """Evaluates a plan.

    Parameters
    ----------
    plan
        The compiled pipeline.

    Raises
    ------
    PackageError
        The plan has an operation this nbprod does not know.
    """

    def __init__(self, plan: Plan) -> None:
        unknown = sorted({step.op for step in plan.steps} - OPERATIONS.keys())
        if unknown:
            raise PackageError(
                f"The compiled model uses {unknown[0]!r}, which this nbprod does not know",
                hint="Use the nbprod that made it, or a newer one.",
            )
        self.plan = plan
        self._classes = plan.classes
        self._labels = np.array(plan.classes) if plan.classes else None

    def predict_values(self, values: list[Any]) -> tuple[Any, ...]:
        """Predict one row.

        Parameters
        ----------
        values
            In the order of the plan's inputs: numbers (NaN where missing), text (``None`` where missing), moments in
            microseconds. :class:`~nbprod.compiled.RowChecker` makes them of a mapping.

        Returns
        -------
        tuple
            The prediction, and the probability of each class where the model gives them.

        Raises
        ------
        SchemaError
            A value was never seen and the model refuses such.
        """
        registers: list[Any] = [values]
        for run, inputs in self._of_one:
            registers.append(run(*[registers[number] for number in inputs]))
        found = registers[self.plan.prediction][0]
        prediction = self._classes[found] if self._classes else found
        if self.plan.probabilities is None:
            return (prediction,)
        return (prediction, *registers[self.plan.probabilities])

    def predict_columns(self, columns: Table) -> tuple[np.ndarray, ...]:
        """Predict many rows, chunk by chunk.

        Parameters
        ----------
        columns
            Column by name: Arrow arrays, pandas series, numpy arrays or lists, with the types of the schema.

        Returns
        -------
        tuple
            As of one row, with an array for each.

        Raises
        ------
        SchemaError
            A column is missing or has another type, or holds a value the model refuses.
        """
        given = as_columns(columns, self.plan.inputs)
        rows = len(given[0])
        parts = [self._chunk([_part(column, start) for column in given]) for start in range(0, max(rows, 1), CHUNK)]
        return tuple(np.concatenate(part) for part in zip(*parts, strict=True)) if len(parts) > 1 else parts[0]

    def _chunk(self, columns: list[Any]) -> tuple[np.ndarray, ...]:
        registers: list[Any] = [columns]
        for run, inputs in self._of_many:
            registers.append(run(*[registers[number] for number in inputs]))
        found = registers[self.plan.prediction][0]
        prediction = self._labels[found] if self._labels is not None else found
        if self.plan.probabilities is None:
            return (prediction,)
        return (prediction, *registers[self.plan.probabilities])

    @cached_property
    def _of_one(self) -> Sequence[tuple[Run, tuple[int, ...]]]:
        return [(OPERATIONS[step.op](step.params, False), step.inputs) for step in self.plan.steps]

    @cached_property
    def _of_many(self) -> Sequence[tuple[Run, tuple[int, ...]]]:
        return [(OPERATIONS[step.op](step.params, True), step.inputs) for step in self.plan.steps]

    def __repr__(self) -> str:
        return f"<CompiledModel: {self.plan!r}>"


def _part(column: Any, start: int) -> Any:
    if isinstance(column, np.ndarray):
        return column[start : start + CHUNK]
    return type(column)(column.values, column.codes[start : start + CHUNK])
