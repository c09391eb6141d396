"""``nbprod sweep``: one notebook for many combinations of parameters, several at a time."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer

from nbprod.cli.output import AsJson, emit, print_json, say
from nbprod.cli.run import Assignments, assignments
from nbprod.visible import visible

__all__ = ["sweep"]

WIPE = "\r\x1b[K"  # of a terminal: the line begins again, empty
COLUMNS = ("values", "status", "metrics", "run", "reason", "error")


def sweep(
    template: Annotated[str, typer.Argument(help="A template's name or a notebook's path.", show_default=False)],
    parameters: Assignments = None,
    jobs: Annotated[int | None, typer.Option("--jobs", "-j", min=1, help="How many at a time.")] = None,
    random: Annotated[
        int | None, typer.Option("--random", min=1, help="Draw this many combinations at random.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the draw.")] = 0,
    again: Annotated[
        bool, typer.Option("--again", help="Execute also what an unchanged run has done before.")
    ] = False,
    timeout_s: Annotated[float | None, typer.Option("--timeout", help="Limit of each run, in seconds.")] = None,
    as_json: AsJson = False,
) -> None:
    """Execute a notebook for every combination of -p a=1,2 -p seed=0:5 (0 to 4); failures do not stop it."""
    from nbprod.runs.sweeping import combinations, values_of  # reads notebooks
    from nbprod.runs.sweeping import sweep as execute
    from nbprod.workspace import open_workspace

    grid = {name: values_of(text) for name, text in assignments(parameters).items()}
    members = combinations(grid, random=random, seed=seed)
    done = execute(
        open_workspace().runs,
        template,
        members,
        jobs=jobs,
        again=again,
        timeout_s=timeout_s,
        from_text=True,
        on_update=None if as_json else teller(len(members)),
    )
    rows = [row(member) for member in done.members]
    print_json(rows) if as_json else emit(rows, COLUMNS, as_json=False)
    if not done.succeeded:
        raise typer.Exit(1)


def row(member: Any) -> dict[str, Any]:
    """A member as a line of the table."""
    run = member.run
    return {
        "values": dict(member.values),
        "status": str(run.status) if run else "not started",
        "metrics": dict(run.metrics) if run else {},
        "run": run.id if run else None,
        "reason": member.error or member.reason,
        "failed_cell": run.failed_cell if run else None,
        "failed_cell_name": run.failed_cell_name if run else None,
        "error": run.error if run else None,
    }


def teller(total: int) -> Callable[[int, Any], None]:
    """Says on stderr what is known of each member as it comes; on a terminal in one line that changes."""
    ended: set[int] = set()

    def tell(number: int, member: Any) -> None:
        if member.run is None and not member.error:
            return
        ended.add(number)
        values = " ".join(f"{name}={value}" for name, value in member.values.items())
        what = "unchanged" if member.is_reused else str(member.run.status) if member.run else member.error
        error = f": {member.run.error}" if member.run and member.run.error else ""
        line = f"{len(ended)}/{total} {what} {values}{error}"
        if sys.stderr.isatty() and (member.run and member.run.succeeded) and len(ended) < total:
            sys.stderr.write(f"{WIPE}{visible(line)[:100]}")
        else:
            sys.stderr.write(WIPE if sys.stderr.isatty() else "")
            say(line)

    return tell
