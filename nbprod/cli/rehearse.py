"""Commands that replay the past: ``rehearse monitor``."""

from __future__ import annotations

from typing import Annotated

import typer

from nbprod.cli.output import AsJson, emit, say
from nbprod.domain.numbers import number

app = typer.Typer(help="What would have been said, had it been asked then.", no_args_is_help=True)


@app.callback()
def replays() -> None:
    """What would have been said, had it been asked then."""


@app.command()
def monitor(
    deployment: Annotated[str, typer.Argument(help="Name of the deployment.")],
    last: Annotated[str, typer.Option(help="How much of the past: 180d, 26w.")] = "180d",
    window: Annotated[str, typer.Option(help="Length of each window: 24h, 7d, 4w.")] = "30d",
    end: Annotated[str | None, typer.Option(help="Where the past ends; now by default.")] = None,
    delay: Annotated[str, typer.Option(help="How long after a window's end one looks.")] = "7d",
    as_json: AsJson = False,
) -> None:
    """Replay past windows through the monitor, say when it would have spoken and how late; nothing is recorded."""
    from nbprod.workspace import open_workspace  # opens the ledger

    found = open_workspace().monitors.rehearse(deployment, last=last, window=window, end=end, delay=delay)
    for one in found:
        if one.spoke_at is not None and one.began_at is not None:
            say(
                f"It would have spoken on {one.spoke_at:%Y-%m-%d}, {number(one.late_days, 3)} days after "
                f"what it speaks of began ({one.began_at:%Y-%m-%d}): {one.sentence}"
            )
    emit(found, ["start", "end", "verdict", "rows", "outcomes", "changed", "late_days", "sentence"], as_json=as_json)
