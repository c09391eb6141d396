"""Commands of the site: ``build``, ``open``, ``check``."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nbprod.cli.output import AsJson, emit, emit_one, put, say

if TYPE_CHECKING:
    from nbprod.workspace import Workspace

__all__ = ["app"]

app = typer.Typer(help="The static site of runs, models, monitors, alerts and history.", no_args_is_help=True)

Folder = Annotated[Path | None, typer.Argument(help="The site's folder; else the one of [site] folder.")]
NOT_OK = 3


@app.command()
def build(
    folder: Folder = None,
    since: Annotated[datetime | None, typer.Option("--since", help="Leave out what is older, UTC.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make the pages; those that still hold are left as they are."""
    from nbprod.clock import parse_utc

    summary = _workspace().site.build(folder, since=parse_utc(since.isoformat()) if since else None)
    if as_json:
        emit_one(summary, as_json=True)
        return
    say(f"{summary.pages} pages, {summary.changed} files changed, {summary.runs_built} runs made anew.")
    put(str(summary.index))


@app.command("open")
def open_(folder: Folder = None) -> None:
    """Show the site in a browser; where there is none, print its address."""
    site = _workspace().site
    if not site.open(folder):
        say("There is no browser on this machine; open this address in one:")
    put((Path(folder or site.folder).absolute() / "index.html").as_uri())


@app.command()
def check(folder: Folder = None, as_json: AsJson = False) -> None:
    """Name dead links, outside requests, heavy pages and missing texts, and end with 3 if there is one."""
    faults = _workspace().site.check(folder)
    emit(faults, ["page", "rule", "sentence"], as_json=as_json, empty="The site is in order.")
    if faults:
        raise typer.Exit(NOT_OK)


def _workspace() -> Workspace:
    from nbprod.workspace import open_workspace  # opens the ledger: SQLAlchemy takes a quarter of a second

    return open_workspace()
