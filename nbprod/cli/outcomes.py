"""``nbprod outcomes``: take in the truth about predictions, which arrives later."""

from __future__ import annotations

from typing import Annotated

import typer

from nbprod.cli.output import AsJson, emit_one, say

__all__ = ["app"]

app = typer.Typer(help="Take in the truth about predictions.", no_args_is_help=True)


@app.callback()
def outcomes() -> None:
    """Keep ``add`` a command of its own: typer folds a single one into its parent."""


@app.command()
def add(
    deployment: Annotated[str, typer.Argument(help="Name of the deployment.")],
    file: Annotated[str, typer.Argument(metavar="FILE", help="Parquet or CSV, a path or URL.")],
    as_json: AsJson = False,
) -> None:
    """Take in outcomes by prediction id: prediction_id, outcome, perhaps at (when it came)."""
    from nbprod.workspace import open_workspace  # opens the ledger: SQLAlchemy takes a quarter of a second

    added = open_workspace().deployments.add_outcomes(deployment, file)
    say(str(added))
    emit_one(added, as_json=as_json)
