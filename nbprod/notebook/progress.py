"""A progress bar by cell, on stderr of a terminal only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from nbprod.domain.run import CellStatus
from nbprod.notebook.execution import Progress
from nbprod.visible import visible

__all__ = ["progress_bar"]


@contextmanager
def progress_bar(title: str = "") -> Iterator[Callable[[Progress], None]]:
    """Show a bar while the block runs; gives the function to call at each cell's start and end."""
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task(visible(title), total=None)

        def show(at: Progress) -> None:
            done = at.index + (at.status is CellStatus.COMPLETED)
            shown.update(task, total=at.total, completed=done, description=visible(f"{title} {at.cell}".strip()))

        yield show
