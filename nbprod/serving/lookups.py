"""Looks ids and units up for a worker: one question a line, in the spools of this machine and then in the tables.

::

    python -m nbprod.serving.lookups LAKE DEPLOYMENT SPOOLS < questions > answers
"""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from nbprod.errors import NbprodError
from nbprod.lake import Lake
from nbprod.lake.entries import Outcomes, Predictions
from nbprod.lake.spool import spool_files

__all__ = ["Lookup", "main"]


class Question(msgspec.Struct):
    """Keys of outcomes that came in."""

    number: int
    ids: list[str]
    units: list[str]


class Lookup:
    """What is known of the predictions and outcomes of one deployment."""

    def __init__(self, lake: Lake, deployment: str, spools: Path) -> None:
        self._predictions = lake.predictions(deployment)
        self._outcomes = lake.outcomes(deployment)
        self._spools = spools

    def answer(self, asked: Question) -> dict[str, int | list[str]]:
        """Those that have a prediction, and those that have an outcome."""
        ids, units = set(asked.ids), set(asked.units)
        known_ids, known_units, done = set[str](), set[str](), set[str]()
        # spools first: what is moved meanwhile is then found in the table
        for spool in spool_files(self._spools):
            for _, entry in spool.entries(most_rows=sys.maxsize):
                match entry:
                    case Predictions():
                        known_ids |= ids.intersection(entry.ids)
                        known_units |= units & {entry.unit or ""}
                    case Outcomes():
                        done |= (ids | units).intersection(filter(None, (*entry.ids, *entry.units)))
        known_ids |= set(self._predictions.known(sorted(ids - known_ids)).to_pylist())
        known_units |= set(self._predictions.known(sorted(units - known_units), "unit").to_pylist())
        done |= set(self._outcomes.known(sorted(ids - done)).to_pylist())
        done |= set(self._outcomes.known(sorted(units - done), "unit").to_pylist())
        return {
            "number": asked.number,
            "ids": sorted(known_ids),
            "units": sorted(known_units),
            "with_outcome": sorted(done),
        }


def main() -> int:
    """Answer until the worker ends."""
    lake, deployment, spools = sys.argv[1:]
    lookup = Lookup(Lake(lake), deployment, Path(spools))
    decode = msgspec.json.Decoder(Question).decode
    for line in sys.stdin.buffer:
        try:
            said = msgspec.json.encode(lookup.answer(decode(line)))
        except NbprodError as problem:
            sys.stderr.write(f"{problem.message}\n")
            return 1
        sys.stdout.buffer.write(said + b"\n")
        sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
