"""Upkeep of what is kept: move what lies in spools, delete what is old, and erase a unit with a receipt."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from nbprod.clock import now
from nbprod.deployments.mentions import mentions
from nbprod.domain.prediction import ErasureReceipt
from nbprod.errors import StoreError
from nbprod.lake import Lake
from nbprod.lake.draining import Drainer, draining
from nbprod.lake.spool import spool_files

__all__ = ["drain", "erase", "prune"]

WAIT_S = 30.0


def drain(lake: Lake, deployment: str, spools: Path) -> int:
    """Move what servers of this machine have kept into the tables; return how many entries were moved.

    Raises
    ------
    StoreError
        A table or a spool cannot be used.
    """
    if not spool_files(spools):
        return 0
    with draining(spools, wait_s=0.0) as is_ours:
        if is_ours:
            return Drainer(lake, deployment, spools).drain()
    # a server's drainer is at work: what lies there now is moved when each spool has come this far
    _wait_for_server(deployment, spools)
    return 0


def prune(lake: Lake, deployment: str, keep: timedelta, history: timedelta) -> Mapping[str, Mapping[str, int]]:
    """Delete what is older than ``keep`` from every table; versions of the last ``history`` stay readable."""
    before = now() - keep
    return {
        "predictions": lake.predictions(deployment).prune(before, keep=history),
        "outcomes": lake.outcomes(deployment).prune(before, keep=history),
        "failures": lake.failures(deployment).prune(before, keep=history),
        "shadows": lake.shadows(deployment).prune(before, keep=history),
    }


def erase(lake: Lake, deployment: str, spools: Path, unit: str, *, records: Sequence[Path] = ()) -> ErasureReceipt:
    """Delete everything of a unit: in spools, in every table and in every older version of them.

    What runs and pages show of it is told in the receipt and not changed.

    Raises
    ------
    StoreError
        Something is left, or a writer of a spool did not let go of it.
    """
    drain(lake, deployment, spools)
    predictions, outcomes = lake.predictions(deployment), lake.outcomes(deployment)
    ids = predictions.ids_of(unit)
    told = outcomes.erase(ids, unit)
    made = predictions.erase(ids)
    failures, shadows = lake.failures(deployment), lake.shadows(deployment)
    others = [failures.erase("unit", [unit]), shadows.erase("prediction_id", ids)]
    kept = [spool for spool in spool_files(spools) if not spool.shrink()]
    aside = sum(spool.erase_aside(unit) for spool in spool_files(spools))
    left = sum(_rows_of(path, unit) for path in (*predictions.parts(), *outcomes.parts(), *failures.parts()))
    if left or kept:
        raise StoreError(
            f"the unit is not wholly erased from {deployment}: {left} rows in parts, {len(kept)} spools not emptied",
            hint="Repeat the command; if a server hangs, stop it first.",
        )
    return ErasureReceipt(
        id=f"erasure-{secrets.token_hex(8)}",
        deployment=deployment,
        at=now(),
        predictions=made["rows"],
        outcomes=told["rows"],
        parts=sum(one["removed"] for one in (made, told, *others)),
        spooled=aside,
        named_in=tuple(mentions(records, unit, ids)),
    )


def _rows_of(path: Path, unit: str) -> int:
    """Rows of a unit in one part, whichever version names it, if any does."""
    if "unit" not in pq.read_schema(path).names:
        return 0
    column = pq.read_table(path, columns=["unit"])["unit"].cast(pa.string())  # deltalake writes views
    return int(pc.sum(pc.equal(column, unit)).as_py() or 0)


def _wait_for_server(deployment: str, spools: Path) -> None:
    """Wait until what lies in the spools now is in the tables."""
    wanted = {spool: entries[-1][0] for spool in spool_files(spools) if (entries := spool.entries(most_rows=1 << 60))}
    deadline = time.monotonic() + WAIT_S
    while wanted and time.monotonic() < deadline:
        wanted = {
            spool: number
            for spool, number in wanted.items()
            if (left := spool.entries(most_rows=1)) and left[0][0] <= number
        }
        time.sleep(0.1)
    if wanted:
        raise StoreError(
            f"the server of {deployment} did not move what it has kept within {WAIT_S:.0f} s",
            hint="Look at its log; nothing was deleted.",
        )
