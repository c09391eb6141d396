"""``nbprod demo``: the whole road on real data, one line a step."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nbprod.cli.output import put, say

if TYPE_CHECKING:
    from nbprod.demo import DemoStep

__all__ = ["demo"]


def demo(
    folder: Annotated[Path, typer.Argument(help="The demo's workspace; made if it does not exist.")] = Path(
        "nbprod-demo"
    ),
) -> None:
    """Walk the road on real data: train, promote, watch a year, retrain, refuse, try on traffic, build the site."""
    from nbprod.demo import run_demo  # pandas, and everything else

    say("Everything in one go, on 45,312 half-hours of a real electricity market; about four minutes.")
    address = run_demo(folder, _tell)
    put(f"Look at it: {address}")


def _tell(step: DemoStep) -> None:
    put(f"{step.seconds:6.1f} s  {step.line}\n          {step.file}")
