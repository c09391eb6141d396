"""The sums of each minute, in a Delta table beside the predictions, so that health can be judged later."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from nbprod.errors import NbprodError
from nbprod.lake import Lake

__all__ = ["Minutes", "sums_of"]

log = logging.getLogger("nbprod.serving")
MINUTE_S = 60.0


class Minutes:
    """Keeps what the counters grew by in each minute of one server.

    Parameters
    ----------
    lake
        Where the tables are.
    deployment
        Its name.
    """

    def __init__(self, lake: Lake, deployment: str) -> None:
        self._table = lake.health(deployment)
        self._server = secrets.token_hex(4)
        self._before: Mapping[tuple[str, str], float] = {}
        self._started = time.time()

    def keep(self, *, last: bool = False) -> None:
        """Append the minute that is over; ``last`` appends what there is of the present one."""
        present = time.time()
        if not last and present - self._started < MINUTE_S:
            return
        sums = sums_of()
        grown = {key: value - self._before.get(key, 0.0) for key, value in sums.items()}
        rows = [(name, labels, value) for (name, labels), value in sorted(grown.items()) if value]
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
        self._before, self._started = sums, present


def sums_of() -> dict[tuple[str, str], float]:
    """Every counter and histogram as of now: by name, and labels as ``route=/predict,code=200``."""
    from prometheus_client import CollectorRegistry  # delayed: the folder must be known first
    from prometheus_client.multiprocess import MultiProcessCollector

    found: dict[tuple[str, str], float] = {}
    collector: Any = MultiProcessCollector(CollectorRegistry())  # type: ignore[no-untyped-call]
    for family in collector.collect():
        if family.type in {"counter", "histogram"}:
            for sample in family.samples:
                labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
                found[sample.name, labels] = sample.value
    return found
