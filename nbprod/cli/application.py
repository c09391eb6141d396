"""The tree of commands: one sub-application a noun, mounted here and written in the module of its name."""

from __future__ import annotations

import os
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from nbprod.cli import (
    alerts,
    demo,
    deployments,
    export,
    models,
    monitor,
    notebooks,
    outcomes,
    packages,
    pipeline,
    predictions,
    rehearse,
    retraining,
    review,
    rollouts,
    run,
    runs,
    schedule,
    score,
    scorecard,
    serve,
    setup,
    site,
    sweep,
    tokens,
)
from nbprod.cli.output import put

__all__ = ["app"]

app = typer.Typer(
    name="nbprod",
    help="Carries a Jupyter notebook from experiment to production without rewriting it.",
    epilog="Exit codes: 0 done, 1 notebook failed, 2 usage, 3 a gate said no, 4 not found, 5 environment, 130 stop.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: 0.1 s less to show it, and it can be piped
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(asked: bool) -> None:
    if asked:
        put(version("nbprod"))
        raise typer.Exit


@app.callback()
def options(
    workspace: Annotated[
        Path | None, typer.Option("--workspace", "-w", help="Folder with nbprod.toml; else the one around here.")
    ] = None,
    show_version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options before the command."""
    del show_version
    if workspace is not None:
        # child processes (detached runs, blessings) must find the same one
        os.environ["NBPROD_WORKSPACE"] = str(workspace.expanduser().resolve())


app.command("init")(setup.init)
app.command("demo")(demo.demo)
app.command("score")(score.score)
app.command("serve")(serve.serve)
app.command("doctor")(setup.doctor)
app.command("config")(setup.config)
app.command("run", context_settings={"help_option_names": []})(run.run)  # its --help shows the template's parameters
app.command("sweep")(sweep.sweep)
for name, noun in {
    "runs": runs,
    "packages": packages,
    "models": models,
    "pipeline": pipeline,
    "schedule": schedule,
    "deployments": deployments,
    "rollouts": rollouts,
    "review": review,
    "predictions": predictions,
    "outcomes": outcomes,
    "tokens": tokens,
    "monitor": monitor,
    "rehearse": rehearse,
    "alerts": alerts,
    "retraining": retraining,
    "notebooks": notebooks,
    "scorecard": scorecard,
    "export": export,
    "site": site,
}.items():
    app.add_typer(noun.app, name=name)
