"""``nbprod runs``: list, show, follow, stop and compare runs."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import typer

from nbprod.cli.output import AsJson, Limit, emit, emit_one, print_json, say

__all__ = ["app"]

app = typer.Typer(help="List, show, watch, cancel and compare runs.", no_args_is_help=True)

RunId = Annotated[str, typer.Argument(metavar="RUN", help="A run's id, or the beginning or end of it.")]
COLUMNS = ("id", "status", "template", "created_at", "failed_cell", "metrics")


def service() -> Any:
    """The runs of the workspace."""
    from nbprod.workspace import open_workspace  # opens the ledger

    return open_workspace().runs


@app.command("list")
def list_runs(
    template: Annotated[str | None, typer.Option("--template", "-t", help="Of this template only.")] = None,
    status: Annotated[str | None, typer.Option("--status", help="With this status only.")] = None,
    since: Annotated[datetime | None, typer.Option("--since", help="Made at or after this moment, UTC.")] = None,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """Show runs, newest first."""
    from datetime import UTC

    aware = since.replace(tzinfo=UTC) if since and since.tzinfo is None else since
    found = service().list(template=template, status=status, since=aware, limit=limit)
    emit(found, COLUMNS, as_json=as_json, empty="No runs yet. Start one with nbprod run TEMPLATE.")


@app.command()
def show(run: RunId, as_json: AsJson = False) -> None:
    """Show one run."""
    emit_one(service().get(run), as_json=as_json)


@app.command()
def watch(run: RunId, as_json: AsJson = False) -> None:
    """Follow a run until it ends: each cell, and what it prints."""
    runs = service()
    for event in runs.watch(run):
        if as_json:
            typer.echo(to_line(event))
        elif text := spoken(event):
            typer.echo(text, nl=not event.get("text"))
    if not runs.get(run).succeeded:
        raise typer.Exit(1)


@app.command()
def cancel(run: RunId) -> None:
    """Stop a run: interrupt, then ask to end, then kill; the partial notebook is kept."""
    stopped = service().cancel(run)
    say(f"Run {stopped.id} is {stopped.status}.")


@app.command()
def compare(a: RunId, b: RunId, as_json: AsJson = False) -> None:
    """Show what differs between two runs: parameters, metrics, data, code, environment."""
    difference = service().compare(a, b)
    if as_json:
        print_json(difference.to_dict())
    else:
        typer.echo(str(difference))


def to_line(event: dict[str, Any]) -> str:
    """An event as one line of JSON."""
    import json

    return json.dumps(event, ensure_ascii=False)


def spoken(event: dict[str, Any]) -> str:
    """An event in words; empty for those nobody wants to read."""
    match event["kind"]:
        case "cell.started":
            return f"── {event['cell']}"
        case "cell.output":
            return str(event.get("text") or "")
        case "cell.ended" if event["status"] != "completed":
            return f"── {event['cell']} {event['status']} ({event.get('cause')})"
        case "run.stopping":
            return f"── stopping ({event['cause']}): {event['stage']}"
        case "run.ended":
            return f"── {event['status']}" + (f": {event['error']}" if event.get("error") else "")
        case _:
            return ""
