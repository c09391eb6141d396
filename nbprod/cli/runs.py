"""``nbprod runs``: list, show, follow, stop, mend, make again, compare and prune runs."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from nbprod.cli.output import AsJson, Limit, emit, emit_one, print_json, put, say
from nbprod.cli.run import attaching, stay
from nbprod.disk import write_file
from nbprod.domain.duration import parse_duration
from nbprod.domain.numbers import number
from nbprod.domain.plain import plain
from nbprod.domain.run import Run
from nbprod.errors import NotFoundError, RefusedError
from nbprod.pages.formatting import plural, size
from nbprod.pages.terminal import plain as without_sequences
from nbprod.visible import in_json

__all__ = ["app"]

app = typer.Typer(help="List, show and follow runs; mend, repeat, compare and prune them.", no_args_is_help=True)

RunId = Annotated[str, typer.Argument(metavar="RUN", help="A run's id, or the beginning or end of it.")]
COLUMNS = ("id", "status", "result")


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
    rows = found if as_json else [{**plain(run), "result": result(run)} for run in found]
    emit(rows, COLUMNS, as_json=as_json, empty="No runs yet. Start one with nbprod run TEMPLATE.", cut="result")


@app.command()
def show(run: RunId, as_json: AsJson = False) -> None:
    """Show one run."""
    runs = service()
    found = runs.get(run)
    hold = runs.retained_kernel(found)
    emit_one({**plain(found), "hold": plain(hold) if hold else None}, as_json=as_json)


@app.command()
def watch(run: RunId, as_json: AsJson = False) -> None:
    """Follow a run until it ends: each cell, and what it prints."""
    runs = service()
    for event in runs.watch(run):
        if as_json:
            put(to_line(event))
        elif text := spoken(event):
            put(text, end="" if event.get("text") else "\n")
    found = runs.get(run)
    if not found.succeeded:
        stay(runs, found)
        raise typer.Exit(1)


@app.command()
def cancel(run: RunId) -> None:
    """Stop a run: interrupt, then ask to end, then kill; the partial notebook is kept."""
    stopped = service().cancel(run)
    say(f"Run {stopped.id} is {stopped.status}.")


@app.command()
def debug(
    run: RunId, release: Annotated[bool, typer.Option("--release", help="Release the held kernel.")] = False
) -> None:
    """Say how to look into the kernel that is held for a failed run (nbprod run --hold 30m)."""
    runs = service()
    if release:
        runs.release(run)
        say("The kernel was released.")
        return
    found = runs.get(run)
    if hold := runs.retained_kernel(found):
        put(attaching(found, hold))
        return
    raise NotFoundError(
        f"No kernel is held for run {found.id}, which is {found.status}",
        hint=f"Its notebook is {found.folder}/notebook.ipynb. To have the kernel next time: nbprod run … --hold 30m; "
        f"to start again from the top: nbprod runs resume {found.id}",
    )


@app.command()
def resume(
    run: RunId,
    from_top: Annotated[bool, typer.Option("--from-top", help="Start from the top in any case.")] = False,
    as_json: AsJson = False,
) -> None:
    """Go on with a failed run after its notebook was mended: in the held kernel, else from the top."""
    runs = service()
    done = runs.resume(run, from_top=from_top, notify=say)
    emit_one(done, as_json=as_json)
    if not done.succeeded:
        say(f"nbprod: run {done.id} {done.status} in cell {done.failed_at} ({done.cause}): {done.error}")
        stay(runs, done)
        raise typer.Exit(1)


@app.command()
def reproduce(
    run: RunId,
    tolerance: Annotated[
        float, typer.Option("--tolerance", min=0.0, help="Numbers that differ by at most this count as the same.")
    ] = 1e-9,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Execute although data, code or packages changed.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make a run again from its record and say of each output whether it is the same."""
    found = service().reproduce(run, tolerance=tolerance, anyway=anyway)
    if as_json:
        print_json(found.to_dict())
    else:
        put(str(found))
    if not found.is_same:
        raise RefusedError(
            f"Run {found.run} is {found.verdict}" + (f": {found.obstacles[0]}" if found.obstacles else ""),
            hint="To execute it nevertheless: --anyway."
            if found.again is None
            else f"See nbprod runs compare {found.run} {found.again}",
        )


@app.command()
def prune(
    keep: Annotated[
        str, typer.Option("--keep", metavar="TIME", help="Keep runs that ended within this time: 30d, 4w.")
    ],
    keep_registered: Annotated[  # noqa: ARG001 — said for whoever reads the script
        bool,
        typer.Option(
            "--keep-registered", help="Runs that versions, packages, alerts or events refer to always stay."
        ),
    ] = True,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove the folders of old runs that nothing refers to; their records and metrics stay."""
    found = service().prune(parse_duration(keep), dry_run=dry_run)
    if as_json:
        print_json(plain(found))
        return
    for id_ in found.runs:
        put(id_)
    done = "would be removed" if dry_run else "removed"
    say(f"{plural(len(found.runs), 'run folder')} {done}, {size(found.size_bytes)}.")
    if found.kept:
        say(f"{plural(found.kept, 'older run')} kept: something refers to them.")


@app.command()
def compare(
    a: RunId,
    b: RunId,
    html: Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write a page.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show what differs between two runs: parameters, metrics, data, cells, figures, environment."""
    if html is not None:
        write_file(html.absolute(), service().compare_page(a, b))
        say(f"Wrote {html}")
        if not as_json:
            return
    difference = service().compare(a, b)
    if as_json:
        print_json(difference.to_dict())
    else:
        put(str(difference))


def result(run: Run) -> str:
    """What came of a run, in a line: why it ended early, else its metrics, the one that counts first."""
    if run.error:
        return f"{run.failed_cell}: {run.error}" if run.failed_cell else run.error
    return ", ".join(f"{name} {number(value)}" for name, value in run.metrics.items())


def to_line(event: dict[str, Any]) -> str:
    """An event as one line of JSON."""
    import json

    return in_json(json.dumps(event, ensure_ascii=False))


def spoken(event: dict[str, Any]) -> str:
    """An event in words; empty for those nobody wants to read."""
    match event["kind"]:
        case "cell.started":
            return f"── {event['cell']}"
        case "cell.output":
            return without_sequences(str(event.get("text") or ""))
        case "cell.ended" if event["status"] != "completed":
            return f"── {event['cell']} {event['status']} ({event.get('cause')})"
        case "run.stopping":
            return f"── stopping ({event['cause']}): {event['stage']}"
        case "run.ended":
            return f"── {event['status']}" + (f": {event['error']}" if event.get("error") else "")
        case _:
            return ""
