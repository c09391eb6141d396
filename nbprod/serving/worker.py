"""One worker: answers requests on a socket it was given, by what its supervisor tells it to serve.

::

    python -m nbprod.serving.worker CONFIGURATION < assignments > reports
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import resource
import signal
import socket
import sys
import threading
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import uvicorn

from nbprod.domain.review import Chooser
from nbprod.errors import NbprodError
from nbprod.lake.spool import Spool, SpoolFile
from nbprod.packages.margins import chooser_of
from nbprod.serving.access import Access
from nbprod.serving.assignment import Assignment, Configuration, Report, to_line
from nbprod.serving.comparing import Comparison
from nbprod.serving.gate import Gate
from nbprod.serving.logs import log_to_stderr
from nbprod.serving.metrics import Metrics, use_folder
from nbprod.serving.models import load_model
from nbprod.serving.protocol import GuardedServer
from nbprod.serving.service import Service

__all__ = ["main"]

log = logging.getLogger("nbprod.serving")
DRAIN_S = 8.0  #: how long requests that were begun may take once the worker is told to end
KEEP_ALIVE_S = 30
SWITCH_S = 0.0005


class Worker:
    """The parts of one worker, and how they follow what they are told."""

    def __init__(self, configuration: Configuration, reports: Any) -> None:
        self.configuration = configuration
        self._reports = reports
        self._first: asyncio.Future[Assignment] | None = None
        self._loading: asyncio.Task[None] | None = None
        self._wanted: Assignment | None = None
        self.service: Service | None = None
        self.gate: Gate | None = None
        self.server: GuardedServer | None = None

    async def run(self) -> None:
        """Serve until told to end."""
        loop = asyncio.get_running_loop()
        self._first = loop.create_future()
        threading.Thread(target=self._listen, args=(loop,), name="assignments", daemon=True).start()
        assignment = await self._first
        given = self.configuration
        metrics = Metrics()
        spool = Spool(Path(given.spool))
        spool.start()
        self.service = service = Service(assignment, spool, metrics, given.limits)
        service.router.on_taken_out = self._taken_out
        service.router.follow(assignment.routing)
        self.gate = gate = Gate(service, self._application)
        gate.is_logging = given.log_requests
        self.follow(assignment)
        assert self._loading is not None
        await self._loading
        self.server = server = GuardedServer(
            uvicorn.Config(
                gate,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,  # nothing here asks for the client's address
                timeout_keep_alive=KEEP_ALIVE_S,
                timeout_graceful_shutdown=int(DRAIN_S),
                ssl_certfile=given.certfile,
                ssl_keyfile=given.keyfile,
            ),
            given.limits,
        )
        server.config.load()
        watch = asyncio.create_task(self._watch())
        with socket.socket(fileno=given.descriptor) as listener:
            await server.serve(sockets=[listener])
        watch.cancel()
        service.close()

    def _taken_out(self, rollout: str, why: str) -> None:
        log.critical("the candidate of rollout %s is taken out: %s", rollout, why)
        self.report(Report(taken_out=rollout, reason=why))

    def _application(self) -> Any:
        from nbprod.serving.application import make_application  # delayed: FastAPI takes longer than the model

        assert self.service is not None
        given = self.configuration
        application = make_application(self.service, given.lake, given.review_desk)
        gc.freeze()  # nothing of this is ever collected, and looking through it would hold requests up
        return application

    def _listen(self, loop: asyncio.AbstractEventLoop) -> None:
        """Hand over each assignment; the end of the pipe is the end of the supervisor."""
        decode = msgspec.json.Decoder(Assignment).decode
        with suppress(RuntimeError):  # the loop has ended
            for line in sys.stdin.buffer:
                loop.call_soon_threadsafe(self.follow, decode(line))
            loop.call_soon_threadsafe(self.end)

    def end(self) -> None:
        """Take no new requests, finish those that were begun, and end."""
        if self.server is not None:
            self.server.should_exit = True
        elif self._first is not None and not self._first.done():
            self._first.cancel()

    def follow(self, assignment: Assignment) -> None:
        """Do as told: at once about access, and about versions as soon as they are loaded."""
        assert self._first is not None
        if self.service is None or self.gate is None:
            if not self._first.done():
                self._first.set_result(assignment)
            return
        self.service.assignment = assignment
        self.service.router.follow(assignment.routing)
        self.gate.access = Access(assignment.tokens, is_open=assignment.is_open, hosts=assignment.hosts)
        self._wanted = assignment
        if self._loading is None or self._loading.done():
            self._loading = asyncio.create_task(self._load())

    async def _load(self) -> None:
        """Load what is wanted beside what is in use, one after the other, until they are the same."""
        service = self.service
        assert service is not None
        await self._load_choosers()
        tried: set[str] = set()
        while self._wanted is not None and (arm := self._wanted.arms[0]).digest not in tried:
            tried.add(arm.digest)
            current = service.model
            by_pipeline = arm.digest in service.differing
            if current is not None and current.arm == arm and not (by_pipeline and current.is_compiled):
                service.refusals = {}
                continue
            if arm.version in service.refusals:
                continue
            try:
                model = await asyncio.to_thread(
                    load_model, arm, trusted=self._wanted.trusted, by_pipeline=by_pipeline
                )
            except Exception as problem:  # noqa: BLE001 — whatever a package does, the one in use goes on
                reason = (
                    problem.message if isinstance(problem, NbprodError) else f"{type(problem).__name__}: {problem}"
                )
                service.refusals = {arm.version: reason}
                service.metrics.refused()
                log.critical("%s could not be taken into use: %s", arm.version, reason)
                self.report(Report(refused=arm.version, reason=reason))
                continue
            service.model = model
            service.refusals = {}
            if service.comparison is not None:
                service.comparison.close()
            service.comparison = None
            if model.is_compiled:
                service.comparison = Comparison(arm, self._wanted.trusted, partial(self._compared, arm.digest))
            service.metrics.swapped(arm.version, arm.name, previous=current.arm.version if current else None)
            log.info("%s is in use", arm.version)
            self.report(Report(ready=True, version=arm.version))
        await self._load_candidate()
        await self._load_choosers()  # the rules may have changed meanwhile

    async def _load_choosers(self) -> None:
        """What sends predictions of each arm to people, by the rules of now."""
        service, wanted = self.service, self._wanted
        assert service is not None
        assert wanted is not None
        made: dict[str, Chooser] = {}
        for arm in wanted.arms if wanted.review else ():
            try:
                chooser = await asyncio.to_thread(chooser_of, wanted.review, arm.folder)
            except NbprodError as problem:  # the package is refused below, with its reason
                log.warning("predictions of %s are not chosen for review: %s", arm.version, problem.message)
                continue
            if chooser is not None:
                made[arm.digest] = chooser
        service.choosers = made

    async def _load_candidate(self) -> None:
        """Load the second arm, or forget it where there is none any more."""
        service = self.service
        assert service is not None
        assert self._wanted is not None
        arms = self._wanted.arms[1:]
        if not arms:
            service.candidate = None
            return
        arm = arms[0]
        if (service.candidate is not None and service.candidate.arm == arm) or arm.version in service.refusals:
            return
        try:
            service.candidate = await asyncio.to_thread(load_model, arm, trusted=self._wanted.trusted)
        except Exception as problem:  # noqa: BLE001 — whatever it does, the stable version goes on
            reason = problem.message if isinstance(problem, NbprodError) else f"{type(problem).__name__}: {problem}"
            service.candidate = None
            service.refusals[arm.version] = reason
            if self._wanted.routing is not None:
                self._taken_out(self._wanted.routing.rollout, f"it could not be loaded: {reason}")
            return
        log.info("%s is loaded beside", arm.version)

    def _compared(self, digest: str, rows: int, is_equal: bool) -> None:  # noqa: FBT001 — a callback's
        """Count a sample; where it differs, go over to the pipeline and say so."""
        service = self.service
        assert service is not None
        service.metrics.compared(equal=is_equal, rows=rows)
        if not is_equal and digest not in service.differing:
            service.differing.add(digest)
            log.critical("the compiled model differs from its pipeline, which answers from now on")
            if self._wanted is not None:
                self.follow(self._wanted)

    async def _watch(self) -> None:
        """Keep the gauges current; make the rest of the application once requests can be answered."""
        service, gate = self.service, self.gate
        assert service is not None
        assert gate is not None
        gate.start()
        own = SpoolFile(service.spool.path)
        while True:
            metrics = service.metrics
            metrics.in_flight.set(gate.in_flight)
            metrics.spool.set(service.spool.waiting)
            metrics.problems.set(len(service.problems))
            metrics.resources()
            with suppress(NbprodError):
                rows, age_s = await asyncio.to_thread(lambda: (own.backlog, own.age_s))
                metrics.backlog.set(rows)
                metrics.lag.set(age_s)
            if service.unseen:
                self.report(Report(unseen=service.unseen))
                service.unseen = {}
            await asyncio.sleep(1.0)

    def report(self, message: Report) -> None:
        """Tell the supervisor."""
        with suppress(OSError):  # it has ended; the pipe of assignments says so too
            self._reports.write(to_line(message))
            self._reports.flush()


def main() -> int:
    """Run one worker in this process."""
    reports = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints is no report
    configuration = msgspec.json.decode(sys.argv[1], type=Configuration)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the supervisor ends its workers
    signal.signal(signal.SIGTERM, lambda *_: None)
    log_to_stderr()
    # the thread that writes the spool must not wait 5 ms, several times a commit, for the one that answers
    sys.setswitchinterval(SWITCH_S)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # a connection is a file
    use_folder(Path(configuration.metrics))
    worker = Worker(configuration, reports)
    with suppress(asyncio.CancelledError):
        _run(worker)
    return 0


def _run(worker: Worker) -> None:
    try:
        import uvloop  # a faster event loop, where there is one
    except ImportError:
        asyncio.run(worker.run())
    else:
        uvloop.run(worker.run())


if __name__ == "__main__":
    raise SystemExit(main())
