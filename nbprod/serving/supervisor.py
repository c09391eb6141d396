"""The supervisor: reads the ledger, binds the address, starts workers and a drainer, and replaces those that die."""

from __future__ import annotations

import errno
import logging
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from nbprod.errors import EnvironmentProblem, NbprodError, PackageError, RefusedError, SettingsError, StoreError
from nbprod.serving.access import is_loopback
from nbprod.serving.assignment import (
    Assignment,
    Beside,
    Configuration,
    KeeperConfiguration,
    KeeperReport,
    Limits,
    Report,
    to_line,
)
from nbprod.serving.metrics import forget_worker

__all__ = ["Options", "Supervisor"]

log = logging.getLogger("nbprod.serving")
BACKLOG = 2048
POLL_S = 0.5  #: how often the ledger is asked what to serve
END_S = 9.5  #: after which whoever is still there is killed
SLOWEST_S = 30.0  #: between two starts of a worker that does not come to answer
SEND_BYTES = 256 << 10  #: of an answer that the system holds for a client that does not read


@dataclass(frozen=True, kw_only=True)
class Options:
    """How a deployment is served."""

    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 1
    certfile: Path | None = None
    keyfile: Path | None = None
    hosts: tuple[str, ...] = ()  #: names clients may call the server by
    limits: Limits = field(default_factory=Limits)
    log_requests: bool = False


@dataclass(kw_only=True)
class Child:
    """A process, what it was told last, and when it was started."""

    process: subprocess.Popen[bytes]
    started: float
    told: bytes = b""
    is_ready: bool = False


