"""Commands of alerts: ``list``, ``trace``, ``acknowledge``, ``resolve``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from nbprod.cli.output import AsJson, Limit, emit, emit_one, say
from nbprod.domain.alert import AlertStatus
from nbprod.domain.plain import plain

if TYPE_CHECKING:
    from nbprod.workspace import Workspace

app = typer.Typer(help="Alerts of the monitors: list, acknowledge, resolve.", no_args_is_help=True)

AlertId = Annotated[str, typer.Argument(help="Id of the alert.")]
Note = Annotated[str, typer.Option("--note", help="Why, for those who read it later.")]


@app.command("list")
def list_(
    deployment: Annotated[str | None, typer.Argument(help="Only of this deployment.")] = None,
    status: Annotated[AlertStatus | None, typer.Option(help="Only of this status.")] = None,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """Alerts, newest first."""
    found = _workspace().alerts.list(deployment, status=status, limit=limit)
    emit(found, ["id", "status", "deployment", "summary", "times_seen", "last_seen_at"], as_json=as_json)


@app.command()
def trace(alert_id: AlertId, limit: Limit = 20, as_json: AsJson = False) -> None:
    """From an alert to its segment, rows and their ids, and to the versions, runs and notebooks behind them."""
    traced = _workspace().monitors.trace(alert_id, limit=limit)
    if as_json:
        emit_one(traced, as_json=True)
        return
    ids = [row["prediction_id"] for row in traced.predictions]
    shown = {
        name: value for name, value in plain(traced).items() if name not in {"conditions", "predictions", "versions"}
    }
    emit_one({**shown, "segment": traced.segment, "prediction_ids": ids}, as_json=False)
    emit(traced.versions, ["version", "rows", "package", "run_id", "notebook"], as_json=False)
    say("Next: nbprod predictions show ID, for everything behind one of them.")


@app.command()
def acknowledge(alert_id: AlertId, note: Note = "", as_json: AsJson = False) -> None:
    """Say that somebody is on it."""
    emit_one(_workspace().alerts.acknowledge(alert_id, note=note), as_json=as_json)


@app.command()
def resolve(alert_id: AlertId, note: Note = "", as_json: AsJson = False) -> None:
    """Close it; the monitor opens a new one if it sees the same again."""
    emit_one(_workspace().alerts.resolve(alert_id, note=note), as_json=as_json)


def _workspace() -> Workspace:
    from nbprod.workspace import open_workspace  # opens the ledger: SQLAlchemy takes a quarter of a second

    return open_workspace()
