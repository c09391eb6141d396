"""The papermill engine named ``nbprod``: papermill's way in, our truth about what happened.

``papermill --engine nbprod in.ipynb out.ipynb`` writes its record to ``out.nbprod/`` beside the output, or to the
folder named by ``NBPROD_RUN``. Without a local output there is no place for a record and none is kept.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import Any

from nbformat import NotebookNode
from nbformat.v4 import new_output
from papermill.engines import Engine

from nbprod.domain.execution import ExecutionResult, Limits
from nbprod.domain.run import CellStatus, EndCause
from nbprod.errors import RunFailedError
from nbprod.notebook.document import has_tag
from nbprod.notebook.execution import Execution
from nbprod.notebook.progress import progress_bar as progress_bar_of
from nbprod.notebook.saving import check_target
from nbprod.notebook.stopping import CANCEL

__all__ = ["NbprodEngine", "raise_for"]


class NbprodEngine(Engine):
    """Executes notebooks truthfully; everything papermill offers around an engine keeps working."""

    @classmethod
    def execute_notebook(
        cls,
        nb: NotebookNode,
        kernel_name: str,
        output_path: str | None = None,
        progress_bar: bool | dict[str, Any] = True,  # noqa: FBT001, FBT002 — papermill's signature
        log_output: bool = False,  # noqa: FBT001, FBT002, ARG003
        autosave_cell_every: int = 30,  # noqa: ARG003
        start_timeout: int = 60,
        execution_timeout: int | None = None,
        execution: Execution | None = None,
        **_ignored: Any,
    ) -> NotebookNode:
        """Execute a notebook; papermill calls this.

        Parameters
        ----------
        execution
            A prepared execution (our own callers give one); otherwise one is made from papermill's arguments.

        Raises
        ------
        RunFailedError
            The notebook did not finish for a cause papermill knows nothing of. An error raised by a cell is left to
            papermill, which raises its own.
        """
        if execution is not None:
            for name in ("input_path", "output_path"):  # papermill was handed a notebook, and would keep it as a path
                nb.metadata.get("papermill", {}).pop(name, None)
            execution.adopt(nb)
            execution.run()
            return execution.nb
        with ExitStack() as stack:
            if output_path and "://" not in output_path:
                check_target(Path(output_path))
            folder = record_folder(output_path)
            if folder is None:
                folder = Path(tempfile.mkdtemp(prefix="nbprod-"))
                stack.callback(shutil.rmtree, folder, ignore_errors=True)
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            (folder / CANCEL).unlink(missing_ok=True)  # asked of an earlier run
            show = stack.enter_context(
                progress_bar_of() if progress_bar and sys.stderr.isatty() else nullcontext(None)
            )
            execution = Execution(
                nb,
                folder=folder,
                kernel_name=kernel_name,
                cwd=Path.cwd(),
                env={**os.environ, "NBPROD_RUN": str(folder)},
                limits=Limits(cell_timeout_s=execution_timeout or 0, start_timeout_s=start_timeout),
                progress=show,
            )
            result = execution.run()
            # papermill writes its output only when we return
            if output_path and "://" not in output_path and result.cause is not None:
                execution.saver.copy_to(Path(output_path))
        execution.signals.pass_on()
        if result.cause is not EndCause.ERROR:
            raise_for(result)
        return errors_as_text(execution.nb)


def errors_as_text(nb: NotebookNode) -> NotebookNode:
    """The notebook with errors that were announced (tag ``raises-exception``) as printed text.

    papermill fails on every output that is an error, announced or not. The record keeps them as they were.
    """
    for cell in nb.cells:
        if has_tag(cell, "raises-exception") and cell.metadata.papermill.status == CellStatus.COMPLETED:
            cell.outputs = [
                new_output("stream", name="stderr", text="\n".join([*output.traceback, ""]))
                if output.output_type == "error"
                else output
                for output in cell.outputs
            ]
    return nb


def record_folder(output_path: str | None) -> Path | None:
    """Where the record of a plain papermill run goes."""
    if named := os.environ.get("NBPROD_RUN"):
        return Path(named)
    if output_path and "://" not in output_path and output_path != "-":
        return Path(output_path).resolve().with_suffix(".nbprod")
    return None


def raise_for(result: ExecutionResult, run_id: str = "") -> None:
    """Raise unless the execution succeeded.

    Raises
    ------
    RunFailedError
        Naming the cell and the cause.
    """
    if result.cause is None:
        return
    at = f" in cell {result.failed_at}" if result.failed_at else ""
    raise RunFailedError(
        f"The notebook ended early{at} ({result.cause}): {result.error}",
        run_id=run_id,
        hint="The partial notebook and events.jsonl are in the run's folder.",
    )
