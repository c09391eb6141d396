"""One look at a rollout from inside its notebook: the facts it was given, the log they name, and what follows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import pandas as pd

from nbprod.clock import now, parse_utc
from nbprod.domain.rollout import RolloutStatus
from nbprod.domain.rollout_plan import MetricRule, RolloutPolicy, RolloutStep, StepKind, log_start, parse_plan
from nbprod.errors import DataError, SettingsError
from nbprod.monitors.kpis.evaluating import KpiError, Tables, kpi_values, time_limit
from nbprod.monitors.kpis.kpi import Kpi
from nbprod.rollouts.analysis import RolloutFinding, analyse, analyse_pairs
from nbprod.rollouts.drawing import EvidenceCourse, evidence_course
from nbprod.rollouts.log import RolloutLog, read_log

__all__ = ["RolloutLook", "load_rollout"]


@dataclass(frozen=True, kw_only=True)
class RolloutLook:
    """What is known of a rollout at one moment; a notebook may add columns to ``log.requests`` before it decides."""

    policy: RolloutPolicy
    step: RolloutStep
    is_last: bool
    is_promoted: bool
    log: RolloutLog

    @property
    def is_paired(self) -> bool:
        """Whether both versions are held against each other on the same requests."""
        return self.step.kind in {StepKind.SHADOW, StepKind.REPLAY}

    def decide(self) -> RolloutFinding:
        """What follows from the rules that were fixed at the start."""
        return self._found(self.log.pairs if self.is_paired else self.log.requests)

    def course(self) -> EvidenceCourse:
        """Evidence over time, as earlier looks at the same log would have found it."""
        rows = self.log.pairs if self.is_paired else self.log.requests
        return evidence_course(rows, self._found, alpha=self.policy.alpha)

    def _found(self, rows: pd.DataFrame) -> RolloutFinding:
        if self.is_paired:
            return analyse_pairs(rows, self.policy)
        return analyse(rows, self.policy, self.step, is_last=self.is_last, is_promoted=self.is_promoted)

    def with_metric(self, name: str, values: Any, *, margin: float = 1.25, better: str = "lower") -> RolloutLook:
        """With another metric to decide by.

        Parameters
        ----------
        name
            What it is called in the record.
        values
            By request, in the order of ``log.requests``: whether an event happened, or a number whose mean counts;
            ``NaN`` where it is not known yet.
        margin
            How many times more, or less, still counts as not worse.
        better
            ``lower`` or ``higher``.

        Raises
        ------
        SettingsError
            The metric is there already.
        """
        if name in {one.name for one in self.policy.metrics}:
            raise SettingsError(f"the rollout has a metric {name!r} already", hint="Give it another name.")
        rule = MetricRule(name=name, margin=margin, better=better)
        requests = self.log.requests.assign(**{name: values})
        return replace(
            self,
            policy=replace(self.policy, metrics=(*self.policy.metrics, rule)),
            log=replace(self.log, requests=requests),
        )

    def with_kpi(self, kpi: Kpi, *, tables: Mapping[str, Any] | None = None, margin: float = 1.25) -> RolloutLook:
        """With a KPI to decide by: the one the monitor judges.

        Parameters
        ----------
        kpi
            One that has a value for each prediction.
        tables
            Further tables it asks for, by name: a path, a URL, or a data frame.
        margin
            As in :meth:`with_metric`.

        Raises
        ------
        SettingsError
            It has one number for all predictions, of which no arm's is known, or its name is taken.
        DataError
            It cannot be computed.
        """
        try:
            with time_limit(kpi.limit_s):
                values = kpi_values(kpi, self.log.requests.reset_index(drop=True), Tables(tables or {}))
        except KpiError as problem:
            raise DataError(f"{kpi.name} could not be computed: {problem}") from problem
        if isinstance(values, float):
            raise SettingsError(
                f"{kpi.name} has one number for all predictions", hint="A rollout needs a value a prediction."
            )
        return self.with_metric(kpi.name, values, margin=margin, better=kpi.better)

    def __repr__(self) -> str:
        return f"<RolloutLook at {self.step}: {self.log!r}>"

    def _repr_html_(self) -> str:
        return self.log._repr_html_()


def load_rollout(
    lake: str,
    deployment: str,
    rollout: Mapping[str, Any],
    *,
    as_of: datetime | None = None,
    tables: Mapping[str, int] | None = None,
    inputs: Sequence[str] = (),
) -> RolloutLook:
    """Read what a rollout has come to.

    Parameters
    ----------
    lake
        Folder or URL of the tables.
    deployment
        Its name.
    rollout
        The facts fixed at its start, as the notebook's parameter holds them.
    as_of
        Until when things are known; now without it.
    tables
        Versions of the tables an earlier look recorded.
    inputs
        Inputs that are columns of ``log.requests`` too, for metrics of the notebook's own.
    """
    steps = parse_plan(str(rollout["plan"]))
    place = int(rollout["step"])
    policy = RolloutPolicy(
        plan=steps,
        metrics=tuple(MetricRule(**one) for one in rollout["metrics"]),
        **{name: rollout[name] for name in ("alpha", "slow_ms", "horizon", "step_units")},
    )
    return RolloutLook(
        policy=policy,
        step=steps[place],
        is_last=place + 1 >= len(steps) or steps[place + 1].share == 1,
        is_promoted=rollout["status"] == RolloutStatus.PROMOTED,
        log=read_log(
            lake,
            deployment,
            policy,
            start=log_start(steps[place].kind, parse_utc(str(rollout["started_at"]))),
            end=as_of or now(),
            tables=tables,
            candidate=str(rollout["candidate"]),
            inputs=inputs,
        ),
    )
