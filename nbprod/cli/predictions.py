"""``nbprod predictions``: take in, look at and compact what was predicted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from nbprod.cli.output import AsJson, Limit, emit, emit_one, say

if TYPE_CHECKING:
    from nbprod.deployments import Deployments

__all__ = ["app"]

app = typer.Typer(help="Take in, look at and compact predictions.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="DEPLOYMENT", help="Name of the deployment.")]
File = Annotated[str, typer.Argument(metavar="FILE", help="Parquet or CSV, a path or URL.")]


@app.command()
def add(deployment: Name, file: File, as_json: AsJson = False) -> None:
    """Take in predictions made elsewhere: at, prediction, perhaps prediction_id, probability, and the inputs."""
    added = _deployments().add_predictions(deployment, file)
    say(str(added))
    emit_one(added, as_json=as_json)


@app.command()
def show(deployment: Name, limit: Limit = 50, as_json: AsJson = False) -> None:
    """Show the predictions that happened last, with their outcomes."""
    found = _deployments().recent(deployment, limit=limit)
    columns = ["prediction_id", "at", "version", "prediction", "probability", "outcome", "inputs"]
    emit(found, columns, as_json=as_json, empty="No predictions yet.")


@app.command()
def compact(deployment: Name, as_json: AsJson = False) -> None:
    """Merge small parts; versions of the last 30 days stay readable."""
    emit_one(_deployments().compact(deployment), as_json=as_json)


def _deployments() -> Deployments:
    from nbprod.workspace import open_workspace  # opens the ledger: SQLAlchemy takes a quarter of a second

    return open_workspace().deployments
