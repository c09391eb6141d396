"""Mends the notebook of an execution that was lost, from its journal: outputs as they came, statuses as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nbformat import NotebookNode, from_dict
from nbformat.v4 import new_output

from nbprod.domain.execution import Limits
from nbprod.domain.run import CellStatus
from nbprod.notebook.document import read_notebook
from nbprod.notebook.execution_metadata import label
from nbprod.notebook.journal import fold, read_events
from nbprod.notebook.outputs import Printed
from nbprod.notebook.saving import Saver

__all__ = ["recover_notebook"]


def recover_notebook(folder: Path) -> None:
    """Write the notebook again so that it says what the journal says."""
    path = folder / "notebook.ipynb"
    if not path.exists():
        return
    nb = read_notebook(path)
    events = [event for _, event in read_events(folder)]
    result = fold(events)
    cells = {cell.id: cell for cell in nb.cells if cell.cell_type == "code"}
    for id_, outputs in replayed(events).items():
        if id_ in cells:
            cells[id_].outputs = outputs
    for state in result.cells:
        if cell := cells.get(state.id):
            about = cell.metadata.setdefault("papermill", NotebookNode())
            about.update(status=state.status.value, exception=state.status is CellStatus.FAILED)
            if state.started_at:
                about["start_time"] = state.started_at.isoformat()
            if state.ended_at:
                about["end_time"] = state.ended_at.isoformat()
            if state.status is CellStatus.FAILED and state.cause and state.id == result.failed_cell:
                cell.outputs.append(
                    new_output("error", ename="Lost", evalue=result.error or "", traceback=[result.error or ""])
                )
    nb.metadata.setdefault("papermill", NotebookNode())["exception"] = True
    label(nb, result)
    Saver(path).save(nb)


def replayed(events: list[dict[str, Any]]) -> dict[str, list[NotebookNode]]:
    """The outputs of each cell, put together again from the events since the last start."""
    found: dict[str, dict[int, Any]] = {}
    for event in events:
        if event["kind"] == "run.started":
            found = {}
        if event["kind"] == "cell.started":
            found[event["cell"]] = {}
        if event["kind"] != "cell.output":
            continue
        outputs = found.setdefault(event["cell"], {})
        if event.get("clear"):
            outputs.clear()
        elif "output" in event:
            outputs[event["index"]] = from_dict(event["output"])
        else:
            _, printed = outputs.setdefault(
                event["index"], (event["name"], Printed(Limits().cell_text_kb * 1024, lambda _: "logs/"))
            )
            if event.get("left_out"):
                printed.add(f"\n[… {event['left_out']:,} characters left out …]\n")
            printed.add(event["text"])
    return {
        id_: [
            new_output("stream", name=output[0], text=str(output[1])) if isinstance(output, tuple) else output
            for _, output in sorted(outputs.items())
        ]
        for id_, outputs in found.items()
    }
