"""The service over schedules: what is due, and starting it exactly once, from however many machines one looks.

Looking, deciding and claiming are one transaction of the ledger, so of several who look at once one claims. A claim
carries a lease, renewed while the work goes on: when its holder is killed, the next look finds out whether anything
was started. If nothing was, it takes the moment over; if something was, its end or its loss is recorded.
"""

from __future__ import annotations

import builtins
import os
import socket
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from nbprod import clock
from nbprod.domain.names import nearest
from nbprod.domain.run import RunStatus
from nbprod.domain.schedule import Due, DueStatus, Schedule
from nbprod.errors import NbprodError, NotFoundError, SettingsError, StaleMoveError
from nbprod.notebook.stopping import SignalCatcher
from nbprod.schedules.due_times import between, next_after
from nbprod.schedules.exports import KINDS, Entry, Host
from nbprod.schedules.policies import MOST, decide, new_due
from nbprod.schedules.starting import Job, Jobs
from nbprod.settings import Settings
from nbprod.store import Session, Store

__all__ = ["Schedules", "StartedJob"]

LEASE = timedelta(seconds=120)
RENEW_S = 20.0
LOOK_S = 0.5  # how often it is seen that somebody wants it to stop
OPEN = (DueStatus.QUEUED, DueStatus.CLAIMED)


@dataclass(frozen=True, kw_only=True)
class StartedJob:
    """What one look at the schedules came to."""

    dues: tuple[Due, ...] = ()  #: every moment that was started, ended or left out by it
    problems: tuple[str, ...] = ()  #: schedules that cannot be used, each in a sentence

    @property
    def failed(self) -> tuple[Due, ...]:
        """The moments whose work did not succeed."""
        return tuple(due for due in self.dues if due.status in {DueStatus.FAILED, DueStatus.LOST})


