"""``nbprod models``: register, decide about, move and explain model versions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from nbprod.cli import exporting
from nbprod.cli.output import AsJson, Limit, emit, emit_one, print_json, put, say
from nbprod.clock import parse_utc
from nbprod.domain.check import CheckOutcome
from nbprod.domain.plain import plain
from nbprod.errors import RefusedError, SettingsError

if TYPE_CHECKING:
    from nbprod.workspace import Workspace

__all__ = ["app"]

app = typer.Typer(help="Register, approve, promote, roll back and explain models.", no_args_is_help=True)
app.add_typer(exporting.app, name="export")
app.command("import")(exporting.import_model)

Ref = Annotated[str, typer.Argument(metavar="VERSION", help="electricity/2 or electricity@champion.")]
Model = Annotated[str, typer.Argument(help="Name of the model.")]
NamedModel = Annotated[str | None, typer.Option("--model", help="Name of the model, said by its name.")]
Alias = Annotated[str, typer.Option("--alias", help="The name that moves.")]
Note = Annotated[str, typer.Option("--note", help="Why, in a sentence; it is kept.")]
Evidence = Annotated[list[str] | None, typer.Option("--evidence", help="A run or package that shows it; repeatable.")]


@app.command("list")
def list_(
    model: Annotated[str | None, typer.Argument(help="Only versions of this model.")] = None,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """Versions, newest first, with the aliases that name them."""
    models = _workspace().models
    aliases = models.aliases(model)
    rows = [
        {
            "ref": version.ref,
            "aliases": [
                alias.name for alias in aliases if (alias.model, alias.number) == (version.model, version.number)
            ],
            **plain(version),
        }
        for version in models.list(model, limit=limit)
    ]
    emit(
        rows, ["ref", "aliases", "approval", "blessed_at", "registered_at", "registered_by", "note"], as_json=as_json
    )


@app.command()
def show(
    version: Ref,
    as_of: Annotated[str | None, typer.Option("--as-of", help="What an alias named on this date.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show one version; of an alias, the one it names, or named on a date."""
    models = _workspace().models
    if as_of is None:
        emit_one(models.resolve(version), as_json=as_json)
        return
    model, _, alias = version.partition("@")
    emit_one(models.champion_at(model, parse_utc(as_of), alias or "champion"), as_json=as_json)


@app.command()
def register(
    package: Annotated[str, typer.Argument(help="A digest, or its first six or more digits.")],
    name: Annotated[str | None, typer.Argument(metavar="[MODEL]", help="Name of the model, or --model.")] = None,
    model: NamedModel = None,
    note: Note = "",
    as_json: AsJson = False,
) -> None:
    """Give a package the next version number of a model."""
    if (name is None) == (model is None):
        raise SettingsError("Say which model, once", hint=f"nbprod models register {package[:8]} --model NAME")
    workspace = _workspace()
    version = workspace.models.register(workspace.packages.get(package), model=str(model or name), note=note)
    emit_one(version, as_json=as_json)
    say(f"{version.ref} is {version.approval}. Next: nbprod models bless {version.ref}")


@app.command()
def bless(version: Ref, as_json: AsJson = False) -> None:
    """Load the package in a fresh process, compare its golden values, and record it."""
    emit_one(_workspace().models.bless(version), as_json=as_json)


@app.command()
def evaluate(
    version: Ref,
    data: Annotated[str, typer.Option("--data", help="A registered data set, a path or a URL.")],
    start: Annotated[str | None, typer.Option(help="Only rows from this moment on.")] = None,
    end: Annotated[str | None, typer.Option(help="Only rows before this moment.")] = None,
    block: Annotated[
        str | None, typer.Option(help="Length of blocks of time within which rows depend on each other: 1d.")
    ] = None,
    champion: Annotated[
        str | None, typer.Option("--champion", help="Compare with this version; else with the model's champion.")
    ] = None,
    against: Annotated[
        str, typer.Option("--against", help="Compare with the version this alias names.")
    ] = "champion",
    as_json: AsJson = False,
) -> None:
    """Hold a version against the champion and its model's gates; exit 3 unless they pass."""
    workspace = _workspace()
    candidate = workspace.models.resolve(version)
    holders = {one.name: one.ref for one in workspace.models.aliases(candidate.model)}
    champion = champion or holders.get(against)
    given = {"data": data, "start": start, "end": end, "block": block}
    chosen = {name: value for name, value in given.items() if value is not None}
    verdict = workspace.evaluations.run(candidate, champion=champion, **chosen)
    emit_one(verdict, as_json=as_json)
    if verdict.outcome is not CheckOutcome.PASSED:
        raise RefusedError(f"The gates of {candidate.model} say {verdict.outcome}: {verdict.sentence}")


@app.command()
def approve(version: Ref, note: Note, evidence: Evidence = None, as_json: AsJson = False) -> None:
    """Decide that a version may be promoted."""
    emit_one(_workspace().models.approve(version, note, evidence=evidence or ()), as_json=as_json)


@app.command()
def reject(version: Ref, note: Note, evidence: Evidence = None, as_json: AsJson = False) -> None:
    """Decide that a version may not be promoted."""
    emit_one(_workspace().models.reject(version, note, evidence=evidence or ()), as_json=as_json)


@app.command()
def promote(
    version: Ref,
    expect: Annotated[str, typer.Option("--expect", help="The version the alias names now, or none.")],
    alias: Alias = "champion",
    reason: Annotated[str, typer.Option("--reason", help="The reason; it is kept.")] = "",
    evidence: Evidence = None,
    waive: Annotated[
        str | None,
        typer.Option("--waive", help="Promote although the gates have not passed, for this reason, which is kept."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Let an alias name a version, if it still names the expected one."""
    expected = None if expect == "none" else expect
    models = _workspace().models
    moved = models.promote(version, alias, expect=expected, reason=reason, evidence=evidence or (), waive=waive)
    emit_one(moved, as_json=as_json)


@app.command()
def rollback(
    model: Model,
    reason: Annotated[str, typer.Option("--reason", help="The reason; it is kept.")],
    alias: Alias = "champion",
    expect: Annotated[
        str | None, typer.Option("--expect", help="The version the alias names now; refused if it names another.")
    ] = None,
    evidence: Evidence = None,
    as_json: AsJson = False,
) -> None:
    """Let an alias name the version before again."""
    models = _workspace().models
    emit_one(models.rollback(model, alias, reason=reason, expect=expect, evidence=evidence or ()), as_json=as_json)


@app.command()
def history(model: Model, limit: Limit = 50, as_json: AsJson = False) -> None:
    """Every event of a model, its versions and aliases, newest first."""
    events = _workspace().models.history(model, limit=limit)
    emit(events, ["at", "actor", "kind", "subject", "reason", "evidence"], as_json=as_json)


@app.command()
def why(
    subject: Annotated[
        str,
        typer.Argument(help="electricity for its champion, electricity@alias, electricity/2, a prediction id."),
    ],
    as_json: AsJson = False,
) -> None:
    """Tell the whole lineage on one page: data, notebook, run, gates, decisions, use."""
    lineage = _workspace().models.why(subject)
    if as_json:
        print_json(plain(lineage))
    else:
        put(str(lineage))


def _workspace() -> Workspace:
    from nbprod.workspace import open_workspace  # opens the ledger: SQLAlchemy takes a quarter of a second

    return open_workspace()
