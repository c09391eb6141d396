"""Before a rollout starts: how it would end on traffic like that of the deployment's own past days."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nbprod.domain.duration import parse_duration
from nbprod.domain.rollout import Arm, RolloutDecision, bucket_of
from nbprod.domain.rollout_plan import RolloutPolicy, RolloutStep, StepKind
from nbprod.errors import DataError
from nbprod.rollouts.analysis import analyse
from nbprod.statistics.event_rates import log_evidence

__all__ = ["RehearsedRollout", "SelfTest", "advice", "rehearse", "self_test"]

RATIOS = (1.0, 1.25, 2.0, 4.0)
LOOKS_A_DAY = 4
FEWEST_DAYS, FEWEST_UNITS = 2, 100
Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class RehearsedRollout:
    """How a candidate with so many times the events would end."""

    rate_ratio: float
    rolled_back: float  #: share of the rehearsals
    promoted: float
    undecided: float
    days: float | None  #: until it is decided, median of those that are
    exposed: float | None  #: units that met the candidate before it was rolled back, median

    @property
    def sentence(self) -> str:
        """The finding in words."""
        what = "an equal candidate" if self.rate_ratio == 1 else f"{self.rate_ratio:g} times the events"
        exposed = f", after {self.exposed:,.0f} units met it" if self.exposed is not None else ""
        return (
            f"{what}: rolled back in {self.rolled_back:.0%}{exposed}, promoted in {self.promoted:.0%}, "
            f"undecided in {self.undecided:.0%}"
        )


@dataclass(frozen=True, kw_only=True)
class SelfTest:
    """The stable version against itself: every roll back is a false one."""

    runs: int
    rolled_back: int
    blocked: int

    @property
    def sentence(self) -> str:
        """The finding in words."""
        return (
            f"of {self.runs} assignments of the same answers to two arms {self.rolled_back} were rolled back, "
            f"{self.blocked} blocked"
        )


@dataclass(frozen=True, kw_only=True)
class _Days:
    """What a day of the deployment is like: its units, and the share of them with an event, by metric."""

    units: Floats  #: by day
    rates: dict[str, Floats]  #: by metric and day

    @classmethod
    def of(cls, log: pd.DataFrame, policy: RolloutPolicy) -> _Days:
        rows = log[log["arm"].eq(Arm.STABLE.value)]
        unit = rows["unit"].where(rows["unit"].notna(), rows["prediction_id"])
        rows = rows.assign(unit=unit, day=rows["at"].dt.floor("D"))
        names = [rule.name for rule in policy.metrics if set(rows[rule.name].dropna().unique()) <= {0.0, 1.0}]
        by_unit = rows.groupby(["day", "unit"], sort=True)[names].max()
        by_day = by_unit.groupby("day")
        units = np.asarray(by_day.size(), dtype=np.float64)
        if len(units) < FEWEST_DAYS or units.sum() < FEWEST_UNITS:
            raise DataError(
                f"{len(units)} days with {int(units.sum())} units are too little to rehearse a rollout on",
                hint=f"At least {FEWEST_DAYS} days and {FEWEST_UNITS} units; take a longer past with --last.",
            )
        rates = {name: np.asarray(by_day[name].mean().fillna(0.0), dtype=np.float64) for name in names}
        if not any(rate.any() for rate in rates.values()):
            raise DataError(
                "no event of any metric happened in this past, so nothing can be rehearsed",
                hint="Take a longer past, a lower slow_ms, or a metric with commoner events.",
            )
        return cls(units=units, rates=rates)


def rehearse(
    log: pd.DataFrame,
    policy: RolloutPolicy,
    *,
    ratios: Sequence[float] = RATIOS,
    runs: int = 400,
    seed: int = 0,
) -> list[RehearsedRollout]:
    """Draw days of the past at random, give a candidate so many times their events, and follow the plan.

    Days are drawn whole, with their units and their rates, so that busy and bad days stay together. Every metric of
    the candidate gets the same ratio. Evidence, steps and ends are those of real rollouts.

    Parameters
    ----------
    log
        Requests of the past, as `read_log` gives them.
    policy
        What the rollout would be judged by.
    ratios
        How many times the events a candidate has.
    runs
        Rehearsals of each.
    seed
        The same seed draws the same days.

    Raises
    ------
    DataError
        The past is too short, or no event happened in it.
    """
    days = _Days.of(log, policy)
    steps = [step for step in policy.plan if step.kind in {StepKind.CANARY, StepKind.AB} and step.share < 1]
    if not steps:
        raise DataError(
            "the plan has no step in which two arms are compared", hint="For instance canary:5:25:50:100."
        )
    rng = np.random.default_rng(seed)
    return [_rehearsed(days, policy, steps, ratio, runs, rng) for ratio in ratios]


def _rehearsed(
    days: _Days, policy: RolloutPolicy, steps: list[RolloutStep], ratio: float, runs: int, rng: np.random.Generator
) -> RehearsedRollout:
    shares = np.array([step.share for step in steps])
    looks = max(round(parse_duration(policy.longest).total_seconds() / 86_400 * LOOKS_A_DAY), 1)
    theirs = {name: np.zeros(runs) for name in days.rates}
    events = {name: np.zeros((runs, len(steps))) for name in days.rates}
    step, met, exposed = np.zeros(runs, dtype=int), np.zeros(runs), np.zeros(runs)
    ended_at = np.full(runs, -1)
    rolled_back, promoted = np.zeros(runs, dtype=bool), np.zeros(runs, dtype=bool)
    harmful, proven = np.log(len(days.rates) / policy.alpha), -np.log(policy.alpha)
    for look in range(looks):
        open_ = ended_at < 0
        day = rng.integers(len(days.units), size=runs)
        units = rng.binomial(np.round(days.units[day]).astype(int), 1 / LOOKS_A_DAY) * open_
        given = rng.binomial(units, shares[step])
        exposed += given
        met += given
        harm, fine = np.zeros(runs, dtype=bool), np.ones(runs, dtype=bool)
        for name, rates in days.rates.items():
            candidate = rng.binomial(given, np.minimum(rates[day] * ratio, 1.0))
            theirs[name] += candidate
            events[name][np.arange(runs), step] += candidate + rng.binomial(units - given, rates[day])
            worse, not_worse = log_evidence(theirs[name], events[name], shares, margin=_margin(policy, name))
            harm |= worse >= harmful
            fine &= not_worse >= proven
        rolled_back |= open_ & harm
        promoted |= open_ & ~harm & fine & (step == len(steps) - 1)
        ended_at[open_ & (rolled_back | promoted)] = look
        further = open_ & ~harm & (step < len(steps) - 1) & (fine | (met >= policy.step_units))
        step[further] += 1
        met[further] = 0
    decided = ended_at >= 0
    return RehearsedRollout(
        rate_ratio=ratio,
        rolled_back=float(rolled_back.mean()),
        promoted=float(promoted.mean()),
        undecided=float((~decided).mean()),
        days=float(np.median(ended_at[decided] + 1) / LOOKS_A_DAY) if decided.any() else None,
        exposed=float(np.median(exposed[rolled_back])) if rolled_back.any() else None,
    )


def _margin(policy: RolloutPolicy, name: str) -> float:
    return next(rule.margin for rule in policy.metrics if rule.name == name)


def advice(found: Sequence[RehearsedRollout], policy: RolloutPolicy) -> list[str]:
    """What would help where an equal candidate would most likely end undecided.

    Parameters
    ----------
    found
        As `rehearse` gives them.
    policy
        As it was rehearsed.
    """
    equal = next((one for one in found if one.rate_ratio == 1), None)
    if equal is None or equal.undecided < 0.5:
        return []
    widest = max(rule.margin for rule in policy.metrics)
    return [
        f"an equal candidate stays undecided in {equal.undecided:.0%}: hold is the likely end",
        f"a wider margin than {widest:g} needs fewer events",
        "a commoner event that stands for the same harm is seen sooner",
        "a shadow compares both on the same requests and needs a fraction of them",
        f"more days than {policy.longest} bring more events",
    ]


def self_test(log: pd.DataFrame, policy: RolloutPolicy, *, share: float = 0.1, runs: int = 40) -> SelfTest:
    """Assign the units of the past to two arms that gave the same answers, and analyse them as a rollout.

    Parameters
    ----------
    log
        As `read_log` gives it.
    policy
        What the rollout would be judged by.
    share
        Of the units that are called the candidate's.
    runs
        Assignments, each with a salt of its own.
    """
    rows = log[log["arm"].eq(Arm.STABLE.value)]
    key = rows["unit"].where(rows["unit"].notna(), rows["prediction_id"]).astype(str)
    step = RolloutStep(kind=StepKind.CANARY, share=share)
    ends = []
    for _ in range(runs):
        salt = secrets.token_hex(8)
        place = {unit: bucket_of(salt, unit) < share for unit in key.unique()}
        arms = np.where(key.map(place), Arm.CANDIDATE.value, Arm.STABLE.value)
        days = rows["at"].dt.strftime("0:%Y-%m-%d")
        ends.append(analyse(rows.assign(arm=arms, share=share, stratum=days), policy, step, is_last=True).decision)
    return SelfTest(
        runs=runs, rolled_back=ends.count(RolloutDecision.ROLL_BACK), blocked=ends.count(RolloutDecision.BLOCKED)
    )
