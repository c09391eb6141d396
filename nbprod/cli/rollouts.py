"""``nbprod rollouts``: bring a version to traffic step by step, look at the evidence, decide."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nbprod.cli.output import AsJson, Limit, emit, emit_one, put, say
from nbprod.clock import now
from nbprod.domain.duration import parse_duration
from nbprod.domain.plain import plain
from nbprod.domain.rollout_plan import Automation
from nbprod.domain.rollout_verdict import Act
from nbprod.visible import visible

if TYPE_CHECKING:
    from nbprod.domain.rollout import Rollout
    from nbprod.domain.rollout_verdict import RolloutVerdict
    from nbprod.workspace import Workspace

app = typer.Typer(
    help="A new version meets traffic step by step, and an executed notebook decides.", no_args_is_help=True
)

Which = Annotated[str, typer.Argument(help="A deployment, whose newest rollout is meant, or a rollout's id.")]
Note = Annotated[str, typer.Option("--note", help="Why, for those who read it later.")]
REFUSED = 3
WAIT_S = 2.0


@app.command()
def start(
    deployment: Annotated[str, typer.Argument(help="Name of the deployment.")],
    to: Annotated[str, typer.Option("--to", help="The candidate: MODEL/N.")],
    plan: Annotated[
        str | None, typer.Option(help="Steps: shadow,canary:5:25:50:100, ab:50, blue-green, replay.")
    ] = None,
    reason: Annotated[str, typer.Option(help="Why, kept with the rollout.")] = "",
    waive: Annotated[str, typer.Option(help="Why the gates, which do not say yes, are waived.")] = "",
    automation: Annotated[Automation | None, typer.Option(help="What happens without a person.")] = None,
    lease: Annotated[str | None, typer.Option(help="How long a share lasts without a clean analysis: 1h.")] = None,
    longest: Annotated[str | None, typer.Option(help="When it ends undecided: 14d.")] = None,
    as_json: AsJson = False,
) -> None:
    """Begin; the rules it is judged by are fixed now."""
    given: dict[str, Any] = {"automation": automation, "lease": lease, "longest": longest}
    rules = {name: value for name, value in given.items() if value is not None}
    rollout = _workspace().rollouts.start(deployment, to, plan=plan, reason=reason, waive=waive, **rules)
    say(
        f"{rollout.candidate} meets the traffic of {deployment}: {rollout.current}; look with nbprod rollouts analyse"
    )
    emit_one(rollout, as_json=as_json)


@app.command("list")
def list_(
    deployment: Annotated[str | None, typer.Argument(help="Only of this deployment.")] = None,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """Rollouts, newest first."""
    found = _workspace().rollouts.list(deployment, limit=limit)
    emit(found, ["id", "status", "deployment", "candidate", "plan", "step", "started_at"], as_json=as_json)


@app.command()
def show(
    name: Which,
    live: Annotated[
        bool, typer.Option("--live", help="Follow it until it ends; in a pipe, a line a change.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """One rollout: its rules, where it is, whom it reached, and how it ended."""
    rollouts = _workspace().rollouts
    if not live:
        found = rollouts.get(name)
        emit_one(found, as_json=as_json)
        say(f"{found.candidate} {rollouts.exposure(found).sentence}")
        return
    if sys.stdout.isatty() and not as_json:
        _follow(rollouts.watch(name))
        return
    seen: RolloutVerdict | None = None
    for current in rollouts.watch(name):
        if current != seen:
            put(json.dumps(plain(current), ensure_ascii=False) if as_json else current)
            sys.stdout.flush()
        seen = current


@app.command()
def verdict(
    name: Which,
    may: Annotated[Act, typer.Option(help="What is asked about.")] = Act.KEEP,
    execute: Annotated[bool, typer.Option("--analyse", help="Execute the notebook first.")] = False,
    wait: Annotated[
        str | None, typer.Option(help="Ask again until it may, or is to be rolled back; at most so long: 6h.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """What may be done by the recorded verdict, for whoever runs the traffic.

    Exit code 0 where it may be done, 3 where not.
    """
    rollouts = _workspace().rollouts
    if execute:
        rollouts.analyse(name)
    until = now() + (parse_duration(wait) if wait else timedelta(0))
    while True:
        found, at = rollouts.verdict(name), now()
        is_allowed = found.allows(may, at)
        if is_allowed or found.allows(Act.ROLLBACK, at) or at >= until:
            break
        time.sleep(WAIT_S)
    emit_one({**plain(found), "may": found.may(at)}, as_json=as_json)
    if not is_allowed:
        raise typer.Exit(REFUSED)


@app.command()
def export(
    kind: Annotated[str, typer.Argument(help="argo, flagger or kserve.")],
    name: Which,
    url: Annotated[str, typer.Option(help="Of `nbprod serve`, as it is reached from there.")] = "",
    image: Annotated[str, typer.Option(help="Of a container nbprod is installed in.")] = "",
    at: Annotated[str, typer.Option("--workspace-at", help="Where the workspace is in it.")] = "/workspace",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for the files; else print them.")
    ] = None,
) -> None:
    """Write what Argo Rollouts, Flagger or KServe need to obey the recorded verdict, where they run the traffic."""
    from nbprod.disk import make_folder, write_file

    for file, content in _workspace().rollouts.export(kind, name, url=url, image=image, workspace=at).items():
        if output is None:
            put(content, end="")
        else:
            put(write_file(make_folder(output) / file, content))


@app.command()
def analyses(name: Which, limit: Limit = 50, as_json: AsJson = False) -> None:
    """What its notebooks concluded, newest first."""
    found = _workspace().rollouts.analyses(name, limit=limit)
    emit(found, ["at", "step", "decision", "acted", "sentence", "run_id"], as_json=as_json)


@app.command()
def analyse(
    name: Which,
    notebook: Annotated[str, typer.Option(help="The template, or your copy of it.")] = "rollout",
    as_json: AsJson = False,
) -> None:
    """Execute the notebook that decides, and do what the rollout's automation lets it do.

    Exit code 3 where it rolls back or is blocked, 1 where the notebook was not clean.
    """
    found = _workspace().rollouts.analyse(name, notebook=notebook)
    emit_one(found, as_json=as_json)
    if not found.is_clean:
        raise typer.Exit(1)
    if found.decision in {"roll back", "blocked"}:
        raise typer.Exit(REFUSED)


@app.command()
def advance(name: Which, note: Note, as_json: AsJson = False) -> None:
    """Go on with the next step."""
    _moved(_workspace().rollouts.advance(name, note=note), as_json=as_json)


@app.command()
def pause(name: Which, note: Note, as_json: AsJson = False) -> None:
    """Keep the step; nothing moves by itself but a roll back."""
    _moved(_workspace().rollouts.pause(name, note=note), as_json=as_json)


@app.command()
def resume(name: Which, note: Note, as_json: AsJson = False) -> None:
    """Go on after a pause."""
    _moved(_workspace().rollouts.resume(name, note=note), as_json=as_json)


@app.command()
def promote(name: Which, note: Note, as_json: AsJson = False) -> None:
    """Make the candidate the stable version; the previous one stays loaded for a while."""
    _moved(_workspace().rollouts.promote(name, note=note), as_json=as_json)


@app.command()
def rollback(name: Which, note: Note, as_json: AsJson = False) -> None:
    """Take the candidate out, also after its promotion."""
    _moved(_workspace().rollouts.roll_back(name, note=note), as_json=as_json)


@app.command()
def abort(name: Which, note: Note, as_json: AsJson = False) -> None:
    """End it; traffic is the stable version's."""
    _moved(_workspace().rollouts.abort(name, note=note), as_json=as_json)


def _follow(verdicts: Iterator[RolloutVerdict]) -> None:
    """Show the newest verdict in place, with the time its share lasts."""
    from rich.live import Live  # delayed: rich takes 0.1 s
    from rich.text import Text

    with Live(auto_refresh=False) as screen:
        for found in verdicts:
            left = found.lease_left(now())
            lasts = "" if left is None else f"\nits share lasts {timedelta(seconds=int(left.total_seconds()))}"
            screen.update(Text(visible(f"{found}{lasts}")), refresh=True)


def _moved(rollout: Rollout, *, as_json: bool) -> None:
    say(f"{rollout.id} is {rollout.status}, {rollout.current}")
    emit_one(rollout, as_json=as_json)


def _workspace() -> Workspace:
    from nbprod.workspace import open_workspace  # opens the ledger: SQLAlchemy takes a quarter of a second

    return open_workspace()