class Supervisor:
    """Serves one deployment until told to end.

    Parameters
    ----------
    options
        Address, workers, certificates, limits.
    read
        Reads the ledger: what is to be served now.
    lake
        Where the tables are.
    spools
        Folder of the deployment's spools, on a disk of this machine.
    take_out
        Tells the ledger that a rollout's candidate failed too often, and how.
    review_desk
        The command of the process that hands out what people are to look at.
    alarm
        Opens an alert (check, subject, sentence), or resolves it where the sentence is empty.

    Raises
    ------
    RefusedError
        The address is not the loopback's and there is no token.
    """

    def __init__(
        self,
        options: Options,
        read: Callable[[], Assignment],
        *,
        lake: str,
        spools: Path,
        alarm: Callable[[str, str, str], None],
        take_out: Callable[[str, str], object] | None = None,
        review_desk: Sequence[str] = (),
    ) -> None:
        self.options = options
        self._read = read
        self._alarm = alarm
        self._tell_ledger = take_out
        self._lake, self._spools = lake, spools
        self._review_desk = tuple(review_desk)
        self.assignment = self._checked(read())
        _check_certificates(options)
        self.socket = _bind(options)
        self.home = Path(tempfile.mkdtemp(prefix="nbprod-serve-"))
        self._workers: list[Child | None] = [None] * options.workers
        self._again = [0.0] * options.workers  # when the next one of a place may start
        self._wait = [0.0] * options.workers
        self._keeper: Child | None = None
        self._fatal: str | None = None  # why there is nothing to begin with
        self._failure: str | None = None  # of the drainer
        self._away: str | None = None  # of the ledger
        self._is_ending = threading.Event()
        self.is_ready = threading.Event()
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        """Where it answers."""
        host, port = self.socket.getsockname()[:2]
        named = f"[{host}]" if ":" in host else host
        return f"{'https' if self.options.certfile else 'http'}://{named}:{port}"

    def run(self, ready: Callable[[], None]) -> None:
        """Serve until :meth:`end` is called; ``ready`` is called once, when requests are answered."""
        threading.Thread(target=self._follow_ledger, name="ledger", daemon=True).start()
        told = False
        try:
            while not self._is_ending.is_set():
                self._replace_dead()
                if self._fatal is not None:
                    raise PackageError(self._fatal, hint="Promote a version that loads, then serve again.")
                if self.is_ready.is_set() and not told:
                    told = True
                    ready()
                self._is_ending.wait(0.05 if not told else 0.2)
        finally:
            self._stop_all()
            self.socket.close()
            shutil.rmtree(self.home, ignore_errors=True)

    def end(self, *_: Any) -> None:
        """Take no new requests, finish those that were begun, keep everything, and end."""
        self._is_ending.set()

    def _follow_ledger(self) -> None:
        while not self._is_ending.wait(POLL_S):
            try:
                fresh = self._checked(self._read())
                if self._away is not None:
                    log.warning("the ledger is back")
                self._away = None
            except NbprodError as problem:
                if self._away is None:
                    log.critical("the ledger is away, what was read last is served on: %s", problem.message)
                self._away = problem.message
                fresh = self.assignment
            problems = [f"the ledger is away: {self._away}"] if self._away else []
            problems += [f"predictions wait for their table: {self._failure}"] if self._failure else []
            self.assignment = msgspec.structs.replace(fresh, problems=tuple(problems))
            with self._lock:
                for child in self._workers:
                    if child is not None:
                        _tell(child, self.assignment)
                if self._keeper is not None:
                    _tell(self._keeper, self._beside)

    def _checked(self, assignment: Assignment) -> Assignment:
        """Refuse to be reachable by others without a token; the same while running, by closing every route."""
        is_local = is_loopback(self.options.host)
        if assignment.is_open and not is_local and not hasattr(self, "socket"):
            raise RefusedError(
                f"{self.options.host} can be reached from other machines, and there is no token",
                hint="Make one first: nbprod tokens create NAME --scope predict. Or serve on 127.0.0.1.",
            )
        return msgspec.structs.replace(
            assignment, is_open=assignment.is_open and is_local, hosts=(*assignment.hosts, *self.options.hosts)
        )

    def _replace_dead(self) -> None:
        for place, child in enumerate(self._workers):
            if child is not None and child.process.poll() is None:
                continue
            if child is not None:
                log.error("worker %d ended with %s and is replaced", child.process.pid, child.process.returncode)
                forget_worker(self.home / "metrics", child.process.pid)
                # one that never answered will hardly do so if it is started again at once
                self._wait[place] = 0.0 if child.is_ready else min(max(0.5, self._wait[place] * 2), SLOWEST_S)
                self._again[place] = time.monotonic() + self._wait[place]
                with self._lock:
                    self._workers[place] = None
            if time.monotonic() >= self._again[place]:
                self._start_worker(place)
        keeper = self._keeper
        if keeper is None or keeper.process.poll() is not None:
            if keeper is not None:
                log.error("the drainer ended with %s and is replaced", keeper.process.returncode)
                forget_worker(self.home / "metrics", keeper.process.pid)
                self._is_ending.wait(0.2)
            self._start_keeper()

    def _start_worker(self, place: int) -> None:
        options = self.options
        configuration = Configuration(
            descriptor=self.socket.fileno(),
            spool=str(self._spools),
            lake=self._lake,
            metrics=str(self.home / "metrics"),
            limits=options.limits,
            certfile=str(options.certfile) if options.certfile else None,
            keyfile=str(options.keyfile) if options.keyfile else None,
            log_requests=options.log_requests,
            review_desk=self._review_desk,
        )
        child = _start("nbprod.serving.worker", configuration, pass_fds=(self.socket.fileno(),))
        with self._lock:
            _tell(child, self.assignment)
            self._workers[place] = child
        threading.Thread(target=self._listen, args=(child,), daemon=True).start()

    def _start_keeper(self) -> None:
        configuration = KeeperConfiguration(
            lake=self._lake,
            deployment=self.assignment.deployment,
            spools=str(self._spools),
            metrics=str(self.home / "metrics"),
        )
        child = _start("nbprod.serving.keeping", configuration)
        with self._lock:
            _tell(child, self._beside)
            self._keeper = child
        threading.Thread(target=self._listen_keeper, args=(child,), daemon=True).start()

    @property
    def _beside(self) -> Beside:
        return Beside(shadow=self.assignment.shadow, trusted=self.assignment.trusted)

    def _listen(self, child: Child) -> None:
        """Hear what a worker reports: versions taken into use or refused, categories never seen."""
        assert child.process.stdout is not None
        decode = msgspec.json.Decoder(Report).decode
        for line in child.process.stdout:
            report = decode(line)
            if report.ready:
                child.is_ready = True
                self.is_ready.set()
                self._raise("serving", "version", "")
            if report.refused:
                sentence = f"{report.refused} could not be taken into use: {report.reason}"
                if not self.is_ready.is_set():
                    self._fatal = sentence
                self._raise("serving", "version", sentence)
            if report.taken_out:
                self._take_out(report.taken_out, report.reason)
            if report.unseen and self.assignment.unseen == "alarm":
                for column, count in report.unseen.items():
                    self._raise("unseen", column, f"{column} had {count:,} values never seen in training")

    def _listen_keeper(self, child: Child) -> None:
        assert child.process.stdout is not None
        for line in child.process.stdout:
            self._failure = msgspec.json.decode(line, type=KeeperReport).failure
            self._raise("serving", "log", self._failure or "")

    def _take_out(self, rollout: str, why: str) -> None:
        """Tell the ledger that a candidate is out, until it knows: the workers have taken it out already."""
        self._raise("rollout", rollout, why)
        if (take_out := self._tell_ledger) is None:
            return

        def tell() -> None:
            while not self._is_ending.is_set():
                try:
                    take_out(rollout, why)
                except StoreError as problem:
                    log.warning("the ledger does not know yet that %s was taken out: %s", rollout, problem.message)
                    self._is_ending.wait(1.0)
                except NbprodError as problem:  # somebody ended it meanwhile
                    log.info("rollout %s: %s", rollout, problem.message)
                    return
                else:
                    return

        threading.Thread(target=tell, name="rollout", daemon=True).start()

    def _raise(self, check: str, subject: str, sentence: str) -> None:
        try:
            self._alarm(check, subject, sentence)
        except NbprodError as problem:
            log.warning("an alert could not be kept: %s: %s", sentence or f"{subject} is well", problem.message)

    def _stop_all(self) -> None:
        """End workers first, then the drainer, so that it moves what they kept last."""
        deadline = time.monotonic() + END_S
        with self._lock:
            children = [child for child in self._workers if child is not None]
            self._workers = [None] * len(self._workers)
        for child in children:
            _close(child)
        for child in children:
            _wait(child, deadline - 1.0)
        if self._keeper is not None:
            _close(self._keeper)
            _wait(self._keeper, deadline)


