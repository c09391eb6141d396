"""``nbprod scorecard``: the ML Test Score of models, and what people claim beside the records."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from nbprod.cli.output import AsJson, emit, emit_one, put, say
from nbprod.domain.plain import plain

if TYPE_CHECKING:
    from nbprod.domain.scorecard import Scorecard
    from nbprod.site.scorecards import Scorecards

__all__ = ["app"]


class _ShowFirst(TyperGroup):
    """``nbprod scorecard MODEL`` is ``nbprod scorecard show MODEL``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Say ``show`` where no command is named."""
        named = args[0] if args else ""
        return super().parse_args(ctx, args if named in {*self.commands, "-h", "--help"} else ["show", *args])


app = typer.Typer(help="The ML Test Score: 28 tests of readiness, from the records.", cls=_ShowFirst)

Model = Annotated[str, typer.Argument(metavar="MODEL", help="A registered model.")]
Test = Annotated[str, typer.Argument(metavar="TEST", help="data-3, say.")]
Note = Annotated[str, typer.Option("--note", help="What was done, and where it is written down.")]


@app.command()
def show(
    model: Annotated[str | None, typer.Argument(metavar="[MODEL]", help="By default every model.")] = None,
    html: Annotated[Path | None, typer.Option("--html", help="Write a report to this file too.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show the score, each test with its evidence, and the command that would earn what is missing."""
    scorecards = _scorecards()
    cards = [scorecards.get(model)] if model else scorecards.list()
    if html is not None:
        put(str(scorecards.report(html, model)))
    if as_json:
        emit([_told(card) for card in cards], [], as_json=True)
        return
    for card in cards:
        say(f"{card.model}: {card.line}")
        tests = [{**plain(one), "to_earn_it": one.earn} for one in card.tests]
        emit(tests, ["id", "title", "points", "means", "sentence", "to_earn_it"], as_json=False)


@app.command()
def claim(test: Test, model: Model, note: Note, as_json: AsJson = False) -> None:
    """Say that a test is done by hand: half a point, and it shows as a claim."""
    emit_one(_scorecards().claim(test, model, note=note), as_json=as_json)


@app.command()
def withdraw(test: Test, model: Model, note: Note) -> None:
    """Take a claim back."""
    _scorecards().withdraw(test, model, note=note)


def _told(card: Scorecard) -> dict[str, object]:
    about = {"score": card.score, "interpretation": card.interpretation, "sections": card.sections}
    return {"model": card.model, "version": card.version, **about, "tests": plain(card.tests)}


def _scorecards() -> Scorecards:
    from nbprod.workspace import open_workspace  # opens the ledger: SQLAlchemy takes a quarter of a second

    return open_workspace().scorecards
