"""What Prometheus sees of a server, through prometheus-client.

Workers share a folder of mapped files (``PROMETHEUS_MULTIPROC_DIR``), so that whichever of them is asked tells the
sums of all, counters outlive a worker that died, and the supervisor can read them too.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["LATENCIES_S", "Metrics", "ShadowMetrics", "exposition", "forget_worker", "use_folder"]

LATENCIES_S = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
ROWS = (1, 2, 5, 10, 50, 100, 500, 1000, 5000, 10000)
FOLDER = "PROMETHEUS_MULTIPROC_DIR"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def use_folder(folder: Path) -> None:
    """Say where the mapped files are; before prometheus-client is imported."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.environ[FOLDER] = str(folder)


class Metrics:
    """The metrics of one worker."""

    def __init__(self) -> None:
        from prometheus_client import Counter, Gauge, Histogram  # delayed: the folder must be known first

        self._requests = Counter("nbprod_requests", "Requests answered.", ["route", "code"])
        self._latency = Histogram(
            "nbprod_request_seconds", "From a request's first look to its answer.", ["route"], buckets=LATENCIES_S
        )
        self._rows = Histogram("nbprod_batch_rows", "Rows of a request for predictions.", buckets=ROWS)
        self._predictions = Counter("nbprod_predictions", "Predictions given.", ["version", "arm"])
        self._unseen = Counter("nbprod_unseen_categories", "Values of categories never seen.", ["column"])
        self._outcomes = Counter("nbprod_outcomes", "Outcomes taken in, by what was known of them.", ["kind"])
        self._reviews = Counter("nbprod_reviews", "Predictions given to reviewers, and answered by them.", ["kind"])
        self._parity = Counter("nbprod_parity_rows", "Rows compared on both paths in use.", ["result"])
        Counter("nbprod_worker_starts", "Workers that were started.").inc()
        self._swaps = Counter("nbprod_swaps", "Versions taken into use or refused.", ["result"])
        self.in_flight = Gauge("nbprod_requests_in_flight", "Requests being answered.", multiprocess_mode="livesum")
        self.spool = Gauge("nbprod_spool_waiting", "Entries waiting for the disk.", multiprocess_mode="livesum")
        self.backlog = Gauge(
            "nbprod_log_lag_rows", "Predictions on the disk that are not in the table yet.", multiprocess_mode="max"
        )
        self.lag = Gauge("nbprod_log_lag_seconds", "Age of the oldest of them.", multiprocess_mode="max")
        self._version = Gauge(
            "nbprod_model_version", "1 for the version in use.", ["version", "arm"], multiprocess_mode="livemax"
        )
        self.problems = Gauge(
            "nbprod_problems", "Things health complains of: ledger, loading, drainer.", multiprocess_mode="livemax"
        )
        self.cpu = Gauge("nbprod_cpu_seconds", "Processor time used.", ["worker"], multiprocess_mode="liveall")
        self.memory = Gauge("nbprod_memory_bytes", "Resident memory of all workers.", multiprocess_mode="livesum")
        # labels() looks its labels up anew each time, which takes as long as counting
        self._children: dict[tuple[str, int], tuple[Any, Any]] = {}
        self._given: dict[tuple[str, str], Any] = {}

    def answered(self, route: str, code: int, seconds: float) -> None:
        """Count a request."""
        key = (route, code)
        if key not in self._children:
            self._children[key] = (self._requests.labels(route, str(code)), self._latency.labels(route))
        requests, latency = self._children[key]
        requests.inc()
        latency.observe(seconds)

    def predicted(self, version: str, arm: str, rows: int, unseen: Mapping[str, int]) -> None:
        """Count the rows of a request."""
        if (version, arm) not in self._given:
            self._given[version, arm] = self._predictions.labels(version, arm)
        self._given[version, arm].inc(rows)
        self._rows.observe(rows)
        for column, count in unseen.items():
            self._unseen.labels(column).inc(count)

    def outcome(self, kind: str, count: int) -> None:
        """Count outcomes by what was known of them."""
        if count:
            self._outcomes.labels(kind).inc(count)

    def reviewed(self, kind: str, count: int) -> None:
        """Count predictions that were ``given`` to reviewers or ``answered`` by them."""
        if count:
            self._reviews.labels(kind).inc(count)

    def compared(self, *, equal: bool, rows: int = 1) -> None:
        """Count rows both paths were asked for."""
        self._parity.labels("equal" if equal else "different").inc(rows)

    def swapped(self, version: str, arm: str, *, previous: str | None) -> None:
        """Say which version is in use now."""
        self._swaps.labels("loaded").inc()
        if previous is not None and previous != version:
            self._version.labels(previous, arm).set(0)
        self._version.labels(version, arm).set(1)

    def refused(self) -> None:
        """Count a version that could not be taken into use."""
        self._swaps.labels("refused").inc()

    def resources(self) -> None:
        """Look at this process."""
        used = os.times()
        self.cpu.labels(str(os.getpid())).set(used.user + used.system)
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        self.memory.set(pages * os.sysconf("SC_PAGE_SIZE"))


class ShadowMetrics:
    """The metrics of the shadow, in the drainer's process."""

    def __init__(self) -> None:
        from prometheus_client import Counter, Gauge  # delayed: the folder must be known first

        self._requests = Counter("nbprod_shadow_requests", "Requests a candidate was asked for beside.", ["result"])
        self._starts = Counter("nbprod_shadow_starts", "Starts of the process that is asked beside.")
        self.waiting = Gauge("nbprod_shadow_waiting", "Requests that wait for it.", multiprocess_mode="livesum")

    def asked(self, result: str, requests: int) -> None:
        """Count requests: ``answered``, ``failed``, or ``dropped`` because too many wait."""
        if requests:
            self._requests.labels(result).inc(requests)

    def started(self) -> None:
        """Count a start."""
        self._starts.inc()


def exposition() -> bytes:
    """The metrics of all workers, as Prometheus reads them."""
    from prometheus_client import CollectorRegistry, generate_latest  # delayed: as above
    from prometheus_client.multiprocess import MultiProcessCollector

    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)


def forget_worker(folder: Path, pid: int) -> None:
    """Take a dead worker's gauges away; its counters stay."""
    for path in folder.glob(f"gauge_live*_{pid}.db"):
        path.unlink(missing_ok=True)
