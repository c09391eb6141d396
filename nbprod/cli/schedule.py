"""Commands of schedules: ``list``, ``show``, ``run-due``, ``start``, ``export``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nbprod.cli.output import AsJson, Limit, emit, print_json, put, say
from nbprod.clock import parse_utc
from nbprod.domain.plain import plain
from nbprod.errors import SettingsError

if TYPE_CHECKING:
    from nbprod.schedules import StartedJob
    from nbprod.workspace import Workspace

SHORT = "What is started when, and files for cron, systemd and other schedulers."
# \b keeps the lines as they are
HELP = f"""{SHORT}

A schedule is a table of nbprod.toml that starts one thing: run (a template or notebook), pipeline or monitor (of a
deployment). Nothing starts by itself: let cron or another scheduler call `nbprod schedule run-due`; export writes its
file.

\b
    [schedules.nightly]
    cron = "30 2 * * *"
    timezone = "Europe/Berlin"  # else UTC
    run = "validate_data"
    parameters = {{ data = "electricity" }}
    missed = "once"  # or skip, all: what becomes of moments at which nobody looked
    overlap = "skip"  # or queue, allow: when the start before still works
"""

app = typer.Typer(help=HELP, short_help=SHORT, no_args_is_help=True)

Jobs = Annotated[int | None, typer.Option("--jobs", "-j", min=1, help="How many at a time.")]
EMPTY = "nbprod.toml has no [schedules.NAME]. Copy one: nbprod schedule --help"
COLUMNS = ("id", "status", "reason", "job_id")


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """Every schedule with the next and the last moment it is due."""
    schedules = _workspace().schedules
    rows = []
    for name in schedules.names():
        schedule = schedules.schedule(name)
        last = next(iter(schedules.dues(name, limit=1)), None)
        rows.append(
            {
                "name": name,
                "starts": f"{schedule.starts} {schedule.target}",
                "cron": schedule.cron,
                "timezone": schedule.timezone,
                "next_due": schedules.next(name),
                "last_due": last.due_at if last else None,
                "last_status": last.status if last else None,
                "last_job": last.job_id if last else None,
            }
        )
    columns = ["name", "starts", "cron", "timezone", "next_due", "last_due", "last_status"]
    emit(rows, columns, as_json=as_json, empty=EMPTY)


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="Name of the schedule.")], limit: Limit = 20, as_json: AsJson = False
) -> None:
    """One schedule and what became of the moments it was due."""
    schedules = _workspace().schedules
    schedule, dues = schedules.schedule(name), schedules.dues(name, limit=limit)
    if as_json:
        print_json({**plain(schedule), "next_due": plain(schedules.next(name)), "dues": [plain(due) for due in dues]})
        return
    following = schedules.next(name)
    say(f"{schedule.starts} {schedule.target}, next " + (f"{following:%Y-%m-%d %H:%M} UTC" if following else "never"))
    emit(dues, COLUMNS, as_json=False)


@app.command("run-due")
def run_due(
    names: Annotated[list[str] | None, typer.Argument(help="Only these schedules.")] = None,
    now: Annotated[str | None, typer.Option(help="Only show what would be started at this moment, UTC.")] = None,
    jobs: Jobs = None,
    as_json: AsJson = False,
) -> None:
    """Start what is due, each moment once, whoever else looks; exit 1 when something started did not succeed."""
    schedules = _workspace().schedules
    if now is not None:
        try:
            at = parse_utc(now)
        except ValueError:
            raise SettingsError(f"{now!r} is not a moment", hint="Write 2026-11-21T02:30.") from None
        emit(schedules.due(now=at), COLUMNS, as_json=as_json, empty="Nothing would be due.")
        return
    for name in names or []:
        schedules.schedule(name)
    _tell(schedules.run_due(names or (), jobs=jobs), as_json=as_json)


@app.command()
def start(
    name: Annotated[str, typer.Argument(help="Name of the schedule.")], jobs: Jobs = None, as_json: AsJson = False
) -> None:
    """Start one schedule's work now, due or not: for schedulers that decide themselves when."""
    _tell(_workspace().schedules.start(name, jobs=jobs), as_json=as_json)


@app.command()
def export(
    kind: Annotated[str, typer.Argument(help="cron, systemd, airflow, kubernetes or github.")],
    names: Annotated[
        list[str] | None, typer.Argument(help="Start these one by one; without any, call run-due.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for the files; else print them.")
    ] = None,
    at: Annotated[str | None, typer.Option("--workspace-at", help="Where the workspace will be, there.")] = None,
    python: Annotated[str, typer.Option(help="The interpreter, there.")] = "",
    image: Annotated[str, typer.Option(help="Of a container nbprod is installed in.")] = "",
) -> None:
    """Write the files with which an existing scheduler calls nbprod; parameters stay in nbprod.toml."""
    from nbprod.disk import make_folder, write_file

    files = _workspace().schedules.export(kind, names or (), workspace=at, python=python, image=image)
    for name, content in files.items():
        if output is None:
            say(f"--- {name}")
            put(content, end="")
        else:
            put(write_file(make_folder(output) / name, content))


def _tell(started: StartedJob, *, as_json: bool) -> None:
    emit(started.dues, COLUMNS, as_json=as_json, empty="Nothing is due.")
    for problem in started.problems:
        say(f"nbprod: {problem}")
    if started.failed:
        raise typer.Exit(1)
    if started.problems:
        raise typer.Exit(2)


def _workspace() -> Workspace:
    from nbprod.workspace import open_workspace  # opens the ledger: SQLAlchemy takes a quarter of a second

    return open_workspace()
