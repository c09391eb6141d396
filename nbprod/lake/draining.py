"""The drainer: moves what the spools of one deployment hold into its Delta tables, each entry once.

A spool's name and the number of its last entry are an app transaction of the append. Whoever starts, after whatever
end of the one before, reads how far the table came before it goes on: nothing is missing and nothing is twice.
One drainer works at a time on a machine; deltalake accepts a transaction twice, so the lock is what makes it safe.
"""

from __future__ import annotations

import fcntl
import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from nbprod.disk import make_folder
from nbprod.errors import NbprodError, SchemaError
from nbprod.lake import Lake
from nbprod.lake.entries import Entry, Failures, Outcomes, Predictions
from nbprod.lake.spool import SpoolFile, spool_files
from nbprod.lake.tables import Transaction

__all__ = ["Drainer", "draining"]

log = logging.getLogger("nbprod.serving")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
APPENDS_BEFORE_COMPACTION = 500


class Drainer:
    """Of one deployment's spools; make it inside :func:`draining`.

    Parameters
    ----------
    lake
        Where the tables are.
    deployment
        Its name.
    folder
        Of its spools.
    kept
        Told of predictions that are in the table now.
    """

    def __init__(
        self,
        lake: Lake,
        deployment: str,
        folder: Path,
        *,
        kept: Callable[[Sequence[Predictions]], None] = lambda predictions: None,  # noqa: ARG005 — nobody asks
    ) -> None:
        self._predictions = lake.predictions(deployment)
        self._outcomes = lake.outcomes(deployment)
        self._failures = lake.failures(deployment)
        self._shadows = lake.shadows(deployment)
        self._folder = folder
        self._kept = kept
        self._appends = 0

    def drain(self) -> int:
        """Move what lies there now; return how many entries were moved.

        Raises
        ------
        StoreError
            A table or a spool cannot be used; nothing is lost, and the next call goes on.
        """
        moved = 0
        for spool in spool_files(self._folder):
            newest = spool.newest  # what comes meanwhile is for the next round: the other spools have their turn
            while (entries := spool.entries()) and entries[0][0] <= newest:
                self._move(spool, entries)
                moved += len(entries)
        if self._appends >= APPENDS_BEFORE_COMPACTION:
            self._appends = 0
            for table in (self._predictions, self._outcomes, self._failures, self._shadows):
                table.compact()
        return moved

    def run(self, is_over: Callable[[], bool], *, every_s: float = 1.0, told: Callable[[str | None], None]) -> None:
        """Drain again and again until told to end, then once more; failures are told and tried again.

        Parameters
        ----------
        is_over
            Asked before each round.
        every_s
            From one round to the next.
        told
            Given the failure after each round, ``None`` when it went well.
        """
        while True:
            ends = is_over()
            try:
                self.drain()
                told(None)
            except NbprodError as problem:
                told(problem.message)
                log.warning("draining: %s", problem.message)
            if ends:
                return
            deadline = time.monotonic() + every_s
            while time.monotonic() < deadline and not is_over():
                time.sleep(0.05)

    def _move(self, spool: SpoolFile, entries: Sequence[tuple[int, Entry]]) -> None:
        try:
            self._append(spool, entries)
        except SchemaError as problem:
            if len(entries) > 1:  # find the one at fault; the others get through
                for one in entries:
                    self._move(spool, [one])
                return
            number, entry = entries[0]
            log.critical("entry %d of %s is set aside: %s", number, spool.path, problem.message)
            spool.set_aside(number, entry, problem.message)
        self._appends += 1
        spool.tell_drained(entries[-1][0])

    def _append(self, spool: SpoolFile, entries: Sequence[tuple[int, Entry]]) -> None:
        """Append to each table what it does not have yet; the number of the last entry is its mark in both."""
        mark = Transaction(name=spool.name, number=entries[-1][0])
        made, known = self._predictions.reached(mark.name), self._outcomes.reached(mark.name)
        predictions = [entry for number, entry in entries if isinstance(entry, Predictions) and number > made]
        outcomes = [entry for number, entry in entries if isinstance(entry, Outcomes) and number > known]
        if predictions:
            core, inputs = _columns(predictions)
            self._predictions.append(core, inputs, private=(), transaction=mark)
            self._kept(predictions)
        if outcomes:
            self._outcomes.append(_outcome_columns(outcomes), transaction=mark)
        lost = self._failures.reached(mark.name)
        failures = [entry for number, entry in entries if isinstance(entry, Failures) and number > lost]
        if failures:
            self._failures.append(_failure_columns(failures), transaction=mark)


def _columns(entries: Sequence[Predictions]) -> tuple[dict[str, list[Any]], dict[str, list[Any]]]:
    """Predictions and inputs as columns of equal length, with nothing where a version has no such column."""
    core: dict[str, list[Any]] = {
        "prediction_id": [name for entry in entries for name in entry.ids],
        **{
            name: [value for entry in entries for value in [getattr(entry, name)] * len(entry.ids)]
            for name in ("version", "latency_ms", "arm", "share", "stratum", "unit")
        },
        "at": [moment for entry in entries for moment in [_moment(entry.at_us)] * len(entry.ids)],
        "review": [chance for entry in entries for chance in _chances(entry)],
    }
    outputs = _aligned(entries, [entry.outputs for entry in entries])
    return {**core, **outputs}, _aligned(entries, [entry.inputs for entry in entries])


def _chances(entry: Predictions) -> Sequence[float | None]:
    return entry.review or [None] * len(entry.ids)


def _aligned(entries: Sequence[Predictions], columns: Sequence[dict[str, list[Any]]]) -> dict[str, list[Any]]:
    names = dict.fromkeys(name for one in columns for name in one)
    return {
        name: [
            value
            for entry, one in zip(entries, columns, strict=True)
            for value in one.get(name) or [None] * len(entry.ids)
        ]
        for name in names
    }


def _outcome_columns(entries: Sequence[Outcomes]) -> dict[str, list[Any]]:
    return {
        "prediction_id": [name for entry in entries for name in entry.ids],
        "unit": [unit for entry in entries for unit in entry.units],
        "outcome": [outcome for entry in entries for outcome in entry.outcomes],
        "at": [_moment(at) for entry in entries for at in entry.at_us],
    }


def _failure_columns(entries: Sequence[Failures]) -> dict[str, list[Any]]:
    names = ("version", "kind", "arm", "share", "stratum", "unit")
    columns = {name: [getattr(entry, name) for entry in entries] for name in names}
    return {**columns, "at": [_moment(entry.at_us) for entry in entries]}


def _moment(at_us: int) -> datetime:
    return EPOCH + timedelta(microseconds=at_us)


@contextmanager
def draining(folder: Path, *, wait_s: float | None = None) -> Iterator[bool]:
    """Be the one drainer of a deployment on this machine; false when another one is and the wait is over.

    Parameters
    ----------
    folder
        Of the deployment's spools.
    wait_s
        How long to wait for the other to end; by default for ever.
    """
    make_folder(folder)
    descriptor = os.open(folder / "drainer.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = None if wait_s is None else time.monotonic() + wait_s
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                if deadline is not None and time.monotonic() >= deadline:
                    yield False
                    return
                time.sleep(0.1)
            else:
                yield True
                return
    finally:
        os.close(descriptor)
