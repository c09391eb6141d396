"""The shadow: asks a candidate for what the stable version answered, in a process of its own, and keeps its answers.

It is fed by the drainer with requests whose answers are given and kept already, so that no request waits for it. The
queue is bounded; what finds it full is counted and left to the analysis, which asks for it from the log.

::

    python -m nbprod.serving.shadowing ARM DESCRIPTOR
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any

import msgspec

from nbprod.errors import NbprodError
from nbprod.kernels.guard import PR_SET_PDEATHSIG, prctl
from nbprod.lake import Lake
from nbprod.lake.entries import Predictions
from nbprod.serving.assignment import Beside
from nbprod.serving.logs import log_to_stderr
from nbprod.serving.metrics import ShadowMetrics

__all__ = ["Shadow", "main"]

log = logging.getLogger("nbprod.serving")
MOST_WAITING = 2048  #: requests that wait to be asked for
MOST_ROWS = 20_000  #: of answers that wait for their table; then nothing is asked until it takes them
TIMEOUT_S = 10.0  #: a candidate that takes longer for a request hangs, and is ended
LOAD_S = 120.0
EVERY_S = 1.0  #: answers are kept this often
SLOWEST_S = 30.0  #: between two starts of a candidate that keeps dying
NICE = 19  # whoever waits for an answer comes first, and so does the drainer


class Said(msgspec.Struct, omit_defaults=True):
    """What a candidate made of one request: outputs, or why there are none."""

    failure: str = ""  #: error, refused, not-a-number, timeout, died
    latency_ms: float | None = None
    outputs: dict[str, list[Any]] = {}


class Shadow:
    """Beside the drainer of one deployment: a queue, a thread, and the candidate's process.

    Parameters
    ----------
    lake
        Where the table of answers is.
    deployment
        Its name.
    metrics
        Counts requests that were answered, failed and dropped.
    most_waiting
        Requests that may wait.
    timeout_s
        After which the candidate is ended.
    """

    def __init__(
        self,
        lake: Lake,
        deployment: str,
        metrics: ShadowMetrics,
        *,
        most_waiting: int = MOST_WAITING,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self._lake, self._deployment = lake, deployment
        self._metrics = metrics
        self._most_waiting = most_waiting
        self._timeout_s = timeout_s
        self._wanted = Beside()
        self._waiting: deque[Predictions] = deque()
        self._rows: list[dict[str, Any]] = []
        self._bell = threading.Event()
        self._over = threading.Event()
        self._candidate: Candidate | None = None
        self._wait_s = 0.0
        self._again = 0.0  # when the next one may start
        self._kept_at = time.monotonic()
        self._thread = threading.Thread(target=self._work, name="shadow", daemon=True)
        self._thread.start()

    def follow(self, wanted: Beside) -> None:
        """Ask another candidate, or none."""
        self._wanted = wanted
        self._bell.set()

    def see(self, entries: Sequence[Predictions]) -> None:
        """Take in requests that were answered and kept; those that find no place are counted."""
        if self._wanted.shadow is None:
            return
        free = max(0, self._most_waiting - len(self._waiting))
        self._waiting.extend(entries[:free])
        self._metrics.asked("dropped", len(entries) - min(free, len(entries)))
        self._bell.set()

    def close(self) -> None:
        """Keep what was answered, and end; what still waits is left to the analysis."""
        self._over.set()
        self._bell.set()
        if (candidate := self._candidate) is not None:
            candidate.end()
        self._thread.join(timeout=5.0)

    def _work(self) -> None:
        while not self._over.is_set():
            if not self._waiting:
                self._bell.wait(timeout=EVERY_S)
            self._bell.clear()
            try:
                self._round()
                self._keep()
            except Exception:  # whatever happens here, predictions go on being kept
                log.exception("the shadow")
                self._over.wait(timeout=EVERY_S)
        if self._candidate is not None:
            self._candidate.end()
        self._keep(last=True)

    def _round(self) -> None:
        """Ask for what waits, as long as the candidate is there."""
        wanted = self._wanted
        if self._candidate is not None and self._candidate.wanted != wanted:
            self._candidate.end()
            self._candidate, self._wait_s, self._again = None, 0.0, 0.0
        if wanted.shadow is None:
            self._waiting.clear()
        while self._waiting and len(self._rows) < MOST_ROWS and wanted == self._wanted and not self._over.is_set():
            candidate = self._ready()
            if candidate is None:
                self._bell.wait(timeout=max(0.0, min(EVERY_S, self._again - time.monotonic())))
                self._bell.clear()
                break
            entry = self._waiting.popleft()
            said = candidate.ask(_rows_of(entry), self._timeout_s)
            if self._over.is_set():
                break
            self._metrics.asked("failed" if said.failure else "answered", 1)
            self._rows += _kept(entry, candidate.wanted, said)
            self._keep()
        self._metrics.waiting.set(len(self._waiting))

    def _ready(self) -> Candidate | None:
        """The candidate's process, started again if it died and it is time to."""
        candidate, present = self._candidate, time.monotonic()
        if candidate is not None and candidate.is_alive:
            return candidate
        if candidate is not None:
            log.error("the shadow of %s ended and is started again", candidate.name)
            lived = present - candidate.started
            self._wait_s = min(max(0.5, self._wait_s * 2), SLOWEST_S) if lived < SLOWEST_S else 0.5
            self._again = present + self._wait_s
            self._candidate = None
        if present < self._again:
            return None
        self._metrics.started()
        self._candidate = candidate = Candidate(self._wanted)
        if reason := candidate.failed_to_load():
            log.error("the shadow of %s could not be loaded: %s", candidate.name, reason)
            candidate.end()
            return None
        return candidate

    def _keep(self, *, last: bool = False) -> None:
        """Bring answers into their table, all of them or none; a table that refuses is tried again."""
        present = time.monotonic()
        if not self._rows or not (last or present - self._kept_at >= EVERY_S):
            return
        self._kept_at = present
        try:
            table = self._lake.shadows(self._deployment)
            table.append({name: [row.get(name) for row in self._rows] for name in COLUMNS})
        except NbprodError as problem:
            log.warning("answers of the shadow: %s", problem.message)
        else:
            self._rows.clear()


