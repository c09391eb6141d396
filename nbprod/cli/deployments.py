"""``nbprod deployments``: name what is in use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from nbprod.cli.output import AsJson, Limit, emit, emit_one

if TYPE_CHECKING:
    from nbprod.deployments import Deployments

__all__ = ["app"]

app = typer.Typer(help="Name what is in use, and list it.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Name of the deployment.")]


@app.command()
def create(
    name: Name,
    model: Annotated[
        str | None, typer.Option("--model", help="electricity@champion to follow, or electricity/2.")
    ] = None,
    external: Annotated[
        bool, typer.Option("--external", help="The model is served elsewhere, monitored here.")
    ] = False,
    reference: Annotated[str | None, typer.Option("--reference", help="External: data to compare with.")] = None,
    task: Annotated[str | None, typer.Option("--task", help="External: classification or regression.")] = None,
    target: Annotated[
        str | None, typer.Option("--target", help="External: the reference's column of outcomes.")
    ] = None,
    private: Annotated[list[str] | None, typer.Option("--private", help="An input never kept; repeatable.")] = None,
    unseen: Annotated[
        str, typer.Option("--unseen", help="Categories never seen: accept, refuse, or alarm.")
    ] = "accept",
    review: Annotated[
        str,
        typer.Option("--review", help="Predictions people look at: uncertain:0.1, random:0.01, rule:amount > 1000."),
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Name a model that is in use."""
    made = _deployments().create(
        name,
        model=model,
        external=external,
        reference=reference,
        task=task,
        target=target,
        private=private or (),
        unseen=unseen,
        review=review,
    )
    emit_one(made, as_json=as_json)


@app.command("list")
def list_(limit: Limit = 50, as_json: AsJson = False) -> None:
    """Deployments, newest first."""
    empty = "No deployments yet: nbprod deployments create NAME --model MODEL@champion."
    emit(
        _deployments().list(limit=limit), ["name", "model", "created_at", "created_by"], as_json=as_json, empty=empty
    )


@app.command()
def show(name: Name, as_json: AsJson = False) -> None:
    """Show one deployment."""
    emit_one(_deployments().get(name), as_json=as_json)


def _deployments() -> Deployments:
    from nbprod.workspace import open_workspace  # opens the ledger: SQLAlchemy takes a quarter of a second

    return open_workspace().deployments
