"""``nbprod score``: predict a table with a registered model, as a run of the score notebook."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from nbprod.cli.output import AsJson, emit_one, say
from nbprod.errors import RunFailedError, SettingsError

__all__ = ["score"]


def score(
    model: Annotated[str, typer.Argument(help="electricity@champion, electricity/2, a package digest or folder.")],
    data: Annotated[str, typer.Argument(metavar="INPUT", help="A registered data set, a path or a URL.")],
    output: Annotated[Path, typer.Argument(metavar="OUTPUT", help="The Parquet file to write.")],
    keep: Annotated[list[str] | None, typer.Option("--keep", help="A column to carry along; repeatable.")] = None,
    log: Annotated[str | None, typer.Option("--log", help="A deployment that keeps the predictions.")] = None,
    at: Annotated[str | None, typer.Option("--at", help="With --log: the input's column of event times.")] = None,
    as_json: AsJson = False,
) -> None:
    """Predict every row of a table, streamed, and write the predictions as Parquet."""
    from nbprod.datasets import read_frame  # pandas
    from nbprod.workspace import open_workspace  # opens the ledger

    workspace = open_workspace()
    version = workspace.models.resolve(model) if re.fullmatch(r"[^/@]+([@/])[^/@]+", model) else None
    columns = list(keep or [])
    if log:  # what is kept of a prediction holds its inputs and when it happened
        if version is None or at is None:
            raise SettingsError(
                "--log needs a registered version and --at", hint="score electricity@champion … --at at"
            )
        inputs = workspace.packages.load(version.package).schema.names
        hidden = {*workspace.settings.private_columns, *workspace.deployments.get(log).private}
        columns = list(dict.fromkeys([*columns, *(name for name in inputs if name not in hidden), at]))
    place = output.expanduser().resolve()
    named = version.ref if version else None
    done = workspace.runs.start("score", model=model, data=data, output=str(place), version=named, keep=columns)
    if not done.succeeded:
        raise RunFailedError(
            f"Scoring did not finish: {done.error}", run_id=done.id, hint=f"nbprod runs show {done.id}"
        )
    if log:
        rows = read_frame(place)
        say(str(workspace.deployments.add_predictions(log, rows.rename(columns={at: "at"}))))
    emit_one({"output": place, "rows": int(done.metrics["rows"]), "version": named, "run": done.id}, as_json=as_json)
