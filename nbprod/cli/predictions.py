"""``nbprod predictions``: take in, look at, trace, compact, prune and erase what was predicted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from nbprod.cli.output import AsJson, Limit, emit, emit_one, say
from nbprod.errors import NotFoundError

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
    from nbprod.workspace import open_workspace  # opens the ledger: SQLAlchemy takes a quarter of a second

    return open_workspace().deployments
