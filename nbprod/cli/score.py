"""``nbprod score``: predict a table with a registered model, as a run of the score notebook."""

from __future__ import annotations

import re
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nbprod.cli.output import AsJson, emit_one, say
from nbprod.errors import RunFailedError, SettingsError

if TYPE_CHECKING:
    from nbprod.domain.version import ModelVersion

__all__ = ["score"]


def score(
    model: Annotated[str, typer.Argument(help="electricity@champion, electricity/2, a package digest or folder.")],
    data: Annotated[
        str,
        typer.Argument(metavar="INPUT", help="A registered data set, a path or URL, a folder, or a 'pattern*.csv'."),
    ],
    output: Annotated[
        str, typer.Argument(metavar="OUTPUT", help="Path or URL that ends with .parquet, .csv, .csv.gz, .delta or /.")
    ],
    keep: Annotated[list[str] | None, typer.Option("--keep", help="A column to carry along; repeatable.")] = None,
    rejects: Annotated[
        str,
        typer.Option("--rejects", help="refuse: a wrong row ends it; collect: told in a table beside the output."),
    ] = "refuse",
    unseen: Annotated[
        str | None,
        typer.Option(
            "--unseen",
            help="accept or refuse rows with a category never seen in training; by default accept, with --log what "
            "the deployment's server does.",
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
    on: Annotated[
        str | None, typer.Option("--on", help="processes, threads, or a Dask scheduler: dask://HOST:PORT.")
    ] = None,
    log: Annotated[str | None, typer.Option("--log", help="A deployment that keeps the predictions.")] = None,
    at: Annotated[
        str | None, typer.Option("--time", "--at", help="With --log: the input's column of event times.")
    ] = None,
    unit: Annotated[
        str | None,
        typer.Option("--unit", help="With --log: the input's column of what a row is about, a customer say."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Predict every row, by all processors and with bounded memory; after a kill the same command goes on."""
    from nbprod.scoring.progress import telling_progress
    from nbprod.workspace import open_workspace  # opens the ledger

    workspace = open_workspace()
    version = workspace.models.resolve(model) if re.fullmatch(r"[^/@]+([@/])[^/@]+", model) else None
    place = output if "://" in output else str(Path(output).expanduser().resolve())
    if output.endswith("/") and not place.endswith("/"):
        place += "/"
    named = version.ref if version else None
    wanted: dict[str, Any] = {"keep": list(keep or []), "rejects": rejects, "overwrite": overwrite}
    if on is not None:
        wanted["on"] = on
    if log:
        wanted |= {"log": True, "log_inputs": _logged(workspace, log, version), "log_time": at, "log_unit": unit}
    elif at is not None or unit is not None:
        raise SettingsError(
            "--time and --unit are about what --log keeps", hint="Give --log DEPLOYMENT, or leave them out."
        )
    wanted["unseen"] = _unseen(workspace, log, unseen)
    with ExitStack() as stack:
        stack.enter_context(telling_progress(place, say))
        done = workspace.runs.start("score", model=model, data=data, output=place, version=named, **wanted)
    if not done.succeeded:
        raise RunFailedError(
            f"Scoring did not finish: {done.error}", run_id=done.id, hint=f"nbprod runs show {done.id}"
        )
    recorded = workspace.runs.results(done)
    for warning in recorded["warnings"]:
        say(warning)
    if log:
        added = workspace.keep_scored(log, place, unseen=recorded["unseen"], source=done.id)
        say(f"{log}: these predictions were kept before." if added is None else str(added))
    told = {"output": place, "rows": int(done.metrics["rows"]), "rejected": int(done.metrics["rejected"])}
    emit_one({**told, "rejects": recorded["rejects"], "version": named, "run": done.id}, as_json=as_json)


def _unseen(workspace: Any, deployment: str | None, said: str | None) -> str:
    """What is done with categories never seen: what was said, and what the deployment's server does with them.

    Raises
    ------
    SettingsError
        The deployment refuses what is to be accepted, so its table would hold what its server never gives.
    """
    policy = "refuse" if deployment and workspace.deployments.get(deployment).unseen == "refuse" else "accept"
    if policy == "refuse" and said == "accept":
        raise SettingsError(
            f"{deployment} refuses categories never seen in training, and --unseen accept takes them",
            hint="Leave --unseen out, or score without --log.",
        )
    return said or policy


def _logged(workspace: Any, deployment: str, version: ModelVersion | None) -> list[str]:
    """The inputs a deployment keeps of predictions of a version.

    Raises
    ------
    SettingsError
        The model is no registered version, or one the deployment does not serve.
    """
    if version is None:
        raise SettingsError("--log needs a registered version", hint="score electricity@champion … --log electricity")
    served = workspace.deployments.get(deployment).model
    if served is not None and re.split(r"[@/]", served)[0] != version.model:
        raise SettingsError(
            f"{deployment} serves {served}, and {version.ref} is no version of that",
            hint="Name the deployment of this model: nbprod deployments list.",
        )
    hidden = {*workspace.settings.private_columns, *workspace.deployments.get(deployment).private}
    names = workspace.packages.load(version.package).schema.names
    return [name for name in names if name not in hidden]
