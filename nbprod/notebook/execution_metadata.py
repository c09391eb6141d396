"""What a notebook says of its own execution: nothing yet, how far it is, which cells an earlier run executed."""

from __future__ import annotations

import copy
from datetime import datetime

from nbformat import NotebookNode

from nbprod.domain.execution import ExecutionResult
from nbprod.domain.run import CellStatus, RunStatus

__all__ = ["clear_execution", "copy_outputs", "give_ids", "label"]


def give_ids(nb: NotebookNode) -> None:
    """Name every cell; cells are spoken of by id."""
    nb.nbformat_minor = max(nb.nbformat_minor, 5)
    seen: set[str] = set()
    for index, cell in enumerate(nb.cells):
        if not cell.get("id") or cell.id in seen:
            cell.id = f"cell-{index}"
        seen.add(cell.id)


def clear_execution(nb: NotebookNode, began_at: datetime) -> None:
    """Forget earlier executions and say that nothing has run yet."""
    nb.metadata.setdefault("papermill", NotebookNode()).update(
        start_time=began_at.isoformat(), end_time=None, duration=None, exception=None
    )
    for cell in nb.cells:
        cell.metadata["papermill"] = NotebookNode(
            exception=None, start_time=None, end_time=None, duration=None, status=CellStatus.PENDING.value
        )
        cell.metadata.pop("nbprod", None)
        if cell.cell_type == "code":
            cell.execution_count = None
            cell.outputs = []


def copy_outputs(nb: NotebookNode, first: NotebookNode, *, until: str, run: str) -> list[str]:
    """Take over what an earlier run showed in the code cells before one; the ids of these cells.

    The code cells of both are the same up to there. Each that is taken over is marked with the earlier run's id.
    """
    executed = (cell for cell in first.cells if cell.cell_type == "code")
    copied = []
    for cell in nb.cells:
        if cell.id == until:
            break
        if cell.cell_type == "code":
            before = copy.deepcopy(next(executed))
            cell.outputs, cell.execution_count = before.outputs, before.execution_count
            cell.metadata["papermill"] = before.metadata.get("papermill", NotebookNode())
            cell.metadata["nbprod"] = NotebookNode(before.metadata.get("nbprod", {}))
            cell.metadata["nbprod"].setdefault("kept_from", run)  # it may have been kept from one still earlier
            copied.append(cell.id)
    return copied


def label(nb: NotebookNode, result: ExecutionResult) -> None:
    """Say in the notebook's metadata how far it is, so that a partial one is known as such."""
    nb.metadata.setdefault("nbprod", NotebookNode()).update(
        status=result.status.value,
        partial=result.status is not RunStatus.SUCCEEDED,
        cause=result.cause.value if result.cause else None,
        failed_cell=result.failed_cell,
        error=result.error,
    )
