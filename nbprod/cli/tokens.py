"""``nbprod tokens``: who may ask servers of this workspace, and for what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from nbprod.cli.output import AsJson, emit, emit_one, print_json, put, say

if TYPE_CHECKING:
    from nbprod.serving.tokens import Tokens

__all__ = ["app"]

app = typer.Typer(help="Make, list and revoke bearer tokens of the server.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Who or what has the token.")]


@app.command()
def create(
    name: Name,
    scope: Annotated[
        list[str] | None,
        typer.Option("--scope", help="predict, read, review or admin; repeatable; predict by default."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a token; it is printed this once and kept as a digest."""
    text = _tokens().create(name, scopes=scope or ["predict"])
    if as_json:
        print_json({"name": name, "token": text, "scopes": scope or ["predict"]})
        return
    put(text)
    say("This is shown once. From now on every request needs a token.")


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """Tokens, newest first; never the tokens themselves."""
    records = [
        {
            "name": token.name,
            "scopes": token.scopes,
            "created_at": token.created_at,
            "created_by": token.created_by,
            "revoked_at": token.revoked_at,
        }
        for token in _tokens().list()
    ]
    empty = "No tokens: servers answer this machine alone."
    emit(records, ["name", "scopes", "created_at", "created_by", "revoked_at"], as_json=as_json, empty=empty)


@app.command()
def revoke(name: Name, as_json: AsJson = False) -> None:
    """Take a token's rights away for good."""
    gone = _tokens().revoke(name)
    emit_one({"name": gone.name, "revoked_at": gone.revoked_at, "revoked_by": gone.revoked_by}, as_json=as_json)


def _tokens() -> Tokens:
    from nbprod.workspace import open_workspace  # opens the ledger: SQLAlchemy takes a quarter of a second

    return open_workspace().tokens
