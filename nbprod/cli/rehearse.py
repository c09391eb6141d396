"""Commands that replay the past: ``rehearse monitor``, ``rehearse rollout``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from nbprod.cli.output import AsJson, emit, say
from nbprod.domain.numbers import number
from nbprod.domain.plain import plain

app = typer.Typer(help="Replay the past: what a monitor would have said at the time.", no_args_is_help=True)


@app.callback()
def replays() -> None:
    """Replay the past: what a monitor would have said at the time."""


@app.command()
def monitor(
    deployment: Annotated[str, typer.Argument(help="Name of the deployment.")],
    last: Annotated[str, typer.Option(help="How much of the past: 180d, 26w.")] = "180d",
    window: Annotated[str, typer.Option(help="Length of each window: 24h, 7d, 4w.")] = "30d",
    end: Annotated[str | None, typer.Option(help="Where the past ends; now by default.")] = None,
    delay: Annotated[str, typer.Option(help="How long after the end of a window the monitor looks.")] = "7d",
    as_json: AsJson = False,
) -> None:
    """Replay past windows through the monitor, say when it would have alarmed and how late; nothing is recorded."""
    from nbprod.workspace import open_workspace  # opens the ledger

    found = open_workspace().monitors.rehearse(deployment, last=last, window=window, end=end, delay=delay)
    for one in found:
        if one.spoke_at is not None and one.began_at is not None:
            say(
                f"It would have alarmed on {one.spoke_at:%Y-%m-%d}, {number(one.late_days, 3)} days after the change "
                f"began ({one.began_at:%Y-%m-%d}): {one.sentence}"
            )
    rows = [{**plain(one), "late_days": one.late_days} for one in found]
    emit(rows, ["start", "end", "verdict", "rows", "outcomes", "changed", "late_days", "sentence"], as_json=as_json)


@app.command()
def rollout(
    deployment: Annotated[str, typer.Argument(help="Name of the deployment.")],
    plan: Annotated[str | None, typer.Option(help="Steps, as of rollouts start; else those of nbprod.toml.")] = None,
    last: Annotated[str, typer.Option(help="How much of the past is drawn from: 30d, 8w.")] = "30d",
    runs: Annotated[int, typer.Option(min=20, help="Rehearsals of each rate ratio.")] = 400,
    aa: Annotated[bool, typer.Option("--aa", help="Run the stable version against itself instead.")] = False,
    as_json: AsJson = False,
) -> None:
    """Say how a rollout would end on traffic like that of the past, and how many would meet a bad candidate."""
    from nbprod.workspace import open_workspace  # opens the ledger

    rollouts = open_workspace().rollouts
    if aa:
        found = rollouts.self_test(deployment, last=last)
        say(found.sentence)
        emit([found], ["runs", "rolled_back", "blocked"], as_json=as_json)
        return
    rules: dict[str, Any] = {"plan": plan} if plan else {}
    ends = rollouts.rehearse(deployment, last=last, runs=runs, **rules)
    for sentence in rollouts.advice(deployment, ends, **rules):
        say(sentence)
    emit(ends, ["rate_ratio", "rolled_back", "promoted", "undecided", "days", "exposed"], as_json=as_json)
