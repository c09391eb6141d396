"""How a notebook is executed: its limits, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from nbprod.domain.run import CellResult, EndCause, RunStatus

__all__ = ["ExecutionResult", "Limits"]


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one execution may use; zero means no limit."""

    cell_timeout_s: float = 0
    run_timeout_s: float = 0
    start_timeout_s: float = 60
    grace_s: float = 5  #: between an interrupt, a request to end and the end, when a run is stopped
    memory_mb: int = 0  #: of the kernel and its children together
    cell_text_kb: int = 1024  #: printed text kept in the notebook for each cell; the rest goes to a log file
    display_kb: int = 8192  #: of one displayed output; a larger one goes to a file
    notebook_mb: int = 64  #: of all outputs together
    log_mb: int = 256  #: of one cell's log file


@dataclass(frozen=True, kw_only=True)
class ExecutionResult:
    """The end of one execution, as its journal says it."""

    status: RunStatus
    cause: EndCause | None = None
    failed_cell: str | None = None  #: id of the cell that did not finish
    error: str | None = None  #: one line
    error_type: str | None = None  #: name of the exception's class, where Python raised one
    cells: tuple[CellResult, ...] = ()
    started_at: datetime | None = None
    ended_at: datetime | None = None

    @property
    def failed_at(self) -> str | None:
        """What people call the cell that did not finish."""
        return next((cell.called for cell in self.cells if cell.id == self.failed_cell), self.failed_cell)

    def __repr__(self) -> str:
        at = f" in cell {self.failed_at}" if self.failed_at else ""
        return f"<ExecutionResult {self.status}{f' ({self.cause})' if self.cause else ''}{at}>"
