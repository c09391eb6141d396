"""``nbprod run``: execute a template or any notebook with checked parameters."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Annotated, Any

import click
import typer

from nbprod.cli.output import AsJson, emit_one, put, say
from nbprod.domain.check import CheckOutcome, CheckResult
from nbprod.domain.duration import parse_duration
from nbprod.domain.run import Run
from nbprod.errors import ParameterError, RefusedError
from nbprod.executors.local import is_keeping_kernel
from nbprod.notebook.kernel_retention import KernelRetention
from nbprod.pages.formatting import moment

__all__ = ["Assignments", "assignments", "attaching", "describe", "run", "stay"]

Assignments = Annotated[
    list[str] | None, typer.Option("--parameter", "-p", metavar="NAME=VALUE", help="A parameter; repeat for more.")
]


def run(
    context: typer.Context,
    template: Annotated[
        str | None,
        typer.Argument(metavar="TEMPLATE", help="A template's name or a notebook's path.", show_default=False),
    ] = None,
    parameters: Assignments = None,
    detach: Annotated[bool, typer.Option("--detach", help="Return at once; the run goes on by itself.")] = False,
    timeout_s: Annotated[float | None, typer.Option("--timeout", help="Limit of the whole run, in seconds.")] = None,
    hold: Annotated[
        str | None,
        typer.Option(
            "--hold", metavar="TIME", help="After an error, keep the kernel this long to look into it: 30m, 2h."
        ),
    ] = None,
    show_help: Annotated[bool, typer.Option("--help", "-h", help="Show the template's parameters.")] = False,
    as_json: AsJson = False,
) -> None:
    """Execute a template or any notebook; parameters are checked before a kernel starts."""
    if template is None:  # not left to typer, which would refuse `nbprod run --help`
        (put if show_help else say)(context.get_help())
        raise typer.Exit(0 if show_help else 2)
    from nbprod.workspace import open_workspace  # opens the ledger

    runs = open_workspace().runs
    if show_help:
        put(f"Usage: {context.command_path} {template} [-p NAME=VALUE]…")
        put(describe(runs.source(template)))
        put("\nOptions of every run: nbprod run --help")
        return
    bar: AbstractContextManager[Any] = nullcontext()
    if sys.stderr.isatty() and not detach:
        from nbprod.notebook.progress import progress_bar  # rich takes 0.1 s

        bar = progress_bar(template)
    plan = runs.plan(template, assignments(parameters), from_text=True)
    for name, how in plan.read_as.items():
        say(f"{name} is read as {how}.")
    with bar as progress:
        done = runs.execute(
            plan,
            detach=detach,
            progress=progress,
            timeout_s=timeout_s,
            hold_s=parse_duration(hold).total_seconds() if hold else None,
        )
    emit_one(done, as_json=as_json)
    if detach:
        say(f"Follow it with nbprod runs watch {done.id}")
    elif not done.succeeded:
        at = f" in cell {done.failed_at}" if done.failed_at else ""
        say(f"nbprod: run {done.id} {done.status}{at} ({done.cause}): {done.error}")
        stay(runs, done)
        raise typer.Exit(1)
    else:
        judge(done, runs.results(done).checks)


def stay(runs: Any, run: Run) -> None:
    """Wait while this process holds the kernel of a failed run; Ctrl-C lets it go."""
    if (hold := runs.retained_kernel(run)) is None:
        return
    say(attaching(run, hold))
    if not is_keeping_kernel():  # another process holds it
        return
    try:
        say("Ctrl-C here releases the kernel.")  # inside: whoever has read it may press it at once
        while is_keeping_kernel():  # also while a run that was resumed elsewhere goes on in the kernel here
            time.sleep(0.3)
        say("The kernel is no longer held.")
    except KeyboardInterrupt:
        say("The kernel was released.")


def attaching(run: Run, hold: KernelRetention) -> str:
    """What can be done with a held kernel, in lines."""
    folder, at = Path(hold.connection_file).parent, run.failed_at or hold.cell
    return "\n".join(
        (
            f"The kernel of run {run.id}, as cell {at} left it, is held until {moment(hold.until)}.",
            "  Look into it with a console (package jupyter-console):",
            f"    jupyter console --existing {hold.connection_file}",
            "  or with JupyterLab, where it is under Kernel > Change Kernel of any notebook:",
            f"    jupyter lab --ServerApp.allow_external_kernels=True --ServerApp.external_connection_dir={folder}",
            f"  Mend the notebook and go on from that cell:  nbprod runs resume {run.id}",
            f"Release it: nbprod runs debug {run.id} --release",
        )
    )


def judge(run: Run, checks: Sequence[CheckResult]) -> None:
    """Tell the checks a run recorded that did not pass.

    Raises
    ------
    RefusedError
        One of them failed, though the notebook itself went through.
    """
    for check in checks:
        if check.outcome is not CheckOutcome.PASSED:
            say(f"{check.outcome}: {check.sentence}")
    if failed := [check.name for check in checks if check.outcome is CheckOutcome.FAILED]:
        raise RefusedError(
            f"Run {run.id} succeeded, but these checks failed: {', '.join(dict.fromkeys(failed))}",
            hint=f"Look at {run.folder}/report.html",
        )


def assignments(texts: list[str] | None) -> dict[str, str]:
    """``NAME=VALUE`` texts as a mapping.

    Raises
    ------
    ParameterError
        One has no ``=``, or a name is given twice.
    """
    found: dict[str, str] = {}
    for text in texts or []:
        name, equals, value = text.partition("=")
        if not equals or name.strip() in found:
            wrong = "is given twice" if equals else "has no ="
            raise ParameterError(f"-p {text} {wrong}", names=[name], hint="Write -p name=value, each name once.")
        found[name.strip()] = value
    return found


def describe(source: object) -> str:
    """The parameters of a notebook, one a line: name, type, default, help."""
    parameters = getattr(source, "parameters", ())
    if not parameters:
        return "\nThis notebook has no parameters."
    width = max(len(parameter.name) for parameter in parameters)
    lines = ["\nParameters (-p NAME=VALUE):"]
    for parameter in parameters:
        default = "required" if parameter.is_required else f"default {parameter.default_text}"
        lines.append(f"  {parameter.name:<{width}}  {parameter.allowed}; {default}")
        if parameter.help:
            lines.append(f"  {'':<{width}}  {parameter.help}")
    return click.unstyle("\n".join(lines))
