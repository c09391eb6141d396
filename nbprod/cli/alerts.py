"""Commands of alerts: look (``list``, ``show``, ``trace``), act (``ack``, ``snooze``, ``resolve``), ``deliver``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from nbprod.cli.output import AsJson, Limit, emit, emit_one, print_json, say
from nbprod.domain.alert import AlertStatus
from nbprod.domain.delivery import DeliveryStatus
from nbprod.domain.plain import plain

if TYPE_CHECKING:
    from nbprod.domain.alert import Alert
    from nbprod.workspace import Workspace

SHORT = "Alerts of the monitors: one a cause; acknowledge, snooze, resolve, deliver."
# \b keeps the lines as they are
HELP = f"""{SHORT}

What moved together is one alert with its parts. Who is told, when and where is in nbprod.toml. Nothing runs by
itself: each command that changes an alert delivers what is due, and so does `nbprod schedule run-due`.

\b
    [alerts]
    quiet = "22:00-07:00"      # what is not critical waits for the morning
    timezone = "Europe/Berlin"
    escalate = "4h"            # nobody has looked for so long: escalate_to is told
    escalate_to = ["boss"]
    digest = "08:00"           # what is not resolved, once a day
    [alerts.churn]             # of one deployment
    owner = "maria"
    runbooks = {{ drift = "https://wiki.example.org/drift" }}
    [channels.team]            # kind: log, file, webhook, mail or chat
    kind = "webhook"
    url = "env:TEAM_HOOK"
    secret = "env:TEAM_HOOK_KEY"
    [channels.boss]
    kind = "mail"
    host = "smtp.example.org"
    from = "nbprod@example.org"
    to = ["boss@example.org"]
"""

app = typer.Typer(help=HELP, short_help=SHORT, no_args_is_help=True)

AlertId = Annotated[str, typer.Argument(help="Id of the alert.")]
Note = Annotated[str, typer.Option("--note", help="Why, for those who read it later.")]


@app.command("list")
def list_(
    deployment: Annotated[str | None, typer.Argument(help="Only of this deployment.")] = None,
    status: Annotated[AlertStatus | None, typer.Option(help="Only of this status.")] = None,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """Alerts, newest first: when it happened and when that was seen, then what."""
    found = [_told(alert) for alert in _workspace().alerts.list(deployment, status=status, limit=limit)]
    emit(found, ["when", "severity", "status", "deployment", "title", "owner", "id", "summary"], as_json=as_json)


@app.command()
def show(alert_id: AlertId, as_json: AsJson = False) -> None:
    """One alert with its parts."""
    alert = _workspace().alerts.get(alert_id)
    if as_json:
        print_json(_told(alert))
        return
    emit_one({key: value for key, value in _told(alert).items() if key not in HIDDEN}, as_json=False)
    say("Parts:")
    emit(alert.parts, ["check", "subject", "severity", "sentence", "times_seen", "over_at"], as_json=False)


@app.command("ack")
def ack(alert_id: AlertId, note: Note = "", as_json: AsJson = False) -> None:
    """Say that somebody is on it: you are not told again unless it gets worse."""
    _say_moved(_workspace().alerts.acknowledge(alert_id, note=note), as_json=as_json)


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
    """The same as ack."""
    ack(alert_id, note, as_json)


@app.command()
def snooze(
    alert_id: AlertId,
    until: Annotated[str, typer.Option(help="A moment, ISO 8601, UTC without a zone; or a length from now: 3d.")],
    note: Note = "",
    as_json: AsJson = False,
) -> None:
    """Be told again at a moment, if it is still there; what makes it worse is told before."""
    _say_moved(_workspace().alerts.snooze(alert_id, until=until, note=note), as_json=as_json)


@app.command()
def resolve(alert_id: AlertId, note: Note = "", as_json: AsJson = False) -> None:
    """Close it; the monitor opens a new one if it sees the same again."""
    _say_moved(_workspace().alerts.resolve(alert_id, note=note), as_json=as_json)


@app.command()
def deliver(as_json: AsJson = False) -> None:
    """Send what is due now: messages that wait or failed, escalations, ends of snoozes, the digest."""
    emit(_workspace().alerts.deliver(), DELIVERY, as_json=as_json, empty="Nothing is due.")


@app.command()
def deliveries(
    alert_id: Annotated[str | None, typer.Argument(help="Only about this alert.")] = None,
    status: Annotated[DeliveryStatus | None, typer.Option(help="Only of this status.")] = None,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """Messages about alerts: what was sent, what waits for which moment, and what kept it."""
    emit(_workspace().alerts.deliveries(alert_id, status=status, limit=limit), DELIVERY, as_json=as_json)


DELIVERY = ("channel", "status", "title", "attempts", "due_at", "sent_at", "error")
HIDDEN = {"parts", "check", "subject", "began", "ended", "acknowledged_by", "revision", "title"}


def _told(alert: Alert) -> dict[str, Any]:
    """An alert with its event time in front."""
    return {"when": alert.when(), "title": alert.title, **plain(alert)}


def _say_moved(alert: Alert, *, as_json: bool) -> None:
    if as_json:
        print_json(_told(alert))
    else:
        emit_one({key: value for key, value in _told(alert).items() if key not in HIDDEN}, as_json=False)


def _workspace() -> Workspace:
    from nbprod.workspace import open_workspace  # opens the ledger: SQLAlchemy takes a quarter of a second

    return open_workspace()
