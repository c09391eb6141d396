"""Commands of retraining: ``start``, ``policy``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from nbprod.cli.output import AsJson, emit_one
from nbprod.clock import parse_utc

if TYPE_CHECKING:
    from nbprod.workspace import Workspace

app = typer.Typer(help="From an alert to a candidate that has passed, failed or must wait.", no_args_is_help=True)

Deployment = Annotated[str, typer.Argument(help="Name of the deployment.")]


@app.command()
def start(
    deployment: Deployment,
    because: Annotated[str, typer.Option(help="An alert's id, or a reason in words.")],
    until: Annotated[str | None, typer.Option(help="End of the data that may be used; now by default.")] = None,
    as_json: AsJson = False,
) -> None:
    """Train, register, bless, evaluate, and do what the policy says."""
    outcome = _workspace().retraining.start(deployment, because=because, until=parse_utc(until) if until else None)
    emit_one(outcome, as_json=as_json)


@app.command()
def policy(deployment: Deployment, as_json: AsJson = False) -> None:
    """Show the policy of a deployment."""
    emit_one(_workspace().retraining.policy(deployment), as_json=as_json)


def _workspace() -> Workspace:
    from nbprod.workspace import open_workspace  # opens the ledger: SQLAlchemy takes a quarter of a second

    return open_workspace()