class Schedules:
    """Starts the ``[schedules.NAME]`` of a workspace when they are due.

    Parameters
    ----------
    store
        The ledger due moments are kept in.
    settings
        Holds the schedules.
    jobs
        Starts what they name.
    deliver
        Delivers the alerts that wait for their moment; called after each look.
    """

    def __init__(
        self, store: Store, settings: Settings, jobs: Jobs, *, deliver: Callable[[], object] | None = None
    ) -> None:
        self._store = store
        self._settings = settings
        self._jobs = jobs
        self._deliver = deliver

    def names(self) -> builtins.list[str]:
        """The schedules there are."""
        return sorted(self._settings.tables["schedules"])

    def schedule(self, name: str) -> Schedule:
        """A schedule as ``nbprod.toml`` has it.

        Raises
        ------
        NotFoundError
            There is none of that name.
        SettingsError
            It cannot be used.
        """
        tables = self._settings.tables["schedules"]
        if name not in tables:
            raise NotFoundError(
                f"There is no schedule {name!r}", hint=f"Add [schedules.{name}]. {nearest(name, tables)}"
            )
        schedule = Schedule.parse(name, tables[name])
        next_after(schedule, clock.now())
        return schedule

    def check(self, name: str) -> Schedule:
        """A schedule that was checked as its start will be; raises what that would raise."""
        schedule = self.schedule(name)
        self._jobs.check(schedule)
        return schedule

    def next(self, name: str, *, after: datetime | None = None) -> datetime | None:
        """When a schedule is due next, in UTC."""
        return next_after(self.schedule(name), after or clock.now())

    def dues(self, name: str | None = None, *, limit: int | None = 50) -> builtins.list[Due]:
        """Due moments, newest first."""
        with self._store.read() as session:
            return session.list(Due, {"schedule": name} if name else None, limit=limit)

    def due(self, *, now: datetime | None = None) -> builtins.list[Due]:
        """What ``run_due`` would start or leave out at a moment; nothing is started and nothing is written."""
        at = now or clock.now()
        found = []
        with self._store.read() as session:
            for name in self.names():
                found += self._decide(session, self.schedule(name), at)[0]
        return found

    def run_due(
        self, names: Iterable[str] = (), *, now: datetime | None = None, jobs: int | None = None
    ) -> StartedJob:
        """Start what is due, wait until it has ended, and deliver the alerts whose moment has come.

        Parameters
        ----------
        names
            Only these; by default all. One that cannot be used does not keep the others from starting.
        now
            Taken for the present moment; for rehearsals and tests.
        jobs
            How many at a time; by default one for each processor.
        """
        at = now or clock.now()
        touched: dict[str, Due] = {}
        problems, claimed, usable = [], [], []
        for name in list(names) or self.names():
            try:
                schedule = self.schedule(name)
                usable.append(schedule)
                touched |= {due.id: due for due in self._recover(schedule)}
                with self._store.write() as session:
                    rows, _ = self._decide(session, schedule, at)
                    rows = [self._put_new(session, row, at) for row in rows]
                claimed += [row for row in rows if row.status is DueStatus.CLAIMED]
                touched |= {row.id: row for row in rows}
                if next_due := self._next_in_queue(schedule.name, at):
                    claimed.append(next_due)
            except NbprodError as error:
                problems.append(f"{name}: {error}")
        claimed += [due for due in touched.values() if due.status is DueStatus.CLAIMED and due not in claimed]
        touched |= {due.id: due for due in self._work(claimed, jobs=jobs)}
        for schedule in usable:
            self._remove_old(schedule, at)
        if self._deliver is not None:
            try:
                self._deliver()
            except NbprodError as error:  # what was started has ended all the same, and is told
                problems.append(f"alerts: {error}")
        return StartedJob(dues=tuple(sorted(touched.values(), key=lambda due: due.due_at)), problems=tuple(problems))

    def start(self, name: str, *, jobs: int | None = None) -> StartedJob:
        """Start one schedule's work: what is due, or, when nothing is, this very moment.

        For schedulers that decide themselves when; the overlap policy holds all the same.
        """
        schedule, at = self.check(name), clock.now().replace(microsecond=0)
        self._recover(schedule)
        with self._store.write() as session:
            rows, open_dues = self._decide(session, schedule, at)
            rows = [row for row in rows if row.status is not DueStatus.NOTED]
            if not any(row.status in OPEN for row in rows) and session.find(Due, Due.id_of(name, at)) is None:
                rows += decide(schedule, [at], more=False, now=at, open_dues=open_dues, on_time="asked for")
            rows = [self._put_new(session, row, at) for row in rows]
        done = self._work([row for row in rows if row.status is DueStatus.CLAIMED], jobs=jobs)
        return StartedJob(dues=tuple({due.id: due for due in (*rows, *done)}.values()))

    def export(
        self, kind: str, names: Iterable[str] = (), *, workspace: str | None = None, python: str = "", image: str = ""
    ) -> dict[str, str]:
        """The files with which an existing scheduler calls nbprod, by name.

        Parameters
        ----------
        kind
            ``cron``, ``systemd``, ``airflow``, ``kubernetes`` or ``github``.
        names
            Schedules that are to be started one by one, each at its own moments; without any, one entry that calls
            ``nbprod schedule run-due`` again and again.
        workspace
            Where the workspace is, there; by default here, in a container ``/workspace``, in a checkout its root.
        python
            The interpreter, there; by default this one, and ``python`` in a container.
        image
            The container's image.

        Raises
        ------
        SettingsError
            The kind is unknown, or cannot say what a schedule says.
        """
        if kind not in KINDS:
            raise SettingsError(f"There is no scheduler {kind!r}", hint=nearest(kind, KINDS))
        chosen = [Entry(schedule=self.check(name)) for name in names] or [Entry()]
        is_here = kind in {"cron", "systemd", "airflow"}
        usual = str(self._settings.folder) if is_here else "/workspace" if kind == "kubernetes" else "."
        host = Host(
            python=python or (sys.executable if is_here else "python"),
            workspace=workspace or usual,
            today=clock.now().date(),
            image=image,
        )
        return KINDS[kind](chosen, host)

    def _decide(
        self, session: Session, schedule: Schedule, at: datetime
    ) -> tuple[builtins.list[Due], builtins.list[Due]]:
        """New rows for a schedule, and its open ones, as of one moment of the ledger."""
        last = session.list(Due, {"schedule": schedule.name}, limit=1)
        open_dues = session.list(Due, {"schedule": schedule.name, "status": OPEN}, limit=None, newest_first=False)
        if not last:
            reason = "seen for the first time; it starts with the next moment it is due"
            return [new_due(schedule, at, DueStatus.NOTED, reason)], open_dues
        moments, more = between(schedule, last[0].due_at, at, most=MOST)
        return decide(schedule, moments, more=more, now=at, open_dues=open_dues), open_dues

    def _put_new(self, session: Session, due: Due, at: datetime) -> Due:
        due = self._ours(due) if due.status is DueStatus.CLAIMED else due
        due = due if due.is_open else replace(due, ended_at=at)
        session.add(due)
        if due.status is not DueStatus.NOTED:
            session.event(f"schedule.{due.status}", due.id, reason=due.reason)
        return due

    def _ours(self, due: Due) -> Due:
        """The due moment with a lease of this process."""
        at = clock.now()  # leases go by the real clock, also in a rehearsal
        who = f"{self._store.actor} on {socket.gethostname()}, process {os.getpid()}"
        return replace(due, status=DueStatus.CLAIMED, claimed_at=at, claimed_by=who, lease_until=at + LEASE)

    def _put(self, before: Due, after: Due) -> Due | None:
        """Write a moved due moment; ``None`` when somebody else moved it first."""
        after = replace(after, revision=before.revision + 1)
        try:
            with self._store.write() as session:
                session.replace(after, expecting={"revision": before.revision})
                if after.status is not before.status:
                    evidence = [after.job_id] if after.job_id else []
                    session.event(f"schedule.{after.status}", after.id, reason=after.reason, evidence=evidence)
        except StaleMoveError:
            return None
        return after

    def _recover(self, schedule: Schedule) -> builtins.list[Due]:
        """What became of claims whose lease has ended: settled, or taken over where nothing was started."""
        with self._store.read() as session:
            claimed = session.list(Due, {"schedule": schedule.name, "status": DueStatus.CLAIMED}, limit=None)
        found = []
        for due in claimed:
            if due.lease_until is None or due.lease_until > clock.now():
                continue
            job = self._jobs.find(due.id)
            if job is None:
                reason = f"taken over: {due.claimed_by} vanished before it had started anything"
                moved = self._put(due, replace(self._ours(due), reason=reason))
            elif job.status in {RunStatus.RUNNING, RunStatus.QUEUED}:
                continue
            else:
                moved = self._put(due, _ended(due, job))
            found += [moved] if moved else []
        return found

    def _next_in_queue(self, name: str, at: datetime) -> Due | None:
        """The oldest moment that waits, claimed, if nothing of its schedule is worked on."""
        with self._store.write() as session:
            open_dues = session.list(Due, {"schedule": name, "status": OPEN}, limit=None, newest_first=False)
            if not open_dues or any(due.status is DueStatus.CLAIMED for due in open_dues):
                return None
            first = open_dues[0]
            claimed = replace(self._ours(first), revision=first.revision + 1, reason="its turn has come")
            session.replace(claimed, expecting={"revision": first.revision})
            session.event(f"schedule.{claimed.status}", claimed.id, reason=f"{claimed.reason}; {at:%H:%M} UTC")
        return claimed

    def _work(self, claimed: Iterable[Due], *, jobs: int | None) -> builtins.list[Due]:
        """Start claimed moments, renew their leases, record their ends; of a queue, go on with the next."""
        done: builtins.list[Due] = []
        waiting = list(claimed)
        working: dict[Future[Job | NbprodError], Due] = {}
        with (
            SignalCatcher() as signals,
            ThreadPoolExecutor(jobs or os.cpu_count() or 1, thread_name_prefix="nbprod-schedule") as pool,
        ):
            while waiting or working:
                for due in waiting:
                    if ours := self._put(due, self._ours(due)):  # still ours: nobody has taken it over
                        working[pool.submit(self._start, ours)] = ours
                waiting = []
                ended = wait(working, timeout=LOOK_S, return_when=FIRST_COMPLETED).done
                if signals.signum:
                    self._stop(working)
                for future in ended:
                    due = working.pop(future)
                    after = _ended(due, future.result())
                    done.append(self._put(due, after) or after)
                    if not signals.signum and (next_due := self._next_in_queue(due.schedule, clock.now())):
                        waiting.append(next_due)
                for future, due in working.items():
                    if due.lease_until and due.lease_until - clock.now() < LEASE - timedelta(seconds=RENEW_S):
                        working[future] = self._put(due, self._ours(due)) or due
        signals.pass_on()
        return done

    def _stop(self, working: dict[Future[Job | NbprodError], Due]) -> None:
        """Ask what works to stop, and put back what was claimed and not yet started."""
        for future, due in list(working.items()):
            if future.cancel():
                reason = "put back: the process that had claimed it was stopped"
                self._put(due, replace(due, status=DueStatus.QUEUED, lease_until=None, reason=reason))
                del working[future]
            else:
                self._jobs.stop(due.id)

    def _remove_old(self, schedule: Schedule, at: datetime) -> None:
        """Remove rows older than the schedule keeps them; the newest stays, because the next look needs it."""
        if schedule.keep is None:
            return
        with self._store.write() as session:
            old = session.list(Due, {"schedule": schedule.name}, until=at - schedule.keep, limit=None)
            newest = session.list(Due, {"schedule": schedule.name}, limit=1)
            for due in old:
                if not due.is_open and due not in newest:
                    session.remove(due, expecting={"revision": due.revision})

    def _start(self, due: Due) -> Job | NbprodError:
        try:
            return self._jobs.start(self.schedule(due.schedule), due.id)
        except NbprodError as error:
            return error
        except Exception as error:  # noqa: BLE001 — the others go on, and their claims are renewed meanwhile
            return NbprodError(f"{type(error).__name__}: {error}")

    def __repr__(self) -> str:
        return f"<Schedules {', '.join(self.names())}>"


def _ended(due: Due, job: Job | NbprodError) -> Due:
    """The due moment with the end of its work, or with the error that kept it from starting."""
    if isinstance(job, NbprodError):
        reason = job.message.replace("\n", " ")
        return replace(due, status=DueStatus.FAILED, lease_until=None, ended_at=clock.now(), reason=reason)
    known = {RunStatus.SUCCEEDED: DueStatus.SUCCEEDED, RunStatus.LOST: DueStatus.LOST}
    return replace(
        due,
        status=known.get(job.status, DueStatus.FAILED),
        job_id=job.id,
        lease_until=None,
        ended_at=clock.now(),
        reason=f"{job.status}: {job.summary}" if job.summary else due.reason,
    )
