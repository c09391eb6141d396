"""``nbprod notebooks``: makes any notebook a job, and holds notebooks in the one form they have in git."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nbprod.cli import adopting
from nbprod.cli.output import put, say

__all__ = ["app"]

app = typer.Typer(help="Adopt, check and tidy notebooks.", no_args_is_help=True)

Paths = Annotated[list[Path], typer.Argument(help="Notebooks, or folders of them.", show_default=False)]
NOT_OK = 3

app.command()(adopting.adopt)


@app.command()
def check(paths: Paths) -> None:
    """Name every fault as file: cell: rule, and end with 3 if there is one."""
    from nbprod.notebook.canonical import faults_in_file  # nbformat takes a second to import

    notebooks = _notebooks(paths)
    faults = [fault for path in notebooks for fault in faults_in_file(path)]
    for fault in faults:
        put(str(fault))
    if not faults:
        say(f"{_counted(len(notebooks))} in order.")
        return
    mendable = sum(fault.is_mended_by_tidy for fault in faults)
    say(f"{len(faults)} faults, of which nbprod notebooks tidy mends {mendable}.")
    raise typer.Exit(NOT_OK)


@app.command()
def tidy(paths: Paths) -> None:
    """Take out outputs and needless metadata, give cells readable ids; name the files that were rewritten."""
    from nbprod.notebook.canonical import tidy_file  # nbformat takes a second to import

    notebooks = _notebooks(paths)
    mended = [path for path in notebooks if tidy_file(path)]
    for path in mended:
        put(str(path))
    say(f"{_counted(len(notebooks))} read, {len(mended)} rewritten.")


def _notebooks(paths: list[Path]) -> list[Path]:
    """The files themselves, and those in the folders and below; checkpoints are no notebooks."""
    found: list[Path] = []
    for path in paths:
        below = sorted(path.rglob("*.ipynb")) if path.is_dir() else [path]
        found += [file for file in below if not any(part.startswith(".") for part in file.relative_to(path).parts)]
    return list(dict.fromkeys(found))


def _counted(number: int) -> str:
    return "1 notebook" if number == 1 else f"{number} notebooks"
