"""Batch jobs of a window: did they run, in time, on how many rows, how many rejected, how long."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from math import isfinite, log
from typing import Any

import numpy as np
from scipy import special

from nbprod.clock import parse_utc
from nbprod.domain.check import CheckOutcome, CheckResult
from nbprod.domain.duration import parse_duration
from nbprod.domain.monitor import JOBS
from nbprod.domain.numbers import number
from nbprod.domain.objective import JobRules
from nbprod.monitors.budget import LARGEST
from nbprod.monitors.findings import PART, Findings

__all__ = ["judge_jobs"]

FEWEST = 5  #: earlier jobs without which nothing is usual
LATE = 1.5  #: times the longest pause there was
ROWS_RATIO, TIME_RATIO = 2.0, 2.0  #: to what is usual, material
REJECTED_RATIO, REJECTED_MORE, REJECTED_ROWS = 2.0, 0.01, 10
QUESTIONS = 3  #: that are judged by chance: rows, rejected, time


@dataclass(frozen=True, kw_only=True)
class _Job:
    id: str
    started: datetime
    ended: datetime | None
    succeeded: bool
    is_running: bool
    rows: float  #: ``NaN`` where it did not finish
    rejected: float

    @property
    def seconds(self) -> float:
        """How long it took."""
        return (self.ended - self.started).total_seconds() if self.ended else float("nan")

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> _Job:
        return cls(
            id=str(said["id"]),
            started=parse_utc(said["started"]),
            ended=parse_utc(said["ended"]) if said.get("ended") else None,
            succeeded=said["status"] == "succeeded",
            is_running=said["status"] in {"queued", "running"},
            rows=float(said["rows"]) if said.get("rows") is not None else float("nan"),
            rejected=float(said.get("rejected") or 0.0),
        )


def judge_jobs(
    jobs: Sequence[Mapping[str, Any]],
    rules: Mapping[str, Any] | None = None,
    *,
    deployment: str,
    start: datetime,
    end: datetime,
    level: float = LARGEST,
) -> Findings:
    """Hold the batch jobs of a window against the rules that are stated, and where none is against those before.

    Parameters
    ----------
    jobs
        Runs of the score notebook for this deployment's model, in the window and the weeks before: ``id``,
        ``started`` and ``ended`` in ISO 8601, ``status``, ``rows`` and ``rejected``.
    rules
        ``[monitors.NAME.jobs]``.
    deployment
        Its name.
    start, end
        Of the window, aware.
    level
        The chance of a false alarm this look may have: a quarter of it is for jobs.
    """
    stated = JobRules.parse(deployment, rules or {})
    known = sorted((_Job.of(one) for one in jobs), key=lambda one: one.started)
    known = [one for one in known if one.started < end]
    if not known and not stated.every:
        return Findings(title="Batch jobs")
    here = [one for one in known if one.started >= start]
    done = [one for one in here if one.succeeded]
    before = [one for one in known if one.started < start and one.succeeded]
    part = level * PART / (QUESTIONS * max(len(done), 1))
    checks = [_ran(here), _came(known, stated, start, end)]
    checks += [*_judged(done, before, stated, part)]
    metrics = {"jobs": float(len(here))}
    if done:
        metrics |= {"job_rows": sum(one.rows for one in done), "job_seconds": max(one.seconds for one in done)}
    return Findings(
        title="Batch jobs",
        checks=tuple(checks),
        metrics={name: value for name, value in metrics.items() if isfinite(value)},
    )


def _ran(here: Sequence[_Job]) -> CheckResult:
    failed = [one for one in here if not one.succeeded and not one.is_running]
    last = next((one for one in reversed(here) if not one.is_running), None)
    said = f"{len(here)} jobs in the window"
    if failed:
        said = f"{len(failed)} of {len(here)} jobs failed, the last of them {failed[-1].id}"
    return CheckResult(
        name=JOBS,
        subject="ran",
        # one that failed and was made good is told, and is no alarm any more
        outcome=CheckOutcome.FAILED if last is not None and not last.succeeded else CheckOutcome.PASSED,
        sentence=said,
        value=float(len(failed)),
        rule="the last job succeeded",
    )


def _came(known: Sequence[_Job], stated: JobRules, start: datetime, end: datetime) -> CheckResult:
    """The longest pause of the window, until its end, between jobs that succeeded."""
    good = [one.started for one in known if one.succeeded]
    earlier = [moment for moment in good if moment < start]
    begin = earlier[-1] if earlier else start
    moments = [begin, *(moment for moment in good if moment >= start), end]
    pause = max(after - before for before, after in pairwise(moments))
    if stated.every:
        longest, rule = parse_duration(stated.every) * LATE, f"one every {stated.every}"
    else:
        pauses = [after - before for before, after in pairwise(earlier)]
        if len(pauses) < FEWEST:
            return _unknown("in time", f"{_length(pause)} without a job")
        longest, rule = max(pauses) * LATE, f"a pause of at most {LATE:g} times the longest before"
    late = pause > longest
    return CheckResult(
        name=JOBS,
        subject="in time",
        outcome=CheckOutcome.FAILED if late else CheckOutcome.PASSED,
        sentence=f"the longest time without a good job was {_length(pause)}, expected up to {_length(longest)}",
        value=pause / timedelta(hours=1),
        rule=rule,
    )


def _judged(done: Sequence[_Job], before: Sequence[_Job], stated: JobRules, level: float) -> Iterator[CheckResult]:
    if not done:
        return
    worst = max(done, key=lambda one: abs(log(max(one.rows, 1)) - _middle([job.rows for job in before])))
    yield _against("rows", worst, worst.rows, [one.rows for one in before], level, ROWS_RATIO, "rows", both=True)
    slowest = max(done, key=lambda one: one.seconds)
    if stated.longest:
        most = parse_duration(stated.longest)
        yield CheckResult(
            name=JOBS,
            subject="time",
            outcome=CheckOutcome.FAILED if slowest.seconds > most.total_seconds() else CheckOutcome.PASSED,
            sentence=f"{slowest.id} took {number(slowest.seconds, 3)} s",
            value=slowest.seconds,
            rule=f"at most {stated.longest}",
        )
    else:
        yield _against(
            "time", slowest, slowest.seconds, [one.seconds for one in before], level, TIME_RATIO, "seconds"
        )
    yield _rejected(done, before, stated, level)


def _rejected(done: Sequence[_Job], before: Sequence[_Job], stated: JobRules, level: float) -> CheckResult:
    worst = max(done, key=lambda one: one.rejected / max(one.rows + one.rejected, 1))
    share = worst.rejected / max(worst.rows + worst.rejected, 1)
    said = f"{worst.id} rejected {number(worst.rejected)} rows, {share:.2%}"
    if stated.max_rejected >= 0:
        failed, rule = share > stated.max_rejected, f"at most {stated.max_rejected:.2%}"
    else:
        shares = np.array([one.rejected / max(one.rows + one.rejected, 1) for one in before])
        if len(shares) < FEWEST:
            return _unknown("rejected", said)
        usual = float(np.median(shares))
        spread = max(float(shares.std(ddof=1)) * np.sqrt(1 + 1 / len(shares)), 1e-9)
        chance = float(special.stdtr(len(shares) - 1, -(share - usual) / spread))
        is_material = share > REJECTED_RATIO * usual and share - usual >= REJECTED_MORE
        failed = chance <= level and is_material and worst.rejected >= REJECTED_ROWS
        said, rule = f"{said}, usually {usual:.2%}", f"less than {REJECTED_RATIO:g} times what is usual"
    return CheckResult(
        name=JOBS,
        subject="rejected",
        outcome=CheckOutcome.FAILED if failed else CheckOutcome.PASSED,
        sentence=said,
        value=share,
        rule=rule,
    )


def _against(
    subject: str,
    job: _Job,
    value: float,
    earlier: Sequence[float],
    level: float,
    ratio: float,
    unit: str,
    *,
    both: bool = False,
) -> CheckResult:
    """A positive number of a job against those of earlier ones, by their logarithms."""
    said = f"{job.id}: {number(value, 3)} {unit}"
    logs = np.log(np.maximum([one for one in earlier if isfinite(one)], 1e-3))
    if len(logs) < FEWEST or not isfinite(value):
        return _unknown(subject, said)
    middle = float(np.median(logs))
    off = log(max(value, 1e-3)) - middle
    spread = max(float(logs.std(ddof=1)) * np.sqrt(1 + 1 / len(logs)), 0.01)
    chance = float(special.stdtr(len(logs) - 1, -(abs(off) if both else off) / spread)) * (2 if both else 1)
    is_material = off >= log(ratio) or (both and off <= -log(ratio))
    return CheckResult(
        name=JOBS,
        subject=subject,
        outcome=CheckOutcome.FAILED if chance <= level and is_material else CheckOutcome.PASSED,
        sentence=f"{said}, usually {number(float(np.exp(middle)), 3)}",
        value=value,
        rule=f"less than {ratio:g} times what is usual" + (", and more than that part of it" if both else ""),
    )


def _unknown(subject: str, said: str) -> CheckResult:
    return CheckResult(
        name=JOBS,
        subject=subject,
        outcome=CheckOutcome.INCONCLUSIVE,
        sentence=f"{said}; not judged: too few jobs before say what is usual",
    )


def _middle(values: Sequence[float]) -> float:
    known = [log(max(value, 1)) for value in values if isfinite(value)]
    return float(np.median(known)) if known else 0.0


def _length(length: timedelta) -> str:
    hours = length / timedelta(hours=1)
    return f"{hours / 24:.3g} days" if hours >= 48 else f"{hours:.3g} h"