COLUMNS = ("prediction_id", "version", "at", "latency_ms", "failure", "prediction", "probability")


class Candidate:
    """The process of one candidate: a request, an answer, the next."""

    def __init__(self, wanted: Beside) -> None:
        assert wanted.shadow is not None
        self.wanted = wanted
        self.name = wanted.shadow.version
        self.started = time.monotonic()
        self._pipe, theirs = Pipe()
        one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        with theirs:
            command = [sys.executable, "-m", "nbprod.serving.shadowing", msgspec.json.encode(wanted).decode()]
            self._process = subprocess.Popen(  # noqa: S603 — our own module
                [*command, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                env={**os.environ, **one},
            )

    @property
    def is_alive(self) -> bool:
        """Whether it can be asked."""
        return self._process.poll() is None

    def failed_to_load(self) -> str:
        """Wait until it has loaded its package; why it has not, or nothing."""
        return self._heard(LOAD_S).failure

    def ask(self, rows: Sequence[Mapping[str, Any]], timeout_s: float) -> Said:
        """Its answer to a request; one that dies or takes too long has failed, and is ended."""
        try:
            self._pipe.send_bytes(msgspec.json.encode(rows))
        except OSError:
            self.end()
            return Said(failure="died")
        return self._heard(timeout_s)

    def end(self) -> None:
        """Kill it; again is fine."""
        self._process.kill()
        self._process.wait()

    def _heard(self, timeout_s: float) -> Said:
        try:
            if not self._pipe.poll(timeout_s):
                self.end()
                return Said(failure="timeout", latency_ms=timeout_s * 1000)
            return msgspec.json.decode(self._pipe.recv_bytes(), type=Said)
        except (OSError, EOFError, msgspec.MsgspecError):
            self.end()
            return Said(failure="died")


def _rows_of(entry: Predictions) -> list[dict[str, Any]]:
    names = list(entry.inputs)
    return [dict(zip(names, values, strict=True)) for values in zip(*entry.inputs.values(), strict=True)]


def _kept(entry: Predictions, wanted: Beside, said: Said) -> list[dict[str, Any]]:
    """A row for each prediction of a request."""
    from nbprod.lake.rollout_tables import as_text  # delayed: pyarrow

    assert wanted.shadow is not None
    shared = {
        "version": wanted.shadow.version,
        "at": datetime.fromtimestamp(entry.at_us / 1e6, UTC),
        "latency_ms": said.latency_ms,
        "failure": said.failure or None,
    }
    nothing: list[Any] = [None] * len(entry.ids)
    answers = [as_text(value) for value in said.outputs.get("prediction", ())] or nothing
    chances = said.outputs.get("probability") or nothing
    return [
        {"prediction_id": name, "prediction": answer, "probability": chance, **shared}
        for name, answer, chance in zip(entry.ids, answers, chances, strict=True)
    ]


def main() -> int:
    """Be the candidate's process: load its package, then answer until the pipe ends."""
    os.nice(NICE)
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # one that hangs does not see that its pipe has ended
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    log_to_stderr()
    wanted = msgspec.json.decode(sys.argv[1], type=Beside)
    with Connection(int(sys.argv[2])) as pipe:
        from nbprod.serving.models import load_model  # delayed: numpy, and perhaps scikit-learn
        from nbprod.serving.routing import broken

        assert wanted.shadow is not None
        try:
            model = load_model(wanted.shadow, trusted=wanted.trusted)
        except Exception as problem:  # noqa: BLE001 — whatever a package does, it is told
            pipe.send_bytes(msgspec.json.encode(Said(failure=f"{type(problem).__name__}: {problem}")))
            return 1
        pipe.send_bytes(msgspec.json.encode(Said()))
        while True:
            try:
                rows = msgspec.json.decode(pipe.recv_bytes())
            except EOFError:
                return 0
            started = time.perf_counter()
            try:
                answered = model.answer(rows)
            except Exception as problem:  # noqa: BLE001 — as above
                log.warning("the shadow of %s: %s", wanted.shadow.version, type(problem).__name__)
                said = Said(failure="error")
            else:
                is_broken = broken(answered.outputs)
                failure = "refused" if answered.problems else "not-a-number" if is_broken else ""
                said = Said(failure=failure, outputs={} if failure else answered.outputs)
            said.latency_ms = (time.perf_counter() - started) * 1000
            pipe.send_bytes(msgspec.json.encode(said))


if __name__ == "__main__":
    raise SystemExit(main())
