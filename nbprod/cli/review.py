"""``nbprod review``: what people are to look at, what they say, and what that says."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nbprod.cli.output import AsJson, Limit, emit, emit_one, say

if TYPE_CHECKING:
    from nbprod.review import Reviews
    from nbprod.workspace import Workspace

app = typer.Typer(help="People look at some predictions: hand out, take in, report.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="DEPLOYMENT", help="Name of the deployment.")]
Reviewer = Annotated[str | None, typer.Option("--reviewer", help="Who looks; you by default.")]
Since = Annotated[str | None, typer.Option("--since", help="Leave out predictions made longer ago: 30d.")]


@app.command("set")
def set_(
    name: Name,
    rules: Annotated[
        str,
        typer.Argument(
            help="uncertain:0.1, random:0.01, disagreement, rule:amount > 1000, double:0.2, by commas; '' ends it."
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Say from now on which predictions people look at."""
    emit_one(_workspace().deployments.set_review(name, rules), as_json=as_json)


@app.command("list")
def list_(name: Name, since: Since = None, limit: Limit = 50, as_json: AsJson = False) -> None:
    """What is open, in the order it is handed out."""
    found = _reviews().list(name, limit=limit, since=since)
    empty = f"Nothing is open. What is sent: nbprod review set {name} uncertain:0.1"
    emit(found, ["prediction_id", "at", "wanted", "answers", "held_by", "inputs"], as_json=as_json, empty=empty)


@app.command("next")
def next_(
    name: Name,
    reviewer: Reviewer = None,
    limit: Limit = 1,
    hold: Annotated[str, typer.Option(help="For how long nobody else is given them: 30m.")] = "30m",
    since: Since = None,
    as_json: AsJson = False,
) -> None:
    """Take predictions to look at; nobody else is given them for a while."""
    found = _reviews().next(name, reviewer=reviewer, limit=limit, hold=hold, since=since)
    emit(found, ["prediction_id", "at", "inputs"], as_json=as_json, empty="Nothing is open.")


@app.command()
def answer(
    name: Name,
    prediction_id: Annotated[str, typer.Argument(help="Of the prediction.")],
    outcome: Annotated[str, typer.Argument(help="The truth: a class, or a number.")],
    reviewer: Reviewer = None,
    as_json: AsJson = False,
) -> None:
    """Say what the truth about one prediction is."""
    added = _reviews().answer(name, {prediction_id: outcome}, reviewer=reviewer)
    say(str(added))
    emit_one(added, as_json=as_json)


@app.command()
def export(
    name: Name,
    file: Annotated[Path, typer.Argument(help="Ends in .csv or .parquet.")],
    reviewer: Reviewer = None,
    limit: Annotated[int | None, typer.Option("--limit", "-n", min=1, help="At most this many.")] = None,
    hold: Annotated[str, typer.Option(help="For how long nobody else is given them: 7d.")] = "7d",
    since: Since = None,
) -> None:
    """Write what is open to a file; fill its column outcome and give it to import."""
    count = _reviews().export(name, file, reviewer=reviewer, limit=limit, hold=hold, since=since)
    say(f"{file}: {count:,} predictions; fill the column outcome, then: nbprod review import {name} {file}")


@app.command("import")
def import_(
    name: Name,
    file: Annotated[Path, typer.Argument(help="As export wrote it, with outcomes.")],
    reviewer: Annotated[
        str | None, typer.Option("--reviewer", help="Who answered, where the file does not say.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Take in a file of answers; the same again adds nothing."""
    added = _reviews().take_in(name, file, reviewer=reviewer)
    say(str(added))
    emit_one(added, as_json=as_json)


@app.command()
def report(name: Name, as_json: AsJson = False) -> None:
    """How reviewers agree with the model and each other, and how good the model is on all predictions."""
    found = _reviews().report(name)
    say(str(found))
    emit_one(found, as_json=as_json)


@app.command(hidden=True)
def desk(name: Name) -> None:
    """Hand out and take in for another process, a line each on stdin and stdout."""
    from nbprod.review.desk import serve_desk  # delayed: only servers ask for it

    serve_desk(_reviews(), name, sys.stdin.buffer, sys.stdout.buffer)


def _reviews() -> Reviews:
    return _workspace().review


def _workspace() -> Workspace:
    from nbprod.workspace import open_workspace  # opens the ledger: SQLAlchemy takes a quarter of a second

    return open_workspace()
