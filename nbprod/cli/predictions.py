"""``nbprod predictions``: take in, look at, ask, trace, compact, prune and erase what was predicted."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nbprod.cli.output import AsJson, Limit, emit, emit_one, say
from nbprod.clock import now, parse_utc
from nbprod.domain.duration import parse_duration
from nbprod.errors import NotFoundError, SettingsError

if TYPE_CHECKING:
    from nbprod.deployments import Deployments
    from nbprod.workspace import Workspace

__all__ = ["app"]

app = typer.Typer(help="Take in, look at, ask and compact predictions.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="DEPLOYMENT", help="Name of the deployment.")]
File = Annotated[str, typer.Argument(metavar="FILE", help="Parquet or CSV, a path or URL.")]


@app.command()
def add(deployment: Name, file: File, as_json: AsJson = False) -> None:
    """Take in predictions made elsewhere: at, prediction, perhaps prediction_id, probability, and the inputs."""
    added = _deployments().add_predictions(deployment, file)
    say(str(added))
    emit_one(added, as_json=as_json)


@app.command()
def show(
    which: Annotated[str, typer.Argument(metavar="DEPLOYMENT|ID", help="A deployment, or the id of a prediction.")],
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """Show the predictions that happened last with their outcomes, or everything behind one of them."""
    deployments = _deployments()
    if which not in {one.name for one in deployments.list(limit=None)}:
        try:
            emit_one(deployments.trace(which), as_json=as_json)
        except NotFoundError:
            deployments.get(which)  # says which deployment may have been meant
        return
    found = deployments.recent(which, limit=limit)
    columns = ["prediction_id", "at", "version", "prediction", "probability", "outcome", "inputs"]
    emit(found, columns, as_json=as_json, empty="No predictions yet.")


@app.command("list")
def list_(
    deployment: Name,
    segment: Annotated[
        str, typer.Option("--segment", help="As reports write it: region = north and hour >= 18.")
    ] = "",
    window: Annotated[str | None, typer.Option("--window", help="The last 24h, 30d, 4w.")] = None,
    start: Annotated[datetime | None, typer.Option("--start", help="First event time, UTC.")] = None,
    end: Annotated[datetime | None, typer.Option("--end", help="End of the window, not included, UTC.")] = None,
    alert: Annotated[
        str | None, typer.Option("--alert", help="The rows of an alert: its window and segment.")
    ] = None,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """List the newest predictions of a window and a segment, or those an alert is about."""
    columns = ["prediction_id", "at", "version", "prediction", "probability", "outcome"]
    if alert is not None:
        if segment or window or start or end:
            raise SettingsError("an alert has a window and a segment of its own", hint="Give --alert alone.")
        traced = _workspace().monitors.trace(alert, limit=limit)
        if traced.deployment != deployment:
            raise SettingsError(f"alert {alert} is one of {traced.deployment}")
        say(f"{traced.rows:,} rows{f' where {traced.segment}' if traced.segment else ''}, the newest first.")
        emit(traced.predictions, columns, as_json=as_json, empty="No predictions.")
        return
    if window is not None and (start or end):
        raise SettingsError("a window has a length or a start and an end, not both", hint="Give --window alone.")
    bounds = [parse_utc(one.isoformat()) if one else None for one in (start, end)]
    if window is not None:
        bounds = [now() - parse_duration(window), None]
    found = _deployments().rows(deployment, segment=segment, start=bounds[0], end=bounds[1], limit=limit)
    say(f"{found.count:,} rows, the newest first.")
    emit(found.newest, columns, as_json=as_json, empty="No predictions.")


@app.command()
def query(
    deployment: Name,
    sql: Annotated[str, typer.Argument(metavar="SQL", help='One SELECT; "at" is a word of SQL, so quote it.')],
    csv: Annotated[Path | None, typer.Option("--csv", help="Write the answer to this file.")] = None,
    json: Annotated[
        Path | None, typer.Option("--json", help="The same, a JSON list of records; - for stdout.")
    ] = None,
    parquet: Annotated[Path | None, typer.Option("--parquet", help="The same, as Parquet.")] = None,
    timeout_s: Annotated[float, typer.Option("--timeout", min=0.01, help="Seconds it may take.")] = 60.0,
    memory_mb: Annotated[int, typer.Option("--memory-mb", min=1, help="Megabytes it may take.")] = 1024,
    most_rows: Annotated[int, typer.Option("--most-rows", min=1, help="Rows the answer may have.")] = 1_000_000,
) -> None:
    """Ask in SQL, read only: predictions, outcomes, scored (both), failures, shadows, health, checks, alerts."""
    from nbprod.cli.tables import write_table  # delayed: pyarrow
    from nbprod.lake.sql import QueryLimits

    limits = QueryLimits(timeout_s=timeout_s, memory_mb=memory_mb, most_rows=most_rows)
    table = _deployments().query_table(deployment, sql, limits=limits)
    targets = {kind: path for kind, path in (("csv", csv), ("json", json), ("parquet", parquet)) if path is not None}
    for kind, path in targets.items():
        write_table(table, kind, path)
    if not targets:
        emit(table.to_pylist(), table.column_names, as_json=False, empty="No rows.")


@app.command()
def compact(deployment: Name, as_json: AsJson = False) -> None:
    """Merge small parts; versions of the last 30 days stay readable."""
    emit_one(_deployments().compact(deployment), as_json=as_json)


@app.command()
def prune(
    deployment: Name,
    keep: Annotated[str, typer.Option("--keep", help="How long predictions stay: 400d, 52w, 36h.")],
    history: Annotated[
        str, typer.Option("--history", help="How long older versions of the tables stay readable.")
    ] = "30d",
    as_json: AsJson = False,
) -> None:
    """Delete predictions and outcomes that are older than that."""
    emit_one(_deployments().prune(deployment, keep, history=history), as_json=as_json)


@app.command()
def erase(
    deployment: Name,
    unit: Annotated[str, typer.Option("--unit", help="As requests named it.")],
    as_json: AsJson = False,
) -> None:
    """Delete everything of a unit, in tables, spools and files; older versions of the tables go with it."""
    receipt = _deployments().erase(deployment, unit=unit)
    say(str(receipt))
    emit_one(receipt, as_json=as_json)


def _deployments() -> Deployments:
    return _workspace().deployments


def _workspace() -> Workspace:
    from nbprod.workspace import open_workspace  # opens the ledger: SQLAlchemy takes a quarter of a second

    return open_workspace()
