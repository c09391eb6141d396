"""``nbprod notebooks adopt``: shows what would make any notebook a job, and writes what is accepted."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nbprod.cli.output import print_json, put, say
from nbprod.pages.formatting import plural

if TYPE_CHECKING:
    from nbprod.adoption import Adoption

__all__ = ["adopt"]

ANSWERS = "y yes · n no · a yes to all · q no to all"


def adopt(
    notebook: Annotated[Path, typer.Argument(help="Any notebook in Python.", show_default=False)],
    write: Annotated[bool, typer.Option("--write", help="Write every change into the notebook itself.")] = False,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write every change into this file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON; nothing is asked.")] = False,
) -> None:
    """Propose what makes a notebook a job: parameters, cell ids, recorded metrics, saved models, and warnings.

    Nothing is executed. Outputs are taken out, as tidy does. On a terminal each cell is asked for; elsewhere the
    changes are only shown, unless --write or -o says where to.
    """
    from nbprod.adoption import adopt as propose  # nbformat takes a second to import

    proposal = propose(notebook)
    target = output or (notebook if write else None)
    if as_json:
        kept = _write(proposal, target)
        print_json(_record(proposal, kept))
        return
    for fault in proposal.faults:
        put(str(fault))
    if not proposal.is_needed:
        say(f"{notebook} needs no change.")
        _write(proposal, output)
        return
    if target is None and sys.stdin.isatty() and sys.stdout.isatty():
        proposal = _asked(proposal)
        target = notebook if typer.confirm(f"Write {notebook}?", default=False, err=True) else None
    else:
        for change in proposal.changes():
            put(str(change))
        put(_module(proposal), end="")
    kept = _write(proposal, target)
    say(_summary(proposal, kept))


def _asked(proposal: Adoption) -> Adoption:
    """The proposal with the cells a person accepts."""
    refused: set[str] = set()
    answer = ""
    for change in proposal.changes():
        put(str(change))
        if change.asks is None or answer == "a":
            continue
        if answer != "q":
            answer = typer.prompt(f"Accept? [{ANSWERS}]", default="y", err=True).strip().lower()[:1]
        if answer in {"n", "q"}:
            refused.add(change.asks)
    put(_module(proposal), end="")
    return proposal.only(lambda cell: cell not in refused)


def _module(proposal: Adoption) -> str:
    """The module that is proposed, as the changes of cells are shown."""
    source = proposal.redactor.text(proposal.module_source)
    lines = [f"+{line}" for line in source.splitlines()]
    return "\n".join([f"── new file {proposal.module}", *lines, ""]) if source else ""


def _write(proposal: Adoption, target: Path | None) -> Path | None:
    """Write the notebook, if it is said where to."""
    if target is None:
        return None
    from nbprod.disk import write_file
    from nbprod.notebook.document import write_notebook  # nbformat takes a second to import

    if source := proposal.module_source:  # first: the notebook imports it
        write_file(target.with_name(proposal.module), source)
    write_notebook(proposal.notebook(), target)
    return target


def _record(proposal: Adoption, written: Path | None) -> dict[str, object]:
    hide = proposal.redactor.anywhere
    return {
        "file": str(proposal.path),
        "written": None if written is None else str(written),
        "parameters": hide(
            [
                {"name": one.name, "annotation": one.annotation, "default": one.value, "help": one.help}
                for one in proposal.parameters
            ]
        ),
        "edits": hide(
            [{"cell": one.cell, "kind": one.kind.value, "sentence": one.sentence} for one in proposal.edits]
        ),
        "cells": [
            {"id": one.id, "was": one.was, "notes": list(one.notes), "diff": list(one.diff)}
            for one in proposal.changes()
        ],
        "module": {"file": proposal.module, "source": hide(proposal.module_source)}
        if proposal.module_source
        else None,
        "warnings": [{"cell": one.cell, "rule": one.rule, "sentence": one.sentence} for one in proposal.faults],
    }


def _summary(proposal: Adoption, written: Path | None) -> str:
    what = f"{plural(len(proposal.parameters), 'parameter')}, {plural(len(proposal.faults), 'thing')} to know."
    what = what[0].upper() + what[1:]
    if written is None:
        return f"{what} Nothing was written; --write writes all of it, -o FILE a copy."
    return f"{what} {written} is written, without outputs as nbprod notebooks tidy leaves it."
