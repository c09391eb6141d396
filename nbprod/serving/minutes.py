"""What a server counted and measured in each minute, in a Delta table beside the predictions, to be judged later."""

from __future__ import annotations

import json
import logging
import secrets
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nbprod.disk import write_file
from nbprod.errors import NbprodError
from nbprod.lake import Lake

__all__ = ["Minutes"]

log = logging.getLogger("nbprod.serving")
MINUTE_S = 60.0
NOTE = "kept.json"
GROWING = frozenset({"nbprod_cpu_seconds"})  #: gauges, one a worker so that they end with it, that only grow


class Minutes:
    """Keeps what the counters grew by in each minute of one server.

    Parameters
    ----------
    lake
        Where the tables are.
    deployment
        Its name.
    folder
        Where the server's counters are: what was kept of them is noted beside, so that a drainer that takes another's
        place does not count twice.
    """

    def __init__(self, lake: Lake, deployment: str, folder: Path) -> None:
        self._table = lake.health(deployment)
        self._note = folder / NOTE
        self._server, self._before = _noted(self._note)
        self._started = time.time()

    def keep(self, *, last: bool = False) -> None:
        """Append the minute that is over; ``last`` appends what there is of the present one."""
        present = time.time()
        if not last and present - self._started < MINUTE_S:
            return
        sums, measured = counted_and_measured()
        grown = {key: value - self._before.get(key, 0.0) for key, value in sums.items()}
        told = {key: value for key, value in grown.items() if value} | measured
        rows = [(name, labels, value) for (name, labels), value in sorted(told.items())]
        if rows:
            try:
                self._table.append(
                    {
                        "at": [datetime.fromtimestamp(self._started, UTC)] * len(rows),
                        "seconds": [present - self._started] * len(rows),
                        "server": [self._server] * len(rows),
                        "name": [name for name, _, _ in rows],
                        "labels": [labels for _, labels, _ in rows],
                        "value": [value for _, _, value in rows],
                    }
                )
            except NbprodError as problem:  # the next minute holds this one's sums as well
                log.warning("sums of a minute: %s", problem.message)
                return
            note = {"server": self._server, "sums": [[*key, value] for key, value in sums.items()]}
            with suppress(NbprodError):  # the folder goes when the server ends
                write_file(self._note, json.dumps(note))
        self._before, self._started = sums, present


def _noted(path: Path) -> tuple[str, dict[tuple[str, str], float]]:
    """The name of the server and what was kept of its counters; a new name where nothing was yet."""
    try:
        note = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return secrets.token_hex(4), {}
    return note["server"], {(name, labels): value for name, labels, value in note["sums"]}


def counted_and_measured() -> tuple[dict[tuple[str, str], float], dict[tuple[str, str], float]]:
    """Every counter and histogram as of now, and every gauge: by name, and labels as ``route=/predict,code=200``."""
    from prometheus_client import CollectorRegistry  # delayed: the folder must be known first
    from prometheus_client.multiprocess import MultiProcessCollector

    counted: dict[tuple[str, str], float] = {}
    measured: dict[tuple[str, str], float] = {}
    collector: Any = MultiProcessCollector(CollectorRegistry())  # type: ignore[no-untyped-call]
    for family in collector.collect():
        is_growing = family.type in {"counter", "histogram"} or family.name in GROWING
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            (counted if is_growing else measured)[sample.name, labels] = sample.value
    return counted, measured
