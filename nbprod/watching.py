"""``nbprod.watch``: any run as a live panel, found in the workspace around here or by its folder."""

from __future__ import annotations

from pathlib import Path

from nbprod.domain.run import Run
from nbprod.panels.run_panel import POLL_S, RunPanel

__all__ = ["watch"]


def watch(run: Run | str | Path, *, poll_s: float = POLL_S) -> RunPanel:
    """Show a run as a live panel, in one call.

    Parameters
    ----------
    run
        A run; its id, or the beginning or end of it, in the workspace around here; the folder of a record; or the
        notebook that plain ``papermill --engine nbprod`` writes.
    poll_s
        Between two looks.

    Raises
    ------
    NotFoundError
        There is no such run or record.
    """
    if isinstance(run, Run):
        return RunPanel(run, poll_s=poll_s)
    path = Path(run)
    if path.suffix == ".ipynb":
        path = path.with_suffix(".nbprod")  # where the engine keeps the record of plain papermill
    if isinstance(run, Path) or path.is_dir() or path.suffix == ".nbprod":
        return RunPanel(path, poll_s=poll_s)
    from nbprod.workspace import open_workspace  # opens the ledger; a record in a folder needs none

    return RunPanel(open_workspace().runs.get(run), poll_s=poll_s)