def _start(module: str, configuration: Any, *, pass_fds: tuple[int, ...] = ()) -> Child:
    # one thread a worker: numeric libraries that start more wait for each other (see nbprod.threads)
    one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    process = subprocess.Popen(  # noqa: S603 — our own module
        [sys.executable, "-m", module, msgspec.json.encode(configuration).decode()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        pass_fds=pass_fds,
        env={**one, **os.environ},
    )
    return Child(process=process, started=time.monotonic())


def _tell(child: Child, message: Assignment | Beside) -> None:
    """Send an assignment, unless it is what the process was told last."""
    line = to_line(message)
    if line == child.told or child.process.stdin is None:
        return
    with suppress(OSError):  # it has ended and is replaced
        child.process.stdin.write(line)
        child.process.stdin.flush()
        child.told = line


def _close(child: Child) -> None:
    if child.process.stdin is not None:
        with suppress(OSError):
            child.process.stdin.close()


def _wait(child: Child, deadline: float) -> None:
    try:
        child.process.wait(max(0.1, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        child.process.kill()
        child.process.wait()


def _check_certificates(options: Options) -> None:
    if (options.certfile is None) != (options.keyfile is None):
        raise SettingsError("TLS needs a certificate and its key", hint="Give --certfile FILE and --keyfile FILE.")
    if options.certfile is not None:
        try:
            ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(options.certfile, options.keyfile)
        except OSError as problem:
            raise SettingsError(
                f"{options.certfile} and {options.keyfile} cannot be used for TLS: {problem}",
                hint="Both are PEM files, and the key must be that of the certificate.",
            ) from problem


def _bind(options: Options) -> socket.socket:
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BYTES)
    try:
        listener.bind((options.host, options.port))
    except OSError as problem:
        listener.close()
        taken = problem.errno == errno.EADDRINUSE
        raise EnvironmentProblem(
            f"{options.host}:{options.port} cannot be bound: {problem.strerror or problem}",
            hint="Another server has it: give another --port, or 0 for any." if taken else "Give another --host.",
        ) from problem
    listener.listen(BACKLOG)  # from here on a client waits for a worker instead of being refused
    listener.set_inheritable(True)
    return listener
